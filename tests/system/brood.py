"""A brood daemon in a directory of its own, and the clients that tests talk to it with.

Waits are for events: wait_until polls a condition until it holds or its time is up.
"""

import http.client
import io
import json
import os
import re
import select
import signal as signals
import socket
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BROOD_BUILD", ROOT / "build" / "test"))
BINARY = Path(os.environ.get("BROOD_BIN", BUILD / "src" / "programs" / "brood"))
MODULES = os.environ.get("BROOD_MODULES")
APPS = Path(__file__).resolve().parent / "apps"
SYSTEM_PYTHON_HOME = "/usr"  # Debian's interpreter, which has the packaged frameworks
# Version managers put slow scripts before the interpreters in PATH: tests name the system's own.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEADLINE = float(os.environ.get("BROOD_TEST_DEADLINE", 20))


def wait_until(condition, deadline=DEADLINE, what="condition"):
    """The condition's first true value; AssertionError when it stays false.  what: its name, or a function
    that tells how things are then."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what() if callable(what) else what} did not hold within {deadline} s")
        time.sleep(0.01)


_next_port = None


def free_port():
    """A TCP port that nobody uses, from below the kernel's ephemeral range, this test worker's own share."""
    global _next_port
    if _next_port is None:
        worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "gw0")) or 0)
        _next_port = 20000 + worker * 1000 + os.getpid() % 400
    while True:
        _next_port += 1
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", _next_port))
            except OSError:
                continue
            return _next_port


class UnixHTTPConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=DEADLINE):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Answer:
    """Status, fields (lower-case names; repeated ones in `all`) and body of one response."""

    def __init__(self, response):
        self.status = response.status
        self.version = response.version
        self.reason = response.reason
        self.all = response.getheaders()
        self.fields = {k.lower(): v for k, v in self.all}
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r}>"


def processes():
    """pid -> (ppid, state, command line) of everything in /proc."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text()
            line = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        state, ppid = stat[stat.rindex(")") + 2:].split()[:2]
        found[int(entry)] = (int(ppid), state, line)
    return found


def is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


