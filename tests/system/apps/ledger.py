"""Notes each request that it carries out in a file, and answers with its id and as many dots as asked for."""

import os
import time
from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    ident = query["id"][0]
    body = environ["wsgi.input"].read()
    with open(os.environ["LEDGER"], "ab", buffering=0) as ledger:
        ledger.write(f"{ident} {len(body)}\n".encode())
    time.sleep(float(query.get("sleep", ["0"])[0]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    dots = int(query.get("dots", ["0"])[0])
    yield ident.encode()
    while dots > 0:
        yield b"." * min(dots, 8192)
        dots -= 8192
