"""The life of the whole daemon: signals, brood -s, drains, other routers, limits of the machine."""

import grp
import os
import pwd
import signal
import subprocess
import time

import pytest

from brood import BINARY, ROOT, is_alive, wait_until
from load import Load

NOBODY = 65534


def say(brood, word, pid_path=None):
    return subprocess.run([BINARY, "-s", word, "--pid", str(pid_path or brood.pid_path)], capture_output=True, text=True, timeout=20)


# --- brood -s ---

def test_s_stop_ends_it_and_says_nothing(brood):
    done = say(brood, "stop")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert brood.process.wait(20) == 0


@pytest.mark.parametrize("word,name", [("reload", "HUP"), ("reopen", "USR1"), ("quit", "QUIT"), ("stop", "TERM")])
def test_s_sends_its_signal(brood, word, name):
    assert say(brood, word).returncode == 0
    wait_until(lambda: f"(SIG{name}) received from process" in brood.log(), what=f"SIG{name} in the log")


def test_s_tells_a_stale_pid_file_from_a_live_one(brood, tmp_path):
    """Of a main that was killed, whose number belongs to somebody else now."""
    stale = tmp_path / "stale.pid"
    stale.write_text(f"{os.getpid()}\n")
    for word in ("stop", "reload", "upgrade"):
        done = say(brood, word, stale)
        assert done.returncode == 1
        assert done.stderr == f'brood: no brood holds pid file "{stale}": it was left by one that is gone\n'
    brood.kill()
    assert brood.pid_path.exists()
    done = say(brood, "stop")
    assert done.returncode == 1 and "left by one that is gone" in done.stderr


def test_s_says_what_is_wrong(brood, tmp_path):
    done = say(brood, "stop", tmp_path / "none.pid")
    assert done.returncode == 1
    assert done.stderr == f'brood: cannot open pid file "{tmp_path}/none.pid": No such file or directory\n'
    done = say(brood, "halt")
    assert done.returncode == 1 and "stop|quit|reload|reopen|upgrade" in done.stderr and '"halt"' in done.stderr


# --- the end ---

