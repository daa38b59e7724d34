"""Counts how often close() was called on results, by a file that grows a line each."""

import os


class Result:
    def __init__(self, n, fail):
        self.n, self.fail = n, fail

    def __iter__(self):
        return self

    def __next__(self):
        if self.n == 0:
            if self.fail:
                raise RuntimeError("asked to fail")
            raise StopIteration
        self.n -= 1
        return b"x" * 65536

    def close(self):
        with open(os.environ["CLOSED"], "a") as f:
            f.write("closed\n")


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Result(int(environ["QUERY_STRING"] or 1), environ["PATH_INFO"] == "/fail")
