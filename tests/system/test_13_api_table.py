"""The control API row by row: spec of transport, paths, dialect, layout, methods and every option.

The rows are in api_table/.  All run against one daemon for each test worker; the configuration is what it was
again before the next row.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from api_table import dialect, layout, methods, options, transport, whole
from api_table.case import BASE, DONE, exchange, place_of, read_reply, request_bytes
from brood import Brood, free_port
from ctl import CTL

CASES = [case for module in (dialect, layout, methods, options, whole) for case in module.CASES]


@pytest.fixture(scope="module")
def shared():
    directory = Path(tempfile.mkdtemp(prefix="brood-test-"))
    os.chmod(directory, 0o755)
    daemon = Brood(directory)
    daemon.address = f"127.0.0.1:{free_port()}"
    daemon.base = fill(daemon, json.dumps(BASE))
    daemon.configure(daemon.base)
    daemon.clean = daemon.get().body
    daemon.controllers = daemon.pids("brood: controller")
    yield daemon
    log = daemon.log()
    daemon.stop()
    assert "[alert]" not in log and "Sanitizer" not in log and "runtime error:" not in log, log[-6000:]
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def api(shared):
    """The shared daemon as it was in the beginning."""
    yield shared
    if shared.get().body != shared.clean:
        shared.configure(shared.base)
        assert shared.get().body == shared.clean


def fill(daemon, text):
    return text.replace("LISTENER", daemon.address).replace("DIRECTORY", str(daemon.dir)) if isinstance(text, str) else text


def body_of(daemon, case):
    """Bytes to send, and the place that the answer must name."""
    if isinstance(case.body, bytes):
        body, place = case.body, None
    elif case.body is None:
        return None, None
    else:
        body, place = place_of(fill(daemon, case.body))
    if case.place:
        offset, line, column = case.place
        place = {"offset": offset, "line": line, "column": column}
    return body, place


def check_head(reply):
    assert reply.version == "HTTP/1.1"
    assert [n for n in reply.names if n != "ETag"] == ["Server", "Date", "Content-Type", "Content-Length", "Connection"]
    assert "ETag" not in reply.names or reply.names.index("ETag") == 3
    assert reply.fields["content-type"] == "application/json" and reply.fields["connection"] == "close"
    assert re.fullmatch(r"brood/[0-9.]+", reply.fields["server"])
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.fields["date"])


def check_title(reply, status, title):
    if title is None:
        return
    member = "success" if status == 200 else "error"
    other = "error" if status == 200 else "success"
    assert reply.json.get(member) == title and other not in reply.json


def check_fault(daemon, reply, case, place):
    said = reply.json
    detail = said.get("detail", "")
    for word in case.says:
        assert fill(daemon, word) in detail, f"{word!r} is not in {detail!r}"
    if case.title in ("Invalid JSON.", "Invalid configuration."):
        assert detail, "a refusal without a reason"
    pointer = None if case.path is None else fill(daemon, case.path)
    assert said.get("path") == pointer
    assert said.get("location") == place
    assert set(said) <= {"error", "detail", "path", "location"}


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{i:04}-{c.id}".encode("ascii", "backslashreplace").decode()) for i, c in enumerate(CASES)])
def test_row(api, case):
    body, place = body_of(api, case)
    target = fill(api, case.target)
    reply = read_reply(exchange(api.control_path, request_bytes(case.method, target, body, case.fields)))
    assert reply.status == case.status, reply.body.decode(errors="replace")
    check_head(reply)
    if case.method == "HEAD":
        assert reply.body == b"" and int(reply.fields["content-length"]) > 0
        return
    assert len(reply.body) == int(reply.fields["content-length"])
    check_title(reply, case.status, case.title)
    if case.status != 200:
        check_fault(api, reply, case, place)
        assert api.get().body == api.clean, "a refused change left something"
    elif case.method == "GET" and case.value is not None:
        assert reply.json == json.loads(fill(api, case.value))
    elif case.value is not None:
        assert api.get(target.partition("?")[0]).json == json.loads(fill(api, case.value))
    if case.exact is not None:
        assert api.get(target).body == case.exact


@pytest.mark.parametrize("name, raw, status, title, says", [pytest.param(*r, id=r[0]) for r in transport.ROWS])
def test_transport(api, name, raw, status, title, says):
    raw_reply = exchange(api.control_path, raw)
    while raw_reply.startswith(b"HTTP/1.1 100 "):
        assert "Expect" in name
        raw_reply = raw_reply.partition(b"\r\n\r\n")[2]
    reply = read_reply(raw_reply)
    assert reply.status == status, reply.body
    check_head(reply)
    assert len(reply.body) == int(reply.fields["content-length"])
    check_title(reply, status, title)
    if title == "Invalid request.":
        assert reply.json["detail"]
    assert api.pids("brood: controller") == api.controllers


def test_the_table_is_large_enough():
    assert len(CASES) + len(transport.ROWS) >= 2000
    ids = [c.id for c in CASES]
    assert len(set(ids)) == len(ids), sorted(i for i in set(ids) if ids.count(i) > 1)


# --- is the table whole ---

def pointers(value, at=""):
    """The JSON pointers of all members of it."""
    yield at
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from pointers(member, f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}")


def accepted_pointers():
    for case in (*options.CASES, *whole.CASES):
        target = case.target.partition("?")[0]
        if case.method == "PUT" and case.status == 200 and target.startswith("/config") and isinstance(case.body, str):
            yield from pointers(json.loads(place_of(case.body)[0]), target.removeprefix("/config"))


def covers(option, found):
    """Routes may be an array, or arrays by name."""
    pattern = re.escape(option.rstrip("/")).replace(r"\*", "[^/]+").replace("/routes/[^/]+", r"/routes(/[^/]+)?/\d+") + "$"
    return any(re.match(pattern, pointer) for pointer in found)


def test_every_option_has_rows():
    """Accepted in one row and refused in another; what is absent is refused, with all below it."""
    listed = json.loads(subprocess.run([CTL, "options", "--json"], check=True, capture_output=True, text=True).stdout)
    accepted = set(accepted_pointers())
    refused = {case.path for case in CASES if case.status == 400 and case.path is not None}
    absent = {o["path"] for o in listed if "absent" in o and "language" not in o or o.get("absent", "").startswith("choice")}
    lacking = []
    for o in listed:
        if "absent" in o and (o["path"] not in absent or any(o["path"].startswith(above + "/") for above in absent)):
            continue  # its type, or what it is a part of, is refused
        if not covers(o["path"], refused) and not o["path"].endswith("/*"):
            lacking.append(f"{o['path']} is nowhere refused")
        if "absent" not in o and not covers(o["path"], accepted):
            lacking.append(f"{o['path']} is nowhere accepted")
    assert lacking == []
