"""Changes as transactions: what a dry run says, guards against lost updates, where faults are, the
versions before this one, and a disk that takes nothing."""

import json
import os
import signal
import subprocess

import pytest

from brood import UnixHTTPConnection, free_port, python_app, wait_until

DONE = {"success": "Reconfiguration done."}


def request(brood, method, path, body=None, **fields):
    """A control request with header fields: if_match='"…"'."""
    c = UnixHTTPConnection(brood.control_path)
    try:
        c.request(method, path, body, {k.replace("_", "-"): v for k, v in fields.items()})
        response = c.getresponse()
        response.body = response.read()
        return response
    finally:
        c.close()


def returns(status):
    return {"routes": [{"action": {"return": status}}]}


# --- dry runs ---

def test_a_dry_run_says_the_steps_and_takes_none(brood):
    port, other = free_port(), free_port()
    brood.serve("hello")
    before = brood.get().body
    workers = brood.workers("hello")
    plan = brood.put("/config?dry_run", {
        "listeners": {f"127.0.0.1:{brood.port}": {"pass": "applications/hello", "backlog": 7},
                      f"127.0.0.1:{port}": {"pass": "applications/new"}},
        "applications": {"hello": python_app("hello"), "new": python_app("hello")},
        "access_log": str(brood.dir / "access.log"),
    })
    assert plan.status == 200 and plan.json == {"success": "Valid.", "plan": [
        {"step": "open listener", "name": f"127.0.0.1:{port}"},
        {"step": "open log", "name": str(brood.dir / "access.log")},
        {"step": "start application", "name": "new"},
        {"step": "listen anew", "name": f"127.0.0.1:{brood.port}"},
        {"step": "keep application", "name": "hello"},
    ]}
    gone = brood.control("/config?x=1&dry_run=true", "DELETE")
    assert [s["step"] for s in gone.json["plan"]] == ["close listener", "stop application"]
    assert brood.put(f"/config/listeners/127.0.0.1:{other}?dry_run=1", {"pass": "applications/hello"}).status == 200
    assert brood.get().body == before and brood.workers("hello") == workers
    assert not (brood.dir / "access.log").exists()
    with pytest.raises(ConnectionRefusedError):
        brood.fetch(port=port)
    assert brood.fetch().status == 200


def test_a_dry_run_of_what_is_wrong_says_so(brood):
    answer = brood.put("/config/listeners/*:80?dry_run", {"pass": "applications/none"})
    assert answer.status == 400 and answer.json["path"] == "/listeners/*:80/pass"
    assert brood.put("/config?dry_run", "{").json["error"] == "Invalid JSON."
    assert brood.control("/config/none?dry_run", "DELETE").status == 404
    assert brood.control("/config/listeners?dry_run", "POST", "{}").status == 405


def test_other_queries_mean_nothing_and_a_doubtful_dry_run_changes_nothing(brood):
    assert brood.put("/config?dry_run=maybe", {}).status == 400
    assert list(brood.get().json) == ["listeners", "routes", "applications"]
    assert brood.put("/config/routes?verbose&dry=1&dry_runs", []).json == DONE
    assert brood.put("/config?dry_run=false", {}).json == DONE
    assert brood.get("/config?dry_run=maybe").json == {}


def test_a_restart_may_be_dry(brood):
    brood.serve("hello")
    workers = brood.workers("hello")
    answer = brood.control("/control/applications/hello/restart?dry_run", "POST")
    assert {"step": "start application", "name": "hello"} in answer.json["plan"]
    assert brood.control("/control/applications/hello/restart?dry_run=no").status == 400
    assert brood.workers("hello") == workers


# --- lost updates ---

def etag(brood, path="/config"):
    return brood.get(path).fields["etag"]


def test_every_part_has_the_tag_of_the_whole(brood):
    tag = etag(brood)
    assert tag[0] == tag[-1] == '"' and len(tag) == 34
    assert etag(brood, "/config/routes") == tag
    assert "etag" not in brood.get("/config/none").fields and "etag" not in brood.get("/status").fields
    brood.configure(returns(201))
    assert etag(brood) != tag
    brood.configure({"listeners": {}, "routes": [], "applications": {}})
    assert etag(brood) == tag


def test_the_second_of_two_editors_is_told(brood):
    brood.configure(returns(200))
    tag = etag(brood)
    mine = request(brood, "PUT", "/config/routes/0/action/return", "201", if_match=tag)
    assert mine.status == 200
    theirs = request(brood, "PUT", "/config/routes/0/action/return", "202", if_match=tag)
    assert theirs.status == 412
    body = json.loads(theirs.body)
    assert body["error"] == "Precondition failed." and "another" in body["detail"]
    assert brood.get("/config/routes/0/action/return").json == 201


