"""Kills at each step of a call, by a caller of our own that stops between the steps; first calls that race."""

import array
import contextlib
import os
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from harness import alive, wait_until

pytestmark = pytest.mark.pairs(("ours", "ours"))


class Caller:
    """One call, step by step: connected, greeted, sent, and what comes back (wire.h)."""

    def __init__(self, pair, *args):
        self.args, self.env = args, pair.environment(None)
        path, = pair.sockets()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.out, self.given = os.pipe()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        os.close(self.out)
        if self.given >= 0:
            os.close(self.given)

    def read(self, n):
        text = b""
        while len(text) < n:
            piece = self.socket.recv(n - len(text))
            assert piece, f"the connection ended after {text!r}"
            text += piece
        return text

    def greeting(self):
        """The numbers in it: pid, srv, exec."""
        magic, n = struct.unpack(">4sI", self.read(8))
        assert magic == b"PFI\n"
        words = (word.split("=", 1) for word in self.read(n).decode().split() if "=" in word)
        return {name: int(value) for name, value in words if name in ("pid", "srv", "exec")}

    def send(self, first=None):
        """The request, or only the first bytes of its message."""
        null = os.open("/dev/null", os.O_RDWR)
        self.socket.sendall(b"\1\3")
        for fd in (null, self.given, null):
            self.socket.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        os.close(null)
        os.close(self.given)
        self.given = -1
        self.socket.sendall(self.message()[:first])

    def message(self):
        strings = [*(f"{k}={v}" for k, v in self.env.items()), "", *self.args]
        text = b"\0" + b"".join(s.encode() + b"\0" for s in strings)  # no attributes
        return struct.pack(">I", len(text)) + text

    def end(self):
        """What it printed, and its wait status."""
        with os.fdopen(os.dup(self.out), "rb") as f:
            text = f.read()
        letter, status = struct.unpack(">cI", self.read(5))
        assert letter == b"W"
        return text, status


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
    wait_until(lambda: not alive(pid), f"{pid} is dead")


def spare_of(pair):
    """The only process that waits for a call."""
    def one():
        done = pair.call(before=["-U", "--status"])
        found = [line.split("=")[1].split()[0] for line in done.stdout.decode().splitlines() if line.endswith(" spare")]
        return int(found[0]) if len(found) == 1 else None
    return wait_until(one, "one spare is ready")


def test_a_whole_call(pair):
    pair.who()
    with Caller(pair, "args", "x") as caller:
        caller.greeting()
        caller.send()
        assert caller.end() == (b"78\n", 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_spare_killed_after_the_greeting(pair, number):
    pair.who()
    with Caller(pair, "exit", "7") as caller:
        kill(caller.greeting()["exec"], number)
        caller.send()
        assert caller.end() == (b"", 7 << 8)


def test_a_spare_killed_while_the_request_arrives(pair):
    pair.who()
    with Caller(pair, "exit", "7") as caller:
        spare = caller.greeting()["exec"]
        caller.send(first=20)
        kill(spare)
        caller.socket.sendall(caller.message()[20:])
        assert caller.end() == (b"", 7 << 8)


@pytest.mark.parametrize("more", [0, 1 << 20])
def test_a_spare_killed_before_it_has_read_the_request(pair, more):
    """Stopped, so that the request lies in its socket: the script has not gone on, another one's does."""
    pair.who()
    spare = spare_of(pair)
    os.kill(spare, signal.SIGSTOP)
    process = pair.start("args", "x", env={f"LONG{i}": "y" * 100000 for i in range(more // 100000)})
    wait_until(lambda: pair.status()["calls"] == "2", "it has been sent down")
    kill(spare)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"78\n", b"")


def test_a_service_killed_after_it_began_is_its_callers_affair(pair):
    pair.who()
    with Caller(pair, "sleep", "20") as caller:
        service = caller.greeting()["exec"]
        caller.send()
        assert os.read(caller.out, 100) == b"ready\n"
        kill(service)
        assert caller.end() == (b"", int(signal.SIGKILL))


def test_a_reader_sees_the_end_of_a_closed_stdout(pair):
    """The server keeps the caller's descriptors only until the service has them."""
    pair.who()
    with Caller(pair, "sleep", "20") as caller:
        caller.greeting()
        caller.send()
        assert os.read(caller.out, 100) == b"ready\n"
        server = Path("/proc", pair.status()["pid"], "fd")
        pipe = os.readlink(f"/proc/self/fd/{caller.out}")
        wait_until(lambda: pipe not in [os.readlink(fd) for fd in server.iterdir()], "the server has let go")


@pytest.mark.parametrize("step", ["connected", "greeted", "half sent", "sent"])
def test_a_caller_that_goes_at_any_step_leaves_nothing(pair, step):
    token = pair.who()[0]
    server = int(pair.status()["pid"])
    spare_of(pair)
    before = len(os.listdir(f"/proc/{server}/fd"))
    for _ in range(8):  # more than there are places
        with Caller(pair, "sleep", "30") as caller:
            if step != "connected":
                caller.greeting()
            if "sent" in step:
                caller.send(first=20 if step == "half sent" else None)
    assert pair.who()[0] == token
    wait_until(lambda: pair.status()["running"] == "0", "no service is left")
    spare_of(pair)
    wait_until(lambda: len(os.listdir(f"/proc/{server}/fd")) <= before, "the server has closed all")


STEPS = pytest.mark.parametrize("step", ["greeted", "half sent", "sent"])


@STEPS
def test_a_server_killed_at_any_step(pair, step):
    """Its caller is told, by the end of the connection; the next one is served."""
    pair.who()
    with Caller(pair, "sleep", "20") as caller:
        server = caller.greeting()["pid"]
        if step != "greeted":
            caller.send(first=20 if step == "half sent" else None)
        kill(server)
        with contextlib.suppress(ConnectionResetError):
            assert caller.socket.recv(100) == b""
    assert pair.call("exit", "5").returncode == 5


@STEPS
def test_an_interpreter_killed_at_any_step(pair, step):
    """Who has been greeted is served all the same, since its service lives."""
    pair.who()
    with Caller(pair, "exit", "7") as caller:
        interpreter = caller.greeting()["srv"]
        if step != "greeted":
            caller.send(first=20 if step == "half sent" else None)
        kill(interpreter)
        if step == "greeted":
            caller.send()
        elif step == "half sent":
            caller.socket.sendall(caller.message()[20:])
        assert caller.end() == (b"", 7 << 8)
    assert pair.call("exit", "5").returncode == 5


def test_a_hundred_first_calls_start_one_server(pair):
    mark = pair.dir / "started"
    rounds = int(os.environ.get("BROOD_INTERP_ROUNDS", "2"))
    for _ in range(rounds):
        mark.unlink(missing_ok=True)
        calls = [pair.start("exit", "0", env={"PROBE_INIT": f"mark {mark}"}, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL) for _ in range(100)]
        assert [process.wait(120) for process in calls] == [0] * 100
        assert len(Path(mark).read_text().split()) == 1
        pair.kill()
        wait_until(lambda: not pair.processes(), "the server has gone")
