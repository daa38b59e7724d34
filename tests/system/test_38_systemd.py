"""Under a service manager: sd_notify, the watchdog, socket activation, and the unit files.

The manager is a datagram socket and a program that passes sockets on as sd_listen_fds(3) says, so that
what it is told can be looked at; what systemd thinks of the unit files its own tool says.
"""

import json
import os
import re
import shutil
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from brood import BINARY, BUILD, DEADLINE, Answer, UnixHTTPConnection, free_port, wait_until

ENVIRONMENT = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
NOTHING = {"listeners": {}, "routes": [], "applications": {}}


class Manager:
    """Receives what sd_notify(3) sends, with the process id of the sender."""

    def __init__(self, directory, abstract=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.name = f"@brood-test-{os.getpid()}-{directory.name}" if abstract else str(directory / "notify")
        self.socket.bind(self.name.replace("@", "\0", 1) if abstract else self.name)
        self.said = []  # (pid, {name: value})

    def listen(self, seconds):
        """The next message, or None when that time is over."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        data, control, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(12))
        pid = struct.unpack("iII", control[0][2])[0]
        message = pid, dict(line.split("=", 1) for line in data.decode().splitlines())
        self.said.append(message)
        return message

    def hear(self, name, value=None, seconds=DEADLINE):
        """The next message that has this; what comes before it is in `said`."""
        end = time.monotonic() + seconds
        while True:
            message = self.listen(max(0, end - time.monotonic()))
            assert message is not None, f"{name}={value or '…'} was not said, but {self.said}"
            if name in message[1] and value in (None, message[1][name]):
                return message

    def drain(self):
        while self.listen(0):
            pass
        self.said.clear()


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path)


def managed(make_brood, manager, *options, **env):
    brood = make_brood(*options, env={"NOTIFY_SOCKET": manager.name, **env}, start=False)
    return brood


def write_config(brood, text="ok"):
    brood.port = getattr(brood, "port", None) or free_port()
    path = brood.dir / "config.json"
    path.write_text(json.dumps({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "routes"}}, "routes": [{"action": {"return": 200, "location": text}}]}))
    return path


# --- sd_notify ---

@pytest.mark.parametrize("abstract", [False, True])
def test_ready_when_it_serves_and_stopping_when_it_ends(make_brood, tmp_path, abstract):
    manager = Manager(tmp_path, abstract)
    brood = managed(make_brood, manager)
    path = write_config(brood)
    brood.options += ["--config", str(path)]
    brood.start()
    pid, words = manager.hear("READY")
    assert (pid, words) == (brood.pid, {"READY": "1", "STATUS": "Serving"})
    assert len(manager.said) == 1
    assert brood.fetch().status == 200
    brood.signal(signal.SIGQUIT)
    _, words = manager.hear("STOPPING")
    assert words["STATUS"] == "Draining" and int(words["EXTEND_TIMEOUT_USEC"]) > 30e6
    brood.process.wait(DEADLINE)


def test_nothing_is_said_of_a_start_that_fails_but_why_it_ends(make_brood, manager):
    brood = managed(make_brood, manager, "--modulesdir", "/nonexistent")
    (brood.dir / "config.json").write_text("{")
    brood.options += ["--control", f"unix:{brood.dir}/missing/{'x' * 90}"]
    with pytest.raises(AssertionError):
        brood.start()
    assert brood.process.wait(DEADLINE) == 1
    while manager.listen(0):
        pass
    assert not [words for _, words in manager.said if "READY" in words]


def test_a_reload_is_told_from_its_beginning_to_its_end(make_brood, manager):
    brood = managed(make_brood, manager)
    path = write_config(brood)
    brood.options += ["--config", str(path)]
    brood.start()
    manager.hear("READY")

    def reload():
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        brood.signal(signal.SIGHUP)
        _, words = manager.hear("RELOADING", "1")
        assert before <= int(words["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return manager.hear("READY", "1")[1]["STATUS"]

    write_config(brood, "new")
    assert reload() == "Serving"
    assert brood.fetch().fields["location"] == "new", "READY=1 is said when the new one is live"

    path.write_text("{ no JSON")
    assert reload().startswith("Serving; the reload changed nothing: ")
    path.write_text(json.dumps({"listeners": {"127.0.0.1:0": {}}}))
    assert "the reload changed nothing" in reload()
    path.unlink()
    assert "the reload changed nothing" in reload()
    assert brood.fetch().fields["location"] == "new"
    write_config(brood, "newer")
    assert reload() == "Serving"

    for _ in range(5):  # more than one at a time: the last one's end counts
        brood.signal(signal.SIGHUP)
    manager.hear("READY", "1")
    assert brood.fetch().fields["location"] == "newer"


def test_a_reload_without_a_file_is_over_at_once(make_brood, manager):
    brood = managed(make_brood, manager).start()
    manager.hear("READY")
    brood.signal(signal.SIGHUP)
    manager.hear("RELOADING")
    assert manager.hear("READY")[1]["STATUS"] == "Serving"


def test_a_reload_ends_with_the_controller_that_does_it(make_brood, manager):
    brood = managed(make_brood, manager)
    brood.options += ["--config", str(write_config(brood))]
    brood.start()
    manager.hear("READY")
    controller, = brood.pids("brood: controller")
    os.kill(controller, signal.SIGSTOP)
    brood.signal(signal.SIGHUP)
    manager.hear("RELOADING")
    os.kill(controller, signal.SIGKILL)
    assert "the controller ended" in manager.hear("READY")[1]["STATUS"]


def test_the_watchdog_is_fed_while_main_lives(make_brood, manager):
    brood = managed(make_brood, manager, WATCHDOG_USEC="400000").start()
    for _ in range(4):
        pid, words = manager.hear("WATCHDOG", seconds=5)
        assert (pid, words) == (brood.pid, {"WATCHDOG": "1"})
    brood.signal(signal.SIGSTOP)
    try:
        wait_until(lambda: manager.listen(0) is None and manager.listen(1) is None, what="silence")
    finally:
        brood.signal(signal.SIGCONT)
    manager.hear("WATCHDOG", seconds=5)


def test_a_watchdog_of_another_process_is_not_fed(make_brood, manager):
    brood = managed(make_brood, manager, WATCHDOG_USEC="20000", WATCHDOG_PID="1").start()
    manager.hear("READY")
    brood.stop()
    assert manager.hear("STOPPING")
    assert not [words for _, words in manager.said if "WATCHDOG" in words]


def test_an_upgrade_names_the_next_main(make_brood, manager):
    brood = managed(make_brood, manager, WATCHDOG_USEC="600000")
    brood.options += ["--config", str(write_config(brood))]
    brood.start()
    old = brood.pid
    manager.hear("READY")
    new = brood.upgrade()
    pid, words = manager.hear("MAINPID")
    assert pid == old and words == {"MAINPID": str(new), "WATCHDOG": "1", "STATUS": "Serving"}
    assert not [p for p, words in manager.said if p == new], "before it is named nobody would listen"
    assert manager.hear("WATCHDOG")[0] == new
    brood.signal(signal.SIGHUP)
    assert manager.hear("RELOADING")[0] == new
    assert manager.hear("READY")[0] == new
    assert not [words for p, words in manager.said if p == old and "STOPPING" in words], "the service does not stop"
    brood.stop()
    assert manager.hear("STOPPING")[0] == new


def test_an_upgrade_that_fails_is_told_in_the_status(make_brood, manager):
    brood = managed(make_brood, manager)
    program = brood.dir / "brood"
    program.symlink_to(brood.binary)
    brood.binary = program
    brood.start()
    manager.hear("READY")
    program.unlink()
    brood.upgrade_in_vain()
    pid, words = manager.hear("STATUS")
    assert pid == brood.pid and words["STATUS"].startswith("Serving; the upgrade failed: cannot execute")


def test_what_makes_no_sense_does_not_keep_it_from_serving(make_brood, tmp_path):
    brood = make_brood(env={"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "soon"})
    assert "make no sense" in brood.log()
    brood = make_brood(env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    wait_until(lambda: "cannot be told" in brood.log(), what="the complaint")


# --- socket activation ---

LAUNCH = """
import fcntl, os, sys
fds, names, rest = sys.argv[1].split(), sys.argv[2], sys.argv[3:]
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 200) for fd in fds]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=names)
os.execv(rest[0], rest)
"""


def activate(brood, sockets):
    """Start it with these sockets, {name: socket}, which stay open here as systemd keeps them."""
    fds = [s.fileno() for s in sockets.values()]
    brood.output = open(brood.dir / "output", "ab")
    brood.process = subprocess.Popen([sys.executable, "-c", LAUNCH, " ".join(map(str, fds)), ":".join(sockets)] + brood.command(), pass_fds=fds,
                                     stdin=subprocess.DEVNULL, stdout=brood.output, stderr=brood.output, cwd=brood.dir, env=brood.env)
    brood.wait_ready()
    wait_until(lambda: "brood is ready" in brood.log(), what="a start")


def tcp(port=None, host="127.0.0.1"):
    s = socket.socket(socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port or free_port()))
    s.listen(64)
    return s


def unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path).replace("@", "\0", 1) if str(path).startswith("@") else str(path))
    if not str(path).startswith("@"):
        os.chmod(path, 0o666)
    s.listen(64)
    return s


def inode(s):
    return f"socket:[{os.fstat(s.fileno()).st_ino}]"


def holds(pid, s):
    return any(os.readlink(fd.path) == inode(s) for fd in os.scandir(f"/proc/{pid}/fd"))


def ask_unix(path):
    c = UnixHTTPConnection(path)
    c.request("GET", "/")
    return Answer(c.getresponse()).status


def listeners(*addresses):
    return {"listeners": {a: {"pass": "routes"} for a in addresses}, "routes": [{"action": {"return": 204}}]}


def test_listeners_have_the_sockets_that_are_bound_there(make_brood):
    brood = make_brood(start=False)
    web, path = tcp(), brood.dir / "web.sock"
    local, abstract = unix(path), unix(f"@brood-test-{os.getpid()}")
    brood.port = web.getsockname()[1]
    early = socket.create_connection(("127.0.0.1", brood.port))  # it waits until somebody serves
    early.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    activate(brood, {"web": web, "local": local, "abstract": abstract})
    brood.configure(listeners(f"127.0.0.1:{brood.port}", f"unix:{path}", f"unix:@brood-test-{os.getpid()}"))
    early.settimeout(DEADLINE)
    assert early.recv(12) == b"HTTP/1.1 204"
    assert brood.fetch().status == 204
    assert ask_unix(path) == ask_unix(f"\0brood-test-{os.getpid()}") == 204
    for router in brood.pids("brood: router"):
        assert holds(router, web) and holds(router, local) and holds(router, abstract)
    brood.stop()
    assert path.exists(), "its file is the service manager's"


def test_a_listener_that_goes_and_comes_back_has_its_socket_again(make_brood):
    """The port is systemd's: nobody could bind it."""
    brood = make_brood(start=False)
    web, path = tcp(), brood.dir / "web.sock"
    local = unix(path)
    brood.port = web.getsockname()[1]
    address = f"127.0.0.1:{brood.port}"
    activate(brood, {"web": web, "local": local})
    for _ in range(3):
        brood.configure(listeners(address, f"unix:{path}"))
        assert brood.fetch().status == 204 and ask_unix(path) == 204
        brood.configure(listeners(f"*:{brood.port}"))  # beside it, over what overlaps
        brood.configure(NOTHING)
        wait_until(lambda: not any(holds(p, web) for p in brood.pids("brood: router")), what="routers without it")
        assert path.exists() and holds(brood.pid, web) and holds(brood.pid, local)
    os.kill(brood.pids("brood: controller")[0], signal.SIGKILL)
    wait_until(lambda: brood.log().count("controller started") == 2, what="another controller")
    brood.configure(listeners(address))
    assert brood.fetch().status == 204


