"""The programs of docs/guide: each built against the installed library and run beside a real counterpart."""

import os
import pwd
import re
import shlex
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from brood import BUILD, MODULES, ROOT, free_port, is_alive, wait_until

# What is installed is a release build: a sanitized library would need sanitized programs.
RELEASE = Path(MODULES).parents[1] if MODULES else BUILD
PROGRAMS = sorted(path.stem for path in (ROOT / "examples" / "guide").glob("*.c"))
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="must be root to change users")


class Guide:
    """The library installed in a directory of its own, and the programs built against it."""

    def __init__(self, directory):
        self.dir = directory
        self.installed = directory / "installed"
        subprocess.run(["meson", "install", "-C", RELEASE, "--no-rebuild", "--destdir", self.installed],
                       check=True, stdout=subprocess.DEVNULL)
        [found] = self.installed.rglob("brood.pc")
        self.lib = found.parents[1]
        self.environment = dict(os.environ, PKG_CONFIG_PATH=str(found.parent),
                                PKG_CONFIG_SYSROOT_DIR=str(self.installed))

    def flags(self, *options, package="brood"):
        done = subprocess.run(["pkg-config", *options, package], env=self.environment, check=True,
                              stdout=subprocess.PIPE, text=True)
        return shlex.split(done.stdout)

    def build(self, source, target, *options, compiler="cc", static=False):
        flags = self.flags("--cflags", "--libs", *(["--static"] if static else []))
        rpath = [] if static else [f"-Wl,-rpath,{self.lib}"]
        subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-O2", *options, "-o", target, source, *flags,
                        *rpath], check=True)
        return target

    def program(self, name):
        target = self.dir / name
        return target if target.exists() else self.build(ROOT / "examples" / "guide" / f"{name}.c", target, "-pthread")


@pytest.fixture(scope="module")
def guide():
    with tempfile.TemporaryDirectory(prefix="brood-guide-") as directory:
        os.chmod(directory, 0o755)
        yield Guide(Path(directory))


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=30, **options)


def test_only_names_with_our_prefix_leave_the_shared_library(guide):
    out = run("nm", "-D", "--defined-only", guide.lib / "libbrood.so").stdout
    names = [line.split()[-1] for line in out.splitlines()]
    assert "br_spawn@@BROOD_0.1" in names
    assert [n for n in names if not n.startswith("br_") and n != "BROOD_0.1"] == []


def test_only_names_with_our_prefix_leave_the_static_library(guide):
    out = run("nm", "-g", "--defined-only", guide.lib / "libbrood.a").stdout
    names = [line.split()[-1] for line in out.splitlines() if len(line.split()) == 3]
    assert "br_spawn" in names
    assert [n for n in names if not n.startswith("br_")] == []


def test_what_the_headers_declare_is_exported_and_nothing_else(guide):
    exported = set()
    for library in ("libbrood.so", "libbrood-app.so"):
        out = run("nm", "-D", "--defined-only", guide.lib / library).stdout
        exported |= {line.split()[-1].split("@")[0] for line in out.splitlines()} - {"BROOD_0.1", "BROOD_APP_0.1"}
    text = "\n".join(path.read_text() for path in (ROOT / "include" / "brood").glob("*.h"))
    declared = set(re.findall(r"^(?!typedef)[a-z].*?\b(br_\w+)\((?:[^;{]|\n)*\)[^;]*;", text, re.M))
    assert exported == declared


def test_a_program_links_the_static_library(guide):
    program = guide.build(ROOT / "examples" / "guide" / "01_spawn.c", guide.dir / "static", "-static", static=True)
    assert "statically linked" in run("ldd", program).stdout or "not a dynamic" in run("ldd", program).stdout
    assert run(program, "sh", "-c", "exit 5").returncode == 5


def test_a_stream_application_links_its_library(guide):
    """By pkg-config, as examples/stream/echo.c says; outside of brood it says what it is."""
    target = guide.dir / "echo"
    run("cc", "-o", target, ROOT / "examples" / "stream" / "echo.c", *guide.flags("--cflags", "--libs", package="brood-app"),
        f"-Wl,-rpath,{guide.lib}", check=True)
    done = run(target)
    assert done.returncode == 1 and "only as an application of brood" in done.stdout


def test_the_headers_stand_alone_in_c_and_in_cplusplus(guide):
    for header in sorted((ROOT / "include" / "brood").glob("*.h")):
        for compiler, language, standard in (("cc", "c", "c99"), ("c++", "c++", "c++11")):
            done = run(compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                       "-fsyntax-only", *guide.flags("--cflags"), "-", input=f"#include <brood/{header.name}>\n")
            assert done.returncode == 0, done.stdout


