"""spec/control-api.md, 1: requests as bytes, and the status and title of what they get."""

from .case import BAD_JSON, BAD_REQUEST, DONE, MISSING


def row(name, raw, status, title=None, says=""):
    return name, raw if isinstance(raw, bytes) else raw.replace("\n", "\r\n").encode("latin-1"), status, title, says


BAD, LARGE = 400, 431
PUT = "PUT /config/routes/empty HTTP/1.1\nHost: a\n"

ROWS = [
    # versions, fields, line ends
    row("HTTP/1.1", "GET /config/routes/empty HTTP/1.1\nHost: a\n\n", 200),
    row("HTTP/1.0", "GET /config/routes/empty HTTP/1.0\n\n", 200),
    row("HTTP/1.0 with a body", "PUT /config/routes/empty HTTP/1.0\nContent-Length: 2\n\n[]", 200, DONE),
    row("no Host", "GET /config/routes/empty HTTP/1.1\n\n", 200),
    row("an empty Host", "GET /config/routes/empty HTTP/1.1\nHost:\n\n", 200),
    row("an odd Host", "GET /config/routes/empty HTTP/1.1\nHost: what ever/\n\n", 200),
    row("keep-alive is not", "GET /config/routes/empty HTTP/1.1\nHost: a\nConnection: keep-alive\n\n", 200),
    row("the second of two is not read", "GET /config/routes/empty HTTP/1.1\n\nGET /config/routes/main HTTP/1.1\n\n", 200),
    row("absolute target", "GET http://a/config/routes/empty HTTP/1.1\nHost: a\n\n", 200),
    row("bare line feeds", b"GET /config/routes/empty HTTP/1.1\nHost: a\n\n", BAD, BAD_REQUEST),
    row("empty lines before", "\n\nGET /config/routes/empty HTTP/1.1\nHost: a\n\n", 200),
    row("unknown fields", "GET /config/routes/empty HTTP/1.1\nHost: a\nX: y\nCookie: z\nUpgrade: h2c\nTE: trailers\n\n", 200),
    row("a form's type", PUT + "Content-Type: application/x-www-form-urlencoded\nContent-Length: 2\n\n[]", 200, DONE),
    row("no type", PUT + "Content-Length: 2\n\n[]", 200, DONE),
    row("a head of 7 KiB", f"GET /config/routes/empty HTTP/1.1\nHost: a\nX: {'x' * 7000}\n\n", 200),
    row("a head of 100 fields", "GET /config/routes/empty HTTP/1.1\n" + "".join(f"X-{i}: y\n" for i in range(100)) + "\n", 200),
    row("a target of 4 KiB", f"GET /config/{'x/../' * 800}routes/empty HTTP/1.1\n\n", 200),
    # bodies
    row("a body without length is none", PUT + "\n", 400, BAD_JSON),
    row("length 0", PUT + "Content-Length: 0\n\n", 400, BAD_JSON),
    row("chunked", PUT + "Transfer-Encoding: chunked\n\n1\n[\n1\n]\n0\n\n", 200, DONE),
    row("chunked with extensions and trailers", PUT + "Transfer-Encoding: chunked\n\n2;a=b;c=\"d\"\n[]\n0\nX: y\n\n", 200, DONE),
    row("chunked in capitals", PUT + "Transfer-Encoding: CHUNKED\n\n2\n[]\n0\n\n", 200, DONE),
    row("an empty chunked body", PUT + "Transfer-Encoding: chunked\n\n0\n\n", 400, BAD_JSON),
    row("a chunk without a size", PUT + "Transfer-Encoding: chunked\n\nx\n[]\n0\n\n", BAD, BAD_REQUEST),
    row("a chunk that is longer than its size", PUT + "Transfer-Encoding: chunked\n\n1\n[]\n0\n\n", BAD, BAD_REQUEST),
    row("a chunk size beyond 64 bits", PUT + "Transfer-Encoding: chunked\n\nfffffffffffffffff\n", BAD, BAD_REQUEST),
    row("both lengths", PUT + "Content-Length: 2\nTransfer-Encoding: chunked\n\n2\n[]\n0\n\n", BAD, BAD_REQUEST),
    row("two lengths", PUT + "Content-Length: 2\nContent-Length: 3\n\n[]", BAD, BAD_REQUEST),
    row("a negative length", PUT + "Content-Length: -2\n\n[]", BAD, BAD_REQUEST),
    row("a length with a plus", PUT + "Content-Length: +2\n\n[]", BAD, BAD_REQUEST),
    row("a length in hexadecimal", PUT + "Content-Length: 0x2\n\n[]", BAD, BAD_REQUEST),
    row("an empty length", PUT + "Content-Length:\n\n[]", BAD, BAD_REQUEST),
    row("a length beyond 64 bits", PUT + "Content-Length: 99999999999999999999\n\n[]", BAD, BAD_REQUEST),
    row("more than the length", PUT + "Content-Length: 2\n\n[] no more of it is read", 200, DONE),
    row("Expect", PUT + "Expect: 100-continue\nContent-Length: 2\n\n[]", 200, DONE),
    row("an unknown expectation", PUT + "Expect: the-unexpected\nContent-Length: 2\n\n[]", 417, BAD_REQUEST),
    row("a body beyond 64 MiB by its length", PUT + f"Content-Length: {64 * 1024 * 1024 + 1}\n\n", 413, BAD_REQUEST),
    row("a body beyond 64 MiB by a chunk's size", PUT + "Transfer-Encoding: chunked\n\n4000001\n", 413, BAD_REQUEST),
    row("a body on GET", "GET /config/routes/empty HTTP/1.1\nContent-Length: 2\n\n[]", 200),
    row("an unknown coding", PUT + "Transfer-Encoding: gzip, chunked\n\n0\n\n", 501, BAD_REQUEST),
    # what is no request
    *[row(name, raw, BAD, BAD_REQUEST) for name, raw in (
        ("nonsense", "NONSENSE\n\n"), ("no target", "GET\n\n"), ("no version", "GET /config\n\n"), ("three words too many", "GET /config HTTP/1.1 x\n\n"),
        ("a bad version", "GET /config HTTP/x\n\n"), ("a version in small letters", "GET /config http/1.1\n\n"), ("a space in front", " GET /config HTTP/1.1\n\n"), ("a NUL in the target", "GET /con\0fig HTTP/1.1\n\n"),
        ("a control byte in the target", "GET /con\x01fig HTTP/1.1\n\n"), ("a method with a bad byte", "G(T /config HTTP/1.1\n\n"), ("a space before the colon", "GET /config HTTP/1.1\nHost : a\n\n"),
        ("a field without a colon", "GET /config HTTP/1.1\nHost\n\n"), ("a field without a name", "GET /config HTTP/1.1\n: x\n\n"),
        ("a folded field", "GET /config HTTP/1.1\nA: b\n c\n\n"), ("a bad byte in a field's name", "GET /config HTTP/1.1\nA(: b\n\n"), ("a NUL in a field", "GET /config HTTP/1.1\nA: b\0c\n\n"),
        ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n"), ("nothing but a control byte", "\x00"),
        ("a method of 100 KiB", "G" * 100000 + " / HTTP/1.1\n\n"))],
    row("the preface of HTTP/2", "PRI * HTTP/2.0\n\nSM\n\n", 505, BAD_REQUEST),
    row("HTTP/2.0", "GET /config HTTP/2.0\n\n", 505, BAD_REQUEST),
    # too large
    row("a field of 100 KiB", f"GET /config HTTP/1.1\nX: {'x' * 100000}\n\n", LARGE, BAD_REQUEST),
    row("a target of 100 KiB", f"GET /{'x' * 100000} HTTP/1.1\n\n", 414, BAD_REQUEST),
    row("fields of 1 MiB", "GET /config HTTP/1.1\n" + f"X: {'x' * 4000}\n" * 260 + "\n", LARGE, BAD_REQUEST),
    row("a path that is not there", "GET /none HTTP/1.1\n\n", 404, MISSING),
]
