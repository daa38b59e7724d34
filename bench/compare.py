#!/usr/bin/env python3
"""Side by side: brood, nginx, uWSGI, gunicorn; whatever of them is installed.

    bench/compare.py [--brood BINARY] [--modules DIR] [--rounds N] [--seconds S] [SCENARIO ...]

Each scenario starts its contenders together and lets wrk load them in turn, round after round, so
that a change in the machine's speed meets all of them.  CPU is that of the contender's whole
process tree (/proc/PID/task/*/schedstat); system calls are counted by strace in a run of their own; the
figures printed are medians over the rounds and medians of the ratios to the first contender.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import http.client
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HELLO = '''def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]
'''


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat[stat.rindex(")") + 2:].split()[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        todo += children.get(p, [])
    return found


def cpu_ns(pid):
    total = 0
    for p in tree(pid):
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                total += int(Path(f"/proc/{p}/task/{task}/schedstat").read_text().split()[0])
        except OSError:
            pass
    return total


def pss_mb(pid):
    total = 0
    for p in tree(pid):
        try:
            for line in Path(f"/proc/{p}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


class Contender:
    def __init__(self, name, directory):
        self.name = name
        self.dir = Path(directory) / re.sub(r"\W+", "-", name)
        self.dir.mkdir()
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.process = None
        self.rows = []
        self.url_path = "/"
        self.syscalls = float("nan")
        self.idle_p50 = float("nan")

    def start(self, command, **kwargs):
        out = open(self.dir / "output", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                        cwd=self.dir, start_new_session=True, **kwargs)
        self.wait()

    def wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} exited:\n{(self.dir / 'output').read_text()}")
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                c.request("GET", self.url_path)
                answer = c.getresponse()
                answer.read()
                if answer.status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit(f"{self.name} does not answer:\n{(self.dir / 'output').read_text()}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{self.url_path}"

    def load(self, seconds, connections):
        before = cpu_ns(self.process.pid)
        run = wrk(self.url, seconds, connections)
        after = cpu_ns(self.process.pid)
        run["cpu_us"] = (after - before) / 1000 / max(run["requests"], 1)
        self.rows.append(run)

    def count_syscalls(self, connections):
        """System calls per request under load, whole tree; strace slows, so nothing else is read from this run."""
        pids = tree(self.process.pid)
        args = ["strace", "-f", "-c", "-U", "calls", "-o", str(self.dir / "strace")]
        for p in pids:
            args += ["-p", str(p)]
        tracer = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(0.7)
        run = wrk(self.url, 2, connections)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)
        total = 0
        for line in (self.dir / "strace").read_text().splitlines():
            m = re.match(r"\s*(\d+)\s*(?:total)?$", line)
            if m:
                total = int(m.group(1))
        self.syscalls = total / max(run["requests"], 1)

    def measure_idle(self, n=400):
        """Median time of one request at a time on one connection, 2 ms apart."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        times = []
        for _ in range(n):
            begin = time.perf_counter()
            try:
                c.request("GET", self.url_path)
                c.getresponse().read()
            except (http.client.RemoteDisconnected, ConnectionError):  # it closes after each answer
                c.close()
                begin = time.perf_counter()
                c.request("GET", self.url_path)
                c.getresponse().read()
            times.append(time.perf_counter() - begin)
            time.sleep(0.002)
        c.close()
        self.idle_p50 = statistics.median(times) * 1e6

    def median(self, key):
        return statistics.median(r[key] for r in self.rows)


LUA = '''done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout))
end
'''


