"""One call: what a service gets, and what its caller gets back."""

import fcntl
import hashlib
import os
import pty
import resource
import signal
import subprocess
import time

import pytest

from harness import alive, wait_until


def hexed(*args):
    return "".join(os.fsencode(a).hex() + "\n" for a in args).encode()


def test_a_second_call_finds_the_first_ones_initialisation(pair):
    first, second = pair.who(), pair.who()
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_arguments_are_the_callers_own(pair):
    for args in (["a", "b"], ["c"], ["", "two words", "-x", "--", "ä"]):
        assert pair.call("args", *args, env={"PROBE_DROP": None}).stdout == hexed(*args)


def test_no_arguments(pair):
    assert pair.call("args").stdout == b""
    assert pair.call("args").stdout == b""


def test_arguments_with_every_byte(pair):
    every = bytes(range(1, 256))
    for _ in range(2):
        assert pair.call("args", every, every * 400).stdout == hexed(every, every * 400)


def test_the_environment_is_exactly_the_callers(pair):
    for value in ("one", "two\nlines", ""):
        done = pair.call("env", env={"PROBE_VALUE": value})
        seen = dict(e.split(b"=", 1) for e in done.stdout.split(b"\0") if e)
        expected = {os.fsencode(k): os.fsencode(v) for k, v in pair.environment({"PROBE_VALUE": value}).items()}
        for shell_own in (b"_", b"SHLVL", b"PWD", b"OLDPWD"):
            seen.pop(shell_own, None)
            expected.pop(shell_own, None)
        assert seen == expected


def test_a_variable_that_is_gone_is_gone(pair):
    assert b"PROBE_EXTRA=" in pair.call("env", env={"PROBE_EXTRA": "x"}).stdout
    assert b"PROBE_EXTRA=" not in pair.call("env").stdout


def test_a_call_with_a_long_environment(pair):
    """Two megabytes, in variables as long as the kernel lets them be."""
    many = {f"PROBE_LONG_{i}": "x" * 120000 for i in range(16)}
    pair.who()
    done = pair.call("env", env=many)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 16 * 120000
    assert b"PROBE_LONG_15=" + b"x" * 120000 in done.stdout


def test_the_variable_is_not_seen_by_children(pair):
    assert pair.call("child").stdout == b"unset\n"
    done = pair.call("exit", "0", env={"PROBE_INIT": "run echo ${PREFORK_INTERP-unset} >&2"}, before=["-Uf"])
    assert done.stderr == b"unset\n"


def test_a_callers_variable_does_not_reach_the_service(pair):
    pair.who()
    assert pair.call("child", env={"PREFORK_INTERP": "v1,0.0 9,9,9,9"}).stdout == b"unset\n"


def test_every_exit_status(pair):
    wrong = {}
    for status in [*range(0, 256, 15), 1, 2, 3, 126, 127, 128, 254]:
        done = pair.call("exit", str(status))
        if done.returncode != status:
            wrong[status] = done.returncode
    assert not wrong


def test_falling_off_the_end_is_success(pair):
    for _ in range(5):
        assert pair.call("fall").returncode == 0


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "PIPE", "KILL"])
def test_death_by_signal_is_reproduced(pair, name):
    number = getattr(signal, f"SIG{name}")
    pair.who()
    assert pair.call("die", str(int(number))).returncode == -number


@pytest.mark.pairs(("ours", "ours"))
@pytest.mark.parametrize("name", ["USR1", "ALRM", "SEGV", "ABRT", "QUIT"])
def test_death_by_any_signal_is_reproduced(pair, name):
    number = getattr(signal, f"SIG{name}")
    pair.who()
    assert pair.call("die", str(int(number))).returncode == -number


def test_stdin_to_stdout_any_bytes(pair):
    pair.who()
    data = bytes(range(256)) * 4096
    assert pair.call("cat", input=data).stdout == data


