"""The echo application behind wsgiref's validator: any breach of PEP 3333 is an error it raises."""

from wsgiref.validate import validator

import echo


def plain(environ, start_response):
    """As echo, reading the way the validator allows."""
    path = environ["PATH_INFO"]
    if path == "/file":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return environ["wsgi.file_wrapper"](open(environ["QUERY_STRING"], "rb"), 4096)
    if path == "/write":
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return [b"returned"]
    if path == "/exc-info":
        return exc_info(start_response)
    if path == "/lines":
        stream = environ["wsgi.input"]
        lines = [stream.readline(), *stream.readlines(3), *stream]
        body = b"|".join(lines)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
    if path == "/nothing":
        start_response("204 No Content", [])
        return []
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def exc_info(start_response):
    import sys
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise ValueError("first thoughts")
    except ValueError:
        start_response("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"second thoughts"]


application = validator(plain)