def test_a_socket_for_both_families_serves_both_kinds_of_listener(make_brood):
    """ListenStream=80 of a socket unit is [::]:80, and takes IPv4 as well."""
    brood = make_brood(start=False)
    both = socket.socket(socket.AF_INET6)
    both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    brood.port = free_port()
    both.bind(("::", brood.port))
    both.listen()
    activate(brood, {"web": both})
    for address in (f"*:{brood.port}", f"[::]:{brood.port}"):
        brood.configure(listeners(address))
        assert brood.fetch().status == 204
        assert all(holds(p, both) for p in brood.pids("brood: router"))
        brood.configure(NOTHING)


def test_those_that_nobody_uses_are_named(make_brood):
    """One that a listener could have waits for it, since what systemd holds nobody can bind; others are closed."""
    brood = make_brood(start=False)
    spare, packets = tcp(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    activate(brood, {"spare": spare, "packets": packets})
    address = f"127.0.0.1:{spare.getsockname()[1]}"
    assert f'no listener uses socket "spare" of the service manager ({address})' in brood.log()
    assert 'socket "packets" of the service manager is closed' in brood.log()
    assert holds(brood.pid, spare) and not holds(brood.pid, packets)
    assert not any(holds(p, spare) for p in brood.family() if p != brood.pid)


@pytest.mark.parametrize("name", ["control", "anything"])
def test_the_control_socket_by_its_name_or_by_its_address(make_brood, name):
    brood = make_brood(start=False)
    if name == "control":  # wherever it is
        brood.control_path = brood.dir / "elsewhere.sock"
        control = unix(brood.control_path)
        brood.options += ["--control", f"unix:{brood.dir}/unused.sock"]
    else:
        control = unix(brood.control_path)
    activate(brood, {name: control})
    assert brood.get("/config").status == 200
    assert holds(brood.pids("brood: controller")[0], control)
    assert not (brood.dir / "unused.sock").exists()
    brood.stop()
    assert brood.control_path.exists()


def test_a_control_socket_over_tcp_needs_what_it_always_needs(make_brood):
    brood = make_brood(start=False)
    with pytest.raises(AssertionError, match="token"):
        activate(brood, {"control": tcp()})


def test_sockets_that_are_given_survive_an_upgrade(make_brood, manager):
    brood = managed(make_brood, manager)
    web, spare, path = tcp(), tcp(), brood.dir / "web.sock"
    local, control = unix(path), unix(brood.control_path)
    brood.port = web.getsockname()[1]
    activate(brood, {"web": web, "spare": spare, "local": local, "control": control})
    brood.configure(listeners(f"127.0.0.1:{brood.port}", f"unix:{path}"))
    for _ in range(2):
        brood.upgrade()
        assert brood.fetch().status == 204 and ask_unix(path) == 204
        assert all(holds(brood.pid, s) for s in (web, spare, local, control))
    brood.configure(NOTHING)
    brood.configure(listeners(f"127.0.0.1:{spare.getsockname()[1]}"))
    brood.port = spare.getsockname()[1]
    assert brood.fetch().status == 204
    brood.stop()
    assert path.exists() and brood.control_path.exists()


def test_sockets_that_are_meant_for_another_process_are_none_of_ours(make_brood):
    brood = make_brood(env={"LISTEN_FDS": "2", "LISTEN_PID": "1"})
    assert "service manager" not in brood.log()


def test_a_number_of_sockets_that_is_wrong_ends_the_start(make_brood):
    brood = make_brood(start=False)
    brood.binary, real = sys.executable, brood.binary
    command = brood.command()
    script = "import os, sys; os.environ.update(LISTEN_FDS=sys.argv[1], LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])"
    for number, complaint in (("many", 'LISTEN_FDS is "many"'), ("1000", 'LISTEN_FDS is "1000"'), ("3", "descriptor 3 of LISTEN_FDS=3")):
        done = subprocess.run([command[0], "-c", script, number, str(real)] + command[1:], capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 1 and complaint in done.stderr


SHOW = """
import json, os
def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(sorted(os.environ)).encode()]
"""


def test_no_application_finds_any_of_it(make_brood, manager):
    brood = managed(make_brood, manager, WATCHDOG_USEC="30000000")
    web = tcp()
    brood.port = web.getsockname()[1]
    activate(brood, {"web": web})
    (brood.dir / "show.py").write_text(SHOW)
    out = brood.tmp_dir / "out"
    conf = {"listeners": {f"127.0.0.1:{brood.port}": {"pass": "applications/show"}},
            "applications": {"show": {"type": "python", "path": str(brood.dir), "module": "show", "home": "/usr"},
                             "env": {"type": "command", "executable": "/usr/bin/env", "restart": "never", "stdout": str(out)}}}
    brood.configure(conf)
    def look():
        found = set(brood.fetch().json)
        assert found and not found & set(ENVIRONMENT)
        text = wait_until(lambda: out.exists() and "PATH=" in out.read_text() and out.read_text(), what="env's output")
        assert not [v for v in ENVIRONMENT if v + "=" in text]

    look()
    out.unlink()
    brood.upgrade()
    look()


# --- the unit files ---

UNITS = BUILD / "share" / "systemd"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs Debian's package systemd")


@pytest.fixture
def units(tmp_path):
    """The unit files, with a program that is there."""
    text = (UNITS / "brood.service").read_text()
    text, n = re.subn(r"(?m)^ExecStart=\S+/bin/brood ", f"ExecStart={BINARY} ", text)
    assert n == 1
    (tmp_path / "brood.service").write_text(text)
    shutil.copy(UNITS / "brood.socket", tmp_path)
    return tmp_path


def analyze(*words):
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, timeout=60)


def exposure(service):
    found = re.search(r"Overall exposure level for brood.service: ([\d.]+)", analyze("security", "--offline=true", "--no-pager", service).stdout)
    return float(found.group(1))


@needs_systemd
@pytest.mark.parametrize("isolation", [False, True])
def test_the_units_are_what_systemd_understands(units, isolation):
    if isolation:
        (units / "brood.service.d").mkdir()
        shutil.copy(UNITS / "brood-isolation.conf", units / "brood.service.d")
    done = analyze("verify", "--man=no", units / "brood.service", units / "brood.socket")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_service_is_exposed_as_little_as_promised(units):
    assert exposure(units / "brood.service") <= 3.0


def test_the_units_are_installed_with_the_paths_of_the_prefix():
    plan = json.loads(subprocess.run(["meson", "introspect", "--installed", "--buildoptions", BUILD], capture_output=True, text=True, timeout=60).stdout)
    prefix = next(o["value"] for o in plan["buildoptions"] if o["name"] == "prefix")
    for name in ("brood.service", "brood.socket", "brood-isolation.conf"):
        assert plan["installed"][str(UNITS / name)] == f"{prefix}/share/brood/systemd/{name}"
    text = (UNITS / "brood.service").read_text()
    assert f"ExecStart={prefix}/bin/brood " in text and not re.search("@[a-z_]+@", text)


CONFINE = """
import ctypes, json, os, sys
rules, rest = json.loads(sys.argv[1]), sys.argv[2:]
libc, seccomp = ctypes.CDLL(None, use_errno=True), ctypes.CDLL("libseccomp.so.2")
CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 1, 32, 4096, 16384, 1 << 18
def check(rc):
    if rc < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
check(libc.unshare(CLONE_NEWNS))
check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
for path in rules["read_only"]:
    check(libc.mount(path.encode(), path.encode(), None, MS_BIND, None))
    check(libc.mount(None, path.encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None))
for n in range(64):
    if libc.prctl(23, n, 0, 0, 0) == 1 and n not in rules["capabilities"]:
        check(libc.prctl(24, n, 0, 0, 0))
check(libc.prctl(38, 1, 0, 0, 0))
seccomp.seccomp_init.restype = ctypes.c_void_p
filter = ctypes.c_void_p(seccomp.seccomp_init(0x00050000 | 1))  # EPERM
for name in rules["calls"]:
    call = seccomp.seccomp_syscall_resolve_name(name.encode())
    if call >= 0:
        assert seccomp.seccomp_rule_add(filter, 0x7FFF0000, call, 0) == 0, name
for name, error in rules["refused"].items():
    assert seccomp.seccomp_rule_add(filter, 0x00050000 | error, seccomp.seccomp_syscall_resolve_name(name.encode()), 0) == 0
assert seccomp.seccomp_load(filter) == 0
os.execv(rest[0], rest)
"""

CAPABILITIES = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8, "NET_BIND_SERVICE": 10,
                "SYS_CHROOT": 18, "SYS_ADMIN": 21, "SYS_NICE": 23, "SYS_RESOURCE": 24}


