"""Configuration changes, restarts and recycling under load: no request fails."""

import os
import signal

import pytest

from brood import free_port, is_alive, python_app, wait_until
from load import Load

CHANGES = int(os.environ.get("BROOD_CHANGES", 60))


@pytest.mark.slow
@pytest.mark.parametrize("routers", [1, 2])
def test_changes_under_load_lose_nothing(make_brood, routers):
    """A listener added and removed, the application replaced, a broken one rejected, again and again."""
    brood = make_brood("--routers", str(routers))
    brood.serve("echo", processes=2)
    other = free_port()
    with Load(brood.port, keepalive=32, short=32) as load:
        for i in range(CHANGES):
            step = i % 4
            if step == 0:
                assert brood.put(f"/config/listeners/127.0.0.1:{other}", {"pass": "applications/echo"}).status == 200
                assert brood.fetch("/id?id=x", port=other).body == b"x"
            elif step == 1:
                assert brood.control(f"/config/listeners/127.0.0.1:{other}", "DELETE").status == 200
            elif step == 2:
                assert brood.put("/config/applications/echo/environment", {"CHANGE": str(i)}).status == 200
            else:
                assert brood.put("/config/applications/echo/module", '"broken"').status == 500
    assert not load.hung and not load.failures, load.failures[:10]
    assert load.answered > CHANGES
    wait_until(lambda: len(brood.workers("echo")) == 2 and len(brood.prototypes("echo")) == 1, what="end of old processes")


@pytest.mark.slow
def test_restarts_and_recycling_lose_nothing(brood):
    brood.serve("echo", processes=2, limits={"requests": 50})
    with Load(brood.port, keepalive=16, short=8) as load:
        for _ in range(15):
            assert brood.control("/control/applications/echo/restart").status == 200
    assert not load.hung and not load.failures, load.failures[:10]


@pytest.mark.slow
def test_restarts_and_recycling_leave_no_descriptors(make_brood):
    """Large bodies, so that the lines between workers and routers are used as well."""
    brood = make_brood("--routers", "2")
    brood.serve("echo", processes=2, limits={"requests": 5})
    before = wait_until(lambda: brood.settled("echo", 2, 2), what="all lines between processes")
    body = b"b" * 100000
    for i in range(20):
        assert brood.control("/control/applications/echo/restart").status == 200
        for _ in range(10):
            assert brood.fetch("/id?id=1", "POST", body).body == b"1"
    wait_until(lambda: brood.settled("echo", 2, 2) == before,
               what=lambda: f"descriptors as before ({before}, now {brood.descriptors()})")


def test_a_body_that_ends_after_its_prototype_is_served_by_the_next(brood):
    """A new controller does not know that a request still sends its body to the replaced prototype."""
    brood.serve("echo")
    with brood.connect() as wire:
        wire.send("POST /id?id=u HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
        wait_until(lambda: brood.status("/connections")["active"] == 1)
        old = brood.prototypes("echo")
        assert brood.control("/control/applications/echo/restart").status == 200
        os.kill(brood.pids("brood: controller")[0], signal.SIGKILL)
        wait_until(lambda: not any(is_alive(p) for p in old), what="end of the replaced prototype")
        assert wire.send("dy").answer().body == b"u"


@pytest.mark.slow
def test_a_removed_listener_loses_no_accepted_connection(brood):
    """Connections in the kernel's queue of a listener that is removed are still answered."""
    brood.serve("echo", processes=2)
    keep = brood.port
    for _ in range(20):
        other = free_port()
        assert brood.put(f"/config/listeners/127.0.0.1:{other}", {"pass": "applications/echo"}).status == 200
        wires = [brood.connect(other) for _ in range(20)]
        assert brood.control(f"/config/listeners/127.0.0.1:{other}", "DELETE").status == 200
        for wire in wires:
            wire.send("GET /id?id=q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for wire in wires:
            assert wire.answer().body == b"q"
            wire.close()
    assert brood.fetch("/id?id=1", port=keep).body == b"1"


@pytest.mark.slow
def test_graceful_stop_answers_what_is_under_way(brood):
    brood.serve("echo", processes=2)
    slow = [brood.connect().send("GET /sleep/1 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(4)]
    wait_until(lambda: brood.status("/applications/echo/requests")["active"] == 4)
    brood.signal(signal.SIGQUIT)
    for wire in slow:
        answer = wire.answer()
        assert answer.body == b"slept" and answer.fields["connection"] == "close"
    wait_until(lambda: brood.process.poll() is not None)
    assert brood.process.returncode == 0