class Adopted:
    """What tests use of Popen, for a main that is no child of ours: one that an upgrade left."""

    def __init__(self, pid):
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.returncode = None

    def poll(self):
        if self.returncode is None and not is_alive(self.pid):
            self.returncode = -1  # nobody but its parent can know
        return self.returncode

    def wait(self, timeout=None):
        if not select.select([self.pidfd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        self.returncode = -1

    def kill(self):
        signals.pidfd_send_signal(self.pidfd, signals.SIGKILL)


class Brood:
    def __init__(self, directory, options=(), env=None, start=True):
        self.dir = Path(directory)
        self.options = list(options)
        self.prefix = []  # of the command: a program that starts it otherwise
        self.binary = BINARY
        self.modules = MODULES
        self.env = {**os.environ, "PATH": PATH, **(env or {})}
        self.control_path = self.dir / "control.sock"
        self.log_path = self.dir / "brood.log"
        self.pid_path = self.dir / "brood.pid"
        self.state_dir = self.dir / "state"
        self.tmp_dir = self.dir / "tmp"
        self.process = None
        self.output = None
        if start:
            self.start()

    # --- life ---

    def command(self):
        command = self.prefix + [
            str(self.binary), "--no-daemon",
            "--control", f"unix:{self.control_path}",
            "--pid", str(self.pid_path),
            "--log", str(self.log_path),
            "--statedir", str(self.state_dir),
            "--tmpdir", str(self.tmp_dir),
        ]
        if self.modules:
            command += ["--modulesdir", self.modules]
        return command + self.options

    def start(self):
        self.make_directories()
        self.output = open(self.dir / "output", "ab")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, cwd=self.dir, env=self.env)
        self.wait_ready()
        return self

    def make_directories(self):
        """Where routers, which run as nobody, keep large bodies."""
        self.tmp_dir.mkdir(exist_ok=True)
        os.chmod(self.tmp_dir, 0o1777)

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"brood exited with {self.process.returncode}:\n{self.log()}")
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(self.control_path))
                return True
            except OSError:
                return False

        wait_until(ready, what="control socket")

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signals.SIGTERM):
        """End it and check that nothing of it is left."""
        if self.process is None or self.process.poll() is not None:
            return
        family = self.family()
        self.signal(number)
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"brood did not end on signal {number}:\n{self.log()[-4000:]}")
        wait_until(lambda: not [p for p in family if is_alive(p)], what="end of all processes")

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self):
        parts = []
        for path in (self.dir / "output", self.log_path):
            if path.exists():
                parts.append(path.read_text(errors="replace"))
        return "".join(parts)

    # --- binary upgrade ---

    def named_pid(self):
        return int(self.pid_path.read_text() or 0)

    def upgrade(self, deadline=DEADLINE):
        """USR2, until the next main has taken over and the old one is gone; returns the new pid."""
        old = self.process
        self.signal(signals.SIGUSR2)
        wait_until(lambda: self.named_pid() != old.pid, deadline, lambda: f"a new main: {self.log()[-3000:]}")
        self.process = Adopted(self.named_pid())
        old.wait(deadline)
        return self.process.pid

    def upgrade_in_vain(self, deadline=DEADLINE):
        """USR2 to a program that cannot take over; returns the reason once the old main goes on."""
        told = self.log().count("the upgrade failed")
        self.signal(signals.SIGUSR2)
        wait_until(lambda: self.log().count("the upgrade failed") > told, deadline, "the failure")
        wait_until(lambda: self.log().rindex("controller started") > self.log().rindex("the upgrade failed"), deadline,
                   "the controller that goes on")
        return self.status("/upgrade")["reason"]

    # --- its processes ---

    def family(self):
        """pid -> command line of main and all below it."""
        table = processes()
        members = {self.pid}
        grown = True
        while grown:
            more = {p for p, (ppid, _, _) in table.items() if ppid in members} - members
            members |= more
            grown = bool(more)
        return {p: table[p][2] for p in members if p in table and table[p][1] not in "ZX"}

    def pids(self, title):
        """Those of the family whose title begins so: 'brood: router', 'brood: "app" application'."""
        return sorted(p for p, line in self.family().items() if line.startswith(title))

    def workers(self, app):
        return self.pids(f'brood: "{app}" application')

    def prototypes(self, app):
        return self.pids(f'brood: "{app}" prototype')

    def descriptors(self, kind=""):
        """Role title -> sorted numbers of open descriptors of its processes; kind: 'socket', …"""
        counts = {}
        for pid, line in self.family().items():
            title = re.match(r'brood: (main|controller|router|"[^"]*" \w+)', line)
            n = 0
            try:
                for fd in os.scandir(f"/proc/{pid}/fd"):
                    n += os.readlink(fd.path).startswith(kind)
            except OSError:
                continue
            counts.setdefault(title.group(1) if title else line, []).append(n)
        return {k: sorted(v) for k, v in counts.items()}

    def settled(self, app, routers, workers, listeners=1):
        """descriptors() once all processes of one application behind those listeners are there, and all
        lines between them, else None: a change is answered when the processes are ready, lines come a
        moment later."""
        sockets = {
            "main": [1 + routers + 1 + 1 + listeners],  # its children; for those that come: control socket, listeners
            "controller": [1 + routers + 1 + 1],  # main, routers, prototype, control socket
            "router": [2 + 1 + workers + listeners] * routers,  # main, controller, prototype, workers, listeners
            f'"{app}" prototype': [2 + routers + workers],  # main, controller, routers, workers
            f'"{app}" application': [1 + routers] * workers,  # prototype, routers
        }
        return self.descriptors() if self.descriptors("socket") == sockets else None

    def remains(self):
        """pids of all that still holds the log open, or is a main that has not opened it yet, whoever its parent is."""
        found = []
        for pid in processes():
            try:
                held = [os.readlink(fd.path) for fd in os.scandir(f"/proc/{pid}/fd")]
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if (str(self.log_path) in held or str(self.pid_path).encode() in words) and pid != os.getpid():
                found.append(pid)
        return found

    # --- injection points: src/base/inject.h ---

    def arm(self, point, what="kill"):
        """The next process of the daemon that comes to ROLE.NAME[.INDEX] does it; needs BROOD_INJECT in env."""
        path = Path(self.env["BROOD_INJECT"], point)
        path.with_name("arming").write_text(what)
        path.with_name("arming").rename(path)
        return path

    # --- control API ---

    def control(self, path, method="GET", body=None, timeout=DEADLINE):
        c = UnixHTTPConnection(self.control_path, timeout)
        try:
            if body is not None and not isinstance(body, (str, bytes)):
                body = json.dumps(body)
            c.request(method, path, body.encode() if isinstance(body, str) else body)
            return Answer(c.getresponse())
        finally:
            c.close()

    def get(self, path="/config"):
        return self.control(path)

    def put(self, path, body, timeout=DEADLINE):
        return self.control(path, "PUT", body, timeout)

    def configure(self, config, timeout=DEADLINE):
        answer = self.put("/config", config, timeout)
        assert answer.status == 200, f"{answer.text}\n{self.log()[-4000:]}"
        return answer

    def status(self, path=""):
        answer = self.control("/status" + path)
        assert answer.status == 200, answer.text
        return answer.json

    # --- ready-made configurations ---

    def serve(self, app, processes=1, **options):
        """Configure one application of tests/system/apps behind one listener; sets self.port."""
        self.port = free_port()
        self.configure({
            "listeners": {f"127.0.0.1:{self.port}": {"pass": f"applications/{app}"}},
            "applications": {app: python_app(app, processes=processes, **options)},
        })
        return self.port

    def fetch(self, path="/", method="GET", body=None, headers=None, port=None, timeout=DEADLINE, host="127.0.0.1"):
        c = http.client.HTTPConnection(host, port or self.port, timeout=timeout)
        try:
            c.request(method, path, body, headers or {})
            return Answer(c.getresponse())
        finally:
            c.close()

    def connect(self, port=None, timeout=DEADLINE):
        return Wire(("127.0.0.1", port or self.port), timeout)


