"""Signals of the caller, passed on; stop and continue; a terminal's keys."""

import os
import pty
import signal
from pathlib import Path

import pytest

from harness import wait_until

pytestmark = pytest.mark.pairs(("ours", "ours"))


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@pytest.mark.parametrize("name", ["INT", "TERM", "QUIT", "HUP", "USR1", "USR2", "WINCH"])
def test_a_signal_reaches_the_service(pair, name):
    process = pair.ready("trap", name, "41")
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert process.communicate(timeout=20)[0] == f"caught {name}\n".encode()
    assert process.returncode == 41


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "USR1"])
def test_a_service_that_catches_nothing_dies_of_it(pair, name):
    process = pair.ready("sleep", "30")
    number = getattr(signal, f"SIG{name}")
    process.send_signal(number)
    assert process.wait(20) == -number


def test_stop_and_continue(pair):
    process = pair.ready("sleep", "0.3")
    process.send_signal(signal.SIGTSTP)
    wait_until(lambda: state(process.pid) == "T", "the caller has stopped")
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=20)[0] == b"slept\n"
    assert process.returncode == 0


def test_a_service_that_catches_the_stop_is_not_stopped(pair):
    process = pair.ready("trap", "TSTP", "9")
    process.send_signal(signal.SIGTSTP)
    assert process.communicate(timeout=20)[0] == b"caught TSTP\n"
    assert process.returncode == 9


def on_a_terminal(pair, *args):
    """The call as the only job of a session with a terminal of its own: (pid, our end)."""
    pair.who()
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(pair.dir)
        os.execve(pair.words()[0], pair.words(*args), pair.environment(None))
    return pid, fd


def read_until(fd, text):
    seen = b""
    while text not in seen:
        seen += os.read(fd, 1000)
    return seen


def test_a_line_is_read_from_the_terminal(pair):
    pid, fd = on_a_terminal(pair, "line")
    os.write(fd, b"hello\n")
    read_until(fd, b"got: hello")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)


def test_the_interrupt_key(pair):
    pid, fd = on_a_terminal(pair, "trap", "INT", "5")
    read_until(fd, b"ready")
    os.write(fd, b"\x03")
    read_until(fd, b"caught INT")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    os.close(fd)