def calls_of(names):
    """The system calls of these names, groups of systemd's resolved."""
    groups = {}
    for line in analyze("syscall-filter").stdout.splitlines():
        word = line.strip()
        if line.startswith("@"):
            groups[word] = members = []
        elif word and not word.startswith("#"):
            members.append(word)
    calls, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name.startswith("@"):
            todo += groups[name]
        else:
            calls.add(name)
    return calls


def values(text, name):
    return " ".join(re.findall(rf"(?m)^{name}=(.*)$", text)).split()


def confine(brood, *files):
    """What these files of the unit leave it, without systemd.  RestrictNamespaces= cannot look into
    clone3's arguments and has it unknown."""
    text = "\n".join((UNITS / f).read_text() for f in files)
    namespaces = values(text, "RestrictNamespaces")[-1] == "no"
    assert values(text, "NoNewPrivileges") == ["yes"] and values(text, "ProtectSystem") == ["full"]
    calls = calls_of(values(text, "SystemCallFilter"))
    rules = {"capabilities": [CAPABILITIES[name.removeprefix("CAP_")] for name in values(text, "CapabilityBoundingSet")],
             "calls": sorted(calls if namespaces else calls - {"clone3", "unshare", "setns"}),
             "refused": {} if namespaces else {"clone3": 38}, "read_only": ["/usr", "/etc"]}
    brood.prefix = [sys.executable, "-c", CONFINE, json.dumps(rules)]
    brood.env["ASAN_OPTIONS"] = "detect_leaks=0"  # LeakSanitizer needs ptrace(2), which is not among the calls