def test_a_child_is_seen_to_exit(guide):
    spawn = guide.program("01_spawn")
    done = run(spawn, "sh", "-c", "exit 3")
    pid = done.stdout.split()[0]
    assert done.stdout == f"{pid} started\n{pid} exited with status 3\n"
    assert done.returncode == 3


def test_a_child_is_seen_to_be_killed(guide):
    done = run(guide.program("01_spawn"), "sh", "-c", "kill -TERM $$")
    assert done.stdout.endswith("was killed by signal 15\n")
    assert done.returncode == 128 + 15


def test_a_program_that_is_not_there_is_told_with_step_and_reason(guide):
    done = run(guide.program("01_spawn"), "no-such-program")
    assert done.stdout == 'step "exec" failed: cannot start "no-such-program": exec: No such file or directory\n'
    done = run(guide.program("01_spawn"), "/etc/passwd")
    assert done.stdout == 'step "exec" failed: cannot start "/etc/passwd": exec: Permission denied\n'


@needs_root
def test_directory_environment_and_user_are_what_was_asked_for(guide):
    nobody = pwd.getpwnam("nobody")
    done = run(guide.program("02_surroundings"), "nobody", "/tmp", env=dict(os.environ, HOME="/root"))
    assert done.stdout == (f"directory /tmp\ngreeting hello\nhome unset\nuser {nobody.pw_uid} groups {nobody.pw_gid}\n"
                           "0027\nexit status 0, signal 0\n")


