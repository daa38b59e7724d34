"""Applications of type `command`: programs that are kept running, or run now and then."""

import errno
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from brood import free_port, is_alive, wait_until


def sh(script, **options):
    return {"type": "command", "executable": "/bin/sh", "arguments": ["-c", script], **options}


def python(script, **options):
    return {"type": "command", "executable": "/usr/bin/python3", "arguments": ["-c", script], **options}


def configure(brood, listeners=None, **apps):
    brood.configure({"listeners": listeners or {}, "applications": apps})


def programs(brood, app):
    return brood.status(f"/applications/{app}/programs")


def pids(brood, app, state="running"):
    return [p["pid"] for p in programs(brood, app) if p["state"] == state]


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def supervisor(brood, app):
    return brood.pids(f'brood: "{app}" supervisor')[0]


# --- kept running ---

def test_as_many_copies_run_as_are_asked_for(brood):
    configure(brood, p=sh("exec sleep 1000", processes=3))
    found = pids(brood, "p")
    assert len(set(found)) == 3
    for pid in found:
        assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\0"
    assert brood.status("/applications/p/processes") == {"running": 3, "starting": 0, "idle": 0}


def test_a_program_that_died_is_started_again_and_its_exit_is_shown(brood):
    configure(brood, p=sh("exec sleep 1000"))
    for n in range(1, 4):
        os.kill(pids(brood, "p")[0], signal.SIGKILL)
        wait_until(lambda: programs(brood, "p")[0]["restarts"] == n and pids(brood, "p"))
        assert programs(brood, "p")[0]["last_exit"] == {"signal": "KILL"}


def test_one_that_dies_at_once_is_slowed(brood):
    counted = brood.dir / "counted"
    counted.touch()
    os.chmod(counted, 0o666)
    configure(brood, p=sh(f"echo x >> {counted}; exit 7"))
    wait_until(lambda: len(lines(counted)) >= 4)
    began = time.monotonic()
    wait_until(lambda: len(lines(counted)) >= 6)
    assert time.monotonic() - began > 0.8  # 0.4 s and 0.8 s, or the wait before them
    assert programs(brood, "p")[0]["last_exit"] == {"code": 7}
    assert "starts again in" in brood.log()


@pytest.mark.parametrize("restart, script, times", [
    ("never", "exit 0", 1), ("never", "exit 3", 1), ("on-failure", "exit 0", 1),
    ("on-failure", "exit 3", 3), ("on-failure", "kill -9 $$", 3), ("always", "exit 0", 3),
])
def test_the_policy_says_whether_it_comes_back(brood, restart, script, times):
    counted = brood.dir / "counted"
    counted.touch()
    os.chmod(counted, 0o666)
    configure(brood, p=sh(f"echo x >> {counted}; {script}", restart=restart))
    wait_until(lambda: len(lines(counted)) >= times)
    if times == 1:
        wait_until(lambda: programs(brood, "p")[0]["state"] == "ended")
        assert programs(brood, "p")[0]["pid"] == 0 and len(lines(counted)) == 1


def test_what_it_writes_goes_to_its_files_and_follows_a_rotation(brood):
    out = brood.dir / "out"
    for path in (out, brood.dir / "err"):
        path.touch()
        os.chmod(path, 0o666)
    os.chmod(brood.dir, 0o777)
    configure(brood, p=sh("echo to-err >&2; while :; do echo line; sleep 0.05; done",
                          stdout=str(out), stderr=str(brood.dir / "err")))
    wait_until(lambda: lines(out))
    pid = pids(brood, "p")[0]
    out.rename(brood.dir / "out.1")
    brood.signal(signal.SIGUSR1)
    wait_until(lambda: lines(out))
    assert pids(brood, "p") == [pid] and lines(brood.dir / "err") == ["to-err"]
    assert set(lines(out)) == {"line"}


def test_without_files_it_writes_to_the_error_log(brood):
    configure(brood, p=sh("echo said; echo shouted >&2; exec sleep 1000"))
    wait_until(lambda: "\nsaid\n" in brood.log() and "\nshouted\n" in brood.log())


