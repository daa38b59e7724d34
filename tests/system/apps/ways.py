"""Several ways into one module: what each one is called with, and in which thread."""

import json
import threading

pair = threading.Barrier(2, timeout=20)


def say(name, environ, start_response):
    answer = json.dumps({"way": name, "SCRIPT_NAME": environ["SCRIPT_NAME"], "PATH_INFO": environ["PATH_INFO"],
                         "multithread": environ["wsgi.multithread"]}).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer]


def application(environ, start_response):
    return say("application", environ, start_response)


def second(environ, start_response):
    return say("second", environ, start_response)


def make():
    made_in = threading.current_thread().name

    def made(environ, start_response):
        return say("made in " + made_in, environ, start_response)

    return made


def make_nothing():
    return None


def make_trouble():
    raise RuntimeError("the factory is on strike")


async def coroutine(scope, receive, send):
    raise AssertionError("nobody awaits this")


def together(environ, start_response):
    """Answers when two requests are here at once."""
    pair.wait()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [threading.current_thread().name.encode()]


def stack(environ, start_response):
    """The sizes in KiB of all areas of memory, the threads' stacks among them."""
    pair.wait()
    with open("/proc/self/maps", encoding="ascii") as maps:
        areas = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    sizes = [(high - low) // 1024 for low, high in areas]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(sizes).encode()]
