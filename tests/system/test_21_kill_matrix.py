"""kill -9 of main, the controller and each router at each step of a change of the configuration.

A cell is one change and one injection point (src/base/inject.def).  Clients keep asking while the change
runs and the process dies in the middle of it.  Afterwards all is as before or all is as wanted: in what
each router answers, in GET /config, in conf.json and in the history; nothing is left over; and nobody's
request failed but those that a killed router held.
"""

import json
import os
import signal
from contextlib import contextmanager

import pytest

from brood import Client, escaped, processes, python_app, wait_until
from injection import injection, needs_points, points
from load import Load

REPEATS = int(os.environ.get("BROOD_KILL_REPEATS", 0))
ROUTERS = 2
KEEPALIVE, SHORT = 2, 1
BROKEN = ("Idle", "Truncated", "ConnectionResetError", "BrokenPipeError", "ConnectionRefusedError")

pytestmark = needs_points


class Scene:
    """A daemon, and configurations that differ in application, listeners and route."""

    def __init__(self, make_brood, tmp_path):
        self.brood = make_brood("--routers", str(ROUTERS), env=injection(tmp_path / "inject"))
        # An address of its own: nobody takes a port while the daemon is dead, or does not listen there.
        self.host = f"127.1.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        self.port, self.other = 8001, 8002
        self.descriptors = {}
        self.states = {
            "old": self.conf("old", 210, [self.port]),
            "new": self.conf("new", 211, [self.port, self.other]),
            "newest": self.conf("newest", 212, [self.port, self.other]),
            "less": self.conf("new", 211, [self.port]),
        }

    def conf(self, generation, status, ports):
        return {
            "listeners": {f"{self.host}:{port}": {"pass": "routes"} for port in ports},
            "routes": [{"match": {"uri": "/route"}, "action": {"return": status}}, {"action": {"pass": "applications/echo"}}],
            "applications": {"echo": python_app("echo", environment={"GENERATION": generation})},
        }

    def be(self, name):
        if self.brood.get().json != self.states[name]:
            self.brood.configure(self.states[name])

    def name(self):
        """Which of the states is in force; an answer that is none of them is a mixture."""
        config = self.brood.get().json
        [name] = [name for name, state in self.states.items() if state == config]
        return name

    # --- is it that state, everywhere? ---

    def check(self, name):
        state = self.states[name]
        listeners = len(state["listeners"])
        before = self.descriptors.get(name)
        now = wait_until(lambda: self.is_settled(listeners, before), deadline=30,
                         what=lambda: f"the processes and descriptors of {name} ({before}, now {self.brood.descriptors()})")
        self.descriptors[name] = now
        self.check_disk(state)
        for router in self.brood.pids("brood: router"):
            with self.only(router):
                self.check_answers(state)
        assert os.listdir(self.brood.env["BROOD_INJECT"]) == []

    def is_settled(self, listeners, before):
        now = self.brood.settled("echo", ROUTERS, 1, listeners)
        return now if before is None or now == before else None

    def check_disk(self, state):
        directory = self.brood.state_dir
        history = directory / "history"
        newest = max(history.iterdir(), key=lambda path: int(path.stem) if path.stem.isdigit() else 0)
        assert json.loads((directory / "conf.json").read_text()) == state
        assert json.loads(newest.read_text()) == state
        assert sorted(p.name for p in directory.iterdir()) == ["conf.json", "history", "version"]
        assert not [p for p in history.iterdir() if not p.stem.isdigit()]
        assert list(self.brood.tmp_dir.iterdir()) == []

    @contextmanager
    def only(self, router):
        """All others stand still: who answers now is this one."""
        others = [pid for pid in self.brood.pids("brood: router") if pid != router]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        # One that is about to stand still may yet be who the kernel wakes for a connection.
        wait_until(lambda: all(processes()[pid][1] == "T" for pid in others), what="routers that stand still")
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def check_answers(self, state):
        generation = state["applications"]["echo"]["environment"]["GENERATION"]
        for port in (self.port, self.other):
            if f"{self.host}:{port}" in state["listeners"]:
                assert self.brood.fetch("/route", port=port, host=self.host).status == state["routes"][0]["action"]["return"]
                assert self.brood.fetch("/env/GENERATION", port=port, host=self.host).text == generation
            else:
                with pytest.raises(ConnectionRefusedError):
                    self.brood.fetch("/", port=port, host=self.host)


# --- the changes: from which state, by which requests, to which states ---

class Put:
    """An application replaced, a listener added, a route changed."""
    begin, ends = "old", ("new",)
    unreached = ("close_",)

    def send(self, scene):
        return [Client(scene.brood, "PUT", "/config", scene.states["new"])]


