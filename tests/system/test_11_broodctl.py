"""broodctl, the operator's client: every command, what it prints, what it ends with."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading

import pytest

from brood import DEADLINE, ROOT, free_port, python_app, wait_until
from ctl import CTL, OK, REFUSED, UNKNOWN, UNREACHABLE, USAGE, Client

BASE = {"listeners": {}, "routes": {"a": [{"action": {"return": 200}}], "b/c": []}, "applications": {}}


@pytest.fixture
def ctl(brood):
    brood.configure(BASE)
    return Client(brood)


def editor(path, *texts):
    """An editor: a script that writes the first text at its first call, the second at its second, …"""
    for i, text in enumerate(texts):
        (path.parent / f"{path.name}.{i}").write_text(text)
    path.write_text(f'#!/bin/sh\nn=$(cat {path}.n 2>/dev/null || echo 0)\necho $((n + 1)) >{path}.n\n'
                    f'cp "$1" {path}.seen.$n\ncat {path}.$n >"$1"\n')
    path.chmod(0o755)
    return path


# --- reading and changing ---


def test_get_prints_what_is_there_in_the_layout_of_the_api(ctl):
    assert json.loads(ctl("get")) == BASE
    assert ctl("get", "/config/routes/a") == '[\n\t{\n\t\t"action": {\n\t\t\t"return": 200\n\t\t}\n\t}\n]\n'
    assert ctl("get", "routes/a/0/action/return") == ctl("get", "/config/routes/a/0/action/return") == "200\n"
    assert list(json.loads(ctl("get", "/"))) == ["certificates", "config", "status"]


def test_names_are_encoded_but_for_the_percent_sign(ctl):
    assert ctl("get", "routes/b%2Fc") == "[]\n"
    assert ctl("put", "routes/a b?c#d[é]", stdin="[]") == "Reconfiguration done.\n"
    assert list(json.loads(ctl("get", "routes"))) == ["a", "b/c", "a b?c#d[é]"]


def test_put_append_and_delete(ctl, tmp_path):
    step = tmp_path / "step.json"
    step.write_text('{"action": {"return": 404}} // a comment\n')
    assert ctl("put", "routes/a/0", step) == "Reconfiguration done.\n"
    assert ctl("append", "routes/a", "-", stdin='{"action": {"return": 201}}') == "Reconfiguration done.\n"
    assert ctl("put", "routes/a/0/action/return", stdin="202") == "Reconfiguration done.\n"
    assert [s["action"]["return"] for s in ctl.daemon.get("/config/routes/a").json] == [202, 201]
    assert ctl("delete", "routes/a/0") == "Reconfiguration done.\n"
    assert [s["action"]["return"] for s in ctl.daemon.get("/config/routes/a").json] == [201]
    ctl("delete", "routes/nothing", code=REFUSED)
    ctl("append", "routes", stdin="[]", code=REFUSED)
    ctl("put", "routes/a", tmp_path / "missing", code=REFUSED)
    assert "missing" in ctl.complaint


def test_the_form_of_a_path_alone(ctl):
    assert json.loads(ctl("/config")) == BASE
    assert ctl("/config/routes/a", stdin="[]") == "Reconfiguration done.\n"
    assert ctl("/config/routes/a", stdin="") == "[]\n"
    assert ctl("/config/routes/a", "POST", stdin='{"action": {"return": 1}}') == "Reconfiguration done.\n"
    assert ctl("/config/routes/a/0", "DELETE") == "Reconfiguration done.\n"
    assert ctl("/config/routes/a", "GET", stdin="ignored") == "[]\n"
    assert ctl("/config/routes/a", "PUT", stdin='[{"action": {"return": 2}}]') == "Reconfiguration done.\n"
    assert ctl("/config/routes/a", "INSERT", stdin='{"action": {"return": 1}} // first') == "Reconfiguration done.\n"
    assert ctl.daemon.get("/config/routes/a").json == [{"action": {"return": n}} for n in (1, 2)]
    ctl("/config/routes", "INSERT", stdin="{}", code=REFUSED)
    assert ctl.complaint == 'broodctl: "/config/routes" is not an array\n'
    ctl("/config", "PATCH", code=USAGE)
    ctl("/config", "PUT", "more", code=USAGE)


def test_a_large_configuration_goes_both_ways(ctl):
    routes = {f"r{i}": [{"action": {"return": 200}}] for i in range(20000)}
    assert ctl("put", "routes", stdin=json.dumps(routes)) == "Reconfiguration done.\n"
    assert json.loads(ctl("get", "routes")) == routes


# --- errors ---


def test_a_refusal_names_place_reason_and_path(ctl, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('{\n  "listeners": {"127.0.0.1:8080": {"pass": "applications/none"}}\n}\n')
    ctl("apply", bad, code=REFUSED)
    lines = ctl.complaint.splitlines()
    assert lines[0] == "broodctl: Invalid configuration."
    assert lines[1].startswith(f"{bad}:2:") and "none" in lines[1]
    assert lines[2] == "in /listeners/127.0.0.1:8080/pass"
    ctl("put", "routes", stdin='{"a": tru}', code=REFUSED)
    assert "<stdin>:1:7: " in ctl.complaint
    ctl("get", "nothing", code=REFUSED)
    assert ctl.complaint == "broodctl: Value doesn't exist.\n"
    assert ctl.daemon.get().json == BASE


def test_json_form_of_answers(ctl):
    assert json.loads(ctl("--json", "put", "routes/a", stdin="[]")) == {"success": "Reconfiguration done."}
    assert json.loads(ctl("put", "routes/a", "--json", stdin="[", code=REFUSED))["location"]["line"] == 1
    assert ctl.complaint == ""


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["--nonsense"], ["put"], ["get", "a", "b"], ["--control"], ["--control="], ["--json=1", "get"],
    ["ps", "--watch"], ["get", "--dry-run"], ["apply", "--yes", "x"], ["get", "-f"], ["status", "--watch=x"], ["logs", "-n", "x"],
])
def test_wrong_usage_is_one_line_and_exit_2(words):
    run = subprocess.run([CTL, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert run.returncode == USAGE and run.stdout == "" and run.stderr.count("\n") == 1, run


def test_help_and_version():
    run = subprocess.run([CTL, "--help"], capture_output=True, text=True)
    assert run.returncode == 0 and "restart" in run.stdout and "Exit codes" in run.stdout and run.stderr == ""
    run = subprocess.run([CTL, "--version"], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.startswith("broodctl version: ")


def test_nobody_there_is_exit_3(tmp_path):
    for words in (["get"], ["status"], ["ps"], ["restart", "x"], ["logs"]):
        run = subprocess.run([CTL, "--control", f"unix:{tmp_path}/none", *words], capture_output=True, text=True)
        assert run.returncode == UNREACHABLE and f"{tmp_path}/none" in run.stderr and run.stdout == "", run


def test_a_control_socket_on_tcp_and_a_relative_path(make_brood):
    daemon = make_brood()
    client = Client(daemon)
    client.flags = ["--control", "unix:control.sock"]
    assert "listeners" in client("get")
    assert f"{daemon.pid}  main" in client("ps")
    port = free_port()
    tokens = daemon.dir / "tokens"
    tokens.write_text("full only-for-this-test\n")
    tokens.chmod(0o600)
    client = Client(make_brood("--control", f"127.0.0.1:{port}", "--control-token-file", str(tokens), start=False))
    client.daemon.control_path.symlink_to(daemon.control_path)  # what wait_ready looks at
    client.daemon.start()
    client.flags = ["--control", f"127.0.0.1:{port}", "--token-file", str(tokens)]
    wait_until(lambda: "controller started" in client.daemon.log(), what="start")
    assert client("put", "routes", stdin='{"tcp": []}') == "Reconfiguration done.\n"
    assert f"{client.daemon.pid}  main" in client("ps")
    assert "tcp" not in daemon.get().text


# --- whole configurations ---


def test_apply_diff_and_check(ctl, tmp_path):
    path = tmp_path / "conf.json"
    path.write_text(json.dumps({**BASE, "routes": {"a": [{"action": {"return": 404}}], "b/c": []}}))
    diff = ctl("diff", path, code=REFUSED)
    assert diff.startswith(f"--- running\n+++ {path}\n@@ ")
    assert [l for l in diff.splitlines()[3:] if l[0] != " "] == ['-\t\t\t\t\t"return": 200', '+\t\t\t\t\t"return": 404']
    assert json.loads(ctl("diff", path, "--json", code=REFUSED)) == {"different": True, "diff": diff}
    assert ctl("check", path) == ""
    assert ctl("apply", path) == "Reconfiguration done.\n"
    assert ctl("diff", path) == ""
    assert json.loads(ctl("diff", "-", "--json", stdin=path.read_text())) == {"different": False, "diff": ""}
    path.write_text('{\n "listners": {}}')
    ctl("check", path, code=REFUSED)
    assert ctl.complaint.startswith(f"{path}:2:2: ") and "listeners" in ctl.complaint
    found = json.loads(ctl("check", "--json", path, code=REFUSED))
    assert not found["valid"] and found["faults"][0]["place"] == f"{path}:2:2" and found["faults"][0]["path"] == "/listners"
    assert ctl.complaint == "" and json.loads(ctl("check", "--json", tmp_path / "none", code=REFUSED))["faults"][0]["detail"]
    path.write_text("{")
    ctl("diff", path, code=REFUSED)
    assert ctl.complaint.startswith(f"{path}:1:2: ")


# --- dry runs ---


def test_a_dry_run_shows_the_steps_and_takes_none(ctl, tmp_path):
    port = free_port()
    listener = f"listeners/127.0.0.1:{port}"
    assert ctl("put", listener, "--dry-run", stdin='{"pass": "routes/a"}') == \
        f"Valid.\nSTEP           WHAT\nopen listener  127.0.0.1:{port}\n"
    plan = [{"step": "open listener", "name": f"127.0.0.1:{port}"}]
    assert json.loads(ctl("--dry-run", "--json", f"/config/{listener}", "PUT", stdin='{"pass": "routes/a"}'))["plan"] == plan
    conf = tmp_path / "conf.json"
    conf.write_text(json.dumps({**BASE, "listeners": {f"127.0.0.1:{port}": {"pass": "routes/b%2Fc"}}}))
    assert "open listener" in ctl("apply", conf, "--dry-run")
    assert ctl("delete", "routes/a", "--dry-run") == "Valid.\n"
    assert ctl("append", "routes/a", "--dry-run", stdin='{"action": {"return": 1}}') == "Valid.\n"
    ctl("append", "routes/a", "--dry-run", stdin='{"action": 1}', code=REFUSED)
    assert "<stdin>:1:12: " in ctl.complaint
    assert ctl.daemon.get().json == BASE


# --- the way back ---


def versions(ctl, *numbers):
    """The configuration becomes one that returns each number, one after the other."""
    for number in numbers:
        ctl("put", "routes/a/0/action/return", stdin=str(number))


def test_history_lists_what_was_changed_when(ctl):
    versions(ctl, 201, 202)
    ctl("append", "routes/a", stdin='{"action": {"return": 404}}')
    lines = ctl("history").splitlines()
    assert lines[0].split() == ["NUMBER", "TIME", "AGE", "SIZE", "LINES"]
    assert [l.split()[0] for l in lines[1:]] == ["4", "3", "2", "1"]
    assert [l.split()[4:] for l in lines[1:]] == [["+5", "-0", "in", "force"], ["+1", "-1"], ["+1", "-1"], ["-"]]
    assert all(l == l.rstrip() for l in lines)
    newest, *others = json.loads(ctl("history", "--json"))
    assert newest["number"] == 4 and newest["in_force"] and newest["lines_added"] == 5 and newest["time"].endswith("Z")
    assert not any(v["in_force"] for v in others)
    assert [l for l in ctl("history", "3").splitlines() if l[0] in "+-"] == [
        "--- version 2", "+++ version 3", '-\t\t\t\t\t"return": 201', '+\t\t\t\t\t"return": 202']
    assert json.loads(ctl("history", "--json", "3"))["different"]
    ctl("history", "9", code=REFUSED)
    assert "no version 9" in ctl.complaint
    ctl("history", "x", code=USAGE)


def test_rollback_goes_to_the_version_before_or_to_any(ctl):
    ctl("rollback", code=REFUSED)
    assert "nothing was kept" in ctl.complaint
    versions(ctl, 201, 202)
    text = ctl("rollback")
    assert '-\t\t\t\t\t"return": 202\n+\t\t\t\t\t"return": 201\n' in text and text.endswith("Reconfiguration done.\n")
    assert ctl.daemon.get("/config/routes/a/0/action/return").json == 201
    ctl("rollback")
    assert ctl.daemon.get("/config/routes/a/0/action/return").json == 202, "the way back has a way back"
    assert ctl("rollback", "1", "--dry-run").endswith("Valid.\n")
    assert ctl.daemon.get("/config/routes/a/0/action/return").json == 202
    assert json.loads(ctl("rollback", "1", "--json")) == {"success": "Reconfiguration done."}
    assert ctl.daemon.get().json == BASE
    ctl("rollback", "99", code=REFUSED)
    assert "no version 99" in ctl.complaint


# --- answers that never come ---


class Cut:
    """A control socket that hands each request on to the real one and cuts changes off: before or after."""

    def __init__(self, daemon, when, also=None):
        self.path, self.when, self.also, self.daemon = daemon.dir / "cut.sock", when, also, daemon
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client = self.listener.accept()[0]
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65536)
            head, body = request.split(b"\r\n\r\n", 1)
            length = next((int(l[15:]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")), 0)
            while len(body) < length:
                body += client.recv(65536)
            is_change = not head.startswith(b"GET") and b"dry_run" not in head
            if not is_change or self.when == "after":
                with socket.socket(socket.AF_UNIX) as real:
                    real.connect(str(self.daemon.control_path))
                    real.sendall(head + b"\r\n\r\n" + body)
                    answer = b""
                    while piece := real.recv(65536):
                        answer += piece
                if not is_change:
                    client.sendall(answer)
            if is_change and self.also:
                self.also()
            client.close()


@pytest.mark.parametrize("words, stdin", [
    (["put", "routes/a/0/action/return"], "299"), (["append", "routes/a"], '{"action": {"return": 299}}'),
    (["delete", "routes/a/0"], ""), (["apply", "-"], '{"routes": []}'), (["rollback", "1"], ""),
    (["/config/routes", "DELETE"], ""),
], ids=lambda value: "-".join(value).replace("/", "_") if isinstance(value, list) else "")
def test_a_lost_answer_is_looked_for(ctl, words, stdin):
    versions(ctl, 201, 202)
    before = ctl.daemon.get().json
    ctl.flags = ["--control", f"unix:{Cut(ctl.daemon, 'before').path}"]
    ctl(*words, stdin=stdin, code=REFUSED)
    assert ctl.complaint == "broodctl: the answer was lost; not applied: the old configuration is in force\n"
    assert ctl.daemon.get().json == before
    (ctl.daemon.dir / "cut.sock").unlink()
    ctl.flags = ["--control", f"unix:{Cut(ctl.daemon, 'after').path}"]
    assert ctl(*words, stdin=stdin).endswith("Reconfiguration done.\n")
    assert ctl.complaint == "broodctl: the answer was lost; applied: the new configuration is in force\n"
    assert ctl.daemon.get().json != before


def test_a_lost_answer_and_somebody_else(ctl):
    cut = Cut(ctl.daemon, "after", lambda: ctl.daemon.put("/config/routes/theirs", []))
    ctl.flags = ["--control", f"unix:{cut.path}"]
    text = ctl("put", "routes/mine", "--json", stdin="[]", code=UNKNOWN)
    assert json.loads(text)["error"] == "Unknown." and "somebody else" in json.loads(text)["detail"]


def test_nobody_who_could_tell(ctl):
    cut = Cut(ctl.daemon, "before")
    ctl.flags = ["--control", f"unix:{cut.path}"]
    cut.also = lambda: (cut.path.unlink(), ctl.daemon.stop())
    ctl("put", "routes/mine", stdin="[]", code=UNKNOWN)
    assert "nobody tells" in ctl.complaint


def test_a_controller_killed_while_an_application_starts(ctl, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import os, time\n"
        f"open({str(tmp_path / 'begun')!r}, 'w').close()\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.01)\n")
    os.chmod(tmp_path, 0o777)
    before = ctl.daemon.get().json
    command = ctl.command("put", "applications/slow")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.stdin.write(json.dumps(python_app("slow", path=str(tmp_path))))
        run.stdin.close()
        wait_until((tmp_path / "begun").exists, what="the application's start")
        os.kill(ctl.daemon.pids("brood: controller")[0], signal.SIGKILL)
        assert run.wait(DEADLINE) == REFUSED
        assert run.stderr.read() == "broodctl: the answer was lost; not applied: the old configuration is in force\n"
    assert ctl.daemon.get().json == before


# --- edit ---


def test_edit_applies_what_the_editor_wrote(ctl, tmp_path):
    script = editor(tmp_path / "ed", '{"a": [], "new": []}')
    assert ctl("edit", "routes", env={"VISUAL": "", "EDITOR": f"{script}"}) == "Reconfiguration done.\n"
    assert json.loads((tmp_path / "ed.seen.0").read_text()) == BASE["routes"]
    assert ctl.daemon.get("/config/routes").json == {"a": [], "new": []}
    assert not list(ctl.daemon.dir.glob("broodctl-*"))


def test_edit_shows_the_error_and_asks_again(ctl, tmp_path):
    script = editor(tmp_path / "ed", '{\n"routes": {"a": [}}', '{"rotes": {}}', '{"routes": {"third": []}}')
    assert ctl("edit", stdin="y\n\n", env={"VISUAL": f"sh {script}"}) == "Reconfiguration done.\n"
    kept = [l for l in ctl.complaint.splitlines() if ".json:" in l]
    assert ".json:2:18: " in kept[0] and ".json:1:2: " in kept[1] and 'routes' in kept[1]
    assert ctl.complaint.count("Edit again? [Y/n] ") == 2
    assert (tmp_path / "ed.seen.1").read_text() == '{\n"routes": {"a": [}}'
    assert ctl.daemon.get().json == {"routes": {"third": []}}
    assert not list(ctl.daemon.dir.glob("broodctl-*"))


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_edit_given_up_keeps_the_text_and_changes_nothing(ctl, tmp_path, answer):
    script = editor(tmp_path / "ed", '{"nonsense": 1}')
    ctl("edit", stdin=answer, env={"VISUAL": str(script)}, code=REFUSED)
    kept, = ctl.daemon.dir.glob("broodctl-*.json")
    assert f"the text is kept in {kept}" in ctl.complaint and kept.read_text() == '{"nonsense": 1}'
    assert kept.stat().st_mode & 0o777 == 0o600
    assert ctl.daemon.get().json == BASE


def test_edit_does_not_undo_a_change_made_meanwhile(ctl, tmp_path):
    script = editor(tmp_path / "ed", '{"a": [], "mine": []}')
    meanwhile = f"{' '.join(ctl.command('put', 'routes/theirs'))} <<<[] >/dev/null"
    (tmp_path / "both").write_text(f"#!/bin/bash\n{meanwhile}\n{script} \"$1\"\n")
    ctl("edit", "routes", env={"VISUAL": f"bash {tmp_path}/both"}, code=REFUSED)
    assert "the text is kept in" in ctl.complaint and "Edit again" not in ctl.complaint
    assert list(ctl.daemon.get("/config/routes").json) == ["a", "b/c", "theirs"]
    kept, = ctl.daemon.dir.glob("broodctl-*.json")
    assert kept.read_text() == '{"a": [], "mine": []}'


def test_edit_without_a_change_or_with_a_failing_editor(ctl):
    assert ctl("edit", env={"VISUAL": "true"}) == "" and "nothing was changed" in ctl.complaint
    assert not list(ctl.daemon.dir.glob("broodctl-*"))
    ctl("edit", env={"VISUAL": "false"}, code=REFUSED)
    assert "false" in ctl.complaint and len(list(ctl.daemon.dir.glob("broodctl-*.json"))) == 1
    ctl("edit", "routes/nothing", env={"VISUAL": "true"}, code=REFUSED)


# --- what runs ---


@pytest.fixture
def served(brood):
    brood.serve("hello", processes=2)
    return Client(brood)


def rows(text, *titles):
    """The table that begins with these titles: a list of rows, each a list of words."""
    lines = text.splitlines()
    start = next(i for i, l in enumerate(lines) if l.split()[:len(titles)] == list(titles))
    end = next((i for i in range(start, len(lines)) if not lines[i]), len(lines))
    return [l.split() for l in lines[start + 1:end]]


def test_status_is_a_table(served):
    for _ in range(3):
        assert served.daemon.fetch().status == 200
    text = served("status")
    assert "\033" not in text and "requests: 3\n" in text
    app, = rows(text, "APPLICATION", "RUNNING")
    assert app[:6] == ["hello", "2", "2", "0", "0", "3"] and app[6][-1] in "KM" and app[7][-1] in "KM"
    workers = rows(text, "APPLICATION", "PID")
    assert sorted(int(w[1]) for w in workers) == served.daemon.workers("hello")
    assert {w[2] for w in workers} == {"idle"} and sum(int(w[3]) for w in workers) == 3
    assert json.loads(served("status", "--json"))["applications"]["hello"]["processes"]["running"] == 2


def test_status_is_coloured_on_a_terminal_only(served):
    for env, coloured in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        ours, theirs = pty.openpty()
        run = subprocess.Popen(served.command("status"), stdin=theirs, stdout=theirs, env={**served.env, **env})
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # EIO: the other side is closed
            pass
        os.close(ours)
        assert run.wait(DEADLINE) == OK
        assert (b"\033[32midle\033[0m" in text) == coloured and b"hello" in text


def test_status_watch_goes_on_until_the_server_ends(served):
    with subprocess.Popen(served.command("status", "--watch=0.05"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as run:
        seen = 0
        while seen < 3:
            seen += run.stdout.readline().startswith("connections: ")
        served.daemon.stop()
        _, complaint = run.communicate(timeout=DEADLINE)
        assert run.returncode == UNREACHABLE and "broodctl: " in complaint


def test_restart_gives_new_processes(served):
    before = served.daemon.workers("hello")
    assert served("restart", "hello") == "Ok\n"
    wait_until(lambda: not set(before) & set(served.daemon.workers("hello")), what="old workers' end")
    served("restart", "no/such%thing", code=REFUSED)
    assert served.complaint == "broodctl: Value doesn't exist.\n"


def test_ps_is_the_tree_with_roles(served):
    daemon = served.daemon
    text = served("ps")
    found = {int(l.split()[0]): l for l in text.splitlines()[1:]}
    assert found.keys() == daemon.family().keys()
    prototype, = daemon.prototypes("hello")
    assert f"{daemon.pid}  main" in found[daemon.pid]
    assert f'{prototype}    "hello" prototype' in found[prototype]
    for pid in daemon.workers("hello"):
        assert f'{pid}      "hello" application  idle' in found[pid]
    tree = {p["pid"]: p for p in json.loads(served("ps", "--json"))}
    assert tree.keys() == found.keys() and tree[daemon.pid]["role"] == "main"
    worker = tree[daemon.workers("hello")[0]]
    assert worker["parent"] == prototype and worker["state"] == "idle" and worker["requests"] == 0
    assert worker["memory"]["private"] > 0


# --- logs ---


def test_logs_of_the_running_brood(ctl):
    lines = ctl("logs").splitlines()
    assert ctl.daemon.log_path.read_text().splitlines()[-100:] == lines
    assert ctl("logs", "-n", "1").splitlines() == ctl.daemon.log_path.read_text().splitlines()[-1:]
    assert ctl("logs", "-n", "0") == ""


@pytest.mark.parametrize("content, n, wanted", [
    ("", 5, ""), ("one\n", 5, "one\n"), ("a\nb\nc\n", 2, "b\nc\n"), ("a\nb\nc", 2, "b\nc"), ("\n\n\n", 2, "\n\n"),
    ("x" * 200000 + "\nend\n", 1, "end\n"), ("line\n" * 50000, 30000, "line\n" * 30000),
], ids=["empty", "short", "exact", "unfinished", "blank", "one long line", "many blocks"])
def test_logs_of_a_file_begin_at_the_right_line(ctl, tmp_path, content, n, wanted):
    path = tmp_path / "some.log"
    path.write_text(content)
    assert ctl("logs", "--log", path, "-n", n) == wanted


def test_logs_as_json_are_an_object_a_line(ctl, tmp_path):
    path = tmp_path / "some.log"
    path.write_text('2026/11/24 21:40:13 [notice] 41#41 brood "is" ready\nTraceback:\n  no [time] here 1#1\nunfinished')
    assert [json.loads(l) for l in ctl("logs", "--json", "--log", path).splitlines()] == [
        {"time": "2026/11/24 21:40:13", "level": "notice", "pid": 41, "message": 'brood "is" ready'},
        {"message": "Traceback:"}, {"message": "  no [time] here 1#1"}, {"message": "unfinished"}]
    assert all("message" in json.loads(l) for l in ctl("logs", "--json").splitlines())


def test_logs_follow_a_rotated_file(ctl, tmp_path):
    path = tmp_path / "some.log"
    path.write_text("first\n")
    with subprocess.Popen(ctl.command("logs", "-f", "--log", path), stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "first\n"
        with open(path, "a") as old:
            old.write("second\n")
            old.flush()
            assert run.stdout.readline() == "second\n"
            path.rename(tmp_path / "some.log.1")
            old.write("third\n")
        path.write_text("fourth\n")
        assert [run.stdout.readline() for _ in range(2)] == ["third\n", "fourth\n"]
        run.send_signal(signal.SIGTERM)
    assert run.returncode == -signal.SIGTERM


# --- options ---


def test_options_come_from_the_table(ctl):
    every = json.loads(ctl("options", "--json"))
    manual = (ROOT / "docs" / "options.md").read_text()
    assert [f"## `{o['path']}`" for o in every] == [l for l in manual.splitlines() if l.startswith("## ")]
    listing = ctl("options").splitlines()
    assert len(listing) == len(every) + 1
    for place in ("/config/listeners/*:80/backlog", "listeners/*/backlog", "/listeners/127.0.0.1:80/backlog"):
        text = ctl("options", place)
        assert text.startswith("/listeners/*/backlog\n") and "Default: -1\n" in text
    assert ctl("options", "routes/main/0/action/fallback/return").startswith("/routes/*/action/return\n")
    assert "\nprocesses " in ctl("options", "applications/blog")
    ctl("options", "applications/blog/procesess", code=REFUSED)
    assert 'did you mean "processes"?' in ctl.complaint


# --- completion ---


@pytest.mark.parametrize("words, wanted", [
    (["res"], ["restart"]), (["ro"], ["rollback"]), (["get", "l"], ["listeners"]), (["get", "/"], ["/config", "/status", "/certificates", "/history"]),
    (["get", "/config/routes/b"], ["/config/routes/b%2Fc"]), (["delete", "routes/"], ["routes/a", "routes/b%2Fc"]),
    (["logs", "--f"], ["--follow"]), (["/config", "D"], ["DELETE"]), (["ps", "--w"], []), (["put", "--dr"], ["--dry-run"]), (["/config", "I"], ["INSERT"]), (["rollback", ""], ["1"]), (["migrate", "u"], ["unit", "uwsgi"]), (["migrate", "--report", "j"], ["json"]),
    (["certificates", ""], ["list", "put", "delete"]), (["certificates", "--r"], ["--replace"]),
])
def test_completion_of_bash(ctl, words, wanted):
    line = ["broodctl", *ctl.flags, *words]
    script = ('PATH=$1:$PATH; . "$2"; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
              '_broodctl; printf "%s\\n" "${COMPREPLY[@]}"')
    run = subprocess.run(["bash", "-c", script, "bash", str(CTL.parent), str(ROOT / "share/completion/bash/broodctl"), *line],
                         capture_output=True, text=True, timeout=DEADLINE)
    assert run.stdout.split() == wanted and run.stderr == "", run


def test_completions_and_manual_have_every_command_and_flag():
    text = subprocess.run([CTL, "--help"], capture_output=True, text=True).stdout
    usage, commands, _, flags, _ = text.split("\n\n", 4)
    names = [line.split()[0] for line in commands.splitlines()]
    dashed = [word.rstrip(",").split("[")[0] for line in flags.splitlines() for word in line[:25].split() if word[0] == "-"]
    assert "rollback" in names and {"--dry-run", "-y", "--yes", "--watch", "-f"} <= set(dashed)
    for path in ("share/completion/bash/broodctl", "share/completion/zsh/_broodctl", "man/broodctl.1"):
        page = (ROOT / path).read_text().replace("\\-", "-")
        missing = [n for n in names if not re.search(rf"(?m)(^\.\w+ |[ ':]){n}\b", page)]
        missing += [d for d in dashed if not re.search(rf"(?<![-\w]){re.escape(d)}(?![-\w])", page)]
        assert not missing, f"{path} lacks {missing}"


def test_completion_of_zsh_is_zsh():
    run = subprocess.run(["zsh", "-n", str(ROOT / "share/completion/zsh/_broodctl")], capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr == "", run
