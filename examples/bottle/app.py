"""A Bottle application with one route and one form."""

import os

import bottle

application = bottle.Bottle()


@application.get("/")
def index():
    return f"Hello from Bottle, process {os.getpid()}.\n"


@application.post("/form")
def form():
    return {"name": bottle.request.forms.getunicode("name")}