def test_directory_environment_and_arguments_are_the_programs(brood):
    out = brood.dir / "out"
    out.touch()
    os.chmod(out, 0o666)
    show = ("import os, sys, json, time; print(json.dumps([os.getcwd(), os.environ['A'], sys.argv[1:], "
            "os.getsid(0) == os.getpid(), os.listdir('/proc/self/fd')]), flush=True); time.sleep(1000)")
    configure(brood, p={"type": "command", "executable": "python3", "arguments": ["-c", show, "x y"],
                        "stdout": str(out), "working_directory": "/usr", "environment": {"A": "b c"}})
    wait_until(lambda: lines(out))
    cwd, a, argv, leader, fds = json.loads(lines(out)[0])
    assert (cwd, a, argv, leader) == ("/usr", "b c", ["x y"], True)
    assert fds == ["0", "1", "2", "3"]  # the last one is the listing's own: nothing of ours is open


# --- its end ---

def test_the_stop_signal_then_the_grace_then_kill(brood):
    notes = brood.dir / "notes"
    notes.touch()
    os.chmod(notes, 0o666)
    configure(brood, polite=sh(f"trap 'echo int >> {notes}; exit 0' INT; while :; do sleep 0.05; done",
                               stop={"signal": "INT"}),
              stubborn=sh("trap '' TERM; while :; do sleep 0.05; done", stop={"grace": 0.3}))
    stubborn = pids(brood, "stubborn")[0]
    time_of = time.monotonic()
    configure(brood)
    wait_until(lambda: lines(notes) == ["int"])
    wait_until(lambda: not is_alive(stubborn))
    assert time.monotonic() - time_of >= 0.3


def test_what_a_script_started_ends_with_it(brood):
    note = brood.dir / "note"
    note.touch()
    os.chmod(note, 0o666)
    configure(brood, p=sh(f"(trap '' TERM; echo started > {note}; exec sleep 1000) & echo $! >> {note}.pid; wait",
                          stop={"grace": 5}, environment={"HOME": "/"}, stdout=str(note)))
    os.chmod(brood.dir, 0o777)
    wait_until(lambda: lines(note))
    group = pids(brood, "p")[0]
    members = [int(p) for p in os.listdir("/proc") if p.isdigit() and _group(p) == group]
    assert len(members) >= 2
    configure(brood)
    wait_until(lambda: not [p for p in members if is_alive(p)])


def _group(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat[stat.rindex(")") + 2:].split()[2])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_all_end_with_the_daemon(brood, number):
    configure(brood, p=sh("exec sleep 1000", processes=2), t=sh("exec sleep 1000", every=600))
    wait_until(lambda: len(pids(brood, "t")) == 1)
    found = pids(brood, "p") + pids(brood, "t")
    brood.signal(number)
    if number == signal.SIGQUIT:  # a run that began may finish: it is not cut before the daemon's grace is over
        os.kill(found[2], signal.SIGTERM)
    assert brood.process.wait(20) == 0
    assert not [p for p in found if is_alive(p)]


@pytest.mark.parametrize("who", ["supervisor", "main"])
def test_nothing_outlives_a_killed_supervisor_or_main(brood, who):
    configure(brood, p=sh("exec sleep 1000", processes=2))
    found = pids(brood, "p")
    os.kill(brood.pid if who == "main" else supervisor(brood, "p"), signal.SIGKILL)
    wait_until(lambda: not [p for p in found if is_alive(p)])
    if who == "supervisor":
        wait_until(lambda: brood.prototypes("p") or len(pids(brood, "p")) == 2)
        wait_until(lambda: len(pids(brood, "p")) == 2)
    else:
        brood.process.wait()


# --- changes ---

def test_a_change_elsewhere_leaves_it_alone(brood):
    configure(brood, p=sh("exec sleep 1000", processes=2), q=sh("exec sleep 1000"))
    before = pids(brood, "p")
    for n in range(5):
        assert brood.put("/config/applications/q/arguments", ["-c", f"exec sleep {500 + n}"]).status == 200
    assert brood.control("/control/applications/q/restart").status == 200
    for role in ("brood: router", "brood: controller"):
        os.kill(brood.pids(role)[0], signal.SIGKILL)
    wait_until(lambda: brood.pids("brood: router") and brood.pids("brood: controller"))
    wait_until(lambda: brood.control_path.exists())
    assert [p for p in before if is_alive(p)] == before and pids(brood, "p") == before


