"""Configurations in files: --config with variables of the environment and included files, --check, --initial."""

import json
import os
import signal
import subprocess

import pytest

from brood import BINARY, MODULES, free_port, is_alive, python_app, wait_until
from certs import Authority


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def check(path, **env):
    """brood --check: exit code, lines on stdout and stderr, with paths relative to the file's directory."""
    command = [BINARY] + (["--modulesdir", MODULES] if MODULES else []) + ["--check", path]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env})
    return done.returncode, done.stdout, done.stderr.replace(f"{path.parent}/", "")


# --- brood --check ---

def test_check_says_ok(tmp_path):
    path = write(tmp_path / "brood.json", '{"listeners": {}, /* none */ }')
    assert check(path) == (0, f"{path}: ok\n", "")


CHECKS = [
    # files, environment, lines
    ({"brood.json": '{\n "listner": {},\n "routes": [{"action": {"return": "x"}},\n  {"action": {}}, {"match": {}}]\n}'}, {}, [
        'brood.json:2:2: /listner: Unknown option "listner"; did you mean "listeners"?',
        'brood.json:3:35: /routes/0/action/return: The value of "return" must be an integer number, but is a string.',
        "brood.json:4:14: /routes/1/action: ",
        'brood.json:4:19: /routes/2: The option "action" of element 2 of "routes" is missing.']),
    ({"brood.json": "{\n  [\n"}, {}, ["brood.json:2:3: There is '[' where"]),
    ({"brood.json": ""}, {}, ["brood.json:1:1: The text ends where a value is expected."]),
    ({"brood.json": "[]"}, {}, ["brood.json:1:1: The value of the configuration must be an object, but is an array."]),
    ({"brood.json": '{"applications": {"a": {"type": "cobol"}, "b": {"type": "python 9.9", "module": "m"}}}'}, {}, [
        "brood.json:1:33: /applications/a/type: ", "brood.json:1:57: /applications/b/type: "]),
    ({"brood.json": '{"access_log": "${env:BROOD_NONE}",\n "routes": [{"action": {"return": 1000}}]}'}, {}, [
        'brood.json:1:16: /access_log: There is no environment variable "BROOD_NONE".',
        "brood.json:2:35: /routes/0/action/return: "]),
    ({"brood.json": '{"access_log": "${env:1}", "listeners": {"${env:X": {}}}'}, {}, [
        'brood.json:1:16: /access_log: No environment variable can have the name "1".',
        "brood.json:1:42: /listeners/${env:X: There is no closing brace in"]),
    ({"brood.json": '{"listeners": {"*:${env:P}": {"pass": "routes"}, "*:1": {"pass": "routes"}}, "routes": []}'}, {"P": "1"}, [
        'brood.json:1:16: /listeners/*:1: The object has the name "*:1" twice.']),
    ({"brood.json": '{"routes": [{"action": {"return": "${env:N}"}}]}'}, {"N": "many"}, [
        'brood.json:1:35: /routes/0/action/return: The value of "return" must be an integer number, but is a string.']),
    ({"brood.json": '{\n "include": "conf.d"\n}', "conf.d/a.json": '{"listeners":\n {"*:1": {"pas": 1}}}', "conf.d/b.json": "{"}, {}, [
        "conf.d/b.json:1:2: The text ends where the name of a member"]),
    ({"brood.json": '{\n "include": "conf.d"\n}', "conf.d/a.json": '{"listeners":\n {"*:1": {"pas": 1}}}'}, {}, [
        'conf.d/a.json:2:11: /listeners/*:1/pas: Unknown option "pas"; did you mean "pass"?',
        "conf.d/a.json:2:10: /listeners/*:1: The option \"pass\""]),
    ({"brood.json": '{"include": "conf.d", "settings": {"http": {"idle_timeout": 1}}}',
      "conf.d/a.json": '{"settings": {"http": {"send_timeout": 2,\n "idle_timeout": 3}}}'}, {}, [
        'conf.d/a.json:2:2: /settings/http/idle_timeout: "idle_timeout" is in brood.json:1:45 already.']),
    ({"brood.json": '{"include": ["a.json", "b.json"]}', "a.json": '{"routes": []}', "b.json": '{"routes": {"x": []}}'}, {}, [
        'b.json:1:2: /routes: "routes" is in a.json:1:2 already.']),
    ({"brood.json": '{"include": "a.json"}', "a.json": '{"include": "b.json"}'}, {}, [
        "a.json:1:2: /include: An included file cannot include others."]),
    ({"brood.json": '{"include": "a.json"}', "a.json": "7"}, {}, [
        "a.json:1:1: An included file must be an object, but is an integer number."]),
    ({"brood.json": '{"include": 7}'}, {}, ['brood.json:1:13: /include: The value of "include" must be a string']),
    ({"brood.json": '{"include": ["none.json",\n "/etc/passwd", "../x", "d/*.json", 7]}'}, {}, [
        'brood.json:1:14: Cannot include "none.json": cannot read "none.json": No such file',
        'brood.json:2:2: Cannot include "/etc/passwd": not a path relative to the configuration file.',
        'brood.json:2:17: Cannot include "../x": a path must not have',
        'brood.json:2:25: Cannot include "d/*.json": cannot open directory "d": No such file',
        "brood.json:2:37: A pattern"]),
]


