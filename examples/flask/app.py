"""A real Flask application: what `make run` serves."""

import os

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/")
def index():
    return f"Hello from Flask, process {os.getpid()}, hatched by process {os.getppid()}.\n"


@app.post("/echo")
def echo():
    return jsonify(method=request.method, form=request.form, length=len(request.get_data()))
