"""kill -9 of every role at the moments of its life: while it starts, with requests in hand, while it leaves.

A cell is a point (the LIFE rows of src/base/inject.def), what makes a process come past it, and how many
requests that may cost.  Clients with and without keep-alive send POSTs all the time, small and large, and the
application notes each one that it carries out.  After each kill: everybody is there again, with the descriptors
from before; nothing is left over; every client got a whole answer, an error, or a connection that was cut in a
way that it can see; no POST was carried out twice.

test_21_kill_matrix.py kills at the steps of a change.  BROOD_KILL_REPEATS=20 is the long form.
"""

import collections
import http.client
import os
import signal
import socket
import threading
import time

import pytest

import brood as brood_module
from brood import Adopted, Client, is_alive, python_app, wait_until
from injection import LIVES, injection, needs_points
from load import Failure, Idle, read_answer

REPEATS = int(os.environ.get("BROOD_KILL_REPEATS", 1))
ROUTERS, WORKERS, CLIENTS = 2, 2, 3
BROKEN = ("Truncated", "ConnectionResetError", "BrokenPipeError", "ConnectionRefusedError", "ValueError")

pytestmark = needs_points


def modules_with_points():
    """Those of the build itself, or those that tools/test built for this: a release's have no points."""
    return os.environ.get("BROOD_POINTED_MODULES") or brood_module.MODULES