class Delete:
    begin, ends = "new", ("less",)
    unreached = ("open_", "opened", "start", "created", "stop_")

    def send(self, scene):
        return [Client(scene.brood, "DELETE", "/config/listeners/" + escaped(f"{scene.host}:{scene.other}"))]


class Rollback:
    begin, ends = "new", ("old",)
    unreached = ("open_", "opened", "received")

    def send(self, scene):
        texts = {v["number"]: scene.brood.get(f"/history/{v['number']}").json for v in scene.brood.get("/history").json}
        number = max(number for number, text in texts.items() if text == scene.states["old"])
        return [Client(scene.brood, "POST", f"/history/{number}/apply")]


class Queued:
    """The second waits until the first is over."""
    begin, ends = "old", ("new", "newest")
    unreached = ("close_",)

    def send(self, scene):
        return [Client(scene.brood, "PUT", "/config", scene.states[end]) for end in self.ends]


CHANGES = {"put": Put(), "delete": Delete(), "rollback": Rollback(), "queued": Queued()}
# What every change is killed at by default; a PUT is killed everywhere.
CROSSROADS = ("running_told", "keep_asked", "keep_renamed", "commit_asked.1", "switched.0")


def cells(change, role):
    reached = [p for p in points(role, ROUTERS) if not p.split(".")[1].startswith(CHANGES[change].unreached)]
    if REPEATS or change == "put":
        return reached
    return [p for p in reached if p.split(".", 1)[1] in CROSSROADS]


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ["controller", "router", "main"])
def test_a_change_is_whole_or_not_at_all_whoever_dies(make_brood, tmp_path, role, change):
    scene = Scene(make_brood, tmp_path)
    scene.be("old")
    for name in {"old", CHANGES[change].begin, *CHANGES[change].ends}:
        scene.be(name)
        scene.check(name)
    scene.be("old")
    for point in cells(change, role):
        outcomes = [kill_at(scene, CHANGES[change], point) for _ in range(REPEATS or 1)]
        counts = {name: [o[0] for o in outcomes].count(name) for name in (CHANGES[change].begin, *CHANGES[change].ends)}
        print(f"{change:9} {point:29} {counts}, answered {sum(o[1] for o in outcomes)}, failed {sum(o[2] for o in outcomes)}")


def kill_at(scene, change, point):
    """One kill: which state was left, how many requests were answered, how many failed."""
    brood = scene.brood
    role = point.split(".")[0]
    scene.be(change.begin)
    file = brood.arm(point)
    with Load(scene.port, keepalive=KEEPALIVE, short=SHORT, host=scene.host) as load:
        clients = change.send(scene)
        wait_until(lambda: not file.exists(), what=f"{point}: the point")
        if role != "main":
            statuses = [client.result() for client in clients]
            wait_until(lambda: is_served(scene), what="the control socket")
    if role == "main":
        check_the_end(brood)
        statuses = [client.result() for client in clients]
        brood.start()
    end = scene.name()
    states = (change.begin, *change.ends)
    assert end in states, (point, end)
    assert role != "router" or statuses == [200] * len(statuses), (point, statuses)
    for place, status in enumerate(statuses, 1):
        assert status != 200 or states.index(end) >= place, (point, statuses, end)
    check_failures(load, role, point)
    scene.check(end)
    return end, load.answered, len(load.failures)


def is_served(scene):
    try:
        return scene.brood.get().status == 200
    except OSError:
        return False


def check_the_end(brood):
    """main is dead: with it all others end, and nobody listens."""
    brood.process.wait(10)
    wait_until(lambda: not brood.remains(), what=lambda: f"end of {brood.remains()}")


def check_failures(load, role, point):
    assert not load.hung, point
    if role == "controller":
        assert load.failures == [], point
    else:
        assert all(f.kind in BROKEN for f in load.failures), (point, load.failures[:10])
    if role == "router":
        assert len(load.failures) <= KEEPALIVE + SHORT, (point, load.failures)


def test_a_text_that_cannot_be_synced_is_refused(make_brood, tmp_path):
    scene = Scene(make_brood, tmp_path)
    scene.be("old")
    scene.brood.arm("main.save_written", "errno 5")
    answer = scene.brood.put("/config", scene.states["new"])
    assert answer.status == 500 and "Input/output error" in answer.json["detail"]
    scene.check("old")
    scene.be("new")
    scene.check("new")


def test_a_rename_that_cannot_be_synced_is_reported_and_the_change_is_live(make_brood, tmp_path):
    scene = Scene(make_brood, tmp_path)
    scene.be("old")
    scene.brood.arm("main.keep_renamed", "errno 5")
    answer = scene.brood.put("/config", scene.states["new"])
    assert answer.status == 500 and "is live, but cannot be kept" in answer.json["detail"]
    assert scene.name() == "new"
    scene.be("old")
    scene.check("old")
