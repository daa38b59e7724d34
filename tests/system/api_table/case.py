"""What a row of the table is, and how it is asked.

    Case("PUT", "/config/routes/main/0/action", '{"return": ¦1000}', 400, INVALID,
         says=["return"], path="/routes/main/0/action/return")

A ¦ in the body is taken out before it is sent: the answer must name that place, as offset, line and column.
LISTENER in any text stands for the address that the daemon of this test worker listens on, DIRECTORY for the
daemon's own.
"""

import json
import socket
from dataclasses import dataclass, field

from brood import APPS, SYSTEM_PYTHON_HOME

DONE = "Reconfiguration done."
MISSING = "Value doesn't exist."
BAD_JSON = "Invalid JSON."
INVALID = "Invalid configuration."
NOT_ALLOWED = "Method isn't allowed."
INVALID_METHOD = "Invalid method."
INVALID_PATH = "Invalid path."
BAD_REQUEST = "Invalid request."
FAILED = "Failed to apply new configuration."
VALID = "Valid."
MARK = "¦"

# What every case begins with: one of each part, so that each option has a parent to be put into.
BASE = {
    "listeners": {"LISTENER": {"pass": "routes/main"}},
    "routes": {
        "main": [{"match": {}, "action": {"return": 200}}],
        "files": [{"match": {}, "action": {"share": "/www$uri"}}],
        "empty": [],
        "sl/ash": [], "per%cent": [], "": [], "ümläut": [],
    },
    "applications": {"hello": {
        "type": "python", "home": SYSTEM_PYTHON_HOME, "path": str(APPS), "module": "hello",
        "processes": {"max": 1}, "limits": {}, "environment": {},
    }},
    "settings": {"http": {"static": {"mime_types": {}}}},
    "access_log": {"path": "DIRECTORY/access.log"},
}


@dataclass
class Case:
    method: str
    target: str
    body: object = None  # text with at most one MARK, or bytes
    status: int = 200
    title: object = None  # of `success` or `error`; None: a bare value
    says: list = field(default_factory=list)  # words of `detail`
    path: object = None  # JSON pointer; None: no such member
    place: object = None  # (offset, line, column) where the body is no text with a MARK
    value: object = None  # of the target afterwards, as JSON; or of the answer to a GET
    exact: object = None  # bytes of the answer
    fields: tuple = ()
    name: str = ""

    @property
    def id(self):
        return self.name or f"{self.method} {self.target[:60]} {len(self.target)} {self.body!r}"[:110]


def place_of(text):
    """The text without its mark, and where that stood."""
    before, mark, after = text.partition(MARK)
    if not mark:
        return text.encode(), None
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return (before + after).encode(), {"offset": len(before.encode()), "line": line, "column": column}


@dataclass
class Reply:
    status: int
    version: str
    names: list
    fields: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def read_reply(raw):
    """One whole answer, taken apart strictly: http.client forgives too much."""
    head, split, body = raw.partition(b"\r\n\r\n")
    assert split, f"no end of the head: {raw[:300]!r}"
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, status, _ = status_line.split(" ", 2)
    pairs = [line.split(": ", 1) for line in lines]
    return Reply(int(status), version, [n for n, _ in pairs], {n.lower(): v for n, v in pairs}, body)


def exchange(control, raw, timeout=20):
    """Send the bytes, read until brood closes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(str(control))
        s.sendall(raw)
        answer = b""
        while piece := s.recv(262144):
            answer += piece
    return answer


def request_bytes(method, target, body=None, fields=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
