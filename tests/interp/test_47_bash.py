"""bash: variables, functions, sourced files, the script's own descriptor."""

import os
import signal
import subprocess

import pytest

from harness import wait_until

pytestmark = [pytest.mark.pairs(("ours", "ours"), ("original", "ours")), pytest.mark.languages("bash")]


def plain(pair, *args, env=None):
    return subprocess.run([pair.language.interpreter, str(pair.script), *args], env=pair.environment(env), cwd=pair.dir,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)


def script(pair, text):
    pair.script = pair.dir / "other.bash"
    pair.script.write_text('source "$PROBE_BASH/prefork_interp.bash"\n' + text)


@pytest.mark.parametrize("args", [["fail"], ["atend", "at the end"], ["no-such-thing"]], ids=lambda args: args[0])
def test_it_ends_as_the_plain_script_does(pair, args):
    expected = plain(pair, *args)
    for _ in range(2):
        done = pair.call(*args)
        assert (done.returncode, done.stdout, done.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_variables_of_initialisation_stay_and_those_of_the_environment_are_the_calls(pair):
    script(pair, "count=0; export tool=ours; list=(a b)\nprefork_initialisation_complete\n"
                 'echo "$count $tool ${list[*]} ${VALUE-unset} ${EXTRA-unset}"\n'
                 'bash -c \'echo "${count-unset} ${tool-unset} ${VALUE-unset} ${EXTRA-unset}"\'\n')
    calls = [{"VALUE": "one", "EXTRA": "x"}, {"VALUE": "two"}, {"count": "7", "tool": "theirs", "EXTRA": "y z"}]
    for env in calls:
        expected = plain(pair, env=env)
        done = pair.call(env=env)
        assert (done.stdout, done.stderr) == (expected.stdout, expected.stderr), env


def test_an_exported_function_is_the_callers(pair):
    script(pair, "own() { echo 'of the script'; }\nprefork_initialisation_complete\nown\ngiven 2>&1\nbash -c given 2>&1\n")
    for text in ("() { echo first\n}", "() { echo second\n}", None):
        env = {"BASH_FUNC_given%%": text, "BASH_FUNC_own%%": text}
        assert pair.call(env=env).stdout == plain(pair, env=env).stdout


def test_a_name_that_is_none_of_the_shells_is_passed_on(pair):
    for env in ({"A.B": "one"}, {"A.B": "two", "C-D": "x"}, {}):
        seen = [e for e in pair.call("env", env=env).stdout.split(b"\0") if e.startswith((b"A.B", b"C-D"))]
        assert seen == [f"{k}={v}".encode() for k, v in sorted(env.items())]


def test_calls_at_once_read_the_script_each_at_its_own_pace(pair):
    """Far behind what bash reads ahead: the descriptor's offset must not be shared."""
    rows = "".join(f"[[ $total == {i} ]] || echo 'wrong at {i}'; total=$((total + 1)) # {'-' * 100}\n" for i in range(200))
    script(pair, f"prefork_initialisation_complete\ntotal=0\n{rows}echo \"$total $1\"\n")
    pair.call()
    calls = [pair.start(str(i)) for i in range(8)]
    assert [call.communicate(timeout=60)[0] for call in calls] == [f"200 {i}\n".encode() for i in range(8)]


@pytest.mark.parametrize("command", ["source", "."])
def test_a_sourced_file_is_checked(pair, command):
    library = pair.dir / "library"
    library.write_text("shown() { echo one; }\n")
    script(pair, f"{command} '{library}' ignored\nprefork_initialisation_complete\nshown $#\n")
    os.utime(library, (1, 1))
    os.utime(pair.script, (1, 1))
    assert pair.call("x").stdout == b"one\n"
    library.write_text("shown() { echo two; }\n")
    assert pair.call("x").stdout == b"two\n"


@pytest.mark.pairs(("ours", "ours"))
def test_what_was_ignored_at_the_start_can_be_trapped_by_others(pair):
    """bash never traps what was ignored when it started; that was the first caller's affair."""
    script(pair, "prefork_initialisation_complete\ntrap 'echo caught' HUP; kill -HUP $$; echo end\n")
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert pair.call(preexec_fn=ignore).stdout == b"end\n"
    assert pair.call().stdout == b"caught\nend\n"
    assert pair.call(preexec_fn=ignore).stdout == b"end\n"


@pytest.mark.parametrize("text, said", [
    ("f() { prefork_initialisation_complete; }; f\n", b"must not be called in a function"),
    ("(prefork_initialisation_complete) || exit 2\n", b"must not be called in a subshell"),
    ("prefork_initialisation_complete spare=many\n", b"not a number"),
    ("prefork_initialisation_complete spare\n", b"NAME=VALUE expected"),
])
def test_a_fault_ends_the_script_and_says_why(pair, text, said):
    script(pair, text + "echo 'not here'\n")
    done = pair.call()
    assert done.returncode == 2 and said in done.stderr and b"not here" not in done.stdout


def test_a_job_of_initialisation_is_not_the_calls(pair):
    script(pair, "sleep 1 >/dev/null 2>&1 &\nprefork_initialisation_complete\nwait; jobs; echo \"[${!-}]\"\n")
    for _ in range(2):
        assert pair.call().stdout == b"[]\n"
    wait_until(lambda: len(pair.processes()) <= 3, "the job has ended")


def test_warmup_runs_once_in_the_server(pair):
    script(pair, "prefork_initialisation_complete 'warmup=warmed=$BASHPID'\necho \"$((warmed != $$)) $warmed\"\n")
    first, second = pair.call().stdout, pair.call().stdout
    assert first == second and first.startswith(b"1 ") and len(first) > 4