def slow_requests(brood, n, seconds):
    wires = [brood.connect().send(f"GET /sleep/{seconds} HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(n)]
    wait_until(lambda: brood.status("/applications/echo/requests")["active"] == n)
    return wires


def test_a_second_quit_forces(brood):
    brood.serve("echo", processes=1)
    slow_requests(brood, 1, 60)
    brood.signal(signal.SIGQUIT)
    wait_until(lambda: brood.log().count("SIGQUIT") == 1)
    assert brood.process.poll() is None
    began = time.monotonic()
    brood.signal(signal.SIGQUIT)
    brood.process.wait(20)
    assert time.monotonic() - began < 8


def test_term_after_quit_forces(brood):
    brood.serve("echo", processes=1)
    slow_requests(brood, 1, 60)
    brood.signal(signal.SIGQUIT)
    wait_until(lambda: brood.log().count("SIGQUIT") == 1)
    began = time.monotonic()
    brood.signal(signal.SIGTERM)
    brood.process.wait(20)
    assert time.monotonic() - began < 8


def test_the_shutdown_timeout_forces(brood):
    brood.serve("echo", processes=1)
    assert brood.put("/config/settings", {"shutdown": {"timeout": 1}}).status == 200
    slow_requests(brood, 1, 60)
    began = time.monotonic()
    brood.signal(signal.SIGQUIT)
    brood.process.wait(20)
    assert 1 <= time.monotonic() - began < 9
    assert "1000 ms" in brood.log()


def test_an_idle_connection_does_not_hold_a_graceful_end(brood):
    brood.serve("echo", processes=1)
    with brood.connect() as wire:
        assert wire.send("GET /id?id=1 HTTP/1.1\r\nHost: x\r\n\r\n").answer().body == b"1"
        began = time.monotonic()
        brood.signal(signal.SIGQUIT)
        assert wire.rest() == b""
        assert time.monotonic() - began < 2
    brood.process.wait(20)
    assert brood.process.returncode == 0


def test_shutdown_delay_serves_on_while_readiness_is_red(brood):
    brood.serve("echo", processes=1)
    assert brood.put("/config/settings", {"shutdown": {"delay": 2}}).status == 200
    assert "state" not in brood.status()
    began = time.monotonic()
    brood.signal(signal.SIGQUIT)
    wait_until(lambda: brood.status().get("state") == "draining", what="readiness red")
    while time.monotonic() - began < 1.5:
        assert brood.fetch("/id?id=7").body == b"7"
    brood.process.wait(20)
    assert time.monotonic() - began >= 2


# --- logs ---

def held(pid, path):
    """How many descriptors of that process are open on what has the path now."""
    return sum(os.readlink(fd.path) == str(path) for fd in os.scandir(f"/proc/{pid}/fd"))


def test_usr1_reopens_every_log_in_every_process(make_brood):
    brood = make_brood("--routers", "2")
    (brood.dir / "logs").mkdir()
    os.chmod(brood.dir / "logs", 0o777)
    out, err, access = (brood.dir / "logs" / name for name in ("out", "err", "access"))
    brood.serve("echo", processes=2, stdout=str(out), stderr=str(err))
    assert brood.put("/config/access_log", f'"{access}"').status == 200
    routers, main = brood.pids("brood: router"), [brood.pid]
    application = brood.prototypes("echo") + brood.workers("echo")
    everybody = main + routers + application + brood.pids("brood: controller")
    for path in (out, err, access, brood.log_path):
        path.rename(f"{path}.1")
    brood.signal(signal.SIGUSR1)
    for path, pids in ((brood.log_path, everybody), (access, routers), (out, application), (err, application)):
        for pid in pids:
            wait_until(lambda: path.exists() and held(pid, path) > 0, what=f"{path.name} anew in {pid}")
            wait_until(lambda: held(pid, f"{path}.1") == 0, what=f"{path.name} no longer the old one in {pid}")
    assert brood.fetch("/id?id=1").body == b"1"
    wait_until(lambda: "/id?id=1" in access.read_text(), what="line in the new access log")


# --- other routers ---

def nice_of(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[16])


def test_settings_routers_changes_how_many_there_are(make_brood):
    brood = make_brood("--routers", "1")
    brood.serve("echo", processes=2)
    for settings, n in (({"routers": 3}, 3), ({"routers": 2}, 2), ({"listen_threads": 4}, 4), ({"routers": "auto"}, min(8, len(os.sched_getaffinity(0)))), ({}, 1)):
        assert brood.put("/config/settings", settings).status == 200
        wait_until(lambda: len(brood.pids("brood: router")) == n, what=f"{n} routers")
        assert brood.fetch("/id?id=1").body == b"1"


def test_settings_router_says_how_they_are_made(brood):
    brood.serve("echo", processes=1)
    before = brood.pids("brood: router")
    settings = {"routers": 2, "router": {"priority": 5, "rlimit_nofile": 512, "rlimit_core": 0, "affinity": ["0"], "working_directory": str(brood.tmp_dir)}}
    assert brood.put("/config/settings", settings).status == 200
    wait_until(lambda: not any(is_alive(p) for p in before), what="end of the routers before")
    routers = brood.pids("brood: router")
    assert len(routers) == 2
    for pid in routers:
        limits = open(f"/proc/{pid}/limits").read()
        assert nice_of(pid) == 5
        assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")] == [["512", "512"]]
        assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file")] == [["0", "0"]]
        assert os.sched_getaffinity(pid) == {0}
        assert os.readlink(f"/proc/{pid}/cwd") == str(brood.tmp_dir)
    os.kill(routers[0], signal.SIGKILL)
    wait_until(lambda: len(brood.pids("brood: router")) == 2 and routers[0] not in brood.pids("brood: router"), what="another router")
    wait_until(lambda: all(nice_of(p) == 5 for p in brood.pids("brood: router")), what="made like the dead one")
    assert brood.put("/config/settings/http", {"log_route": False}).status == 200
    assert routers[1] in brood.pids("brood: router")  # nothing of theirs has changed


AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def status_of(pid):
    return dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)


def blocked(pid):
    mask = int(status_of(pid)["SigBlk"], 16)
    return {s for s in signal.Signals if mask >> (s - 1) & 1}


def made_like(brood, uid, gid, groups):
    """All routers run as them; False while others are still there."""
    found = [status_of(pid) for pid in brood.pids("brood: router")]
    return found and all(s["Uid"].split() == [str(uid)] * 4 and s["Gid"].split() == [str(gid)] * 4 and set(map(int, s["Groups"].split())) == groups and s["CapPrm"].strip("0") == "" for s in found)


@AS_ROOT
def test_routers_become_their_own_user_and_still_get_what_they_need(make_brood):
    brood = make_brood("--routers", "2")
    daemon, www = pwd.getpwnam("daemon"), pwd.getpwnam("www-data")
    adm, mail = (grp.getgrnam(name).gr_gid for name in ("adm", "mail"))
    brood.serve("echo", processes=1)
    (brood.dir / "logs").mkdir(mode=0o700)  # where no router may go
    assert brood.put("/config/access_log", f'"{brood.dir}/logs/access"').status == 200

    def want(router, uid, gid, groups):
        answer = brood.put("/config/settings", {"router": router})
        assert answer.status == 200, answer.text
        wait_until(lambda: made_like(brood, uid, gid, groups), what=f"routers of {router}")
        assert brood.fetch("/echo", "POST", b"x" * 300000).json["body"] == "x" * 300000

    members = lambda user: set(os.getgrouplist(user.pw_name, user.pw_gid))
    want({"user": "daemon"}, daemon.pw_uid, daemon.pw_gid, members(daemon))
    want({"user": "www-data", "group": "mail"}, www.pw_uid, mail, {mail} | members(www) - {www.pw_gid})
    want({"user": "daemon", "supplementary_groups": ["adm", "mail"]}, daemon.pw_uid, daemon.pw_gid, {adm, mail})
    routers = brood.pids("brood: router")
    os.kill(routers[0], signal.SIGKILL)
    wait_until(lambda: len(brood.pids("brood: router")) == 2 and routers[0] not in brood.pids("brood: router"), what="another router")
    assert made_like(brood, daemon.pw_uid, daemon.pw_gid, {adm, mail})
    assert brood.put("/config/settings/router", {"user": "daemon", "supplementary_groups": ["adm", "mail"], "dumpable": False}).status == 200
    assert routers[1] in brood.pids("brood: router"), "nothing has changed for it"
    want({"supplementary_groups": []}, NOBODY, pwd.getpwnam("nobody").pw_gid, set())
    brood.signal(signal.SIGUSR1)
    assert brood.fetch("/id?id=4242").body == b"4242"
    wait_until(lambda: "4242" in (brood.dir / "logs" / "access").read_text(), what="a line in the access log")
    want({}, NOBODY, pwd.getpwnam("nobody").pw_gid, members(pwd.getpwnam("nobody")))


def test_routers_may_leave_a_core_and_block_signals(brood):
    brood.serve("echo", processes=1)
    for router, owner in (({"dumpable": True, "signal_mask": ["HUP", "USR1"]}, NOBODY), ({"signal_mask": "TERM"}, 0)):
        before = brood.pids("brood: router")
        assert brood.put("/config/settings", {"router": router}).status == 200
        wait_until(lambda: not set(before) & set(brood.pids("brood: router")), what="the routers before to be gone")
        for pid in brood.pids("brood: router"):
            names = router["signal_mask"]
            assert blocked(pid) == {signal.Signals["SIG" + name] for name in ([names] if isinstance(names, str) else names)}
            if os.geteuid() == 0:
                assert os.stat(f"/proc/{pid}/stat").st_uid == owner  # proc(5): root's if it is not dumpable
            for name in blocked(pid):
                os.kill(pid, name)
            assert brood.fetch("/id?id=1").body == b"1" and is_alive(pid)


def test_users_that_routers_cannot_become_change_nothing(make_brood):
    brood = make_brood("--routers", "1")
    brood.serve("echo", processes=1)
    before, config = brood.pids("brood: router"), brood.get().json
    for router, complaint in (({"user": "no-such-user"}, 'no user "no-such-user"'), ({"group": "no-such-group"}, 'no group "no-such-group"'),
                              ({"supplementary_groups": ["adm", "no-such-group"]}, 'no group "no-such-group"')):
        answer = brood.put("/config/settings", {"router": router})
        assert answer.status == 500 and complaint in answer.json["detail"], answer.text
    for router, complaint in (({"signal_mask": ["HUP", "KILL"]}, "that can be blocked"), ({"signal_mask": "SIGHUP"}, "that can be blocked"), ({"user": ""}, "empty"), ({"supplementary_groups": [""]}, "empty")):
        answer = brood.put("/config/settings", {"router": router})
        assert answer.status == 400 and complaint in answer.json["detail"], answer.text
    assert brood.get().json == config and brood.pids("brood: router") == before
    assert brood.fetch("/id?id=1").body == b"1"


@AS_ROOT
def test_without_privilege_routers_are_the_one_user_that_there_is(make_brood):
    brood = make_brood(start=False)
    for path in (brood.dir, brood.state_dir):
        path.mkdir(exist_ok=True)
        os.chown(path, NOBODY, NOBODY)
    brood.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    brood.start()
    for router in ({"user": "daemon"}, {"user": "nobody", "supplementary_groups": ["adm"]}, {"group": "adm"}, {"supplementary_groups": []}):
        answer = brood.put("/config/settings", {"router": router})
        assert answer.status == 500 and "need a brood that runs as root, and this one runs as user 65534" in answer.json["detail"]
    assert brood.put("/config/settings", {"router": {"user": "nobody"}}).status == 200


def test_routers_that_cannot_be_made_change_nothing(brood):
    brood.serve("echo", processes=1)
    before, config = brood.pids("brood: router"), brood.get().json
    answer = brood.put("/config/settings", {"router": {"working_directory": "/nonexistent/place"}})
    assert answer.status == 500
    assert "/nonexistent/place" in answer.text and "No such file" in answer.text
    assert brood.get().json == config
    wait_until(lambda: brood.pids("brood: router") == before, what="the routers from before alone")
    assert brood.fetch("/id?id=1").body == b"1"
    answer = brood.put("/config/settings", {"router": {"affinity": "0-x"}})
    assert answer.status == 400 and "0-x" in answer.text


def test_a_slow_request_outlives_its_router_and_the_next_ones_serve(brood):
    brood.serve("echo", processes=2)
    slow = slow_requests(brood, 1, 2)[0]
    assert brood.put("/config/settings", {"router": {"priority": 1}}).status == 200
    assert brood.fetch("/id?id=1").body == b"1"
    answer = slow.answer()
    assert answer.body == b"slept" and answer.fields["connection"] == "close"


def test_other_routers_under_load_lose_nothing(make_brood):
    brood = make_brood("--routers", "2")
    brood.serve("echo", processes=2)
    with Load(brood.port, keepalive=16, short=16) as load:
        for i in range(10):
            assert brood.put("/config/settings", {"routers": 1 + i % 3, "router": {"priority": i % 2}}).status == 200
    assert not load.hung and not load.failures, load.failures[:10]
    assert load.answered > 10


# --- what clients notice, in the short form of `make chaos` ---

@pytest.mark.slow
def test_chaos_in_short():
    done = subprocess.run([ROOT / "tools/chaos", "--times", "3"], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") == 7, done.stdout