@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_the_service_may_do_is_enough(make_brood):
    brood = make_brood(start=False)
    confine(brood, "brood.service")
    brood.start()
    with pytest.raises(OSError, match="Read-only"):
        open(f"/proc/{brood.pid}/root/usr/brood-test", "w")
    status = open(f"/proc/{brood.pid}/status").read()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status

    said = brood.tmp_dir / "said"
    brood.serve("echo", processes=2, limits={"timeout": 5})
    assert brood.put("/config/applications/date", {"type": "command", "executable": "/bin/sh", "arguments": ["-c", "id -u; exec sleep 1000"],
                                                   "stdout": str(said), "user": "daemon"}).status == 200
    assert brood.put("/config/access_log", f'"{brood.dir}/access.log"').status == 200
    assert brood.put("/config/settings", {"routers": 2, "router": {"priority": -3, "rlimit_nofile": 4096}}).status == 200
    wait_until(lambda: said.exists() and said.read_text() == "1\n", what="a program of user daemon")
    assert brood.fetch("/id?id=5").body == b"5"
    worker = brood.workers("echo")[0]
    assert os.stat(f"/proc/{worker}").st_uid != 0
    os.kill(worker, signal.SIGKILL)
    assert brood.get("/control/applications/echo/restart").status == 200
    assert brood.put("/certificates/none", b"x").status == 400
    brood.signal(signal.SIGUSR1)
    brood.upgrade()
    assert brood.fetch("/id?id=6").body == b"6"
    wait_until(lambda: "id=6" in (brood.dir / "access.log").read_text(), what="a line in the access log")
    answer = brood.put("/config/applications/echo/isolation", {"namespaces": {"network": True}})
    assert answer.status == 500, "for this there is brood-isolation.conf"
    brood.stop(signal.SIGQUIT)


@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_with_the_drop_in_applications_are_isolated(make_brood):
    brood = make_brood(start=False)
    confine(brood, "brood.service", "brood-isolation.conf")
    brood.start()
    spaces = ("cgroup", "ipc", "mount", "network", "pid", "uname")
    isolation = {"namespaces": {name: True for name in spaces}, "hostname": "cell", "read_only": True}
    for n, extra in enumerate(({}, {"namespaces": {**isolation["namespaces"], "credential": True}}), 1):
        brood.configure({"listeners": {}, "applications": {"show": {
            "type": "command", "executable": "/bin/sh", "arguments": ["-c", "echo in $(hostname): $(touch /var/x 2>/dev/null || echo read-only); exec sleep 1000"],
            "user": "daemon", "isolation": {**isolation, **extra}}}})
        wait_until(lambda: brood.log().count("in cell: read-only") == n, what="what it sees")
        brood.configure(NOTHING)