def wrk(url, seconds, connections):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as f:
        f.write(LUA)
        f.flush()
        out = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", f.name,
             "-H", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench", "-H", "Accept: text/html,*/*;q=0.8",
             "-H", "Accept-Language: en-US,en;q=0.5", "-H", "Accept-Encoding: gzip, deflate, br",
             "-H", "Cookie: session=0123456789abcdef", url],
            check=True, capture_output=True, text=True).stdout
    requests, duration, p50, p99, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", out).groups())
    return {"requests": requests, "rps": requests / (duration / 1e6), "p50": p50, "p99": p99, "errors": errors}


# --- contenders ---


def nginx(directory, location, name="nginx", http_extra=""):
    c = Contender(name, directory)
    (c.dir / "nginx.conf").write_text(f"""
worker_processes 2;
daemon off;
pid {c.dir}/nginx.pid;
error_log {c.dir}/error.log;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types;
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  client_body_temp_path {c.dir}/t1; proxy_temp_path {c.dir}/t2; fastcgi_temp_path {c.dir}/t3;
  uwsgi_temp_path {c.dir}/t4; scgi_temp_path {c.dir}/t5;
  {http_extra}
  server {{ listen 127.0.0.1:{c.port}; {location} }}
}}
""")
    return c, [shutil.which("nginx"), "-c", str(c.dir / "nginx.conf"), "-p", str(c.dir)]


def brood(directory, args, config):
    c = Contender("brood", directory)
    config = json.loads(json.dumps(config).replace("PORT", str(c.port)))
    command = [args.brood, "--no-daemon", "--control", f"unix:{c.dir}/control.sock", "--pid", f"{c.dir}/pid",
               "--log", f"{c.dir}/log", "--statedir", f"{c.dir}/state", "--tmpdir", str(c.dir)]
    if args.modules:
        command += ["--modulesdir", args.modules]
    (c.dir / "conf.json").write_text(json.dumps(config))
    command += ["--config", f"{c.dir}/conf.json"]
    return c, command


def uwsgi(directory, name, options):
    c = Contender(name, directory)
    return c, ["uwsgi", "--plugins", "http,python3", "--master", "--processes", "2", "--disable-logging", "--wsgi-file", f"{directory}/hello.py",
               *[o.replace("PORT", str(c.port)) for o in options]]


def gunicorn(directory, name, options):
    c = Contender(name, directory)
    return c, ["gunicorn", "-w", "2", "-b", f"127.0.0.1:{c.port}", "--chdir", str(directory), *options, "hello:application"]


def scenario(name, args, directory):
    have = lambda program: shutil.which(program) is not None
    found = []
    www = Path(directory) / "www"
    www.mkdir(exist_ok=True)
    for path, n in (("1k.txt", 1024), ("100k.bin", 102400)):
        (www / path).write_bytes(b"x" * n)
        os.utime(www / path, (time.time() - 3600,) * 2)
    (Path(directory) / "hello.py").write_text(HELLO)
    if name == "return":
        found.append(brood(directory, args, {"listeners": {"127.0.0.1:PORT": {"pass": "routes"}}, "routes": [{"action": {"return": 200}}]}))
        if have("nginx"):
            found.append(nginx(directory, "location / { return 200; }"))
    elif name in ("static1k", "static100k"):
        path = "/1k.txt" if name == "static1k" else "/100k.bin"
        found.append(brood(directory, args, {"listeners": {"127.0.0.1:PORT": {"pass": "routes"}},
                                             "routes": [{"action": {"share": f"{www}$uri"}}]}))
        if have("nginx"):
            found.append(nginx(directory, f"root {www};"))
            found.append(nginx(directory, f"root {www};", "nginx open_file_cache", "open_file_cache max=100;"))
        for c, _ in found:
            c.url_path = path
    elif name == "wsgi":
        found.append(brood(directory, args, {
            "listeners": {"127.0.0.1:PORT": {"pass": "applications/hello"}},
            "applications": {"hello": {"type": "python", "home": "/usr", "path": str(directory), "module": "hello", "processes": 2}}}))
        if have("nginx"):
            found.append(nginx(directory, "location / { return 200; }", "nginx return 200"))
        if have("uwsgi"):
            found.append(uwsgi(directory, "uwsgi http keepalive", ["--http", "127.0.0.1:PORT", "--http-keepalive", "--so-keepalive", "--add-header", "Connection: Keep-Alive"]))
            found.append(uwsgi(directory, "uwsgi http-socket", ["--http-socket", "127.0.0.1:PORT"]))
        if have("gunicorn"):
            found.append(gunicorn(directory, "gunicorn gthread", ["-k", "gthread", "--threads", "8"]))
            found.append(gunicorn(directory, "gunicorn sync", []))
    else:
        raise SystemExit(f"no scenario {name}: return, static1k, static100k, wsgi")
    return found


def run(name, args):
    with tempfile.TemporaryDirectory(prefix="brood-bench-") as directory:
        os.chmod(directory, 0o755)
        found = scenario(name, args, directory)
        contenders = [c for c, _ in found]
        try:
            for c, command in found:
                c.start(command)
            for c in contenders:
                wrk(c.url, 1, args.connections)
            for _ in range(args.rounds):
                for c in contenders:
                    c.load(args.seconds, args.connections)
            for c in contenders:
                c.measure_idle()
                c.pss = pss_mb(c.process.pid)
                if not args.no_strace and shutil.which("strace"):
                    c.count_syscalls(args.connections)
            report(name, contenders, args)
        finally:
            for c in contenders:
                c.stop()


def report(name, contenders, args):
    first = contenders[0]
    print(f"\n## {name}: {args.connections} keep-alive connections, {args.rounds} rounds of {args.seconds} s, medians\n")
    print(f"| {'contender':22} |   req/s | x brood's | CPU us/req | brood's / this | p50 us | p99 us | idle p50 us | syscalls/req | PSS MB | errors |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for c in contenders:
        speed = statistics.median(a["rps"] / b["rps"] for a, b in zip(c.rows, first.rows))
        cpu = statistics.median(b["cpu_us"] / a["cpu_us"] for a, b in zip(c.rows, first.rows))
        print(f"| {c.name:22} | {c.median('rps'):7.0f} | {speed:9.2f} | {c.median('cpu_us'):10.2f} | {cpu:14.2f} | {c.median('p50'):6.0f} "
              f"| {c.median('p99'):6.0f} | {c.idle_p50:11.0f} | {c.syscalls:12.2f} | {c.pss:6.1f} | {sum(r['errors'] for r in c.rows)} |")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brood", default=str(ROOT / "build/release/src/programs/brood"))
    parser.add_argument("--modules")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--no-strace", action="store_true")
    parser.add_argument("scenarios", nargs="*", default=["return", "static1k", "static100k", "wsgi"])
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed")
    for name in args.scenarios:
        run(name, args)


if __name__ == "__main__":
    main()
