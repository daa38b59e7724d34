"""Servers: when one is used, started, replaced; identity; staleness; limits; locks."""

import fcntl
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import ORIGINAL, alive, wait_until

OURS_BOTH = pytest.mark.pairs(("ours", "ours"))
OUR_LIBRARY = pytest.mark.pairs(("ours", "ours"), ("original", "ours"))
OUR_WRAPPER = pytest.mark.pairs(("ours", "ours"), ("ours", "original"))


def test_forced_is_fresh(pair):
    first = pair.who()
    second = pair.who(before=["-Uf"])
    assert first[0] != second[0]
    assert pair.who()[0] == second[0]


def test_killed_is_gone(pair):
    first = pair.who()
    pair.kill()
    assert pair.who()[0] != first[0]


def test_kill_without_a_server_is_no_error(pair):
    done = pair.call(before=["-U", "--kill"])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_killed_server_lets_its_services_end(pair):
    process = pair.ready("sleep", "1")
    pair.kill()
    assert process.communicate(timeout=20)[0] == b"slept\n"
    assert process.returncode == 0


def test_another_word_is_another_server(pair):
    names = [["-U", "-Gone"], ["-U", "-Gtwo"], ["-U", "-G", "one", "-G", "two"], ["-U", "-Gtwo", "-Gone"]]
    tokens = [pair.who(before=before)[0] for before in names]
    assert len(set(tokens)) == 4
    assert [pair.who(before=before)[0] for before in names] == tokens
    for before in names:
        pair.call(before=[*before, "--kill"])


def test_a_variable_of_the_identity(pair):
    def token(value):
        return pair.who(before=["-U", "-EPROBE_VALUE"], env={"PROBE_VALUE": value})[0]

    one, two, none, empty = token("1"), token("2"), token(None), token("")
    assert len({one, two, none, empty}) == 4
    assert token("1") == one
    for value in ("1", "2", None, ""):
        pair.call(before=["-U", "-EPROBE_VALUE", "--kill"], env={"PROBE_VALUE": value})


def test_a_named_identity_is_for_every_directory(pair, tmp_path):
    before = ["-U", f"-g{pair.dir.name}"]
    first = pair.who(before=before)
    assert pair.who(before=before, cwd=tmp_path)[0] == first[0]
    pair.call(before=[*before, "--kill"])


@OUR_WRAPPER
def test_a_name_with_a_slash_is_refused(pair):
    done = pair.call("who", before=["-U", "-ga/b"])
    assert done.returncode == 127 and b"a/b" in done.stderr


@OUR_WRAPPER
def test_interpreter_options_tell_servers_apart(pair):
    def run(*words):
        return subprocess.run([str(pair.program), "-U", pair.language.interpreter, *words, str(pair.script), "who"],
                              env=pair.env, cwd=pair.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)

    plain, with_option = run(), run(pair.language.option)
    assert plain.returncode == with_option.returncode == 0, with_option.stderr
    assert plain.stdout.split()[0] != with_option.stdout.split()[0]
    assert run(pair.language.option).stdout.split()[0] == with_option.stdout.split()[0]


@OUR_WRAPPER
@pytest.mark.parametrize("separator", [",", " "])
def test_the_first_line_of_a_script(pair, separator):
    script = pair.dir / "with-first-line"
    words = separator.join(["-U", "-Gx", pair.language.interpreter, pair.language.option])
    text = pair.script.read_text()
    script.write_text(f"#!{pair.program} {words}\n" + text)
    script.chmod(0o755)
    for _ in range(2):
        done = subprocess.run([str(script), "args", "a b", "c"], env=pair.env, cwd=pair.dir, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=30)
        assert done.stdout == b"612062\n63\n", done.stderr


