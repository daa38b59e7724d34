"""Binary upgrade: the next main proves itself beside the old one, or the old one serves on.

BROOD_UPGRADES=50 is the long form whose figures stand in docs/reliability.md; BROOD_SLOW_REQUEST=30 makes the
slow request last so many seconds.
"""

import os
import signal
import socket
import stat
import subprocess

import pytest

from brood import BINARY, Adopted, Answer, UnixHTTPConnection, free_port, is_alive, python_app, wait_until
from load import Load

UPGRADES = int(os.environ.get("BROOD_UPGRADES", 6))
SLOW = float(os.environ.get("BROOD_SLOW_REQUEST", 2))


class Installed:
    """A brood whose program is a link, so that what lies behind its name can be changed while it runs."""

    def __init__(self, make_brood, *options):
        self.brood = make_brood(*options, start=False)
        self.link = self.brood.dir / "brood"
        self.put(BINARY)
        self.brood.binary = self.link
        self.brood.start()

    def put(self, target):
        aside = self.link.with_name("brood.new")
        aside.symlink_to(target)
        aside.rename(self.link)

    def put_script(self, text):
        script = self.brood.dir / "script"
        aside = script.with_name("script.new")
        aside.write_text(f"#!/bin/sh\n{text}\n")
        aside.chmod(0o755)
        aside.rename(script)
        self.put(script)


@pytest.fixture
def installed(make_brood):
    return Installed(make_brood, "--routers", "2")


BROKEN = {
    "exits": ("exit 3", "exited with code 3 before it was ready"),
    "is killed": ("kill -SEGV $$", "signal 11"),
    "is no program for this machine": (None, "cannot execute"),
}


def break_program(installed, how):
    script, reason = BROKEN[how]
    if script is not None:
        installed.put_script(script)
    else:
        text = installed.brood.dir / "text"
        text.write_text("no program")
        text.chmod(0o755)
        installed.put(text)
    return reason


