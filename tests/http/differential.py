#!/usr/bin/env python3
"""Changed requests to a server and to the model (model.py): any disagreement is printed.

    differential.py PORT CORPUS SECONDS [SEED]

The server answers every good request with 200: bench/http_bench.  The corpus is that of the fuzz
target h1 (the first byte of a file is not part of the request).
"""
import pathlib
import random
import re
import socket
import sys
import time

import model

PIECES = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b",", b";", b"/", b"//", b"/../",
          b"%2e", b"%00", b"%", b"?", b"#", b"\0", b"\x7f", b"\xa0", b"\xff", b"0", b"1", b"5", b"f",
          b"-", b"+", b"_", b"\"", b"\\", b"chunked", b"identity", b"gzip", b"close", b"keep-alive",
          b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
          b"Host: a\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"X: y\r\n",
          b"X_Y: z\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"HTTP/1.1", b"HTTP/1.0", b"GET / HTTP/1.1\r\n",
          b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST ", b"http://b", b"[::1]"]


def changed(data, corpus, rng):
    data = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[at:at] = rng.choice(PIECES)
        elif kind == 1:
            data[at:at + rng.randrange(1, 6)] = b""
        elif kind == 2:
            data[at:at + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            data[at:at + rng.randrange(1, 6)] = rng.choice(PIECES)
        else:
            data[at:] = rng.choice(corpus)
    return bytes(data)


def ask(port, data, rng):
    """Statuses, 100 left out."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        cut = rng.randrange(len(data) + 1) if rng.random() < 0.3 else len(data)
        try:
            sock.sendall(data[:cut])
            if cut < len(data):
                time.sleep(0)
                sock.sendall(data[cut:])
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        got = b""
        while piece := sock.recv(65536):
            got += piece
    return [int(s) for s in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", got) if s != b"100"]


def main():
    port, seconds = int(sys.argv[1]), float(sys.argv[3])
    rng = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    corpus = [p.read_bytes()[1:] for p in sorted(pathlib.Path(sys.argv[2]).iterdir())]
    end, asked, wrong = time.monotonic() + seconds, 0, 0
    for data in corpus:
        asked += 1
        wrong += tell(data, ask(port, data, rng))
    while time.monotonic() < end:
        data = changed(rng.choice(corpus), corpus, rng)
        asked += 1
        wrong += tell(data, ask(port, data, rng))
    print(f"{asked} inputs, {wrong} disagreements")
    return wrong > 0


def tell(data, have):
    want = model.story(data)
    if want != have:
        print(f"model {want}, server {have}: {data!r}")
    return want != have


if __name__ == "__main__":
    sys.exit(main())