def test_racing_first_calls_start_one_server(pair, tmp_path):
    mark = tmp_path / "mark"
    calls = [pair.start("who", env={"PROBE_INIT": f"mark {mark}"}) for _ in range(8)]
    tokens = {call.communicate(timeout=60)[0].split()[0] for call in calls}
    assert all(call.returncode == 0 for call in calls)
    assert len(tokens) == 1
    assert len(mark.read_text().split()) == 1


def test_a_hundred_callers_at_once(pair):
    pair.who()
    calls = [pair.start("exit", "0") for _ in range(100)]
    codes = [call.wait(120) for call in calls]
    assert codes == [0] * 100


@OUR_LIBRARY
def test_at_most_max_servers_at_once(pair):
    env = {"PROBE_OPTIONS": "max_servers=1"}
    first = pair.ready("sleep", "0.7", env=env)
    began = time.monotonic()
    second = pair.call("fall", env=env)
    assert second.returncode == 0 and time.monotonic() - began > 0.3
    assert first.wait(20) == 0


@OURS_BOTH
def test_no_place_within_the_time_given(pair):
    env = {"PROBE_OPTIONS": "max_servers=1"}
    first = pair.ready("sleep", "30", env=env)
    done = pair.call("fall", env=env, before=["-U", "--wait=1"])
    assert done.returncode == 75 and b"no free place" in done.stderr
    first.kill()


def test_idle_servers_go(pair):
    env = {"PROBE_OPTIONS": "idle_timeout=1"}
    first = pair.who(env=env)
    wait_until(lambda: not pair.processes(), "the server has gone")
    assert pair.who(env=env)[0] != first[0]


def bump(path, when=None):
    """Change a file so that its time says so."""
    with open(path, "a") as f:
        f.write("\n")
    when = when if when is not None else time.time() - 0.001
    os.utime(path, (when, when))


def old(path, ago=100):
    os.utime(path, (time.time() - ago,) * 2)


def test_a_changed_script_is_loaded_anew(pair):
    old(pair.script)
    first = pair.who()
    bump(pair.script)
    second = pair.who()
    assert second[0] != first[0]
    assert pair.who()[0] == second[0]


def test_a_changed_module_is_loaded_anew(pair):
    module = pair.dir / pair.language.module_name
    pair.language.module(pair.dir, "one")
    old(module)
    old(pair.script)
    assert pair.who()[2] == "one"
    pair.language.module(pair.dir, "two")
    assert pair.who()[2] == "two"


def test_a_file_that_was_named_is_checked(pair, tmp_path):
    extra = tmp_path / "settings"
    extra.write_text("1")
    old(extra)
    old(pair.script)
    env = {"PROBE_CHECK": str(extra)}
    first = pair.who(env=env)
    assert pair.who(env=env)[0] == first[0]
    bump(extra)
    assert pair.who(env=env)[0] != first[0]


def test_an_older_file_in_its_place_is_noticed(pair):
    module = pair.dir / pair.language.module_name
    pair.language.module(pair.dir, "one")
    old(module)
    old(pair.script)
    assert pair.who()[2] == "one"
    other = pair.dir / "other"
    other.mkdir()
    pair.language.module(other, "two")
    old(other / pair.language.module_name, 1000)
    os.rename(other / pair.language.module_name, module)
    assert pair.who()[2] == "two"


def test_a_file_of_the_future_is_noticed_once(pair):
    os.utime(pair.script, (time.time() + 1000,) * 2)
    first = pair.who()
    assert pair.who()[0] == first[0]


@OURS_BOTH
def test_a_module_that_is_removed_is_noticed(pair):
    module = pair.dir / pair.language.module_name
    pair.language.module(pair.dir, "one")
    old(module)
    old(pair.script)
    assert pair.who()[2] == "one"
    module.unlink()
    assert pair.who()[2] == "none"


@OUR_WRAPPER
def test_a_stale_socket_is_replaced(pair):
    pair.who()
    path, = pair.sockets()
    pair.kill()
    wait_until(lambda: not pair.processes(), "the server has gone")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    assert pair.call("exit", "3").returncode == 3