@pytest.mark.parametrize("method, path, field, status", [
    ("PUT", "/config", "*", 200), ("PUT", "/config/none", "*", 412), ("POST", "/config/routes", "*", 200),
    ("DELETE", "/config/routes", '"no"', 412), ("DELETE", "/config/routes", "%s", 200),
    ("DELETE", "/config/routes", '"no", %s', 200), ("DELETE", "/config/routes", "W/%s", 412),
    ("DELETE", "/config/routes", "nonsense", 412), ("DELETE", "/config/routes", "", 412),
    ("DELETE", "/config/none", '"no"', 404), ("PUT", "/config/none/none", '"no"', 404),
    ("PUT", "/config?dry_run", '"no"', 412), ("PUT", "/config?dry_run", "%s", 200), ("PATCH", "/config", '"no"', 405),
])
def test_if_match(brood, method, path, field, status):
    brood.configure(returns(200))
    field = field.replace("%s", etag(brood))
    assert request(brood, method, path, '{"action": {"return": 1}}' if method == "POST" else "{}", if_match=field).status == status


def test_repeated_fields_are_one_list(brood):
    tag = etag(brood)
    c = UnixHTTPConnection(brood.control_path)
    c.putrequest("DELETE", "/config")
    c.putheader("If-Match", '"a"')
    c.putheader("If-Match", tag)
    c.endheaders()
    assert c.getresponse().status == 200
    c.close()


def test_the_guard_is_looked_at_when_the_turn_comes(brood, tmp_path):
    """A change that waits behind a slow one is compared with what that one left."""
    (tmp_path / "slow.py").write_text(
        "import os, time\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.01)\n"
        "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n")
    tag = etag(brood)
    connections = []
    for path, body, fields in (("/config/applications/slow", python_app("slow", path=str(tmp_path)), {}),
                               ("/config/routes", [], {"If-Match": tag})):
        c = UnixHTTPConnection(brood.control_path)
        c.request("PUT", path, json.dumps(body), fields)
        connections.append(c)
        assert etag(brood) == tag
    (tmp_path / "go").touch()
    assert [c.getresponse().status for c in connections] == [200, 412]


def test_the_tag_survives_controller_and_daemon(brood):
    brood.configure(returns(203))
    tag = etag(brood)
    old = brood.pids("brood: controller")[0]
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: brood.pids("brood: controller") not in ([], [old]), what="a new controller")
    assert etag(brood) == tag
    brood.stop()
    brood.start()
    assert etag(brood) == tag


# --- where a fault is ---

@pytest.mark.parametrize("method, path, body, pointer, word, place", [
    ("PUT", "/config", '{\n "routes": [],\n "listner": {}\n}', "/listner", '"listeners"', (3, 2)),
    ("PUT", "/config", "[]", "", "an object", (1, 1)),
    ("PUT", "/config/routes/a~1b%2Fc", '[{"action": {"retrun": 200}}]', "/routes/a~01b~1c/0/action/retrun", '"return"', (1, 14)),
    ("PUT", "/config/routes/x", '[{"action":\n {"share": "/$hots"}}]', "/routes/x/0/action/share", '"$host"', (2, 12)),
    ("PUT", "/config/listeners/*:80", '{"pass": "routes/mian"}', "/listeners/*:80/pass", '"main"', (1, 10)),
    ("PUT", "/config/listeners/*:80", '{"pass": "applications/helo"}', "/listeners/*:80/pass", '"hello"', (1, 10)),
    ("PUT", "/config/listner", "{}", "/listner", '"listeners"', None),
    ("POST", "/config/routes/main", '{"action": {"return": 9999}}', "/routes/main/0/action/return", "return", (1, 23)),
    ("DELETE", "/config/applications/hello", None, "/routes/to/0/action/pass", "hello", None),
])
def test_a_fault_has_a_pointer_a_word_and_a_place(brood, method, path, body, pointer, word, place):
    brood.configure({"listeners": {}, "routes": {"main": [], "to": [{"action": {"pass": "applications/hello"}}]},
                     "applications": {"hello": python_app("hello")}})
    answer = brood.control(path, method, body)
    assert answer.status == 400 and answer.json["error"] == "Invalid configuration."
    assert answer.json["path"] == pointer and word in answer.json["detail"]
    where = answer.json.get("location")
    assert where is None if place is None else (where["line"], where["column"]) == place
    if place:
        assert body.encode()[where["offset"]:].startswith(body.split("\n")[place[0] - 1][place[1] - 1:].split("\n")[0].encode())


# --- the versions before this one ---

def test_history_lists_shows_and_brings_back(brood):
    assert brood.get("/history").json == []
    for status in (201, 202, 203):
        brood.configure(returns(status))
    versions = brood.get("/history").json
    assert [v["number"] for v in versions] == [3, 2, 1]
    assert all(v["size"] > 30 and v["time"].endswith("Z") for v in versions)
    assert brood.get("/history/1").json == returns(201)
    assert brood.get("/history/3").body == brood.get("/config").body
    assert brood.control("/history/1/apply", "POST").json == DONE
    assert brood.get().json == returns(201)
    assert brood.get("/history").json[0]["number"] == 4 and brood.get("/history/4").json == returns(201)
    assert brood.control("/history/1/apply", "POST").json == DONE
    assert len(brood.get("/history").json) == 4
    brood.stop()
    brood.start()
    assert brood.get().json == returns(201)
    assert brood.get("/history/2").json == returns(202)