@pytest.mark.parametrize("files, env, lines", CHECKS)
def test_check_names_every_fault_with_its_place(tmp_path, files, env, lines):
    for name, text in files.items():
        write(tmp_path / name, text)
    code, out, err = check(tmp_path / "brood.json", **env)
    said = err.splitlines()
    assert code == 1 and out == "" and len(said) == len(lines), err
    for line, beginning in zip(said, lines):
        assert line.startswith(beginning), err


def test_check_works_for_whoever_can_read_the_file(tmp_path):
    path = write(tmp_path / "brood.json", {"applications": {"a": {"type": "python", "module": "m"}}})
    os.chmod(path, 0o644)
    command = [BINARY] + (["--modulesdir", MODULES] if MODULES else []) + ["--check", path]
    done = subprocess.run(command, capture_output=True, text=True, user=65534 if os.geteuid() == 0 else None)
    assert (done.returncode, done.stdout) == (0, f"{path}: ok\n"), done.stderr


# --- the daemon ---

@pytest.fixture
def from_file(make_brood, tmp_path):
    """Starts a brood with that configuration in a file, in a directory that only its owner enters."""
    directory = tmp_path / "etc"
    directory.mkdir(mode=0o700)

    def start(text, files=None, start=True, **env):
        for name, part in (files or {}).items():
            write(directory / name, part)
        brood = make_brood("--config", str(write(directory / "brood.json", text)), env=env, start=start)
        brood.etc = directory
        return brood

    return start


def reload(brood, log_line):
    before = brood.log().count(log_line)
    brood.signal(signal.SIGHUP)
    wait_until(lambda: brood.log().count(log_line) > before, what=lambda: f"{log_line!r} in {brood.log()[-2000:]}")


def test_variables_of_the_environment(from_file):
    port = free_port()
    brood = from_file({
        "listeners": {"127.0.0.1:${env:BROOD_PORT}": {"pass": "routes"}},
        "routes": [{"action": {"return": "${env:BROOD_STATUS:-204}", "location": "/${uri}-$dollar${env:BROOD_TAIL:-}"}}],
        "applications": {"hello": python_app("${env:BROOD_MODULE:-hello}", processes="${env:WEB_CONCURRENCY:-2}",
                                             environment={"A": "${env:EMPTY:-x}${env:FULL:-x}${env:EMPTY}", "B": "$${env:A}", "C": "$x ${uri}"})},
        "settings": {"http": {"server_version": "${env:BROOD_SHOW}", "idle_timeout": "${env:BROOD_IDLE:-1.5}"}},
    }, BROOD_PORT=str(port), BROOD_SHOW="false", EMPTY="", FULL="$uri}", BROOD_TAIL='"end"')
    conf = brood.get().json
    assert list(conf["listeners"]) == [f"127.0.0.1:{port}"]
    assert conf["routes"][0]["action"] == {"return": 204, "location": '/${uri}-$dollar"end"'}
    assert conf["applications"]["hello"]["processes"] == 2 and len(brood.workers("hello")) == 2
    assert conf["applications"]["hello"]["environment"] == {"A": "x$uri}", "B": "${env:A}", "C": "$x ${uri}"}
    assert conf["settings"]["http"] == {"server_version": False, "idle_timeout": 1.5}


def test_clients_write_no_variables(brood):
    """The environment of the daemon is for who starts it."""
    brood.configure({"listeners": {}, "routes": [], "applications": {
        "a": python_app("hello", environment={"A": "${env:PATH}"})}})
    assert brood.get("/config/applications/a/environment/A").json == "${env:PATH}"
    assert brood.put("/config/include", "\"x\"").status == 400


def returns(status, port):
    return {"listeners": {f"127.0.0.1:{port}": {"pass": "routes"}}, "routes": [{"action": {"return": status}}]}