def test_a_callers_death_interrupts_the_service(pair):
    process = pair.ready("trap", "INT", "0")
    process.kill()
    assert process.stdout.read() == b"caught INT\n"


@OUR_LIBRARY
def test_a_service_that_ignores_its_callers_death_is_ended(pair):
    env = {"PROBE_OPTIONS": "int_grace=0 term_grace=0"}
    pair.who(env=env)
    process = pair.start("sleep", "30", env=env, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    assert process.stdout.read() == b""


def server_of(pair):
    return int(pair.status()["pid"]), int(pair.status()["interpreter"])


@OURS_BOTH
def test_a_service_outlives_its_interpreter(pair):
    process = pair.ready("sleep", "0.5")
    _, interpreter = server_of(pair)
    os.kill(interpreter, signal.SIGKILL)
    assert process.communicate(timeout=20)[0] == b"slept\n"
    assert process.returncode == 0
    assert pair.who()


@OURS_BOTH
def test_the_status_of_an_orphan_arrives(pair):
    process = pair.ready("trap", "TERM", "41")
    _, interpreter = server_of(pair)
    os.kill(interpreter, signal.SIGKILL)
    wait_until(lambda: not alive(interpreter), "the interpreter is dead")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == b"caught TERM\n"
    assert process.returncode == 41


@OURS_BOTH
def test_a_killed_server_is_an_error_and_interrupts_the_service(pair):
    process = pair.ready("trap", "INT", "0")
    server, _ = server_of(pair)
    os.kill(server, signal.SIGKILL)
    out, err = process.communicate(timeout=20)
    assert out == b"caught INT\n"
    assert process.returncode == 127 and b"quit unexpectedly" in err
    assert pair.call("exit", "7").returncode == 7


@OURS_BOTH
def test_a_killed_spare_is_replaced(pair):
    first = pair.who()
    for _ in range(5):
        _, interpreter = server_of(pair)
        spares = Path(f"/proc/{interpreter}/task/{interpreter}/children").read_text().split()
        for spare in spares:
            os.kill(int(spare), signal.SIGKILL)
            wait_until(lambda: not alive(spare), "the spare is dead")
        assert pair.who()[0] == first[0]


@OURS_BOTH
def test_a_stopped_server_is_replaced(pair):
    pair.who()
    server, _ = server_of(pair)
    os.kill(server, signal.SIGSTOP)
    done = pair.call("exit", "5", timeout=60)
    assert done.returncode == 5 and b"hangs" in done.stderr
    assert not alive(server)


@OURS_BOTH
@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\0", b"\x01", b"\x01\x03\0", b"\x01\x40", b"\x07", b"\0\0\0\0\xff\xff\xff\xff",
                                  b"\0\0\0\0\0\0\0\1x", b"\x01\x03\0\0\0\0\0\0\2\0\0", b"\x02"])
def test_a_broken_caller_harms_nobody(pair, sent):
    first = pair.who()
    path, = pair.sockets()
    for _ in range(6):  # more than there are places
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(sent)
    assert pair.who()[0] == first[0]


@OURS_BOTH
def test_silent_connections_take_no_place_for_ever(pair):
    first = pair.who()
    path, = pair.sockets()
    silent = []
    for _ in range(3):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(path))
        silent.append(s)
    assert pair.who()[0] == first[0]
    for s in silent:
        s.close()


def test_a_failing_initialisation_is_reported(pair):
    done = pair.call("who", env={"PROBE_INIT": "exit 5"})
    assert done.returncode == 5
    done = pair.call("who", env={"PROBE_INIT": f"signal {int(signal.SIGTERM)}"})
    assert done.returncode == -signal.SIGTERM
    assert pair.call("exit", "0").returncode == 0


def test_a_script_that_never_says_it_is_ready(pair):
    done = pair.call("fall", env={"PROBE_INIT": "never", "PROBE_DROP": None})
    assert done.returncode == 127 and b"maybe script didn't call" in done.stderr