def test_the_way_back_is_an_ordinary_change(brood):
    brood.serve("hello")
    good = brood.get().json
    tag = etag(brood)
    brood.configure(returns(200))
    plan = brood.control("/history/1/apply?dry_run", "POST").json["plan"]
    assert [s["step"] for s in plan] == ["open listener", "start application"]
    assert request(brood, "POST", "/history/1/apply", if_match=tag).status == 412
    assert brood.control("/history/1/apply?dry_run=x", "POST").status == 400
    assert request(brood, "POST", "/history/1/apply", if_match=etag(brood)).status == 200
    assert brood.fetch().status == 200 and brood.get().json == good and etag(brood) == tag


def test_one_that_is_valid_no_more_is_refused_with_the_pointer(brood):
    brood.configure(returns(200))
    kept = brood.state_dir / "history" / "1.json"
    kept.write_text('{"listner": {}}')
    answer = brood.control("/history/1/apply", "POST")
    assert answer.status == 400 and answer.json["path"] == "/listner" and "location" not in answer.json
    kept.write_text("{")
    assert brood.control("/history/1/apply", "POST").json["error"] == "Invalid JSON."
    assert brood.get("/history/1").status == 500
    assert brood.get().json == returns(200)


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/history/9", 404), ("GET", "/history/x", 404), ("GET", "/history/0", 404), ("GET", "/history/01", 404),
    ("GET", "/history/..%2Fconf", 404), ("GET", "/history/99999999999999999999", 404), ("GET", "/history/1/other", 404),
    ("POST", "/history/9/apply", 404), ("GET", "/history/1/apply", 405), ("DELETE", "/history/1", 405), ("PUT", "/history", 405),
])
def test_what_history_has_not(brood, method, path, status):
    brood.configure(returns(200))
    assert brood.control(path, method).status == status


def test_sixteen_stay_and_belong_to_their_owner(brood):
    for status in range(200, 220):
        brood.configure(returns(status))
    numbers = [v["number"] for v in brood.get("/history").json]
    assert numbers == list(range(20, 4, -1))
    directory = brood.state_dir / "history"
    assert sorted(os.listdir(directory)) == sorted(f"{n}.json" for n in numbers)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in directory.iterdir())


def test_a_file_written_by_hand_is_remembered(brood):
    brood.configure(returns(200))
    brood.stop()
    (brood.state_dir / "conf.json").write_text(json.dumps(returns(299)))
    brood.start()
    assert brood.get().json == returns(299)
    brood.configure(returns(201))
    assert [brood.get(f"/history/{n}").json for n in (1, 2, 3)] == [returns(200), returns(299), returns(201)]


# --- a disk that takes nothing ---

@pytest.fixture
def small_disk(make_brood):
    """A daemon whose state directory is a file system of 64 KiB."""
    brood = make_brood(start=False)
    brood.state_dir.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(brood.state_dir)], capture_output=True)
    if mount.returncode:
        pytest.skip("cannot mount: " + mount.stderr.decode().strip())
    try:
        yield brood.start()
    finally:
        brood.stop()
        subprocess.run(["umount", str(brood.state_dir)], check=True)


def assert_serves(brood, status):
    assert brood.get("/config/routes/0/action/return").json == status
    assert brood.fetch().status == status
    assert json.loads((brood.state_dir / "conf.json").read_text())["routes"][0]["action"]["return"] == status


def serve_status(brood, status):
    brood.port = free_port()
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "routes"}}, **returns(status)})


def test_a_full_disk_refuses_the_change_and_nothing_else(small_disk):
    brood = small_disk
    serve_status(brood, 201)
    free = os.statvfs(brood.state_dir).f_bfree
    long = [{"match": {"uri": "/" + "x" * 50000}, "action": {"return": 202}}, {"action": {"return": 203}}]
    for _ in range(3):
        answer = brood.put("/config/routes", long)
        assert answer.status == 500 and answer.json["error"] == "Failed to apply new configuration."
        assert "No space left" in answer.json["detail"]
        assert_serves(brood, 201)
        assert os.statvfs(brood.state_dir).f_bfree == free
    assert len(brood.get("/history").json) == 1
    assert brood.put("/config/routes/0/action/return", "204").json == DONE
    assert_serves(brood, 204)


def test_a_read_only_disk_refuses_the_change_until_it_is_writable(small_disk):
    brood = small_disk
    serve_status(brood, 201)
    subprocess.run(["mount", "-o", "remount,ro", str(brood.state_dir)], check=True)
    answer = brood.put("/config/routes/0/action/return", "202")
    assert answer.status == 500 and "Read-only" in answer.json["detail"]
    assert_serves(brood, 201)
    assert brood.get("/history/1").json["routes"] == returns(201)["routes"]
    subprocess.run(["mount", "-o", "remount,rw", str(brood.state_dir)], check=True)
    assert brood.put("/config/routes/0/action/return", "202").json == DONE
    assert_serves(brood, 202)