def test_included_files_are_one_configuration(from_file):
    one, two = free_port(), free_port()
    brood = from_file(
        {"include": ["sites", "extra-[ab].json"], "listeners": {f"127.0.0.1:{one}": {"pass": "routes/main"}},
         "routes": {"main": [{"action": {"return": 201}}]}, "settings": {"http": {"idle_timeout": 7}}},
        {"sites/b.json": {"listeners": {f"127.0.0.1:{two}": {"pass": "applications/hello"}}},
         "sites/a.json": {"applications": {"hello": python_app("hello")}, "routes": {"other": []}},
         "sites/.hidden.json": "{", "sites/a.txt": "{", "extra-c.json": "{",
         "extra-b.json": {"settings": {"http": {"send_timeout": 8}}}, "extra-a.json": {"access_log": "/dev/null"}})
    conf = brood.get().json
    assert list(conf) == ["listeners", "routes", "settings", "applications", "access_log"]
    assert list(conf["routes"]) == ["main", "other"] and conf["settings"]["http"] == {"idle_timeout": 7, "send_timeout": 8}
    assert brood.fetch(port=one).status == 201 and brood.fetch(port=two).status == 200


def test_hup_reads_all_files_again_and_a_broken_one_changes_nothing(from_file):
    port, other = free_port(), free_port()
    brood = from_file({"include": "d", **returns(201, port)}, {"d/a.json": {}})
    assert brood.fetch(port=port).status == 201
    write(brood.etc / "d" / "b.json", {"listeners": {f"127.0.0.1:{other}": {"pass": "routes"}}})
    reload(brood, "in the file of --config, is live")
    assert brood.fetch(port=other).status == 201

    before = brood.get().body
    for text, line in (('{\n"listeners": {,', "b.json:2:15: There is ','"),
                       ('{"routes": []}', "b.json:1:2: /routes: \"routes\" is in"),
                       ('{"listeners":\n{"*:1": {"pass": "routes/x"}}}', "b.json:2:18: /listeners/*:1/pass: "),
                       ('{"applications": {"a": {"type": "python", "home": "/usr", "module": "broken", "path": "%s"}}}' % (brood.dir / "none"),
                        "cannot be applied: ")):
        write(brood.etc / "d" / "b.json", text)
        reload(brood, line)
        assert brood.get().body == before and brood.fetch(port=port).status == 201 and brood.fetch(port=other).status == 201

    (brood.etc / "d" / "b.json").unlink()
    (brood.etc / "d" / "a.json").unlink()
    (brood.etc / "d").rmdir()
    reload(brood, "brood.json:1:13: Cannot include \"d\"")
    assert brood.get().body == before
    write(brood.etc / "brood.json", returns(202, port))
    reload(brood, "in the file of --config, is live")
    assert brood.fetch(port=port).status == 202
    with pytest.raises(ConnectionRefusedError):
        brood.fetch(port=other)


def test_many_signals_end_with_the_newest_file(from_file):
    port = free_port()
    brood = from_file({"include": "d", **returns(201, port)}, {f"d/{i}.json": {} for i in range(50)})
    for status in range(202, 230):
        write(brood.etc / "next.json", {"include": "d", **returns(status, port)}).rename(brood.etc / "brood.json")
        brood.signal(signal.SIGHUP)
    wait_until(lambda: brood.fetch(port=port).status == 229, what="the last file")


def test_a_broken_file_at_the_start_leaves_the_default_and_every_fault_in_the_log(from_file):
    brood = from_file('{"listner": {}, "rutes": []}')
    assert brood.get().json == {"listeners": {}, "routes": [], "applications": {}}
    alerts = [line for line in brood.log().splitlines() if "[alert]" in line]
    assert len(alerts) == 1 and "brood.json:1:2: /listner" in alerts[0]
    assert "brood.json:1:17: /rutes" in brood.log()


def test_the_file_wins_over_what_was_kept(from_file):
    port = free_port()
    brood = from_file(returns(201, port))
    assert brood.put("/config/routes/0/action/return", "299").status == 200
    os.kill(brood.pids("brood: controller")[0], signal.SIGKILL)
    wait_until(lambda: len(brood.pids("brood: controller")) == 1, what="a new controller")
    assert brood.fetch(port=port).status == 299
    brood.stop()
    brood.start()
    assert brood.fetch(port=port).status == 201


# --- --initial ---

@pytest.fixture
def with_initial(make_brood, tmp_path):
    """A brood that is not started yet, whose first start finds these files; scripts are executable."""
    directory = tmp_path / "entry"
    directory.mkdir()

    def make(files):
        for name, text in files.items():
            os.chmod(write(directory / name, text), 0o755 if name.endswith(".sh") else 0o644)
        brood = make_brood("--initial", str(directory), start=False)
        brood.entry = directory
        return brood

    return make


