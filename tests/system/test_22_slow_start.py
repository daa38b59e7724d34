"""An application that takes long to load: meanwhile everything else goes on, and it can be given up."""

import os
import signal
import threading
import time

import pytest

from brood import Client, free_port, is_alive, python_app, wait_until
from injection import injection, needs_points
from load import Load

SECONDS = float(os.environ.get("BROOD_SLOW_SECONDS", 6))
CANCELLED = {"error": "Failed to apply new configuration.", "detail": "cancelled by DELETE /control/change"}


@pytest.fixture
def slow(brood, tmp_path):
    """Configuration of an application whose import takes long, or until the file `go` is there."""
    for name, until in (("slow", f"time.sleep({SECONDS})"),
                        ("waits", f"\nwhile not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.01)")):
        (tmp_path / f"{name}.py").write_text(f"import os, time\n{until}\n"
                                             "def application(environ, start_response):\n"
                                             "    start_response('200 OK', [('Content-Length', '4')])\n    return [b'slow']\n")
    return lambda name="waits": python_app(name, path=str(tmp_path))


class Reader(threading.Thread):
    """Reads /status and /config all the time, and remembers how long each answer took."""

    def __init__(self, brood):
        super().__init__(daemon=True)
        self.brood, self.over, self.times, self.failures = brood, threading.Event(), [], []

    def run(self):
        while not self.over.wait(0.01):
            for path in ("/status", "/config"):
                began = time.monotonic()
                try:
                    answer = self.brood.control(path)
                    self.times.append(time.monotonic() - began)
                    if answer.status != 200:
                        self.failures.append((path, answer))
                except OSError as e:
                    self.failures.append((path, e))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(30)


