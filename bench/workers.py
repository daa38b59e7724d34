#!/usr/bin/env python3
"""What forking from a warm prototype costs and keeps: start of a worker, memory of its own.

    BROOD_BUILD=build/release bench/workers.py

Prints the time from fork to READY of a worker of an application with 250 MB of preloaded data, and the
private memory of four workers of one with 50 MB after 10,000 requests each, as /status tells them.
"""

import http.client
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("BROOD_BUILD", str(ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "tests" / "system"))
from brood import Brood, python_app, wait_until  # noqa: E402

PRELOADED = '''
data = [{"n": i, "text": "x" * 20 + str(i)} for i in range(OBJECTS)]

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(data)).encode()]
'''


def serve(brood, objects, processes):
    name = f"preloaded{objects}"
    (brood.dir / f"{name}.py").write_text(PRELOADED.replace("OBJECTS", str(objects)))
    brood.serve("echo")
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "applications/data"}},
                     "applications": {"data": {**python_app(name, processes=processes), "path": str(brood.dir)}}}, timeout=120)


def workers(brood):
    return brood.status("/applications/data")["workers"]


def resident_mb(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Rss:"):
            return int(line.split()[1]) / 1024


def measure_start(brood, times=15):
    serve(brood, 800000, 1)
    started = []
    for _ in range(times):
        old = brood.workers("data")
        os.kill(old[0], 9)
        wait_until(lambda: brood.workers("data") not in ([], old))
        time.sleep(0.1)  # /status makes the prototype read the sizes of 250 MB: not while it starts a worker
        started.append(workers(brood)[0]["start_ms"])
    size = resident_mb(brood.prototypes("data")[0])
    print(f"fork to READY, prototype of {size:.0f} MB: median {statistics.median(started)} ms, all {sorted(started)}")


def measure_sharing(brood, each=10000):
    serve(brood, 160000, 4)
    size = resident_mb(brood.prototypes("data")[0])
    connections = [http.client.HTTPConnection("127.0.0.1", brood.port) for _ in range(16)]
    while min(w["requests"] for w in workers(brood)) < each:
        for _ in range(200):
            for c in connections:
                c.request("GET", "/")
            for c in connections:
                c.getresponse().read()
    private = [w["memory"]["private"] / 1e6 for w in workers(brood)]
    served = [w["requests"] for w in workers(brood)]
    print(f"4 workers of a prototype of {size:.0f} MB after {served} requests: "
          f"{sum(private):.1f} MB private in all ({', '.join(f'{p:.1f}' for p in private)})")


def main():
    with tempfile.TemporaryDirectory(prefix="brood-bench-") as directory:
        os.chmod(directory, 0o755)
        brood = Brood(directory, start=False)
        brood.make_directories()
        brood.start()
        try:
            measure_start(brood)
            measure_sharing(brood)
        finally:
            brood.stop()


if __name__ == "__main__":
    main()
