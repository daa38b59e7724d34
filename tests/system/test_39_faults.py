"""A machine that behaves badly: processes that stand still, clocks that jump, no descriptors, no forks, no
memory, no room for logs.  Nothing hangs, nothing spins, and what was short is used again when it is there.

What the daemon does in each case stands in docs/reliability.md, "Faults of the machine".
BROOD_STOP_SECONDS=10 is the long form: how long a process stands still, and how long is looked for spinning.
"""

import errno
import os
import re
import resource
import signal
import subprocess
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

import brood as brood_module
from brood import Client, is_alive, wait_until
from injection import injection, needs_points
from load import Load

SECONDS = float(os.environ.get("BROOD_STOP_SECONDS", 1))
BUSY = 0.02  # of one processor: more would be spinning

ROLES = {"main": "brood: main", "controller": "brood: controller", "router": "brood: router",
         "prototype": 'brood: "echo" prototype', "worker": 'brood: "echo" application'}


def cpu_ns(brood):
    """pid -> ns on a processor (proc(5), schedstat) of all that run."""
    used = {}
    for pid in brood.family():
        try:
            used[pid] = sum(int(Path(task.path, "schedstat").read_text().split()[0]) for task in os.scandir(f"/proc/{pid}/task"))
        except OSError:
            pass
    return used


def assert_quiet(brood, seconds=SECONDS):
    before, began = cpu_ns(brood), time.monotonic()
    time.sleep(seconds)
    after = cpu_ns(brood)
    used = sum(ns - before.get(pid, 0) for pid, ns in after.items()) / 1e9
    took = time.monotonic() - began
    assert used < BUSY * took, (used, took, {p: (after[p] - before.get(p, 0)) / 1e6 for p in after}, brood.family(), brood.log()[-3000:])


def fetch(brood, n=1):
    for i in range(n):
        assert brood.fetch(f"/id?id={i}").body == str(i).encode()


def is_whole(brood):
    """Everything works: requests, the control API, a change."""
    wait_until(lambda: brood.settled("echo", 2, 2), what=lambda: f"all processes and lines: {brood.descriptors('socket')}")
    fetch(brood, 4)
    assert brood.put("/config/applications/echo/environment", {"AT": str(time.monotonic())}).status == 200
    wait_until(lambda: brood.settled("echo", 2, 2), what="the new application's processes and lines")
    fetch(brood, 4)


@pytest.fixture
def echo(make_brood, tmp_path):
    brood = make_brood("--routers", "2", env=injection(tmp_path / "inject"))
    brood.serve("echo", processes=2)
    wait_until(lambda: brood.settled("echo", 2, 2), what="all processes and lines")
    return brood


def be_plain(brood):
    """Not the sanitized build: a sanitizer wants to be loaded first, and all of the address space."""
    if brood_module.MODULES:
        brood.binary = Path(brood_module.MODULES).parent / "programs" / "brood"


# --- a process that stands still ---

@pytest.mark.parametrize("role", ROLES)
def test_a_process_that_stands_still(echo, role):
    """The others serve on.  Who needs it waits until it goes on, and nobody takes it for dead."""
    before = echo.family()
    victim = echo.pids(ROLES[role])[0]
    asked = []
    with Load(echo.port, keepalive=2, short=2, timeout=SECONDS + 30) as load:
        wait_until(lambda: load.threads, what="clients")
        os.kill(victim, signal.SIGSTOP)
        try:
            asked.append(Client(echo, "GET", "/config"))
            asked.append(Client(echo, "PUT", "/config/settings", {"http": {"log_route": False}}))
            time.sleep(SECONDS / 2)
        finally:
            os.kill(victim, signal.SIGCONT)
    assert not load.failures and not load.hung, load.failures[:5]
    assert [c.result() for c in asked] == [200, 200]
    os.kill(victim, signal.SIGSTOP)
    try:
        fetched = [Client(echo, "GET", "/config")]
        assert_quiet(echo)
    finally:
        os.kill(victim, signal.SIGCONT)
    assert [c.result() for c in fetched] == [200]
    assert set(echo.family()) == set(before), "nobody was taken for dead"
    is_whole(echo)


# --- clocks that jump ---

FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


