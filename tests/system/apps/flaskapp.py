from flask import Flask, jsonify, request, session

app = Flask(__name__)
app.secret_key = "tests only"


@app.route("/")
def index():
    session["seen"] = session.get("seen", 0) + 1
    return f"seen {session['seen']}"


@app.route("/json", methods=["POST"])
def echo():
    return jsonify(got=request.get_json(), who=request.remote_addr)


@app.route("/upload", methods=["POST"])
def upload():
    return str(len(request.files["f"].read()))


@app.route("/stream")
def stream():
    return app.response_class((f"{i}\n" for i in range(1000)), mimetype="text/plain")


@app.route("/fail")
def fail():
    raise RuntimeError("asked to fail")
