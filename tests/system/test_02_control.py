"""The control API: every method on every kind of path, its titles, layout and errors."""

import socket

import pytest

from brood import UnixHTTPConnection, free_port

DONE = {"success": "Reconfiguration done."}
MISSING = {"error": "Value doesn't exist."}


@pytest.fixture
def base(brood):
    brood.configure({"listeners": {}, "routes": {"a": [{"action": {"return": 200}}], "b": []}, "applications": {}})
    return brood


def test_a_fresh_instance(brood):
    answer = brood.get()
    assert answer.status == 200 and answer.body == (
        b'{\r\n\t"listeners": {},\r\n\t"routes": [],\r\n\t"applications": {}\r\n}\r\n')
    assert [k for k, _ in answer.all] == ["Server", "Date", "Content-Type", "ETag", "Content-Length", "Connection"]
    assert answer.fields["content-type"] == "application/json" and answer.fields["connection"] == "close"
    assert list(brood.get("/").json) == ["certificates", "config", "status"]


def test_layout_has_blank_lines_after_members_that_hold_something(base):
    assert base.get("/config/routes").body == (
        b'{\r\n\t"a": [\r\n\t\t{\r\n\t\t\t"action": {\r\n\t\t\t\t"return": 200\r\n\t\t\t}\r\n\t\t}\r\n\t],\r\n\r\n\t"b": []\r\n}\r\n')
    assert base.get("/config/routes/a/0/action/return").body == b"200\r\n"


def test_put_creates_replaces_and_appends(base):
    assert base.put("/config/routes/c", []).json == DONE
    assert list(base.get("/config/routes").json) == ["a", "b", "c"]
    assert base.put("/config/routes/a/0/action/return", "404").json == DONE
    assert base.put("/config/routes/a/1", {"action": {"return": 201}}).json == DONE
    assert base.control("/config/routes/a", "POST", {"action": {"return": 202}}).json == DONE
    assert [s["action"]["return"] for s in base.get("/config/routes/a").json] == [404, 201, 202]
    assert base.control("/config/routes/a/0", "DELETE").json == DONE
    assert [s["action"]["return"] for s in base.get("/config/routes/a").json] == [201, 202]
    assert base.control("/config", "DELETE").json == DONE
    assert base.get().json == {}


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/config/nothing", 404), ("GET", "/nothing", 404), ("GET", "/config/routes/a/7", 404),
    ("GET", "/config/routes/a/x", 404), ("GET", "/config/routes/a/0/action/return/deeper", 404),
    ("PUT", "/config/missing/parent", 404), ("PUT", "/config/routes/a/5", 404), ("PUT", "/config/routes/a/x", 404),
    ("PUT", "/config/routes/a/0/action/return/deeper", 404), ("POST", "/config/routes/missing", 404),
    ("POST", "/config/routes", 405), ("POST", "/config", 405), ("DELETE", "/config/nothing", 404),
    ("DELETE", "/config/routes/a/0/action/return/deeper", 404), ("PATCH", "/config", 405), ("HEAD", "/config", 405),
    ("OPTIONS", "/config", 405), ("DELETE", "/status", 405), ("PUT", "/", 405), ("DELETE", "/control/applications/x/restart", 405),
    ("GET", "/control/applications/x/restart", 404), ("GET", "/control/other", 404), ("GET", "/status/nothing", 404),
])
def test_answers_to_what_is_not_there(base, method, path, status):
    before = base.get().body
    answer = base.control(path, method, '{}' if method in ("PUT", "POST") else None)
    assert answer.status == status
    if method != "HEAD":
        assert set(answer.json) <= {"error", "detail"} and answer.json["error"]
    assert base.get().body == before


def test_path_segments_are_decoded_after_splitting(brood):
    brood.configure({"routes": {"x/y": [{"action": {"return": 200}}], "p%q": [], "": []}})
    assert brood.get("/config/routes/x%2Fy/0/action/return").body == b"200\r\n"
    assert brood.get("/config/routes/p%25q").json == []
    assert brood.get("/config//routes/./x%2Fy/../p%25q/").json == []
    port = free_port()
    assert brood.put(f"/config/listeners", {}).status == 200
    assert brood.put(f"/config/listeners/%5B::1%5D:{port}", {"pass": "routes/x%2Fy"}).status == 200
    assert brood.get("/config/listeners").json == {f"[::1]:{port}": {"pass": "routes/x%2Fy"}}