def test_by_default_the_old_one_is_gone_before_the_new_one_starts(brood):
    port = free_port()
    server = (f"import socket, time; s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen(); print('up', flush=True);"
              "time.sleep(1000)")
    configure(brood, p=python(server, restart="never"))
    wait_until(lambda: "\nup\n" in brood.log())
    assert brood.control("/control/applications/p/restart").status == 200
    wait_until(lambda: brood.log().count("\nup\n") == 2)
    assert programs(brood, "p")[0]["state"] == "running"


def test_start_first_has_the_new_one_ready_before_the_old_one_ends(brood):
    configure(brood, p=sh("sleep 0.3; echo >&3; exec sleep 1000", ready="fd:3", replace="start-first"))
    old = pids(brood, "p")[0]
    assert brood.control("/control/applications/p/restart").status == 200
    new = pids(brood, "p")
    assert len(new) == 1 and new != [old]
    wait_until(lambda: not is_alive(old))


@pytest.mark.parametrize("bad, words", [
    ({"executable": "/nonexistent"}, "No such file"),
    ({"executable": "/etc/passwd"}, "Permission denied"),
    ({"executable": "/etc"}, "Permission denied"),
    ({"executable": "no-such-program"}, "No such file"),
    ({"executable": "/bin/true", "working_directory": "/nonexistent"}, "working directory"),
    ({"executable": "/bin/true", "user": "no-such-user"}, "no-such-user"),
    ({"executable": "/bin/false", "ready": "notify"}, "exited with code 1 before it was ready"),
    ({"executable": "/bin/sleep", "arguments": ["1000"], "ready": "fd:3", "ready_timeout": 1}, "not ready"),
    ({"executable": "/nonexistent", "every": 60}, "No such file"),
])
def test_a_change_whose_program_cannot_start_fails_as_a_whole(brood, bad, words):
    configure(brood, good=sh("exec sleep 1000"))
    before, config = pids(brood, "good"), brood.get("/config").json
    answer = brood.put("/config", {"listeners": {}, "applications": {
        "good": sh("exec sleep 999"), "bad": {"type": "command", **bad}}})
    assert answer.status == 500 and words in answer.json["detail"], answer
    assert brood.get("/config").json == config and pids(brood, "good") == before
    wait_until(lambda: not brood.pids('brood: "bad"'))


def test_a_changed_program_that_cannot_be_executed_leaves_the_old_one(brood):
    configure(brood, p=sh("exec sleep 1000"))
    before = pids(brood, "p")
    answer = brood.put("/config/applications/p/executable", '"/nonexistent"')
    assert answer.status == 500 and "No such file" in answer.json["detail"]
    assert pids(brood, "p") == before


# --- ready ---

def test_the_change_waits_until_it_is_ready_by_descriptor(brood):
    began = time.monotonic()
    configure(brood, p=sh("sleep 0.5; echo ready >&5; exec sleep 1000", ready="fd:5"))
    assert time.monotonic() - began >= 0.5
    assert programs(brood, "p")[0]["state"] == "running"


def test_the_change_waits_until_it_is_ready_by_notification(brood):
    notify = ("import os, socket, time; time.sleep(0.5); s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);"
              "s.connect('\\0' + os.environ['NOTIFY_SOCKET'][1:]); s.send(b'STATUS=soon'); s.send(b'MAINPID=1\\nREADY=1');"
              "time.sleep(1000)")
    began = time.monotonic()
    configure(brood, p=python(notify, ready="notify", processes=2))
    assert time.monotonic() - began >= 0.5
    assert [p["state"] for p in programs(brood, "p")] == ["running"] * 2


def test_one_that_is_not_ready_in_time_later_is_started_again(brood):
    first = brood.dir / "first"
    os.chmod(brood.dir, 0o777)
    configure(brood, p=sh(f"[ -e {first} ] || echo >&3; touch {first}; exec sleep 1000", ready="fd:3", ready_timeout=1))
    os.kill(pids(brood, "p")[0], signal.SIGKILL)
    wait_until(lambda: pids(brood, "p", "starting"))
    wait_until(lambda: programs(brood, "p")[0]["restarts"] >= 2)
    assert "was not ready in time" in brood.log()


