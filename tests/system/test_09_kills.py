"""kill -9 of any process under load: nothing hangs, nothing is lost but what the victim held."""

import os
import random
import signal
import time

import pytest

from brood import wait_until
from load import Load

SECONDS = float(os.environ.get("BROOD_KILL_SECONDS", 10))
EVERY = 0.2

VICTIMS = {"worker": 'brood: "echo" application', "prototype": 'brood: "echo" prototype', "router": "brood: router", "controller": "brood: controller"}


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [("worker",), ("controller",), ("prototype",), ("router",), tuple(VICTIMS)], ids=lambda k: "+".join(k))
def test_kills_of(make_brood, kinds):
    brood = make_brood("--routers", "2")
    brood.serve("echo", processes=2)
    before = wait_until(lambda: brood.settled("echo", 2, 2), what="all lines between processes")
    rng = random.Random(1)
    kills = []
    with Load(brood.port, keepalive=32, timeout=30) as load:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            kind = rng.choice(kinds)
            pids = brood.pids(VICTIMS[kind])
            if pids:
                try:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    kills.append((time.monotonic(), kind))
                except ProcessLookupError:
                    pass
            time.sleep(EVERY)
    assert len(kills) >= 5  # back-off keeps what dies young away for longer and longer
    assert not load.hung
    assert not [f for f in load.failures if f.kind == "wrong answer"]  # no kill explains that
    for failure in load.failures:
        assert explained(failure, kills), (failure, kills[-20:])
    limit = sum({"router": 32, "prototype": 0, "worker": 0, "controller": 0}[kind] for _, kind in kills)
    assert len(load.failures) <= limit, load.failures[:10]
    assert load.answered > 100
    print(f"{len(kills)} kills, {load.answered} answered, {len(load.failures)} failed, slowest {max(load.times):.3f} s")
    assert brood.fetch("/id?id=1").body == b"1"
    wait_until(lambda: brood.settled("echo", 2, 2) == before, deadline=30,
               what=lambda: f"processes and descriptors as before ({before}, now {brood.descriptors()})")
    assert brood.status()["connections"]["active"] == 0


def explained(failure, kills):
    """A broken connection needs a router's death while it was in use; a 503 that of the application."""
    for when, kind in kills:
        if failure.began - 0.1 <= when <= failure.ended + 0.1:
            if kind == "router" and (not failure.kind.startswith("status") or failure.kind == "status 503"):
                return True
            if kind in ("worker", "prototype") and failure.kind == "status 503":
                return True
    return False


def test_a_dead_controller_is_replaced_and_nothing_else_is(brood):
    brood.serve("echo", processes=2)
    assert brood.put("/config/applications/echo/environment", {"A": "1"}).status == 200
    wait_until(lambda: len(brood.prototypes("echo")) == 1 and len(brood.workers("echo")) == 2)
    config = brood.get().json
    kept = {title: brood.pids(title) for title in ("brood: router", VICTIMS["prototype"], VICTIMS["worker"])}
    for _ in range(3):
        controller = brood.pids("brood: controller")[0]
        os.kill(controller, signal.SIGKILL)
        wait_until(lambda: brood.pids("brood: controller") not in ([], [controller]))
        wait_until(lambda: answers(brood))
        assert brood.get().json == config
    assert {title: brood.pids(title) for title in kept} == kept
    assert brood.put("/config/applications/echo/environment", {"A": "2"}).status == 200
    assert brood.fetch("/id?id=1").body == b"1"


def answers(brood):
    """The new controller serves the control socket that main kept; before that a connection just waits."""
    try:
        return brood.get().status == 200
    except OSError:
        return False
