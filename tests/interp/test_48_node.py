"""Node: a process of its own for each call, initialised ahead of it."""

import os
import pty
import resource
import subprocess

import pytest

from harness import alive, wait_until

pytestmark = [pytest.mark.pairs(("ours", "ours"), ("original", "ours")), pytest.mark.languages("node")]


def plain(pair, *args, env=None, **how):
    how.setdefault("stdin", subprocess.DEVNULL)
    how.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([pair.language.interpreter, str(pair.script), *args], env=pair.environment(env), cwd=pair.dir,
                          stderr=subprocess.PIPE, timeout=30, **how)


def script(pair, text):
    pair.script = pair.dir / "other.js"
    pair.script.write_text("const prefork = require('prefork-interp');\n" + text)


def test_it_ends_as_the_plain_script_does(pair):
    for args in (["fail"], ["no-such-thing"]):
        expected = plain(pair, *args)
        for _ in range(2):
            done = pair.call(*args)
            assert (done.returncode, done.stdout, done.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_each_call_has_initialised_by_itself_before_it(pair):
    script(pair, "const at = [process.pid, Date.now()];\nprefork.initialisationComplete();\n"
                 "console.log(at[0] === process.pid, at[1]);\n")
    pair.call()
    lines = [pair.call().stdout.split() for _ in range(3)]
    assert all(line[0] == b"true" for line in lines) and len({line[1] for line in lines}) == 3


def test_what_initialisation_prints_is_not_the_calls(pair):
    script(pair, "console.log('early');\nprefork.initialisationComplete();\nconsole.log('late');\n")
    pair.call()
    assert pair.call().stdout == b"late\n"


def test_streams_are_those_of_the_call(pair):
    pair.who()
    done = pair.call("streams", input=b"given")
    assert (done.returncode, done.stdout) == (0, b"undefined given\n")
    ours, theirs = pty.openpty()
    process = pair.start("streams", stdin=subprocess.PIPE, stdout=theirs)
    os.close(theirs)
    process.communicate(b"given", timeout=20)
    assert os.read(ours, 1000) == b"true given\r\n"
    os.close(ours)


def test_the_time_zone_is_the_callers(pair):
    for zone in ("UTC", "JST-9"):
        assert pair.call("zone", env={"TZ": zone}).stdout == plain(pair, "zone", env={"TZ": zone}).stdout


@pytest.mark.pairs(("ours", "ours"))
def test_the_limit_of_descriptors_is_the_callers_highest(pair):
    """Which Node takes for itself at its start."""
    for highest in (4000, 3000):
        def limit(highest=highest):
            resource.setrlimit(resource.RLIMIT_NOFILE, (1000, highest))

        expected = plain(pair, "limit", preexec_fn=limit).stdout
        assert pair.call("limit", preexec_fn=limit).stdout == expected == f"{highest}\n".encode()


@pytest.mark.pairs(("ours", "ours"))
def test_low_descriptors_are_none_of_the_machines_own(pair):
    pair.who()
    readable, writable = os.pipe()
    for number in (3, 4, 20, 63):
        os.dup2(writable, number + 100)

        def place(number=number):
            os.dup2(number + 100, number)

        done = pair.call("writefd", str(number), f"for {number}", preexec_fn=place, close_fds=False)
        os.close(number + 100)
        assert done.returncode == 0, done.stderr
        assert os.read(readable, 100) == f"for {number}".encode()
    os.close(readable)
    os.close(writable)


@pytest.mark.pairs(("ours", "ours"))
def test_a_spare_that_fails_to_initialise_does_not_hang_its_caller(pair):
    """The server gives up; the next call starts anew, and is told by its own initialisation."""
    script(pair, "const fs = require('fs');\nif (fs.existsSync('broken')) process.exit(7);\n"
                 "prefork.initialisationComplete({ max_errors: 2 });\n")
    assert pair.call().returncode == 0
    server = int(pair.status()["pid"])
    (pair.dir / "broken").touch()
    wait_until(lambda: pair.call().returncode == 7, "initialisation is reported")
    wait_until(lambda: not alive(server), "the server has given up")


def test_a_fault_names_the_option(pair):
    script(pair, "prefork.initialisationComplete({ sigpipe: 'perl' });\n")
    done = pair.call()
    assert done.returncode == 1 and b"sigpipe is 'default' or 'node', not 'perl'" in done.stderr