# --- listening sockets ---

SERVER = """
import os, select, signal, socket
assert os.environ["LISTEN_PID"] == str(os.getpid())
listening = [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
wake, waker = socket.socketpair()
signal.signal(signal.SIGTERM, lambda *_: waker.send(b"x"))
while wake not in (ready := select.select([*listening, wake], [], [])[0]):
    s, _ = ready[0].accept()
    s.sendall(b"pid %d" % os.getpid())
    s.close()
"""


def refuses(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def ask(port):
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        text = b""
        while piece := s.recv(100):
            text += piece
    return text.decode()


def test_listeners_are_handed_on_and_no_connection_is_refused_while_it_restarts(brood):
    ports = [free_port(), free_port()]
    configure(brood, {f"127.0.0.1:{p}": {"protocol": "tcp", "pass": "applications/p"} for p in ports},
              p=python(SERVER))
    pid = pids(brood, "p")[0]
    assert [ask(p) for p in ports] == [f"pid {pid}"] * 2
    seen = set()
    for n in range(40):
        if n % 10 == 5:
            assert brood.control("/control/applications/p/restart").status == 200
        if n == 17:
            found = pids(brood, "p")
            os.kill(supervisor(brood, "p"), signal.SIGKILL)
            wait_until(lambda: not [p for p in found if is_alive(p)])
        if n == 27:
            os.kill(brood.pids("brood: router")[0], signal.SIGKILL)
        seen.add(ask(ports[n % 2]))
    assert len(seen) >= 4 and "" not in seen


def test_a_listener_more_is_a_new_launch(brood):
    one, two = free_port(), free_port()
    configure(brood, {f"127.0.0.1:{one}": {"protocol": "tcp", "pass": "applications/p"}}, p=python(SERVER))
    pid = pids(brood, "p")
    assert brood.put(f"/config/listeners/127.0.0.1:{two}", {"protocol": "tcp", "application": "p"}).status == 200
    assert ask(two) == ask(one)
    assert pids(brood, "p") != pid
    assert brood.control(f"/config/listeners/127.0.0.1:{two}", "DELETE").status == 200
    wait_until(lambda: refuses(two))
    assert ask(one)


def test_ready_by_a_descriptor_that_is_a_listening_socket_is_refused(brood):
    answer = brood.put("/config", {"listeners": {f"127.0.0.1:{free_port()}": {"protocol": "tcp", "pass": "applications/p"}},
                                   "applications": {"p": sh("echo >&3; exec sleep 1000", ready="fd:3")}})
    assert answer.status == 500 and "descriptor 3 is one of the listening sockets" in answer.json["detail"]


# --- now and then ---

def test_an_interval_begins_at_once_and_runs_do_not_overlap(brood):
    configure(brood, p=sh("sleep 1.5; echo ran", every=1))
    wait_until(lambda: brood.log().count("\nran\n") >= 2)
    runs = brood.status("/applications/p/runs")
    assert runs["skipped"] >= 1 and runs["total"] >= 2 and runs["last_exit"] == {"code": 0}
    assert abs(runs["next"] - time.time()) <= 2
    assert len(programs(brood, "p")) <= 1


def test_runs_overlap_when_told(brood):
    configure(brood, p=sh("exec sleep 1000", every=1, overlap=True, stop={"grace": 1}))
    wait_until(lambda: len(pids(brood, "p")) >= 2)
    for pid in pids(brood, "p"):
        os.kill(pid, signal.SIGKILL)


def test_the_calendar_says_when(brood):
    configure(brood, p=sh("echo ran", calendar="*:*:*"), never=sh("echo never", calendar="02-29 00:00"))
    wait_until(lambda: brood.log().count("\nran\n") >= 2)
    assert "\nnever\n" not in brood.log() and brood.status("/applications/never/runs/total") == 0
    assert brood.status("/applications/never/runs/next") > time.time()


def test_a_reload_lets_a_run_finish(brood):
    configure(brood, p=sh("sleep 1; echo finished", every=600))
    wait_until(lambda: pids(brood, "p"))
    assert brood.put("/config/applications/p/environment", {"A": "b"}).status == 200
    wait_until(lambda: "\nfinished\n" in brood.log())
    assert "SIGTERM" not in brood.log()


# --- what is no configuration ---

@pytest.mark.parametrize("app, path, words", [
    ({"executable": ""}, "/executable", "must not be empty"),
    ({}, "", 'The option "executable"'),
    ({"type": "command 3"}, "/type", "no versions"),
    ({"processes": {"max": 3}}, "/processes", "must be an integer"),
    ({"processes": 0}, "/processes", "from 1"),
    ({"restart": "sometimes"}, "/restart", '"always", "on-failure" or "never"'),
    ({"ready": "fd:2"}, "/ready", "fd:3"),
    ({"ready": "fd:x"}, "/ready", "fd:3"),
    ({"ready": "fd:256"}, "/ready", "fd:255"),
    ({"ready_timeout": 3}, "/ready_timeout", 'only with "ready"'),
    ({"stop": {"signal": "STOP"}}, "/stop/signal", "TERM"),
    ({"stop": {"grace": -1}}, "/stop/grace", "from 0"),
    ({"every": 0.5}, "/every", "from 1"),
    ({"every": 5, "calendar": "daily"}, "/every", 'not allowed with "calendar"'),
    ({"calendar": "sometimes"}, "/calendar", "names no moments"),
    ({"calendar": "25:00"}, "/calendar", "is no hour"),
    ({"calendar": "02-30 00:00"}, "/calendar", "no such day"),
    ({"calendar": "daily", "restart": "never"}, "/restart", 'not allowed with "calendar"'),
    ({"every": 5, "ready": "notify"}, "/ready", 'not allowed with "every"'),
    ({"every": 5, "processes": 2}, "/processes", 'not allowed with "every"'),
    ({"overlap": True}, "/overlap", 'only with "every" or "calendar"'),
    ({"replace": "first"}, "/replace", "stop-first"),
    ({"limits": {"requests": 3}}, "/limits", "Unknown option"),
    ({"module": "x"}, "/module", "Unknown option"),
    ({"connections": {"max": 3}}, "/connections", "Unknown option"),
    ({"arguments": "x"}, "/arguments", "array of strings"),
    ({"arguments": ["a\0b"]}, "/arguments/0", "NUL"),
])
def test_what_is_no_command_is_refused_with_its_place(brood, app, path, words):
    whole = {"type": "command", "executable": "/bin/true", **app}
    if not app:
        del whole["executable"]
    answer = brood.put("/config", {"listeners": {}, "applications": {"p": whole}})
    assert answer.status == 400 and words in answer.json["detail"], answer
    assert answer.json["path"] == "/applications/p" + path


@pytest.mark.parametrize("listener, routes, path, words", [
    ({"pass": "applications/p"}, [], "/listeners/*:PORT/pass", 'needs the protocol "tcp"'),
    ({"application": "p"}, [], "/listeners/*:PORT/application", 'needs the protocol "tcp"'),
    ({"protocol": "tcp", "pass": "routes"}, [], "/listeners/*:PORT/pass", "must name an application"),
    ({"protocol": "tcp", "pass": "applications/$host"}, [], "/listeners/*:PORT/pass", "must name an application"),
    ({"protocol": "udp", "pass": "applications/p"}, [], "/listeners/*:PORT/protocol", '"http" or "tcp"'),
    ({"pass": "routes"}, [{"action": {"pass": "applications/p"}}], "/routes/0/action/pass", "takes no requests"),
])
def test_requests_do_not_reach_a_program(brood, listener, routes, path, words):
    port = str(free_port())
    answer = brood.put("/config", {"listeners": {f"*:{port}": listener}, "routes": routes,
                                   "applications": {"p": sh("exec sleep 1000")}})
    assert answer.status == 400 and words in answer.json["detail"], answer
    assert answer.json["path"] == path.replace("PORT", port)


def test_a_computed_pass_to_a_program_leads_nowhere(brood):
    brood.port = free_port()
    configure(brood, {f"127.0.0.1:{brood.port}": {"pass": "applications/$arg_app"}}, p=sh("exec sleep 1000"))
    assert brood.fetch("/?app=p").status == 404