@needs_root
def test_a_directory_that_the_user_may_not_enter_is_told_with_the_step(guide, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    done = run(guide.program("02_surroundings"), "nobody", closed)
    assert done.stdout == f'step "chdir" failed: cannot start "sh": chdir to "{closed}": Permission denied\n'


# --- programs that run beside a counterpart ---


def descriptors(pid):
    """number -> what it leads to, of /proc/PID/fd."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return found


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def settled(pid):
    """The children, once their titles say that they are set up as workers."""
    found = children(pid)
    return found if all("worker" in Path(f"/proc/{p}/cmdline").read_text() for p in found) else []


class Running:
    """A program in the background; ended and reaped at the end, its output in `out`."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self):
        return self.process.stdout.readline()

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Exit status and what else it said."""
        self.send(number)
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def socat(address, text="", wait=5):
    """What socat prints that sends text and then reads to the end."""
    done = subprocess.run(["socat", "-t", str(wait), "-", address], input=text, stdout=subprocess.PIPE, text=True,
                          timeout=30)
    return done.stdout


def test_a_daemon_outlives_its_starter_in_a_session_of_its_own(guide, tmp_path):
    log = tmp_path / "log"
    done = run(guide.program("03_daemon"), log, "sh", "-c", "echo serving; echo >&3; exec 3>&-; exec sleep 100")
    pid = int(done.stdout)
    try:
        assert done.returncode == 0
        assert log.read_text() == "serving\n"
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        wait_until(lambda: descriptors(pid) == {0: "/dev/null", 1: str(log), 2: str(log)})  # sh has become sleep
        stat = Path(f"/proc/{pid}/stat").read_text()
        assert int(stat[stat.rindex(")") + 2:].split()[4]) == 0  # no terminal
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))


def test_a_daemon_that_gives_up_is_told(guide, tmp_path):
    done = run(guide.program("03_daemon"), tmp_path / "log", "false")
    assert (done.returncode, done.stdout) == (1, "it ended before it was ready\n")


def test_two_loops_in_two_threads_see_each_signal(guide):
    with Running(guide.program("04_two_loops")) as program:
        assert program.line() == f"{program.pid} listens\n"
        for _ in range(20):
            program.send(signal.SIGUSR1)
            # Until it was handled: two that are pending at once are one for the kernel.
            wait_until(lambda: int(re.search(r"ShdPnd:\s*(\w+)", Path(f"/proc/{program.pid}/status").read_text())[1],
                                   16) == 0)
        assert program.end() == (0, "first 20, second 20\n")


def test_a_child_inherits_stderr_and_nothing_else(guide):
    program = guide.program("05_stderr_only")
    done = subprocess.run([program, "sh", "-c", "echo lost; ls -l /proc/self/fd >&2; exit 4"], timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4
    assert done.stdout == ""
    links = dict(re.findall(r"(\d+) -> (\S+)", done.stderr))
    assert links.pop("3").startswith("/proc/")  # ls reads the directory
    assert links["0"] == "/dev/null" and links["1"].startswith("pipe:") and links["2"] == links["1"]
    assert set(links) == {"0", "1", "2"}


def test_ten_ticks_come_through_the_socket_and_it_closes(guide):
    port = free_port()
    with Running(guide.program("06_ticks"), f"127.0.0.1:{port}") as server:
        wait_until(lambda: listens(port))
        before = descriptors(server.pid)
        outputs = [subprocess.Popen(["socat", "-u", f"TCP:127.0.0.1:{port}", "-"], stdout=subprocess.PIPE, text=True)
                   for _ in range(3)]
        for client in outputs:
            out, _ = client.communicate(timeout=20)
            assert out == "".join(f"tick {i}\n" for i in range(1, 11))
        wait_until(lambda: children(server.pid) == [])
        assert descriptors(server.pid).keys() == before.keys()
        code, out = server.end()
        assert code == 0
        # And of whoever only looked whether it listens: the script died of its pipe or wrote to the end.
        assert out.count("status 0, signal 0\n") >= 3


def test_parent_and_child_talk_through_pipes(guide):
    program = guide.program("07_pipe")
    assert run(program, "hello there\n").stdout == "HELLO THERE\n"
    big = "x" * 100_000
    assert run(program, big).stdout == big.upper()


def test_a_child_that_does_not_read_is_no_signal_to_us(guide):
    done = run(guide.program("07_pipe"), "y" * 120_000, "sh", "-c", "exec <&-; sleep 0.2; echo deaf; exit 6")
    assert done.returncode == 6
    assert sorted(done.stdout.splitlines()) == ["deaf", "it does not read: Broken pipe"]


def test_socat_talks_to_the_echo_server_on_a_named_socket(guide, tmp_path):
    path = tmp_path / "echo.sock"
    with Running(guide.program("08_echo_unix"), path) as server:
        wait_until(path.exists)
        before = descriptors(server.pid)
        assert socat(f"UNIX-CONNECT:{path}", "one\ntwo\n") == "one\ntwo\n"
        big = "".join(f"line {i}\n" for i in range(50_000))
        assert socat(f"UNIX-CONNECT:{path}", big) == big
        wait_until(lambda: descriptors(server.pid) == before)
        assert server.end() == (0, "")
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(guide, tmp_path):
    path = tmp_path / "echo.sock"
    with Running(guide.program("08_echo_unix"), path) as first:
        wait_until(path.exists)
        done = run(guide.program("08_echo_unix"), path)
        assert done.returncode == 1 and "Address already in use" in done.stdout
        first.end(signal.SIGKILL)
    with Running(guide.program("08_echo_unix"), path):
        wait_until(lambda: socat(f"UNIX-CONNECT:{path}", "again\n") == "again\n")


def test_connections_are_handed_to_the_workers_in_turn(guide):
    port = free_port()
    with Running(guide.program("09_workers"), f"127.0.0.1:{port}", 3) as master:
        assert master.line() == f"{master.pid} serves with 3 workers\n"
        answers = [socat(f"TCP:127.0.0.1:{port}", "echo\n") for _ in range(6)]
        assert [a.splitlines()[1:] for a in answers] == [["echo"]] * 6
        numbers = [int(a.split()[1]) for a in answers]
        assert sorted(numbers) == [0, 0, 1, 1, 2, 2] and numbers[:3] == numbers[3:]
        titles = run("ps", "-o", "args=", "--ppid", master.pid).stdout.split("\n")
        assert sorted(t.strip() for t in titles if t) == [f"echo worker {i}" for i in range(3)]
        workers = children(master.pid)
        # The master has closed what it handed over; a worker has closed what its client has left.
        for pid in [master.pid, *workers]:
            wait_until(lambda: not has_connection(pid))
        assert master.end() == (0, "")
        assert [p for p in workers if is_alive(p)] == []


def has_connection(pid):
    """Does it hold a TCP socket that does not listen."""
    inodes = {link[8:-1] for link in descriptors(pid).values() if link.startswith("socket:")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[9] in inodes and row[3] != "0A" for row in rows)


def test_one_worker_for_each_processor(guide):
    with Running("taskset", "-c", sorted(os.sched_getaffinity(0))[0], guide.program("09_workers"),
                 f"127.0.0.1:{free_port()}") as master:
        assert master.line().endswith("serves with 1 workers\n")
        assert master.end()[0] == 0


def curl(port, path="/"):
    return run("curl", "-s", "--max-time", 10, f"http://127.0.0.1:{port}{path}")


def test_a_pool_brings_the_dead_back_reopens_and_quits(guide, tmp_path):
    port, log = free_port(), tmp_path / "log"
    with Running(guide.program("10_pool"), f"127.0.0.1:{port}", log, 2) as master:
        wait_until(lambda: len(settled(master.pid)) == 2)
        workers = settled(master.pid)
        assert re.fullmatch(r"worker [01], process (\d+)\n", curl(port).stdout)

        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: len(settled(master.pid)) == 2 and workers[0] not in children(master.pid))
        assert workers[1] in children(master.pid)
        assert re.search(rf"worker [01] gone: process {workers[0]}, status 0, signal 9\n", log.read_text())
        assert curl(port).returncode == 0

        log.rename(tmp_path / "old")
        master.send(signal.SIGUSR1)
        wait_until(lambda: all(str(log) in descriptors(p).values() and str(tmp_path / "old") not in
                               descriptors(p).values() for p in [master.pid, *children(master.pid)]))
        curl(port, "/after")
        assert "GET /after" in log.read_text()

        workers = children(master.pid)
        with socket.create_connection(("127.0.0.1", port)) as slow:
            wait_until(lambda: any(has_connection(p) for p in workers))
            master.send(signal.SIGQUIT)
            wait_until(lambda: len(children(master.pid)) == 1)  # the other one had nothing to finish
            slow.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
            assert slow.recv(1000).startswith(b"HTTP/1.0 200 OK")
        assert master.process.wait(timeout=10) == 0
        assert [p for p in workers if is_alive(p)] == []


def test_a_pool_ends_at_once_when_terminated(guide, tmp_path):
    port = free_port()
    with Running(guide.program("10_pool"), f"127.0.0.1:{port}", tmp_path / "log", 2) as master:
        wait_until(lambda: len(settled(master.pid)) == 2)
        workers = children(master.pid)
        with socket.create_connection(("127.0.0.1", port)):
            assert master.end()[0] == 0
        assert [p for p in workers if is_alive(p)] == []


def test_workers_leave_when_their_master_is_killed(guide, tmp_path):
    port = free_port()
    with Running(guide.program("10_pool"), f"127.0.0.1:{port}", tmp_path / "log", 2) as master:
        wait_until(lambda: len(settled(master.pid)) == 2)
        workers = children(master.pid)
        master.end(signal.SIGKILL)
        wait_until(lambda: not any(is_alive(p) for p in workers))


def test_a_process_in_namespaces_of_its_own(guide):
    done = run(guide.program("11_namespaces"), "sh", "-c",
               "echo $$ $(id -u) $(uname -n) $(ulimit -n); ls /proc | grep -c '^[0-9]'; ls /proc/self/ns -l")
    if "step \"clone\" failed" in done.stdout:
        pytest.skip("this kernel lets nobody make these namespaces")
    first, count, *links = done.stdout.splitlines()
    assert first == "1 0 nest 64"
    assert int(count) <= 4  # sh, ls, grep and a subshell: nobody from outside
    inside = dict(re.findall(r"(\w+) -> (\S+)", "\n".join(links)))
    for name in ("user", "pid", "mnt", "net", "uts", "ipc"):
        assert inside[name] != os.readlink(f"/proc/self/ns/{name}")
    assert inside["cgroup"] == os.readlink("/proc/self/ns/cgroup")
    assert done.returncode == 0


@needs_root
def test_namespaces_without_privilege(guide):
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", guide.program("11_namespaces"), "id",
               "-u", cwd="/")
    if "step \"clone\" failed" in done.stdout:
        pytest.skip("this kernel lets no ordinary user make these namespaces")
    assert (done.returncode, done.stdout) == (0, "0\n")


def test_a_descriptor_comes_with_its_message_and_sender(guide, tmp_path):
    path = tmp_path / "file"
    path.write_text("what is in it\n")
    assert run(guide.program("12_channel"), path).stdout == "here it is, from my child: what is in it\n"


def test_the_book_shows_the_programs_as_they_are():
    done = run(ROOT / "tools" / "guide", "--check")
    assert done.returncode == 0, done.stdout


def test_every_program_is_short_and_in_the_book():
    for name in PROGRAMS:
        text = (ROOT / "examples" / "guide" / f"{name}.c").read_text()
        assert len(text.splitlines()) <= 125
        assert f"examples/guide/{name}.c" in (ROOT / "docs" / "guide" / f"{name}.md").read_text()
