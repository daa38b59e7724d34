"""Python: the end of a script, and its streams, as without the accelerator."""

import os
import pty
import subprocess

import pytest

pytestmark = [pytest.mark.pairs(("ours", "ours"), ("original", "ours")), pytest.mark.languages("python")]


def plain(pair, *args, **how):
    how.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([pair.language.interpreter, str(pair.script), *args], env=pair.env, cwd=pair.dir,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=30, **how)


@pytest.mark.parametrize("args", [["fail"], ["object"], ["atexit", "at the end"], ["words", "a", "b"], ["byline"],
                                  ["no-such-thing"]], ids=lambda args: args[0])
@pytest.mark.parametrize("options", ["", "quick_exit=1", "freeze=0"])
def test_it_ends_as_the_plain_script_does(pair, args, options):
    expected = plain(pair, *args)
    for _ in range(2):
        done = pair.call(*args, env={"PROBE_OPTIONS": options})
        assert (done.returncode, done.stdout, done.stderr) == (expected.returncode, expected.stdout, expected.stderr)


@pytest.mark.parametrize("options", ["", "quick_exit=1"])
def test_unwritten_output_is_written(pair, tmp_path, options):
    for name in ("one", "two"):
        assert pair.call("file", str(tmp_path / name), env={"PROBE_OPTIONS": options}).returncode == 0
        assert (tmp_path / name).read_text() == "buffered"


def test_lines_on_a_terminal(pair):
    pair.who()
    ours, theirs = pty.openpty()
    pair.call("byline", stdout=theirs)
    seen = os.read(ours, 1000)
    plain(pair, "byline", stdout=theirs)
    assert os.read(ours, 1000) == seen
    os.close(ours)
    os.close(theirs)


def test_a_keyboard_interrupt_where_it_is_asked_for(pair):
    """Not the default: the protocol wants the signal's own action."""
    script = pair.dir / "interrupt.py"
    script.write_text("import prefork_interp, time\n"
                      "prefork_interp.initialisation_complete(sigint='python')\n"
                      "try:\n"
                      "    print('ready', flush=True)\n"
                      "    time.sleep(20)\n"
                      "except KeyboardInterrupt: print('caught')\n")
    pair.script = script
    process = pair.ready()
    process.send_signal(2)
    assert process.communicate(timeout=20)[0] == b"caught\n"
    assert process.returncode == 0


def test_threads_are_named(pair):
    script = pair.dir / "threads.py"
    script.write_text("import prefork_interp, threading, time\n"
                      "threading.Thread(target=time.sleep, args=(60,), name='sleeper', daemon=True).start()\n"
                      "prefork_interp.initialisation_complete()\n")
    pair.script = script
    done = pair.call()
    assert done.returncode == 1 and b"sleeper" in done.stderr


def test_warmup_runs_once_in_the_server(pair):
    script = pair.dir / "warm.py"
    script.write_text("import prefork_interp, os\n"
                      "seen = []\n"
                      "prefork_interp.initialisation_complete(warmup=lambda: seen.append(os.getpid()))\n"
                      "print(len(seen), seen[0] != os.getpid(), seen[0])\n")
    pair.script = script
    first, second = pair.call().stdout, pair.call().stdout
    assert first == second and first.startswith(b"1 True ")
