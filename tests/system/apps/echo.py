"""Says what it got and which process answered; small commands in the path make it behave badly."""

import json
import os
import time
from urllib.parse import parse_qs


def application(environ, start_response):
    path = environ["PATH_INFO"]
    query = parse_qs(environ["QUERY_STRING"])
    if path == "/id":
        body = query["id"][0].encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
        return [body]
    if path.startswith("/env/"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [os.environ.get(path[5:], "").encode()]
    if path.startswith("/sleep/"):
        time.sleep(float(path[7:]))
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
        return [b"slept"]
    if path.startswith("/bytes/"):
        n = int(path[7:])
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(n))])
        return pieces(n)
    if path.startswith("/stream/"):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return pieces(int(path[8:]))
    if path == "/raise":
        raise RuntimeError("asked to fail")
    if path == "/raise-late":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return raise_after_first()
    if path == "/exit":
        os._exit(3)
    if path == "/status":
        start_response(query["line"][0], [("Content-Type", "text/plain")])
        return [b"body"]
    body = environ["wsgi.input"].read()
    shown = {k: v for k, v in environ.items() if isinstance(v, str)}
    answer = json.dumps({"environ": shown, "body": body.decode("latin-1"), "pid": os.getpid(),
                         "uid": os.getuid(), "cwd": os.getcwd()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def pieces(n):
    block = bytes(range(256)) * 64
    while n > 0:
        yield block[:n]
        n -= len(block)


def raise_after_first():
    yield b"first"
    raise RuntimeError("asked to fail late")
