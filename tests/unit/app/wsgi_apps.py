"""WSGI applications for guest_test.c: one callable for each thing to be seen."""

import atexit
import gc
import os
import signal
import sys
import threading
import time

LOADED_IN = os.getpid()


def in_directory(name):
    return os.path.join(os.environ["TEST_DIRECTORY"], name)


def text(start_response, body, status="200 OK", headers=()):
    body = body.encode("latin-1")
    start_response(status, [("Content-Type", "text/plain"), *headers])
    return [body]


def by_server_name(environ, start_response):
    """All of them, chosen by the request."""
    return globals()[environ["SERVER_NAME"]](environ, start_response)


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, world!"]


def dump(environ, start_response):
    """Every key with its repr, sorted."""
    lines = ["%s=%r" % (key, environ[key]) for key in sorted(environ)]
    return text(start_response, "\n".join(lines) + "\n")


def pids(environ, start_response):
    return text(start_response, "%d %d" % (LOADED_IN, os.getpid()))


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [environ["wsgi.input"].read()]


def reading(environ, start_response):
    """All the ways to read, named by the path."""
    source = environ["wsgi.input"]
    how = environ["PATH_INFO"].strip("/")
    if how == "pieces":
        parts = iter(lambda: source.read(3), b"")
    elif how == "lines":
        parts = iter(source.readline, b"")
    elif how == "short-lines":
        parts = iter(lambda: source.readline(2), b"")
    elif how == "list":
        parts = source.readlines()
    elif how == "hint":
        parts = source.readlines(1)
    elif how == "iter":
        parts = list(source)
    elif how == "sum":
        total, n = 0, 0
        for line in source:
            total, n = total + len(line), n + 1
        parts = [b"%d bytes, %d lines" % (total, n)]
    else:
        parts = [source.read(-1), source.read(None), source.read(), source.readline()]
    return text(start_response, repr(list(parts)))


class Closing:
    """An iterable whose close() is seen by the next request."""

    closed = 0

    def __init__(self, parts):
        self.parts = parts

    def __iter__(self):
        return iter(self.parts)

    def close(self):
        Closing.closed += 1


def closing(environ, start_response):
    if environ["PATH_INFO"] == "/count":
        return text(start_response, str(Closing.closed))
    if environ["PATH_INFO"] == "/broken":
        start_response("200 OK", [])
        return Closing([b"a", 7])
    start_response("200 OK", [])
    return Closing([b"one", b"", b"two"])


