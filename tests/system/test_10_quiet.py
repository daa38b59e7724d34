"""What idleness costs, what a fork costs, and what stays shared."""

import os
import resource
import socket
import time

import pytest

from brood import free_port, wait_until


def field(pid, file, name):
    for line in open(f"/proc/{pid}/{file}"):
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


def test_an_idle_daemon_makes_no_wakeups(brood):
    brood.serve("echo", processes=2)
    brood.fetch("/id?id=1")
    seconds = float(os.environ.get("BROOD_IDLE_SECONDS", 5))

    def switches():
        return {pid: field(pid, "status", "voluntary_ctxt_switches") for pid in brood.family()}

    def quiet():
        first = switches()
        time.sleep(2.5)  # longer than the looks that follow a start
        return switches() == first

    wait_until(quiet, what="first quiet seconds")
    first = switches()
    time.sleep(seconds)
    assert switches() == first


@pytest.mark.slow
def test_ten_thousand_idle_connections(brood):
    count = 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        count = hard - 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 500, hard))
    brood.stop()
    brood.start()
    brood.port = free_port()
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "routes"}}, "routes": [{"action": {"return": 200}}]})
    routers = brood.pids("brood: router")
    memory = lambda: sum(field(p, "smaps_rollup", "Pss") for p in routers)
    before = memory()
    wires = []
    request = b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: idle\r\n\r\n"
    for i in range(count):
        s = socket.create_connection(("127.0.0.1", brood.port))
        s.sendall(request)
        wires.append(s)
        if len(wires) % 500 == 0:
            for w in wires[-500:]:
                assert w.recv(1000).startswith(b"HTTP/1.1 200")
    wait_until(lambda: brood.status("/connections")["idle"] == count)
    grown = memory() - before
    print(f"{count} idle connections: {grown} KiB in the routers")
    assert grown * 10000 / count <= 30 * 1024 * (20 if "asan" in os.environ.get("BROOD_FLAVOUR", "") else 1)
    for s in wires:
        s.close()
    wait_until(lambda: brood.status("/connections")["idle"] == 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


PRELOADED = '''
import os, time
data = [{"n": i, "text": "x" * 20 + str(i)} for i in range(int(os.environ["OBJECTS"]))]

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
    return [str(len(data)).encode()]
'''


def serve_preloaded(brood, objects, **options):
    (brood.dir / "preloaded.py").write_text(PRELOADED)
    brood.serve("echo")
    from brood import python_app
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "applications/preloaded"}},
                     "applications": {"preloaded": {**python_app("preloaded", **options), "path": str(brood.dir), "environment": {"OBJECTS": str(objects)}}}},
                    timeout=60)


@pytest.mark.slow
def test_a_worker_of_a_large_application_is_forked_not_loaded(brood):
    """250 MB of preloaded data: a new worker takes a small part of the time that loading took."""
    began = time.monotonic()
    serve_preloaded(brood, 800000, processes=1)
    loading_ms = (time.monotonic() - began) * 1000
    prototype = brood.prototypes("preloaded")[0]
    assert field(prototype, "smaps_rollup", "Rss") > 200 * 1024
    times = []
    for _ in range(7):
        old = brood.workers("preloaded")[0]
        os.kill(old, 9)
        times.append(wait_until(lambda: start_ms_of_another(brood, old)))
    print(f"fork to READY: {sorted(times)} ms; loading: {loading_ms:.0f} ms")
    assert sorted(times)[len(times) // 2] * 10 < loading_ms


def start_ms_of_another(brood, old):
    workers = brood.status("/applications/preloaded")["workers"]
    return workers[0]["start_ms"] if workers and workers[0]["pid"] != old and workers[0]["state"] != "starting" else None


@pytest.mark.slow
def test_workers_share_what_was_preloaded(brood):
    serve_preloaded(brood, 160000, processes=4)
    import http.client
    served = 0
    target = int(os.environ.get("BROOD_SHARE_REQUESTS", 10000))
    connections = [http.client.HTTPConnection("127.0.0.1", brood.port) for _ in range(8)]
    while served < target:
        for c in connections:
            c.request("GET", "/")
        for c in connections:
            assert c.getresponse().read() == b"160000"
        served += len(connections)
    workers = brood.status("/applications/preloaded")["workers"]
    private = sum(w["memory"]["private"] for w in workers)
    print(f"4 workers after {served} requests: {private / 1e6:.1f} MB private in all; {workers}")
    assert private <= 20e6