def test_the_clock_jumps_an_hour(make_brood, tmp_path):
    """Forward, back and home: timers run by the monotonic clock, which no jump moves; dates follow the clock."""
    if FAKETIME is None:
        pytest.skip("Debian's package libfaketime is missing")
    clock = tmp_path / "clock"
    brood = make_brood("--routers", "2", start=False, env={
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    be_plain(brood)

    def jump(text):
        clock.with_name("next").write_text(text + "\n")
        clock.with_name("next").rename(clock)

    jump("+0")
    brood.start()
    brood.serve("echo", processes={"max": 2, "spare": 1, "idle_timeout": 1})
    brood.configure({**brood.get().json, "access_log": str(brood.dir / "access.log")})
    routers = brood.pids(ROLES["router"])
    with Load(brood.port, keepalive=2, short=2) as load, brood.connect() as idle:
        idle.send("GET /id?id=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.answer().body == b"1"
        for text, hours in (("+3600", 1), ("-3600", -1), ("+0", 0)):
            begun = brood.connect().send("POST /id?id=7 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
            jump(text)
            wait_until(lambda: abs(served_date(brood) - time.time() - 3600 * hours) < 60, what=f"the date at {text}")
            assert begun.send("y").answer("POST").body == b"7", "no read timeout came early"
            assert brood.put("/config/applications/echo/environment", {"AT": text}).status == 200
        idle.send("GET /id?id=2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.answer().body == b"2", "no idle timeout came early"
    assert not load.failures and not load.hung, load.failures[:5]
    assert brood.pids(ROLES["router"]) == routers
    fetch(brood, 2)
    wait_until(lambda: len(brood.workers("echo")) == 1, what="the idle worker to go: its timer did not stand still")
    assert_quiet(brood)


def served_date(brood):
    return parsedate_to_datetime(brood.fetch("/id?id=d").fields["date"]).timestamp()


# --- no descriptors ---

def limit(pid, what, soft):
    """As its own user: root in a container may lack the capability that others' limits need."""
    ids = {line.split()[0]: line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith(("Uid", "Gid"))}
    subprocess.run(["prlimit", f"--pid={pid}", f"--{what}={soft}:"], check=True, extra_groups=[],
                   user=int(ids["Uid:"]), group=int(ids["Gid:"]))


def hard_limit(pid, name):
    [line] = [line for line in open(f"/proc/{pid}/limits") if line.startswith(name)]
    return line[len(name):].split()[1]


def limit_files(pid, n):
    """n: how many more than it has now; None: as before, hard limit."""
    limit(pid, "nofile", hard_limit(pid, "Max open files") if n is None else free_number(pid, n))


def free_number(pid, n):
    """The limit that lets the process open n more: numbers are what is limited, and there are gaps."""
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    number = 0
    while n >= 0:
        n -= number not in used
        number += 1
    return number - 1


@pytest.mark.parametrize("free", [0, 1, 3] if SECONDS <= 1 else [0, 1, 2, 3, 4, 5])
def test_main_has_no_descriptors_left(echo, free):
    """Whoever dies cannot come back: main tries again, more and more seldom, and says so once."""
    router, worker = echo.pids(ROLES["router"])[0], echo.workers("echo")[0]
    limit_files(echo.pid, free)
    os.kill(router, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not is_alive(router), what="the router's death")
    if free < 2:  # the dead router leaves two
        wait_until(lambda: "tried again until it succeeds" in echo.log(), what="the start in vain")
    fetch(echo, 4)
    time.sleep(1)  # the first tries come quickly
    lines = echo.log().count("\n")
    assert_quiet(echo)
    assert echo.log().count("\n") - lines <= 5 * SECONDS, echo.log()[-4000:]
    assert echo.log().count("tried again until it succeeds") <= 1
    limit_files(echo.pid, None)
    is_whole(echo)


def test_a_change_that_main_has_no_descriptors_for_is_refused(echo):
    limit_files(echo.pid, 0)
    config = echo.get().json
    answer = echo.put("/config/applications/echo/environment", {"A": "1"})
    assert answer.status == 500 and "oo many open files" in answer.text, answer
    assert echo.get().json == config
    fetch(echo, 4)
    limit_files(echo.pid, None)
    is_whole(echo)


def test_a_router_has_no_descriptors_left(echo):
    """Connections wait in the listeners' queues, which main keeps, until others end."""
    for router in echo.pids(ROLES["router"]):
        limit_files(router, 2)
    wires = [echo.connect() for _ in range(12)]
    try:
        assert_quiet(echo)
        assert echo.log().count("cannot accept connections for now") <= 2
        assert echo.get().status == 200
    finally:
        for wire in wires:
            wire.close()
        for router in echo.pids(ROLES["router"]):
            limit_files(router, None)
    is_whole(echo)


def test_a_router_that_cannot_be_told_of_an_application(echo):
    """The descriptors of its lines are lost with the message: the change still ends, one way or the other."""
    config = echo.get().json
    for router in echo.pids(ROLES["router"]):
        limit_files(router, 0)
    answer = echo.put("/config/applications/echo/environment", {"A": "1"})
    assert answer.status in (200, 500), answer
    assert answer.status == 200 or echo.get().json == config
    for router in echo.pids(ROLES["router"]):
        limit_files(router, None)
    is_whole(echo)


def test_the_controller_has_no_descriptors_left(echo):
    (controller,) = echo.pids(ROLES["controller"])
    limit_files(controller, 0)
    waiting = [Client(echo, "GET", "/config") for _ in range(3)]
    assert_quiet(echo)
    fetch(echo, 4)
    limit_files(controller, None)
    assert [c.result() for c in waiting] == [200] * 3
    is_whole(echo)


# --- no processes, no memory ---

@needs_points
def test_main_cannot_fork(echo):
    """Several tries fail (how many, the machine decides: the next is armed when one is seen); it is said once."""
    for which, error in enumerate((errno.EAGAIN, errno.ENOMEM)):
        point = echo.arm("main.fork", f"errno {error}")
        os.kill(echo.pids(ROLES["router"])[which], signal.SIGKILL)
        for _ in range(3):
            wait_until(lambda: not point.exists() or started(echo) > which, what="a try")
            if started(echo) == which:
                echo.arm("main.fork", f"errno {error}")
        fetch(echo)
        wait_until(lambda: started(echo) == which + 1, what="the router")
        point.unlink(missing_ok=True)
        wait_until(lambda: len(echo.pids(ROLES["router"])) == 2)
        log = echo.log()
        assert log.count(f"cannot fork: {os.strerror(error)}") == 1, log
        assert log.count("tried again until it succeeds") == which + 1, log
    is_whole(echo)


def started(brood):
    return len(re.findall(r"router \d+: started after \d+ tries in vain", brood.log()))


@needs_points
def test_a_router_that_cannot_be_introduced_is_no_router(echo):
    """It was READY, but cannot work without its lines: it ends, and another one is made."""
    router = echo.pids(ROLES["router"])[0]
    point = echo.arm("main.introduce", f"errno {errno.EMFILE}")
    os.kill(router, signal.SIGKILL)
    wait_until(lambda: not point.exists(), what="the introduction")
    fetch(echo)
    wait_until(lambda: "cannot be given lines to its peers: Too many open files" in echo.log(), what="the reason")
    is_whole(echo)


def test_a_prototype_cannot_fork(echo):
    """The limit of processes of its user; what main runs for that user counts as well."""
    (prototype,) = echo.prototypes("echo")
    limit(prototype, "nproc", 1)
    victim = echo.workers("echo")[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: "cannot fork: Resource temporarily unavailable" in echo.log(), what="the fork that failed")
    fetch(echo, 4)
    assert_quiet(echo)
    wait_until(lambda: not is_alive(victim) and len(echo.workers("echo")) == 1, what="one worker")
    assert echo.log().count("cannot fork") == 1
    limit(prototype, "nproc", hard_limit(prototype, "Max processes"))
    wait_until(lambda: "a worker started after" in echo.log(), what="the worker")
    is_whole(echo)


def test_main_has_no_memory_left(make_brood):
    """No more address space: children are born with as little, and die or not; main waits and goes on."""
    echo = make_brood("--routers", "2", start=False)
    be_plain(echo)
    echo.start()
    echo.serve("echo", processes=2)
    wait_until(lambda: echo.settled("echo", 2, 2), what="all processes and lines")
    pages = int(Path(f"/proc/{echo.pid}/statm").read_text().split()[0])
    limit(echo.pid, "as", pages * resource.getpagesize())
    for title in ("router", "controller", "prototype"):
        os.kill(echo.pids(ROLES[title])[0], signal.SIGKILL)
    time.sleep(SECONDS)
    assert_quiet(echo)
    assert is_alive(echo.pid)
    limit(echo.pid, "as", hard_limit(echo.pid, "Max address space"))
    wait_until(lambda: answers(echo), deadline=30, what="the controller")
    is_whole(echo)


def answers(brood):
    try:
        return brood.control("/config", timeout=2).status == 200
    except OSError:
        return False


# --- no room for logs ---

@pytest.fixture
def small_logs(make_brood, tmp_path):
    """A daemon whose logs lie on a file system of 64 KiB."""
    logs = tmp_path / "logs"
    logs.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "none", str(logs)], capture_output=True)
    if mount.returncode:
        pytest.skip("cannot mount: " + mount.stderr.decode().strip())
    brood = make_brood("--routers", "2", start=False)
    brood.log_path = logs / "brood.log"
    try:
        brood.start()
        brood.serve("echo", processes=2, stdout=str(logs / "out"), stderr=str(logs / "err"))
        brood.configure({**brood.get().json, "access_log": str(logs / "access")})
        wait_until(lambda: brood.settled("echo", 2, 2), what="all processes and lines")
        yield brood
    finally:
        brood.stop()
        subprocess.run(["umount", str(logs)], check=True)


def test_no_room_for_logs(small_logs):
    """Requests and changes go on without; what the access log lost is counted, and said when there is room."""
    brood = small_logs
    logs = brood.log_path.parent
    fill = logs / "fill"
    with open(fill, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(OSError), open(logs / "access", "ab", buffering=0) as file:
        while True:
            file.write(b"x")  # what its last page has left
    with Load(brood.port, keepalive=2, short=2) as load:
        wait_until(lambda: load.threads, what="clients")
        os.kill(brood.workers("echo")[0], signal.SIGKILL)
        assert brood.put("/config/settings", {"http": {"log_route": True}}).status == 200
        time.sleep(SECONDS)
    assert not load.hung and len(load.failures) <= 1, load.failures[:5]  # what the killed worker held
    assert load.answered > 0
    assert_quiet(brood)
    fill.unlink()
    fetch(brood, 8)
    wait_until(lambda: "can be written again" in brood.log(), what="the count of what is lost")
    assert brood.log().count("cannot write access log") <= 2
    wait_until(lambda: "GET /id?id=7" in (logs / "access").read_text(), what="lines in the access log")
    is_whole(brood)