@pytest.mark.parametrize("body, line, column", [
    ("", None, None), ("{", 1, 2), ('{"a": 1,, }', 1, 9), ('{\n "a": tru }', 2, 7), ('{"a": 1} x', 1, 10), ('{"a": 1, "a": 2}', 1, 10),
    ("/* open", 1, 1), ('["\t"]', 1, 3), ("[01]", 1, 2), ("[" * 200, 1, None), ('{"\u00e9": x}', 1, 7),
])
def test_bad_json_is_located(base, body, line, column):
    answer = base.put("/config/nowhere/at/all", body)
    assert answer.status == 400 and answer.json["error"] == "Invalid JSON." and answer.json["detail"]
    if line:
        assert answer.json["location"]["line"] == line
    if column:
        assert answer.json["location"]["column"] == column


@pytest.mark.parametrize("path, value, word", [
    ("/config", {"nonsense": 1}, "nonsense"),
    ("/config", {"listner": {}}, "listeners"),
    ("/config/listeners/localhost:80", {"pass": "routes/a"}, "localhost:80"),
    ("/config/listeners/*:0", {"pass": "routes/a"}, "*:0"),
    ("/config/listeners/*:8080", {"pass": "applications/none"}, "none"),
    ("/config/listeners/*:8080", {}, "pass"),
    ("/config/routes/a/0/action", {}, "action"),
    ("/config/routes/a/0/action", {"return": 200, "share": "/x"}, "share"),
    ("/config/routes/a/0/action", {"share": "/x$nothing"}, "nothing"),
    ("/config/routes/a/0/action/return", "1000", "return"),
    ("/config/routes/a/0/action/return", '"200"', "return"),
    ("/config/routes/a/0/match", {"uri": "~("}, "uri"),
    ("/config/routes/a/0/match", {"uri": "a**b"}, "uri"),
    ("/config/applications/x", {"type": "cobol"}, "cobol"),
    ("/config/applications/x", {"type": "python"}, "module"),
    ("/config/applications/x", {"type": "python", "module": "m", "processes": 0}, "processes"),
    ("/config/applications/x", {"type": "python", "module": "m", "processes": {"spare": 3, "max": 2}}, "spare"),
    ("/config/applications/x", {"type": "python", "module": "m", "environment": {"A=B": "x"}}, "A=B"),
    ("/config/settings", {"http": {"idle_timeout": -1}}, "idle_timeout"),
])
def test_bad_configuration_names_the_place_and_the_reason(base, path, value, word):
    before = base.get().body
    answer = base.put(path, value)
    assert answer.status == 400, answer.text
    assert answer.json["error"] == "Invalid configuration." and word in answer.json["detail"]
    assert answer.json["path"].startswith("/")
    assert base.get().body == before


def test_deleting_what_is_still_named_is_refused(base):
    port = free_port()
    assert base.put(f"/config/listeners/127.0.0.1:{port}", {"pass": "routes/a"}).status == 200
    assert base.control("/config/routes/a", "DELETE").status == 400
    assert base.fetch(port=port).status == 200


def test_a_listener_that_cannot_be_bound_rolls_back(base):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        fine = free_port()
        answer = base.put("/config/listeners", {f"127.0.0.1:{fine}": {"pass": "routes/a"}, f"127.0.0.1:{busy}": {"pass": "routes/a"}})
    assert answer.status == 500 and answer.json["error"] == "Failed to apply new configuration."
    assert str(busy) in answer.json["detail"] and "in use" in answer.json["detail"]
    assert base.get("/config/listeners").json == {}
    with pytest.raises(ConnectionRefusedError):
        base.fetch(port=fine)


def test_numbers_and_order_are_kept_as_written(brood):
    text = '{"z": [], "a": [{"action": {"return": 2e2}}], "m": []}'
    assert brood.put("/config/routes", text).status == 200
    body = brood.get("/config/routes").text
    assert "2e2" in body and body.index('"z"') < body.index('"a"') < body.index('"m"')


def test_a_large_and_a_chunked_body(brood):
    routes = {f"r{i}": [{"action": {"return": 200}}] for i in range(20000)}
    assert brood.put("/config/routes", routes, timeout=60).status == 200
    c = UnixHTTPConnection(brood.control_path)
    c.request("PUT", "/config/routes", iter([b'{"a"', b": [", b"]}"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert c.getresponse().status == 200
    assert brood.get("/config/routes").json == {"a": []}


def test_malformed_requests_get_a_json_error(brood):
    for request, status in ((b"NONSENSE\r\n\r\n", 400), (b"GET /config HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n", 431)):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(brood.control_path))
            s.sendall(request)
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 %d " % status) and b'"error"' in answer