def started(brood):
    """Started, and the first start over."""
    brood.start()
    wait_until(lambda: "brood is ready" in brood.log(), what=brood.log)
    return brood


SCRIPT = """#!/bin/sh
echo "script as $(id -u)"
curl -sf --unix-socket "${BROOD_CONTROL#unix:}" http://localhost/config > %s && curl -sf -X PUT -d 203 \
    --unix-socket "${BROOD_CONTROL#unix:}" http://localhost/config/routes/0/action/return
"""


def test_a_first_start_takes_certificates_then_configurations_then_scripts(with_initial, tmp_path):
    port = free_port()
    pem = Authority(tmp_path / "ca").issue("a.example").pem
    brood = with_initial({
        "2.json": returns(202, port), "1.json": returns(201, port), "1.sh": SCRIPT % (tmp_path / "seen.json"),
        "site.pem": pem, "README": "", ".hidden.json": "{"})
    os.chmod(write(brood.entry / "not.sh", "exit 1"), 0o644)
    started(brood)
    assert list(brood.get("/certificates").json) == ["site"]
    assert json.loads((tmp_path / "seen.json").read_text()) == returns(202, port)
    assert brood.fetch(port=port).status == 203
    log = brood.log()
    assert f"script as {os.getuid()}" in log and "README\" is left out" in log and "not.sh\" is left out: it is not exec" in log
    assert [log.index(f"entry/{n}\" is") for n in ("site.pem", "1.json", "2.json", "1.sh")] == \
        sorted(log.index(f"entry/{n}\" is") for n in ("site.pem", "1.json", "2.json", "1.sh"))

    brood.stop()
    write(brood.entry / "2.json", returns(299, port))
    started(brood)
    assert brood.fetch(port=port).status == 203 and "there is a state already" in brood.log()


FAILURES = [
    ({"a.json": '{"listeners":\n {,'}, "a.json:2:3: Invalid JSON."),
    ({"a.json": '{"listeners": {}}', "b.json": '{"rutes": []}'}, "b.json:1:2: Invalid configuration. /rutes Unknown option"),
    ({"a.pem": "no certificate"}, "a.pem: Invalid certificate."),
    ({"a.sh": "#!/bin/sh\nexit 3\n"}, "a.sh: exited with code 3"),
    ({"a.sh": "#!/bin/sh\nkill -9 $$\n"}, "a.sh: killed by signal 9"),
    ({"a.sh": "#!/no/such/shell\n"}, "a.sh: exited with code 127"),
]


@pytest.mark.parametrize("files, reason", FAILURES)
def test_a_first_start_that_fails_is_no_start_and_is_repeated(with_initial, files, reason):
    brood = with_initial({"0.json": {"routes": []}, **files})
    for _ in range(2):
        done = subprocess.run(brood.command(), capture_output=True, text=True, timeout=30, cwd=brood.dir, env=brood.env)
        assert done.returncode == 1 and reason in brood.log(), brood.log()
        assert not brood.control_path.exists() and (brood.state_dir / "initial").exists()
    for name in files:
        (brood.entry / name).unlink()
    started(brood)
    assert brood.get().json == {"routes": []} and not (brood.state_dir / "initial").exists()


def test_a_daemon_says_that_its_first_start_failed(with_initial):
    brood = with_initial({"a.json": "{"})
    command = [word for word in brood.command() if word != "--no-daemon"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=brood.dir, env=brood.env)
    assert done.returncode == 1 and "a.json:1:2: Invalid JSON." in done.stderr


def test_a_first_start_that_is_killed_is_repeated_and_leaves_no_script(with_initial, tmp_path):
    brood = with_initial({"a.json": {"routes": []}, "b.sh": f"#!/bin/sh\necho $$ > {tmp_path}/pid.new\nmv {tmp_path}/pid.new {tmp_path}/pid\n"
                                                            f"test -e {tmp_path}/go || exec sleep 1000\n"})
    brood.start()
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), what="the script"))
    brood.stop()
    wait_until(lambda: not is_alive(pid), what="end of the script")
    (tmp_path / "go").touch()
    started(brood)
    assert brood.get().json == {"routes": []}


def test_initial_and_config_exclude_each_other(with_initial):
    brood = with_initial({"a.json": {}})
    done = subprocess.run(brood.command() + ["--config", brood.entry / "a.json"], capture_output=True, text=True, timeout=20, env=brood.env)
    assert done.returncode == 1 and "exclude each other" in done.stderr