@pytest.mark.slow
def test_upgrades_under_load_lose_nothing(installed):
    """Every other one with a program that fails at start."""
    brood = installed.brood
    brood.serve("echo", processes=2)
    kinds = list(BROKEN)
    with Load(brood.port, keepalive=32, short=32, timeout=60) as load:
        for i in range(UPGRADES):
            if i % 2 == 0:
                installed.put(BINARY)
                brood.upgrade(120)
            else:
                reason = break_program(installed, kinds[i // 2 % len(kinds)])
                assert reason in brood.upgrade_in_vain(120)
    assert not load.hung and not load.failures, load.failures[:10]
    assert load.answered > UPGRADES
    print(f"{UPGRADES} upgrades, {load.answered} requests, {len(load.failures)} failed")


def test_what_is_there_stays_what_it_is(installed):
    """Unix listener, control socket and pid file have no gap; no process of the old main is left."""
    brood = installed.brood
    path = brood.dir / "listener.sock"
    brood.configure({"listeners": {f"unix:{path}": {"pass": "routes"}}, "routes": [{"action": {"return": 204}}]})
    files = [path, brood.control_path, brood.pid_path]
    before = [os.stat(f).st_ino for f in files]
    family = set(brood.family())
    config = brood.get("/config").json

    brood.upgrade()

    wait_until(lambda: not [p for p in family if is_alive(p)], what="end of the old processes")
    assert [os.stat(f).st_ino for f in files] == before
    assert stat.S_IMODE(os.stat(brood.pid_path).st_mode) == 0o644
    c = UnixHTTPConnection(path)
    c.request("GET", "/")
    assert Answer(c.getresponse()).status == 204
    assert brood.get("/config").json == config
    assert brood.status("/upgrade") == {"state": "done"}
    brood.stop()
    assert not [f for f in files if f.exists()], "the last main removes what is its own"


def test_a_request_under_way_finishes_in_the_old_main(installed):
    brood = installed.brood
    brood.serve("echo", processes=1)
    body = b"x" * 1000
    with brood.connect() as wire:
        wire.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n")
        wire.send(body[:10])
        old = brood.process
        brood.signal(signal.SIGUSR2)
        wait_until(lambda: brood.named_pid() != old.pid, what="the next main")
        assert brood.fetch("/id?id=7").body == b"7"
        assert old.poll() is None, "it has a request to finish"
        wire.send(body[10:])
        answer = wire.answer("POST")
        assert answer.status == 200 and answer.fields["connection"] == "close"
    brood.process = Adopted(brood.named_pid())
    assert old.wait(20) == 0


def test_a_slow_request_finishes_across_an_upgrade(installed):
    """It keeps the old main and its worker until it is answered, while the next main serves."""
    brood = installed.brood
    brood.serve("echo", processes=1)
    assert brood.put("/config/settings", {"shutdown": {"timeout": int(SLOW) + 20}}).status == 200
    (worker,) = brood.workers("echo")
    with brood.connect(timeout=SLOW + 20) as wire:
        wire.send(f"GET /sleep/{SLOW} HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: brood.status("/applications/echo/requests")["active"] == 1, what="the request in the application")
        old = brood.process
        brood.signal(signal.SIGUSR2)
        wait_until(lambda: brood.named_pid() != old.pid, what="the next main")
        brood.process = Adopted(brood.named_pid())
        assert brood.fetch("/id?id=7").body == b"7"
        answer = wire.answer()
    assert answer.body == b"slept" and answer.fields["x-pid"] == str(worker)
    assert old.wait(20) == 0


def test_winch_drains_the_old_routers_and_a_failure_brings_them_back(installed):
    """Whoever connects meanwhile waits in the queue of the socket, which main keeps."""
    brood = installed.brood
    brood.serve("echo", processes=1)
    brood.signal(signal.SIGWINCH)
    wait_until(lambda: "SIGWINCH means nothing without an upgrade under way" in brood.log(), what="that it means nothing")
    go = brood.dir / "go"
    os.mkfifo(go)
    installed.put_script(f'read line <"{go}"; exit 4')
    routers = brood.pids("brood: router")
    with brood.connect() as under_way:
        under_way.send("POST /id?id=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
        wait_until(lambda: brood.status()["connections"]["active"] == 1, what="the request in a router")
        brood.signal(signal.SIGUSR2)
        wait_until(lambda: "is to take over" in brood.log(), what="the next program")
        brood.signal(signal.SIGWINCH)
        wait_until(lambda: len([p for p in routers if is_alive(p)]) == 1, what="the idle router to be gone")
        with brood.connect() as waits:
            waits.send("GET /id?id=2 HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = under_way.send("y").answer("POST")
            assert answer.body == b"1" and answer.fields["connection"] == "close"
            wait_until(lambda: not [p for p in routers if is_alive(p)], what="the end of the other one")
            go.write_text("go\n")
            assert waits.answer().body == b"2"
    wait_until(lambda: len(brood.pids("brood: router")) == 2, what="routers")
    assert brood.fetch("/id?id=3").body == b"3"
    installed.put(BINARY)
    brood.upgrade()
    assert brood.fetch("/id?id=4").body == b"4"


def test_connections_that_no_router_takes_need_no_proof(installed):
    """An application that accepts by itself, beside one that routers serve, and alone."""
    brood = installed.brood
    port = free_port()
    inetd = {"listeners": {f"127.0.0.1:{port}": {"protocol": "tcp", "pass": "applications/up"}},
             "applications": {"up": {"type": "inetd", "executable": "/usr/bin/tr", "arguments": ["a-z", "A-Z"]}}}

    def shouts():
        with socket.create_connection(("127.0.0.1", port), 20) as s:
            s.sendall(b"hatch")
            s.shutdown(socket.SHUT_WR)
            return s.makefile("rb").read() == b"HATCH"

    for with_routes in (True, False):
        conf = {**inetd, "listeners": dict(inetd["listeners"])}
        if with_routes:
            brood.port = free_port()
            conf["listeners"][f"127.0.0.1:{brood.port}"] = {"pass": "routes"}
            conf["routes"] = [{"action": {"return": 204}}]
        brood.configure(conf)
        brood.upgrade()
        assert shouts()
        assert not with_routes or brood.fetch().status == 204


def test_a_program_that_stops_first_never_runs_twice(installed):
    """Not in an upgrade either: the next main waits with it for the end of the old one."""
    brood = installed.brood
    lock, doubled, runs = (brood.dir / name for name in ("lock", "doubled", "runs"))
    lock.touch()
    lock.chmod(0o666)
    for path in (doubled, runs):
        path.touch()
        path.chmod(0o666)
    script = f'exec 9<>{lock}; flock -n 9 || {{ echo x >>{doubled}; exit; }}; echo $$ >>{runs}; exec sleep 1000'
    app = {"type": "command", "executable": "/bin/sh", "arguments": ["-c", script]}
    brood.configure({"listeners": {}, "applications": {"one": app}})
    for n in (1, 2):
        wait_until(lambda: len(runs.read_text().split()) == n, what="the program")
        if n == 1:
            brood.upgrade()
    assert doubled.read_text() == ""
    old, new = (int(pid) for pid in runs.read_text().split())
    assert not is_alive(old) and is_alive(new)


@pytest.mark.parametrize("how", BROKEN)
def test_a_program_that_fails_leaves_the_old_one_serving(installed, how):
    brood = installed.brood
    brood.serve("echo", processes=1)
    pid, routers, prototypes = brood.pid, brood.pids("brood: router"), brood.prototypes("echo")
    reason = break_program(installed, how)
    assert reason in brood.upgrade_in_vain()
    assert brood.status("/upgrade")["state"] == "failed"
    assert (brood.named_pid(), brood.pids("brood: router"), brood.prototypes("echo")) == (pid, routers, prototypes)
    assert brood.fetch("/id?id=1").body == b"1"
    assert brood.put("/config/applications/echo/processes", "2").status == 200

    installed.put(BINARY)
    brood.upgrade()
    assert brood.status("/upgrade") == {"state": "done"}
    assert brood.fetch("/id?id=2").body == b"2"


def test_a_configuration_that_cannot_be_applied_is_no_proof(installed):
    brood = installed.brood
    brood.serve("echo", processes=1)
    config = brood.get("/config").json
    (brood.state_dir / "conf.json").write_text("{ no JSON")
    assert "cannot be applied" in brood.upgrade_in_vain()
    assert brood.fetch("/id?id=1").body == b"1"
    assert brood.get("/config").json == config
    wait_until(lambda: b"echo" in (brood.state_dir / "conf.json").read_bytes(), what="what runs to be stored again")
    brood.upgrade()


def test_a_second_order_during_an_upgrade_is_refused(installed):
    brood = installed.brood
    brood.serve("echo", processes=1)
    go = brood.dir / "go"
    os.mkfifo(go)
    installed.put_script(f'read line <"{go}"; exit 4')
    brood.signal(signal.SIGUSR2)
    wait_until(lambda: "is to take over" in brood.log(), what="the next program")
    brood.signal(signal.SIGUSR2)
    wait_until(lambda: "no upgrade: another one is under way" in brood.log(), what="the refusal")
    assert brood.fetch("/id?id=1").body == b"1"
    go.write_text("go\n")
    wait_until(lambda: "exited with code 4" in brood.log(), what="the failure")
    assert brood.status("/upgrade")["state"] == "failed"


def test_the_end_of_the_old_main_ends_one_that_has_not_proved_itself(installed):
    brood = installed.brood
    brood.serve("echo", processes=1)
    installed.put_script("exec sleep 1000")
    brood.signal(signal.SIGUSR2)
    wait_until(lambda: "is to take over" in brood.log(), what="the next program")
    brood.stop()  # looks for what is left of the family