class Client(threading.Thread):
    """One request to the control socket, sent when this returns, answered some time: result() is the status, or
    None when it was cut; then `answer`."""

    def __init__(self, brood, method, path, body=None, fields=None):
        super().__init__(daemon=True)
        self.connection = UnixHTTPConnection(brood.control_path, timeout=60)
        self.connection.request(method, path, json.dumps(body) if body is not None else None, fields or {})
        self.answer = None
        self.start()

    def run(self):
        try:
            self.answer = Answer(self.connection.getresponse())
        except OSError:
            pass
        self.connection.close()

    def result(self):
        self.join(60)
        assert not self.is_alive(), "the client waits for ever"
        return self.answer and self.answer.status


def python_app(module, processes=1, **options):
    return {"type": "python", "home": SYSTEM_PYTHON_HOME, "path": str(APPS), "module": module,
            "processes": processes, **options}


def escaped(name):
    return quote(name, safe="")


class Kept(io.BufferedReader):
    """A reader that http.client cannot close behind a finished answer."""

    def close(self):
        pass


class Wire:
    """A raw connection: send any bytes, read answers as they come."""

    def __init__(self, address, timeout=DEADLINE):
        self.sock = socket.create_connection(address, timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = Kept(socket.SocketIO(self.sock, "r"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def answer(self, method="GET"):
        response = http.client.HTTPResponse(self, method=method)
        response.begin()
        return Answer(response)

    def makefile(self, _mode):
        return self.file

    def rest(self):
        """All bytes until the peer closes."""
        data = b""
        try:
            while piece := self.file.read1(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data
