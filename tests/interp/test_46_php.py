"""PHP: the end of a script, its globals and buffers, as without the accelerator."""

import json
import subprocess

import pytest

pytestmark = [pytest.mark.pairs(("ours", "ours"), ("original", "ours")), pytest.mark.languages("php")]


def plain(pair, *args, env=None):
    return subprocess.run([pair.language.interpreter, str(pair.script), *args], env=pair.environment(env), cwd=pair.dir,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)


@pytest.mark.parametrize("args", [["fail"], ["atend", "at the end"], ["buffered"], ["no-such-thing"]], ids=lambda args: args[0])
def test_it_ends_as_the_plain_script_does(pair, args):
    expected = plain(pair, *args)
    for _ in range(2):
        done = pair.call(*args)
        assert (done.returncode, done.stdout, done.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_globals_are_the_calls_own(pair):
    pair.who(env={"PROBE_VALUE": "first"})
    for args, value in ((["globals", "a b", "c"], "second"), (["globals"], "third")):
        env = {"PROBE_VALUE": value}
        done = pair.call(*args, env=env)
        assert done.stdout == plain(pair, *args, env=env).stdout
        assert json.loads(done.stdout)[5] == value


def script(pair, text):
    pair.script = pair.dir / "other.php"
    pair.script.write_text("<?php require getenv('PROBE_PHP') . '/prefork_interp.php';\n" + text)


def test_a_buffer_is_written_once(pair):
    """What initialisation printed belongs to the first caller."""
    script(pair, "ob_start(); echo 'early ';\nprefork_initialisation_complete();\necho 'late';\n")
    assert pair.call().stdout == b"late"
    assert pair.call().stdout == b"late"


def test_shutdown_functions_and_destructors_are_the_services(pair):
    script(pair, "register_shutdown_function(static function () { echo 'the end'; });\nprefork_initialisation_complete();\n")
    for _ in range(2):
        done = pair.call()
        assert (done.returncode, done.stdout, done.stderr) == (0, b"the end", b"")


def test_warmup_runs_once_in_the_server(pair):
    script(pair, "$seen = [];\nprefork_initialisation_complete(['warmup' => static function () use (&$seen) { $seen[] = getmypid(); }]);\n"
                 "echo count($seen), ' ', $seen[0] !== getmypid() ? 'other' : 'same', ' ', $seen[0];\n")
    first, second = pair.call().stdout, pair.call().stdout
    assert first == second and first.startswith(b"1 other ")


def test_a_broken_pipe_is_an_error_where_it_is_asked_for(pair):
    """Not the default: the protocol wants the signal's own action."""
    script(pair, "prefork_initialisation_complete(['sigpipe' => 'php']);\n"
                 "[$one, $other] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);\n"
                 "fclose($other); @fwrite($one, 'x'); echo 'lives';\n")
    assert pair.call().stdout == b"lives"


def test_a_fault_names_the_option(pair):
    script(pair, "prefork_initialisation_complete(['sigpipe' => 'perl']);\n")
    done = pair.call()
    assert done.returncode == 255 and b"sigpipe is 'default' or 'php'" in done.stderr
