"""Breaks PEP 3333 in the way that the path names."""


def application(environ, start_response):
    path = environ["PATH_INFO"]
    plain = [("Content-Type", "text/plain")]
    if path == "/no-start":
        return [b"x"]
    if path == "/twice":
        start_response("200 OK", plain)
        start_response("201 Created", plain)
    elif path == "/status-int":
        start_response(200, plain)
    elif path == "/header-int":
        start_response("200 OK", [("X", 1)])
    elif path == "/header-crlf":
        start_response("200 OK", [("X", "a\r\nInjected: 1")])
    elif path == "/header-name":
        start_response("200 OK", [("X: y", "a")])
    elif path == "/item-str":
        start_response("200 OK", plain)
        return ["text"]
    elif path == "/too-long":
        start_response("200 OK", plain + [("Content-Length", "3")])
        return [b"abcdef"]
    elif path == "/too-short":
        start_response("200 OK", plain + [("Content-Length", "10")])
        return [b"abc"]
    elif path == "/none":
        start_response("200 OK", plain)
        return None
    elif path == "/hop":
        start_response("200 OK", plain + [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Keep-Alive", "1"), ("Status", "9")])
    elif path == "/exit":
        raise SystemExit(7)
    elif path == "/":
        start_response("200 OK", plain)
    elif path == "/body-204":
        start_response("204 No Content", [])
        return [b"body"]
    return [b"ok"]