def test_an_interpreter_that_is_not_there(pair):
    done = subprocess.run([str(pair.program), "-U", "no-such-interpreter", str(pair.script)], env=pair.env, cwd=pair.dir,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 127 and b"no-such-interpreter" in done.stderr


@OUR_WRAPPER
def test_an_initialisation_that_takes_too_long(pair):
    done = pair.call("fall", env={"PROBE_INIT": "sleep 30"}, before=["-U", "--start-timeout=1"])
    assert done.returncode == 127 and b"more than 1 s" in done.stderr


@OURS_BOTH
def test_an_initialisation_that_takes_its_time_is_waited_for(pair):
    """Who waits must not take the first caller, in whose name the socket was made, for a server that hangs."""
    go = pair.dir / "go"
    init = {"PROBE_INIT": f"run until [ -e {go} ]; do sleep 0.05; done"}
    first = pair.start("exit", "3", env=init)
    wait_until(pair.sockets, "the socket is there")
    second = pair.start("exit", "3", env={**init, "PREFORK_INTERP_DEBUG": "1"})
    seen = b""
    while b"still starting" not in seen:
        seen += os.read(second.stderr.fileno(), 4096) or pytest.fail(seen)
    go.touch()
    assert (first.wait(30), second.wait(30)) == (3, 3)


@OURS_BOTH
def test_max_calls_makes_way(pair):
    env = {"PROBE_OPTIONS": "max_calls=2"}
    tokens = [pair.who(env=env)[0] for _ in range(4)]
    assert tokens[0] == tokens[1] and tokens[2] == tokens[3] and tokens[1] != tokens[2]


@OUR_LIBRARY
def test_an_unknown_option_is_named(pair):
    done = pair.call("fall", env={"PROBE_OPTIONS": "max_server=1"})
    assert done.returncode not in (0, 127) and b"max_server" in done.stderr


def test_standalone(pair):
    done = subprocess.run([pair.language.interpreter, str(pair.script), "args", "x", "y"],
                          env=pair.environment({"PROBE_DROP": None}), cwd=pair.dir,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"78\n79\n", b"")


def test_a_wrong_variable_is_named(pair):
    done = subprocess.run([pair.language.interpreter, str(pair.script), "fall"],
                          env={**pair.env, "PREFORK_INTERP": "v2,nonsense"}, cwd=pair.dir, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=30)
    assert done.returncode != 0 and b"PREFORK_INTERP" in done.stderr


@OURS_BOTH
def test_a_server_started_by_warm_serves_the_first_call(pair):
    assert pair.call(before=["-U", "--warm"]).returncode == 0
    assert pair.status()["calls"] == "0"
    pair.who()
    assert pair.status()["calls"] == "1"


@OURS_BOTH
def test_list_shows_it(pair):
    pair.who()
    done = subprocess.run([str(pair.program), "--list"], env=pair.env, capture_output=True, timeout=30)
    head, row = done.stdout.decode().splitlines()
    assert "PID" in head and str(pair.script) in row and " up " in row


@OURS_BOTH
def test_explain_says_why(pair):
    def explain():
        return pair.call(before=["-U", "--explain"]).stdout.decode()

    assert "no server runs" in explain()
    old(pair.script)
    pair.who()
    assert "would be answered by the running server" in explain()
    bump(pair.script)
    assert f"{pair.script} has changed" in explain()


@OURS_BOTH
def test_a_lock_is_waited_for(pair):
    pair.who()
    lock, = pair.base.glob("l*")
    pair.kill()
    wait_until(lambda: not pair.processes(), "the server has gone")
    with lock.open("w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        process = pair.start("exit", "4")
        wait_until(lambda: f"{lock.stat().st_ino}" in Path("/proc/locks").read_text().split("->", 1)[-1], "it waits")
        assert process.poll() is None
    assert process.wait(20) == 4