def test_a_hundred_megabytes(pair):
    pair.who()
    block = os.urandom(1 << 20)
    process = pair.start("cat", stdin=subprocess.PIPE)
    if os.fork() == 0:
        try:
            process.stdout.close()
            for _ in range(100):
                process.stdin.write(block)
            process.stdin.close()
        finally:
            os._exit(0)
    process.stdin.close()
    seen, total = hashlib.sha256(), 0
    while piece := process.stdout.read(1 << 20):
        seen.update(piece)
        total += len(piece)
    os.wait()
    expected = hashlib.sha256()
    for _ in range(100):
        expected.update(block)
    assert total == 100 << 20 and seen.digest() == expected.digest()
    assert process.wait(30) == 0


def test_stdout_and_stderr_are_apart(pair):
    for _ in range(2):
        done = pair.call("both", "to stdout", "to stderr")
        assert (done.stdout, done.stderr) == (b"to stdout\n", b"to stderr\n")


def test_files_keep_their_offset(pair, tmp_path):
    out = tmp_path / "out"
    pair.who()
    with out.open("wb") as f:
        f.write(b"before\n")
        f.flush()
        pair.call("both", "middle", "", stdout=f)
        os.write(f.fileno(), b"after\n")
    assert out.read_bytes() == b"before\nmiddle\nafter\n"


def test_output_left_in_buffers_is_written(pair, tmp_path):
    out = tmp_path / "out"
    assert pair.call("file", str(out)).returncode == 0
    assert pair.call("file", str(out)).returncode == 0
    assert out.read_text() == "buffered"


def closing(*descriptors):
    def close():
        for fd in descriptors:
            os.close(fd)
    return close


def test_a_closed_stdout_stays_closed(pair):
    pair.who()
    done = pair.call("closed", preexec_fn=closing(1), timeout=5)
    assert done.stderr == b"refused\n"


def test_a_closed_stdin_stays_closed(pair):
    pair.who()
    done = pair.call("line", preexec_fn=closing(0), timeout=5)
    assert done.stdout == b"got: nothing\n" and done.returncode == 0


def test_a_terminal_is_a_terminal(pair):
    pair.who()
    ours, theirs = pty.openpty()
    done = pair.call("tty", stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    os.close(ours)
    os.close(theirs)
    assert done.stdout == b"1 0 1\n"


def test_the_working_directory_is_the_callers(pair, tmp_path):
    assert pair.call("where", cwd=tmp_path).stdout.decode() == f"{tmp_path}\n"
    assert pair.call("where").stdout.decode() == f"{pair.dir}\n"
    assert pair.call("where", cwd=tmp_path).stdout.decode() == f"{tmp_path}\n"


def test_the_programs_name_is_unchanged(pair):
    for _ in range(2):
        assert pair.call("name").stdout.decode() == f"{pair.script}\n"


@pytest.mark.pairs(("ours", "ours"), ("original", "ours"))
def test_random_numbers_differ(pair):
    assert len({pair.call("random").stdout for _ in range(5)}) == 5


@pytest.mark.pairs(("ours", "ours"))
def test_any_directory_shares_a_server_with_C(pair, tmp_path):
    before = ["-UC"]
    first = pair.who(before=before)
    second = pair.who(before=before, cwd=tmp_path)
    assert first[0] == second[0]
    assert pair.call("where", before=before, cwd=tmp_path).stdout.decode() == f"{tmp_path}\n"
    assert pair.call("where", before=before).stdout.decode() == f"{pair.dir}\n"


@pytest.mark.pairs(("ours", "ours"))
def test_the_umask_is_the_callers(pair):
    assert pair.call("umask", preexec_fn=lambda: os.umask(0o022)).stdout == b"0022\n"
    assert pair.call("umask", preexec_fn=lambda: os.umask(0o077)).stdout == b"0077\n"


@pytest.mark.pairs(("ours", "ours"))
def test_resource_limits_are_the_callers(pair):
    def limit(n):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, 4096))

    assert pair.call("limit", preexec_fn=limit(1000)).stdout == b"1000\n"
    assert pair.call("limit", preexec_fn=limit(500)).stdout == b"500\n"
    assert pair.call("limit", preexec_fn=limit(2000)).stdout == b"2000\n"


