"""Clients that keep asking while something happens to the daemon, and remember what went wrong.

Every request carries an id that its answer must echo, so a lost, doubled, mixed-up or truncated answer
is seen, not guessed.
"""

import http.client
import socket
import threading
import time


class Failure:
    def __init__(self, began, ended, kind, detail):
        self.began, self.ended, self.kind, self.detail = began, ended, kind, detail

    def __repr__(self):
        return f"{self.kind} at {self.ended:.3f} after {(self.ended - self.began) * 1000:.0f} ms: {self.detail}"


class Load:
    """with Load(port, keepalive=32, short=32) as load: …; then load.answered, load.failures, load.times (seconds)."""

    def __init__(self, port, keepalive=32, short=0, path="/id?id={}", echo=True, timeout=10, host="127.0.0.1"):
        self.address, self.path, self.echo, self.timeout = (host, port), path, echo, timeout
        self.kinds = ["keepalive"] * keepalive + ["short"] * short
        self.answered = 0
        self.times = []
        self.failures = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = []

    def __enter__(self):
        for i, kind in enumerate(self.kinds):
            t = threading.Thread(target=self.client, args=(i, kind == "keepalive"), daemon=True)
            t.start()
            self.threads.append(t)
        return self

    def __exit__(self, *_):
        self.over.set()
        end = time.monotonic() + self.timeout + 5
        for t in self.threads:
            t.join(max(0.0, end - time.monotonic()))
        self.hung = [t for t in self.threads if t.is_alive()]

    def client(self, number, keep):
        sock = None
        count = 0
        times = []
        while not self.over.is_set():
            ident = f"{number}-{count}"
            count += 1
            began = time.monotonic()
            try:
                if sock is None:
                    sock = socket.create_connection(self.address, self.timeout)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    reader = sock.makefile("rb")
                close = "" if keep else "Connection: close\r\n"
                sock.sendall(f"GET {self.path.format(ident)} HTTP/1.1\r\nHost: load\r\n{close}\r\n".encode())
                status, fields, body = read_answer(reader)
                if status >= 400:
                    self.fail(began, f"status {status}", fields)
                elif self.echo and body != ident.encode():
                    self.fail(began, "wrong answer", (ident, body[:100]))
                else:
                    times.append(time.monotonic() - began)
                if not keep or fields.get("connection") == "close":
                    reader.close()
                    sock.close()
                    sock = None
            except Idle:
                # The server closed an idle connection before the request reached it: RFC 9112, 9.3.1 lets a client repeat it.
                reader.close()
                sock.close()
                sock = None
            except (OSError, http.client.HTTPException, ValueError) as e:
                self.fail(began, type(e).__name__, str(e))
                if sock is not None:
                    reader.close()
                    sock.close()
                    sock = None
        with self.lock:
            self.answered += len(times)
            self.times += times

    def fail(self, began, kind, detail):
        with self.lock:
            self.failures.append(Failure(began, time.monotonic(), kind, detail))


class Idle(Exception):
    """The connection ended in an orderly way before any byte of an answer."""


class Truncated(http.client.HTTPException):
    pass


def read_answer(reader):
    line = reader.readline()
    if line == b"":
        raise Idle()
    version, status = line.split(None, 2)[:2]
    if version != b"HTTP/1.1":
        raise ValueError(f"status line {line!r}")
    fields = {}
    while True:
        line = reader.readline()
        if line == b"\r\n":
            break
        if not line.endswith(b"\r\n"):
            raise Truncated(f"head ends in {line!r}")
        name, value = line.decode("latin-1").split(":", 1)
        fields[name.lower()] = value.strip()
    if status == b"408" and fields.get("content-length") == "0":
        raise Idle()
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size = reader.readline()
            if not size.endswith(b"\r\n"):
                raise Truncated("chunk size")
            n = int(size, 16)
            piece = reader.read(n + 2)
            if len(piece) != n + 2:
                raise Truncated("chunk")
            if n == 0:
                break
            body += piece[:-2]
    else:
        n = int(fields["content-length"])
        body = reader.read(n)
        if len(body) != n:
            raise Truncated(f"{len(body)} of {n} bytes")
    return int(status), fields, body