def generator(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first,"
    yield b"second"


def late_start(environ, start_response):
    """start_response is called when the first piece is asked for."""
    start_response("201 Created", [("X-Late", "yes")])
    yield b"late"


def with_length(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    yield b"1234"
    Closing.closed += 1  # code behind the last piece still runs


def too_long(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    yield b"123456"


def writer(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written,")
    write(b"twice,")
    return [b"returned"]


def large(environ, start_response):
    n = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x" * n]


def endless(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Endless()


class Endless:
    closed_with = 0

    def __iter__(self):
        return self

    def __next__(self):
        return b"x" * 20000

    def close(self):
        Closing.closed += 1


def streaming(environ, start_response):
    if environ["PATH_INFO"] == "/count":
        return text(start_response, str(Closing.closed))
    return endless(environ, start_response)


def raises(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/before":
        raise ValueError("on purpose")
    if path == "/exit":
        sys.exit(7)
    if path == "/twice":
        start_response("200 OK", [])
        start_response("200 OK", [])
    if path == "/never":
        return [b"no head"]
    if path == "/none":
        return None
    if path == "/after":
        return raises_after(start_response)
    if path == "/replaced":
        start_response("200 OK", [("X-Old", "1")])
        try:
            raise KeyError("changed my mind")
        except KeyError:
            start_response("500 Oops", [("X-New", "1")], sys.exc_info())
        return [b"replaced"]
    if path == "/late-replace":
        return late_replace(start_response)
    if path == "/interrupt":
        raise KeyboardInterrupt
    return text(start_response, "fine")


def raises_after(start_response):
    start_response("200 OK", [])
    yield b"begun"
    raise ValueError("on purpose, later")


def late_replace(start_response):
    start_response("200 OK", [])
    yield b"begun"
    try:
        raise KeyError("too late")
    except KeyError:
        start_response("500 Oops", [], sys.exc_info())
    yield b"never seen"


BAD_HEADS = {
    "/status-int": (200, []),
    "/status-text": ("OK", []),
    "/status-long": ("2000 OK", []),
    "/headers-tuple": ("200 OK", ()),
    "/header-list": ("200 OK", [["A", "b"]]),
    "/value-int": ("200 OK", [("A", 1)]),
    "/name-space": ("200 OK", [("A b", "1")]),
    "/value-newline": ("200 OK", [("A", "1\r\nB: 2")]),
    "/value-wide": ("200 OK", [("A", "\u20ac")]),
    "/length": ("200 OK", [("Content-Length", "many")]),
    "/huge": ("200 OK", [("A", "b" * 40000)]),
}


def bad_heads(environ, start_response):
    """The exception is the application's to catch."""
    status, headers = BAD_HEADS[environ["PATH_INFO"]]
    try:
        start_response(status, headers)
    except Exception as e:
        return text(start_response, type(e).__name__)
    return [b"accepted"]


def statuses(environ, start_response):
    start_response(environ["QUERY_STRING"] + " Some", [("X-Length", "none")])
    return [b"a body"]


def latin(environ, start_response):
    start_response("200 OK", [("X-Back", environ["HTTP_X_LATIN"])])
    return [environ["PATH_INFO"].encode("latin-1")]


def files(environ, start_response):
    import io

    how = environ["PATH_INFO"]
    n = int(environ["QUERY_STRING"])
    data = bytes(range(256)) * (n // 256)
    path = in_directory("file.%d" % os.getpid())
    with open(path, "wb") as f:
        f.write(data)
    headers = [("Content-Length", str(n))] if how == "/length" else []
    start_response("200 OK", headers)
    if how == "/stringio":
        return environ["wsgi.file_wrapper"](io.StringIO("no bytes"))
    if how == "/read-only":
        return environ["wsgi.file_wrapper"](ReadOnly(data), 1000)
    return environ["wsgi.file_wrapper"](open(path, "rb"))


class ReadOnly:
    def __init__(self, data):
        self.data = data

    def read(self, n):
        data, self.data = self.data[:n], self.data[n:]
        return data


def slow(environ, start_response):
    """/hold: until the file "release" is there."""
    while environ["PATH_INFO"] == "/hold" and not os.path.exists(in_directory("release")):
        time.sleep(0.01)
    return text(start_response, "%d" % os.getpid())


def threaded(environ, start_response):
    """All threads of the worker meet here."""
    BARRIER.wait(10)
    return text(start_response, "%s %d" % (environ["wsgi.multithread"], threading.get_ident()))


BARRIER = threading.Barrier(3)

if "STUBBORN" in os.environ:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def leaving(environ, start_response):
    atexit.register(leave_a_mark)
    return text(start_response, "%d" % os.getpid())


def leave_a_mark():
    with open(in_directory("mark"), "a") as f:
        f.write("left\n")


def frozen(environ, start_response):
    return text(start_response, "%s %s" % (gc.get_freeze_count() > 1000, gc.isenabled()))


def validated(environ, start_response):
    from wsgiref.validate import validator

    return validator(plain_answer)(environ, start_response)


def plain_answer(environ, start_response):
    body = environ["wsgi.input"].read(100)
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Thing", "a")])
    return [b"valid:", body]


def memory(environ, start_response):
    """A request of all kinds of work; to /blocks, how many blocks of memory Python's objects hold; to /measure,
    the process's own memory in KiB.

    Without shared pages, of which the nest's become resident as they are used, and counted exactly: the
    kernel's counters behind VmRSS and statm may be some hundred KiB behind (proc_pid_status(5))."""
    environ["wsgi.input"].read()
    own = 0
    if environ["PATH_INFO"] == "/blocks":
        gc.collect()
        own = sys.getallocatedblocks()
    if environ["PATH_INFO"] == "/measure":
        with open("/proc/self/smaps_rollup") as f:
            own = sum(int(line.split()[1]) for line in f if line.startswith(("Anonymous:", "Swap:")))
    start_response("200 OK", [("X-Latin", environ.get("HTTP_X_UNKNOWN", "")), ("X-Own", str(own))])
    yield b"part,"
    yield str(own).encode()


def streams(environ, start_response):
    print("to stdout")
    print("to stderr", file=sys.stderr, flush=True)
    environ["wsgi.errors"].write("to wsgi.errors\n")
    environ["wsgi.errors"].flush()
    return text(start_response, os.getcwd() + " " + os.environ.get("COLOUR", "none") + str("BROOD_HERITAGE" in os.environ))


def lingering(environ, start_response):
    """A thread that never ends keeps the interpreter from ending."""
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return text(start_response, "%d" % os.getpid())


async def coroutine(scope, receive, send):
    pass


not_callable = 7