def measure(brood, until):
    with Load(brood.port, keepalive=4, short=2) as load, Reader(brood) as reader:
        until()
    assert not load.hung and not load.failures, load.failures[:10]
    assert not reader.failures, reader.failures[:10]
    return {f"{what} p{p}": sorted(times)[len(times) * p // 100] * 1000
            for what, times in (("requests", load.times), ("control", reader.times)) for p in (50, 99)}


@pytest.mark.slow
def test_meanwhile_everything_else_goes_on(brood, slow):
    brood.serve("echo", processes=2)
    before = measure(brood, lambda: time.sleep(SECONDS / 2))

    def start_slowly():
        began = time.monotonic()
        assert brood.put("/config/applications/slow", slow("slow"), timeout=SECONDS + 30).status == 200
        assert time.monotonic() - began >= SECONDS

    during = measure(brood, start_slowly)
    for name, ms in during.items():
        print(f"{name}: {before[name]:.2f} ms before, {ms:.2f} ms during the start")
        assert ms <= 3 * before[name] + 50, (name, before, during)


def under_way(brood, **expected):
    answer = brood.control("/control/change")
    return answer.status == 200 and {**answer.json, **expected} == answer.json


def begin_slowly(brood, slow):
    """A change that gets no further until it is given up, and one behind it."""
    first = Client(brood, "PUT", "/config/applications/new", slow())
    wait_until(lambda: brood.prototypes("new"), what="the process that loads")
    second = Client(brood, "PUT", "/config/routes", [{"action": {"return": 201}}])
    wait_until(lambda: under_way(brood, state="preparing", waiting=1), what="a change behind it")
    return first, second, brood.prototypes("new")


def test_a_second_change_waits_for_its_turn(brood, slow, tmp_path):
    first, second, _ = begin_slowly(brood, slow)
    assert brood.get("/config").json == {"listeners": {}, "routes": [], "applications": {}}
    assert first.is_alive() and second.is_alive()
    (tmp_path / "go").touch()
    assert (first.result(), second.result()) == (200, 200)
    assert brood.get("/config/routes/0/action/return").json == 201 and "new" in brood.get("/config/applications").json
    assert brood.control("/control/change").status == 404


def test_a_change_can_be_cancelled(brood, slow):
    first, second, processes = begin_slowly(brood, slow)
    assert brood.control("/control/change", "DELETE").json == {"success": "Change cancelled."}
    assert first.result() == 500 and first.answer.json == CANCELLED
    assert second.result() == 200
    wait_until(lambda: not any(is_alive(pid) for pid in processes), deadline=2, what="end of what was loading")
    assert brood.get().json == {"listeners": {}, "routes": [{"action": {"return": 201}}], "applications": {}}
    assert brood.control("/control/change", "DELETE").status == 404


def test_what_runs_outlives_the_change_that_was_to_replace_it(brood, slow):
    brood.serve("echo")
    kept, port = brood.workers("echo"), free_port()
    config = brood.get().json
    first = Client(brood, "PUT", "/config", {"listeners": {f"127.0.0.1:{port}": {"pass": "applications/echo"}},
                                             "applications": {"echo": slow()}})
    wait_until(lambda: len(brood.prototypes("echo")) == 2, what="the next one that loads")
    assert brood.control("/control/change", "DELETE").status == 200
    assert first.result() == 500
    wait_until(lambda: len(brood.prototypes("echo")) == 1, deadline=2, what="end of what was loading")
    assert brood.workers("echo") == kept and brood.get().json == config
    assert brood.fetch("/id?id=1").body == b"1"
    with pytest.raises(ConnectionRefusedError):
        brood.fetch("/", port=port)


def test_a_restart_can_be_cancelled(brood, slow, tmp_path):
    (tmp_path / "go").touch()
    brood.configure({"applications": {"new": slow()}})
    (tmp_path / "go").unlink()
    restart = Client(brood, "POST", "/control/applications/new/restart")
    wait_until(lambda: len(brood.prototypes("new")) == 2, what="the next one that loads")
    assert brood.control("/control/change", "DELETE").status == 200
    assert restart.result() == 500 and restart.answer.json["detail"] == CANCELLED["detail"]
    wait_until(lambda: len(brood.prototypes("new")) == 1, deadline=2, what="end of what was loading")


def test_to_delete_an_application_that_is_being_prepared_is_to_give_it_up(brood, slow):
    first, second, processes = begin_slowly(brood, slow)
    assert brood.control("/config/applications/new", "DELETE").json == {"success": "Reconfiguration done."}
    assert first.result() == 500 and "DELETE of an application" in first.answer.json["detail"]
    assert second.result() == 200
    wait_until(lambda: not any(is_alive(pid) for pid in processes), deadline=2, what="end of what was loading")
    assert brood.control("/config/applications/new", "DELETE").status == 404


@pytest.mark.parametrize("path, fields", [("/config/applications/new?dry_run", {}), ("/config/applications/other", {}),
                                          ("/config/applications", {}), ("/config/applications/new", {"If-Match": '"other"'})])
def test_to_delete_anything_else_waits(brood, slow, tmp_path, path, fields):
    first, second, _ = begin_slowly(brood, slow)
    third = Client(brood, "DELETE", path, fields=fields)
    wait_until(lambda: under_way(brood, waiting=2), what="a third change that waits")
    assert first.is_alive()
    (tmp_path / "go").touch()
    assert (first.result(), second.result()) == (200, 200) and third.result() in (200, 404, 412)


def test_a_client_that_hangs_up_leaves_its_change(brood, slow, tmp_path):
    first, second, _ = begin_slowly(brood, slow)
    first.connection.sock.close()
    (tmp_path / "go").touch()
    assert second.result() == 200
    assert "new" in brood.get("/config/applications").json


@needs_points
def test_what_is_being_committed_cannot_be_cancelled(make_brood, tmp_path):
    brood = make_brood("--routers", "1", env=injection(tmp_path / "inject"))
    file = brood.arm("router.commit_asked.0", "stop")
    change = Client(brood, "PUT", "/config", {"routes": [{"action": {"return": 203}}]})
    wait_until(lambda: not file.exists(), what="the point")
    assert under_way(brood, state="committing", waiting=0)
    answer = brood.control("/control/change", "DELETE")
    assert answer.status == 409 and answer.json["error"] == "Change cannot be cancelled."
    os.kill(brood.pids("brood: router")[0], signal.SIGCONT)
    assert change.result() == 200