@pytest.mark.pairs(("ours", "ours"))
def test_niceness_is_the_callers(pair):
    base = os.nice(0)
    assert pair.call("nice").stdout.decode() == f"{base}\n"
    assert pair.call("nice", preexec_fn=lambda: os.nice(3)).stdout.decode() == f"{base + 3}\n"
    assert pair.call("nice").stdout.decode() == f"{base}\n"


@pytest.mark.pairs(("ours", "ours"))
def test_ignored_signals_are_the_callers(pair):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert pair.call("ignored", "HUP").stdout == b"no\n"
    assert pair.call("ignored", "HUP", preexec_fn=ignore).stdout == b"yes\n"
    assert pair.call("ignored", "HUP").stdout == b"no\n"


@pytest.mark.pairs(("ours", "ours"))
def test_further_descriptors_are_the_callers(pair):
    assert pair.call("fd", "9").stdout == b"closed\n"
    readable, writable = os.pipe()
    os.dup2(writable, 57)
    done = pair.call("writefd", "57", "hello", pass_fds=[57])
    os.close(writable)
    os.close(57)
    assert done.returncode == 0, done.stderr
    with os.fdopen(readable, "rb") as f:
        assert f.read() == b"hello"
    assert pair.call("fd", "57").stdout == b"closed\n"


@pytest.mark.pairs(("ours", "ours"))
def test_further_descriptors_keep_their_places(pair):
    """None is overwritten by another that takes its place, whatever numbers they arrive under."""
    pair.who()
    pipes = [os.pipe() for _ in range(12)]
    numbers = range(5, 5 + len(pipes))

    def place():
        writable = [fcntl.fcntl(w, fcntl.F_DUPFD, 60) for _, w in pipes]
        for number, w in zip(numbers, writable):
            os.dup2(w, number)
            os.close(w)

    for number, (readable, _) in zip(numbers, pipes):
        done = pair.call("writefd", str(number), f"for {number}", preexec_fn=place, close_fds=False)
        assert done.returncode == 0, done.stderr
        assert os.read(readable, 100) == f"for {number}".encode()
    for end in (end for p in pipes for end in p):
        os.close(end)


@pytest.mark.pairs(("ours", "ours"))
def test_what_the_first_caller_ignored_is_not_for_others(pair):
    def nohup():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    assert pair.call("ignored", "HUP", preexec_fn=nohup).stdout == b"yes\n"
    assert pair.call("ignored", "HUP").stdout == b"no\n"
    assert pair.call("die", str(int(signal.SIGUSR1))).returncode == -signal.SIGUSR1


def test_a_pipeline_ends_with_its_caller(pair):
    """Nothing of the first caller's may live on in the server: the reader sees the end."""
    readable, writable = os.pipe()
    done = pair.call("fall", stdout=writable)
    os.close(writable)
    assert done.returncode == 0
    with os.fdopen(readable, "rb") as f:
        assert f.read() == b""


def test_background_programs_outlive_the_service(pair, tmp_path):
    mark = tmp_path / "mark"
    pair.who()
    began = time.monotonic()
    assert pair.call("background", str(mark)).returncode == 0
    assert time.monotonic() - began < 20
    wait_until(mark.exists, "the background program did its work", 10)


@pytest.mark.pairs(("ours", "ours"), ("original", "ours"))
def test_nothing_is_left_of_a_call(pair):
    pair.who()
    wait_until(lambda: len(pair.processes()) <= 3, "server, interpreter, spare")
    before = len(pair.processes())
    for _ in range(10):
        _, pid, _ = pair.who()
        wait_until(lambda: not alive(pid), "the service has gone")
    wait_until(lambda: len(pair.processes()) <= max(before, 3), "no process more than before")
