"""Changes as transactions: what a dry run says, guards against lost updates, where faults are, the
versions before this one, and a disk that takes nothing."""

import pytest

from brood import UnixHTTPConnection, free_port, python_app

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