class Posts:
    """Clients: each POST has an id of its own, and its answer must be that id and the dots that were asked for."""

    def __init__(self, scene):
        self.address = (scene.host, scene.port)
        self.ended = collections.Counter()  # id -> 1: answered
        self.failures = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(CLIENTS)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join(40)
        self.hung = [t for t in self.threads if t.is_alive()]

    @property
    def answered(self):
        return len(self.ended)

    def client(self, number):
        sock, count = None, 0
        while not self.over.is_set():
            count += 1
            ident, dots, size = f"{id(self):x}-{number}-{count}", (0, 60000)[count % 2], (0, 40000)[count // 2 % 2]
            began = time.monotonic()
            try:
                if sock is None:
                    sock = socket.create_connection(self.address, 30)
                    reader = sock.makefile("rb")
                keep = number > 0
                sock.sendall(f"POST /?id={ident}&dots={dots} HTTP/1.1\r\nHost: posts\r\nContent-Length: {size}\r\n"
                             f"{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n".encode() + b"b" * size)
                status, fields, body = read_answer(reader)
                if status != 200:
                    self.fail(began, f"status {status}", ident)
                elif body != ident.encode() + b"." * dots:
                    self.fail(began, "wrong answer", (ident, len(body)))
                else:
                    self.ended[ident] += 1
                again = not keep or fields.get("connection") == "close"
            except Idle:
                again = True  # closed in an orderly way: not even begun, or a failure that the ledger tells of
            except (OSError, ValueError, http.client.HTTPException) as e:
                self.fail(began, type(e).__name__, (ident, str(e)))
                again = True
                time.sleep(0.01)
            if again and sock is not None:
                reader.close()
                sock.close()
                sock = None

    def fail(self, began, kind, detail):
        self.failures.append(Failure(began, time.monotonic(), kind, detail))


class Scene:
    def __init__(self, make_brood, tmp_path):
        ledger = tmp_path / "ledger"
        ledger.touch()
        ledger.chmod(0o666)
        self.ledger = ledger
        self.brood = make_brood("--routers", str(ROUTERS), env=injection(tmp_path / "inject"), start=False)
        self.brood.modules = modules_with_points()
        self.brood.start()
        # An address of its own: nobody takes a port while the daemon is dead.
        self.host, self.port = f"127.2.{os.getpid() >> 8 & 255}.{os.getpid() & 255}", 8001
        self.files = 1000
        self.brood.configure({
            "listeners": {f"{self.host}:{self.port}": {"pass": "applications/ledger"}},
            "applications": {"ledger": python_app("ledger", processes=WORKERS, environment={"LEDGER": str(ledger)})},
        })
        self.descriptors = wait_until(self.settled, what="all processes and lines")

    def settled(self):
        return self.brood.settled("ledger", ROUTERS, WORKERS)

    def check(self, posts):
        """Everything is as before, and the clients' answers and the ledger tell the same."""
        brood = self.brood
        wait_until(lambda: answers(brood), deadline=30, what="the control socket")
        wait_until(lambda: self.settled() == self.descriptors, deadline=30,
                   what=lambda: f"processes and descriptors as before ({self.descriptors}, now {brood.descriptors()})")
        assert brood.fetch("/?id=last", port=self.port, host=self.host).text == "last"
        assert sorted(brood.remains()) == sorted(brood.family()), "nobody else has the log"
        assert list(brood.tmp_dir.iterdir()) == []
        assert sorted(p.name for p in brood.state_dir.iterdir()) == ["conf.json", "history", "version"]
        assert os.listdir(brood.env["BROOD_INJECT"]) == []
        wait_until(lambda: brood.status("/applications/ledger/requests")["active"] == 0, what="no request under way")
        assert not posts.hung
        done = collections.Counter(line.split()[0] for line in self.ledger.read_text().splitlines())
        assert [i for i, n in done.items() if n > 1 and i != "last"] == [], "carried out twice"
        assert [i for i in posts.ended if done[i] != 1] == [], "answered, and not carried out"
        self.ledger.write_text("")


def answers(brood):
    try:
        return brood.control("/config", timeout=5).status == 200
    except OSError:
        return False


# --- what makes a process come past a point ---

def requests(scene):
    """The clients' own are enough."""


def restart(scene):
    return Client(scene.brood, "GET", "/control/applications/ledger/restart")


def kill_worker(scene):
    os.kill(scene.brood.workers("ledger")[0], signal.SIGKILL)


def kill_prototype(scene):
    os.kill(scene.brood.prototypes("ledger")[0], signal.SIGKILL)


def kill_router(scene):
    os.kill(scene.brood.pids("brood: router")[0], signal.SIGKILL)


def other_routers(scene):
    scene.files += 1
    return Client(scene.brood, "PUT", "/config/settings", {"router": {"rlimit_nofile": scene.files}})


# What the action costs by itself: what its victim held, at most.
COSTS = {requests: 0, restart: 0, kill_worker: 1, kill_prototype: WORKERS, kill_router: CLIENTS, other_routers: 0}

# point -> what reaches it, and what the victim of the kill may hold there
CELLS = {
    "worker.born": ((restart, kill_worker), 0),
    "worker.opened": ((restart, kill_worker), 0),
    "worker.serves": ((restart, kill_worker), 1),
    "worker.claimed": ((requests,), 0),  # sent again to the other one
    "worker.entered": ((requests,), 1),
    "worker.body": ((requests,), 1),
    "worker.chunk": ((requests,), 1),
    "worker.head_sent": ((requests,), 1),
    "worker.answering": ((requests,), 1),
    "worker.answered": ((requests,), 0),
    "worker.drains": ((restart,), 1),
    "worker.leaves": ((restart,), 0),
    "worker.left": ((restart,), 0),
    "prototype.born": ((restart, kill_prototype), 0),
    "prototype.settled": ((restart, kill_prototype), 0),
    "prototype.loaded": ((restart, kill_prototype), 0),
    "prototype.forked": ((restart, kill_worker), WORKERS),
    "prototype.ready": ((restart, kill_prototype), WORKERS),
    "prototype.ready_told": ((restart, kill_prototype), WORKERS),
    "prototype.met": ((kill_router,), WORKERS),
    "prototype.bereaved": ((kill_worker,), WORKERS),
    "prototype.drains": ((restart,), WORKERS),
    "router.asked": ((requests,), CLIENTS),
    "router.queued": ((requests,), CLIENTS),
    "router.body_sent": ((requests,), CLIENTS),
    "router.replying": ((requests,), CLIENTS),
    "router.drains": ((other_routers,), CLIENTS),
    "router.nest_open": ((restart, kill_prototype), CLIENTS),
}


@pytest.fixture
def scene(make_brood, tmp_path):
    return Scene(make_brood, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["worker", "prototype", "router"])
def test_who_serves_is_killed(scene, role):
    for point, (actions, held) in CELLS.items():
        if not point.startswith(role + "."):
            continue
        for action in actions:
            outcomes = [kill_one(scene, point, action, held) for _ in range(REPEATS)]
            report(point, action.__name__, outcomes)


def report(point, how, outcomes):
    print(f"{point:24} {how:16} {len(outcomes)} kills, answered {sum(a for a, _ in outcomes)}, failed {sum(f for _, f in outcomes)}", flush=True)


def kill_one(scene, point, action, held):
    with Posts(scene) as posts:
        wait_until(lambda: posts.answered >= CLIENTS, what="first answers")
        file = scene.brood.arm(point)
        asked = action(scene)
        wait_until(lambda: not file.exists(), what=lambda: f"{point}: the point; {scene.brood.log()[-2000:]}")
        # An application that dies before it was ever ready is not taken; the one from before serves on.
        assert asked is None or asked.result() in (200, 500), (point, asked.answer)
        before = posts.answered
        wait_until(lambda: posts.answered >= before + CLIENTS, what="answers behind the kill")
    check_failures(posts, point, COSTS[action] + held)
    scene.check(posts)
    return posts.answered, len(posts.failures)


def check_failures(posts, point, most):
    assert all(f.kind in BROKEN or f.kind == "status 503" for f in posts.failures), (point, posts.failures[:10])
    assert len(posts.failures) <= most, (point, posts.failures[:10])


# --- main: its end is everybody's, and it can be started again ---

def quit(scene):
    scene.brood.signal(signal.SIGQUIT)


def term(scene):
    scene.brood.signal(signal.SIGTERM)


def upgrade(scene):
    scene.brood.signal(signal.SIGUSR2)


MAIN = {
    "main.fork": kill_router,
    "main.forked": kill_router,
    "main.introduce": kill_router,
    "main.introduced_one": kill_router,
    "main.quit_asked": quit,
    "main.quit_told": quit,
    "main.term_told": term,
    "main.upgrade_asked": upgrade,
    "main.upgrade_paused": upgrade,
    "main.upgrade_started": upgrade,
    "main.upgrade_proved": upgrade,
}


@pytest.mark.slow
def test_main_is_killed(scene):
    for point, action in MAIN.items():
        report(point, action.__name__, [kill_main(scene, point, action) for _ in range(REPEATS)])


def kill_main(scene, point, action):
    brood, old = scene.brood, scene.brood.process
    with Posts(scene) as posts:
        wait_until(lambda: posts.answered >= CLIENTS, what="first answers")
        file = brood.arm(point)
        action(scene)
        old.wait(20)
        assert not file.exists(), point
        # In an upgrade the next main may have proved itself already; else nobody is left.
        wait_until(lambda: not brood.remains() or new_main(brood, old), deadline=30, what=lambda: f"the end of {brood.remains()}, or a main")
    assert not posts.hung, point
    assert all(f.kind in BROKEN or f.kind == "status 503" for f in posts.failures), (point, posts.failures[:10])
    if new_main(brood, old):
        brood.process = Adopted(brood.named_pid())
    else:
        assert point != "main.upgrade_proved", "the next one was main already"
        brood.start()
    scene.check(posts)
    return posts.answered, len(posts.failures)


def new_main(brood, old):
    """The next main has taken over and serves."""
    try:
        pid = brood.named_pid()
    except (OSError, ValueError):
        return False
    return pid not in (0, old.pid) and is_alive(pid) and answers(brood)


# --- an upgrade whose next main, or one of its processes, is killed: the old one serves on, or the new one does ---

UPGRADE = {  # what it may cost
    "discovery.begun": 0, "discovery.told": 0, "heir.adopted": 0, "heir.proving": 0, "heir.proved": 0,
    "heir.claimed": 0, "heir.serves": CLIENTS, "controller.leave_asked": 0, "controller.prove_asked": 0,
}


@pytest.mark.slow
def test_the_next_main_is_killed(scene):
    for point, cost in UPGRADE.items():
        report(point, "upgrade", [kill_heir(scene, point, cost) for _ in range(REPEATS)])


def kill_heir(scene, point, cost):
    brood, old = scene.brood, scene.brood.process
    failed = brood.log().count("the upgrade failed")
    with Posts(scene) as posts:
        wait_until(lambda: posts.answered >= CLIENTS, what="first answers")
        file = brood.arm(point)
        upgrade(scene)
        wait_until(lambda: not file.exists(), what=f"{point}: the point")
        wait_until(lambda: brood.log().count("the upgrade failed") > failed or new_main(brood, old), deadline=30, what="the end of the upgrade")
        if brood.log().count("the upgrade failed") == failed:
            old.wait(30)
            brood.process = Adopted(brood.named_pid())
        wait_until(lambda: answers(brood), what="the controller")
    assert point.split(".")[0] == "controller" or brood.process is old, "a dead main is none"
    assert brood.named_pid() == brood.pid
    check_failures(posts, point, cost)
    scene.check(posts)
    return posts.answered, len(posts.failures)


def test_a_start_whose_discovery_is_killed_is_none(make_brood, tmp_path):
    brood = make_brood(env=injection(tmp_path / "inject"), start=False)
    for point in ("discovery.begun", "discovery.told"):
        brood.arm(point)
        with pytest.raises(AssertionError, match="exited with 1"):
            brood.start()
        assert "discovery ended without a report" in brood.log()
        assert not brood.remains() and not brood.control_path.exists()
    brood.start()
    assert brood.get().status == 200


def test_every_point_has_its_cell():
    assert set(LIVES) == {*CELLS, *MAIN, *UPGRADE}
