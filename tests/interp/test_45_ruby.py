"""Ruby: the end of a script, and its streams, as without the accelerator."""

import os
import pty
import subprocess

import pytest

pytestmark = [pytest.mark.pairs(("ours", "ours"), ("original", "ours")), pytest.mark.languages("ruby")]


def plain(pair, *args, **how):
    how.setdefault("stdin", subprocess.DEVNULL)
    how.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([pair.language.interpreter, str(pair.script), *args], env=pair.env, cwd=pair.dir,
                          stderr=subprocess.PIPE, timeout=30, **how)


@pytest.mark.parametrize("args", [["fail"], ["abort"], ["atexit", "at the end"], ["streams"]], ids=lambda args: args[0])
@pytest.mark.parametrize("options", ["", "quick_exit=1"])
def test_it_ends_as_the_plain_script_does(pair, args, options):
    expected = plain(pair, *args)
    for _ in range(2):
        done = pair.call(*args, env={"PROBE_OPTIONS": options})
        assert (done.returncode, done.stdout, done.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_unwritten_output_is_written_by_a_quick_exit(pair, tmp_path):
    for name in ("one", "two"):
        assert pair.call("file", str(tmp_path / name), env={"PROBE_OPTIONS": "quick_exit=1"}).returncode == 0
        assert (tmp_path / name).read_text() == "buffered"


def test_streams_on_a_terminal(pair):
    pair.who()
    ours, theirs = pty.openpty()
    expected = plain(pair, "streams", stdin=theirs).stdout
    assert pair.call("streams", stdin=theirs).stdout == expected and b"true" in expected
    os.close(ours)
    os.close(theirs)


def script(pair, text):
    pair.script = pair.dir / "other.rb"
    pair.script.write_text("require 'prefork_interp'\n" + text)


def test_an_interrupt_where_it_is_asked_for(pair):
    """Not the default: the protocol wants the signal's own action."""
    script(pair, "PreforkInterp.initialisation_complete(sigint: 'ruby')\n"
                 "begin\n  puts 'ready'\n  $stdout.flush\n  sleep 20\nrescue Interrupt\n  puts 'caught'\nend\n")
    process = pair.ready()
    process.kill() if pair.wrapper == "original" else process.send_signal(2)
    assert process.communicate(timeout=20)[0] == b"caught\n"


def test_threads_are_named(pair):
    script(pair, "Thread.new { sleep }.name = 'sleeper'\nPreforkInterp.initialisation_complete\n")
    done = pair.call()
    assert done.returncode == 1 and b"sleeper" in done.stderr


def test_warmup_runs_once_in_the_server(pair):
    script(pair, "seen = []\nPreforkInterp.initialisation_complete(warmup: -> { seen << Process.pid })\n"
                 "puts [seen.size, seen[0] != Process.pid, seen[0]].join(' ')\n")
    first, second = pair.call().stdout, pair.call().stdout
    assert first == second and first.startswith(b"1 true ")


def test_exit_handlers_run_in_services_only(pair):
    script(pair, "at_exit { puts 'the end' }\nPreforkInterp.initialisation_complete\n")
    for _ in range(2):
        done = pair.call()
        assert (done.returncode, done.stdout, done.stderr) == (0, b"the end\n", b"")


def test_a_fault_names_the_option(pair):
    script(pair, "PreforkInterp.initialisation_complete(sigpipe: 'perl')\n")
    done = pair.call()
    assert done.returncode == 1 and b"sigpipe is 'default' or 'ruby', not \"perl\"" in done.stderr
