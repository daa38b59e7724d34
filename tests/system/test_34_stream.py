"""Stream applications: workers that take connections, by descriptor passing from their prototype."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from brood import APPS, BUILD, MODULES, ROOT, free_port, is_alive, python_app, wait_until

PROTOCOL = {"protocol": "tcp", "pass": "applications/s"}


def stream(callable="who", **options):
    return python_app("stream", options.pop("processes", 1), callable=callable, protocol="stream", **options)


def serve(brood, app, address=None):
    brood.port = free_port()
    brood.configure({"listeners": {address or f"127.0.0.1:{brood.port}": PROTOCOL}, "applications": {"s": app}})


def connections(brood):
    return brood.status("/applications/s/connections")


class Client:
    """A conversation with the callable `who`, line by line."""

    def __init__(self, brood, family=socket.AF_INET, address=None):
        self.sock = socket.socket(family)
        self.sock.settimeout(20)
        try:
            self.sock.connect(address or ("127.0.0.1", brood.port))
        except OSError:
            self.sock.close()
            raise
        self.file = self.sock.makefile("r")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, line):
        self.sock.sendall(line.encode() + b"\n")
        return self

    def hear(self):
        """The next line; None at the end."""
        try:
            return self.file.readline().rstrip("\n") or None
        except ConnectionResetError:
            return None

    def ask(self, line):
        return self.send(line).hear()

    def is_waiting(self):
        """Nobody has answered what was sent so far."""
        self.sock.settimeout(0.2)
        try:
            return self.sock.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(20)


def echoed(address, family, data):
    with socket.socket(family) as s:
        s.settimeout(20)
        s.connect(address)
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        sender.start()
        got = b""
        while piece := s.recv(65536):
            got += piece
        sender.join()
        return got


def test_echo_of_bytes_over_tcp_and_unix(brood):
    data = os.urandom(3_000_000) + bytes(range(256))
    path = str(brood.dir / "echo.sock")
    brood.port, six = free_port(), free_port()
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": PROTOCOL, f"[::1]:{six}": PROTOCOL, f"unix:{path}": PROTOCOL},
                     "applications": {"s": stream("echo")}})
    assert echoed(("127.0.0.1", brood.port), socket.AF_INET, data) == data
    assert echoed(("::1", six), socket.AF_INET6, data) == data
    assert echoed(path, socket.AF_UNIX, data) == data
    wait_until(lambda: connections(brood) == {"accepted": 3, "active": 0, "waiting": 0, "lost": 0})


def test_with_socat(brood):
    serve(brood, stream("echo"))
    command = ["socat", "-t20", "-", f"TCP:127.0.0.1:{brood.port}"]
    assert subprocess.run(command, input=b"\0this\xff\n", stdout=subprocess.PIPE, timeout=20).stdout == b"\0this\xff\n"


def test_what_came_before_the_worker_is_there_still(brood):
    """Nothing of a connection is read or lost on its way; its end, too, may have come before."""
    serve(brood, stream("echo", processes={"max": 1, "spare": 0}))
    assert brood.workers("s") == []
    with socket.create_connection(("127.0.0.1", brood.port), 20) as s:
        s.sendall(b"early")
        s.shutdown(socket.SHUT_WR)
        assert s.recv(100) == b"early" and s.recv(100) == b""


def test_what_the_application_sees(brood):
    serve(brood, stream())
    with Client(brood) as c:
        assert c.ask("address") == repr(c.sock.getsockname())
        assert [int(c.ask("pid"))] == brood.workers("s") and [int(c.ask("prototype"))] == brood.prototypes("s")
        assert c.ask("main") == "True" and c.ask("timeout") == "None" and c.ask("family") == "AF_INET"
        assert c.ask("fds") == "2"  # the connection, and the line to the prototype


def test_addresses_of_ipv6_and_unix(brood):
    path = str(brood.dir / "sock")
    port = free_port()
    brood.configure({"listeners": {f"[::1]:{port}": PROTOCOL, f"unix:{path}": PROTOCOL}, "applications": {"s": stream()}})
    with Client(brood, socket.AF_INET6, ("::1", port)) as c:
        assert c.ask("address") == repr(c.sock.getsockname())
    with Client(brood, socket.AF_UNIX, path) as c:
        assert c.ask("address") == "''" and c.ask("family") == "AF_UNIX"


def test_threads_of_one_worker(brood):
    serve(brood, stream(threads=3))
    clients = [Client(brood) for _ in range(3)]
    assert len({c.ask("thread") for c in clients}) == 3 and len({c.ask("pid") for c in clients}) == 1
    assert [w["active"] for w in brood.status("/applications/s/workers")] == [3]


def test_many_at_once(brood):
    serve(brood, stream("echo", processes=3, threads=20))
    data = os.urandom(20_000)
    wrong = []

    def client():
        for _ in range(4):
            if echoed(("127.0.0.1", brood.port), socket.AF_INET, data) != data:
                wrong.append(1)

    threads = [threading.Thread(target=client) for _ in range(60)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    wait_until(lambda: connections(brood) == {"accepted": 240, "active": 0, "waiting": 0, "lost": 0})
    assert sum(w["connections"] for w in brood.status("/applications/s/workers")) == 240


def test_round_robin(brood):
    serve(brood, stream(processes=3, threads=4))
    clients = [Client(brood) for _ in range(6)]
    pids = [c.ask("pid") for c in clients]
    assert len(set(pids[:3])) == 3 and pids[3:] == pids[:3]
    clients[0].close()  # whoever is the least loaded now, it is the turn of another
    wait_until(lambda: connections(brood)["active"] == 5)
    for n in range(2):
        clients.append(Client(brood))
        assert clients[-1].ask("pid") == pids[n]


def test_least_loaded(brood):
    serve(brood, stream(processes=3, threads=4, connections={"choice": "least_loaded"}))
    clients = [Client(brood) for _ in range(6)]
    pids = [c.ask("pid") for c in clients]
    assert sorted(map(pids.count, set(pids))) == [2, 2, 2]
    busy = pids[0]
    for c, pid in zip(clients, pids):
        if pid == busy:
            c.close()
    wait_until(lambda: connections(brood)["active"] == 4)
    more = [Client(brood) for _ in range(2)]
    assert [c.ask("pid") for c in more] == [busy] * 2
    assert sorted(w["active"] for w in brood.status("/applications/s/workers")) == [2, 2, 2]


@pytest.mark.parametrize("options, most", [
    ({"threads": 2}, 2),
    ({"threads": 4, "processes": 2, "connections": {"max": 3}}, 3),
], ids=["threads", "max"])
def test_beyond_the_cap_clients_wait_in_the_queue(brood, options, most):
    serve(brood, stream(**options))
    clients = [Client(brood).send(str(n)) for n in range(most + 2)]
    assert [c.hear() for c in clients[:most]] == [str(n) for n in range(most)]
    assert clients[most].is_waiting() and clients[most + 1].is_waiting()
    assert connections(brood) == {"accepted": most, "active": most, "waiting": 0, "lost": 0}
    clients[0].close()
    assert clients[most].hear() == str(most) and clients[most + 1].is_waiting()
    clients[1].close()
    assert clients[most + 1].hear() == str(most + 1)


def test_workers_come_with_load_and_go(brood):
    serve(brood, stream(processes={"max": 3, "spare": 0, "idle_timeout": 0.1}))
    assert brood.workers("s") == []
    clients = [Client(brood) for _ in range(3)]
    assert len({c.ask("pid") for c in clients}) == 3
    with Client(brood) as late:
        assert late.send("x").is_waiting()
        for c in clients:
            c.close()
        assert late.hear() == "x"
    wait_until(lambda: brood.workers("s") == [])


def test_a_worker_is_replaced_after_its_number_of_connections(brood):
    serve(brood, stream(threads=2, limits={"requests": 2}))
    with Client(brood) as first, Client(brood) as second, Client(brood) as third:
        pids = [c.ask("pid") for c in (first, second, third)]
        assert pids[0] == pids[1] != pids[2]
        assert first.ask("still here") == "still here"
    wait_until(lambda: not is_alive(int(pids[0])))
    assert connections(brood)["lost"] == 0


def test_a_killed_worker_loses_only_what_it_held(brood):
    serve(brood, stream(processes=2, threads=2))
    clients = [Client(brood) for _ in range(4)]
    pids = [int(c.ask("pid")) for c in clients]
    os.kill(pids[0], signal.SIGKILL)
    for c, pid in zip(clients, pids):
        assert c.ask("there") == (None if pid == pids[0] else "there")
    for c in clients:
        c.close()
    wait_until(lambda: len(brood.workers("s")) == 2 and connections(brood)["active"] == 0)
    assert connections(brood)["lost"] == 2
    with Client(brood) as c:
        assert c.ask("there") == "there"


def test_what_no_thread_has_taken_goes_to_another_worker(brood):
    """A stopped worker is handed connections that it never takes; killed, it costs them nothing."""
    serve(brood, stream("echo", processes=2, threads=3))
    one = brood.workers("s")[0]
    os.kill(one, signal.SIGSTOP)
    socks = [socket.create_connection(("127.0.0.1", brood.port), 20) for _ in range(4)]
    for n, s in enumerate(socks):
        s.sendall(b"%d" % n)
    wait_until(lambda: connections(brood)["active"] == 4)
    os.kill(one, signal.SIGKILL)
    for n, s in enumerate(socks):
        s.shutdown(socket.SHUT_WR)
        assert s.recv(10) == b"%d" % n
    assert connections(brood)["lost"] == 0


def test_exceptions_are_told_once_and_cost_one_connection(brood):
    serve(brood, stream())
    pid = brood.workers("s")[0]
    with Client(brood) as c:
        assert c.ask("fail") is None
    wait_until(lambda: "RuntimeError: on purpose" in brood.log())
    assert brood.log().count('the connection from 127.0.0.1:') == 1
    with Client(brood) as c:
        assert c.ask("pid") == str(pid)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: connections(brood)["active"] == 0)
    assert brood.log().count("Traceback") == 1  # a client that goes away is nobody's fault


def test_system_exit_ends_the_worker_when_the_others_are_done(brood):
    serve(brood, stream(threads=2))
    pid = brood.workers("s")[0]
    with Client(brood) as stays:
        assert stays.ask("pid") == str(pid)
        with Client(brood) as c:
            assert c.ask("exit") is None
        with Client(brood) as c:
            assert c.ask("pid") != str(pid)
        assert stays.ask("pid") == str(pid)
    wait_until(lambda: f"process {pid} exited with code 3" in brood.log())


def test_a_connection_that_another_thread_goes_on_with(brood):
    serve(brood, stream("kept"))
    with socket.create_connection(("127.0.0.1", brood.port), 20) as s:
        wait_until(lambda: connections(brood) == {"accepted": 1, "active": 0, "waiting": 0, "lost": 0})
        s.sendall(b"still")
        s.shutdown(socket.SHUT_WR)
        assert s.recv(10) == b"still"


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_who_says_nothing_is_let_go(brood, unix):
    path = str(brood.dir / "sock")
    serve(brood, stream(timeouts={"idle": 0.3}), f"unix:{path}" if unix else None)
    with Client(brood, *((socket.AF_UNIX, path) if unix else ())) as c:
        assert c.ask("timeout") == "0.3"
        assert c.hear() is None
    wait_until(lambda: "was idle too long" in brood.log())
    assert "Traceback" not in brood.log()


def under_load(brood, disturb, clients=6):
    """Clients that each ask a line, again and again, while that is done.  (answers, failures)"""
    answers, failures, stop = [], [], threading.Event()

    def client(n):
        while not stop.is_set():
            try:
                with Client(brood) as c:
                    answers.append(c.ask(f"{n}") == f"{n}")
            except OSError as e:
                failures.append(e)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for t in threads:
        t.start()
    try:
        disturb()
        so_far = len(answers)
        wait_until(lambda: len(answers) > so_far + clients, what="answers afterwards")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failures and all(answers)
    return len(answers)


def test_restarts_reloads_and_other_processes_lose_nobody(brood):
    serve(brood, stream(processes=2, threads=2, limits={"requests": 50}))
    times = int(os.environ.get("BROOD_STREAM_RESTARTS", 2))

    def disturb():
        for n in range(times):
            assert brood.control("/control/applications/s/restart").status == 200
            assert brood.put("/config/applications/s/environment", {"N": str(n)}).status == 200
            for title in ("brood: router", "brood: controller"):
                old = brood.pids(title)[0]
                os.kill(old, signal.SIGKILL)
                wait_until(lambda: brood.pids(title) and old not in brood.pids(title))
            brood.signal(signal.SIGUSR1)

    assert under_load(brood, disturb) > 10


def test_a_connection_outlives_a_reload(brood):
    serve(brood, stream())
    with Client(brood) as c:
        assert c.ask("environment") == "none"
        assert brood.put("/config/applications/s/environment", {"N": "new"}).status == 200
        with Client(brood) as other:
            assert other.ask("environment") == "new"
        assert c.ask("environment") == "none"
    wait_until(lambda: len(brood.prototypes("s")) == 1)


def test_a_restart_at_the_cap_lets_the_new_prototype_take_who_waits(brood):
    serve(brood, stream())
    with Client(brood) as c:
        assert c.ask("x") == "x"
        with Client(brood) as waits:
            assert waits.send("prototype").is_waiting()
            old = brood.prototypes("s")
            assert brood.control("/control/applications/s/restart").status == 200
            assert [int(waits.hear())] != old
        assert c.ask("y") == "y"
    wait_until(lambda: not is_alive(old[0]))


def test_who_waits_at_a_listener_that_goes_is_served(brood):
    serve(brood, stream())
    with Client(brood) as c:
        assert c.ask("x") == "x"
        with Client(brood).send("a") as one, Client(brood).send("b") as two:
            assert one.is_waiting()
            brood.configure({"listeners": {}, "applications": {}})
            assert c.ask("y") == "y"
            c.close()
            assert one.hear() == "a"
            one.close()
            assert two.hear() == "b"
    wait_until(lambda: not brood.prototypes("s"))


def test_quit_finishes_what_is_there_and_takes_no_more(brood):
    serve(brood, stream(processes=2))
    with Client(brood) as c, Client(brood) as waits:
        assert c.ask("x") == "x" and waits.ask("x") == "x"
        brood.signal(signal.SIGQUIT)
        wait_until(lambda: not brood.pids("brood: router"))
        assert c.ask("y") == "y" and waits.ask("y") == "y"
        assert brood.process.poll() is None
    brood.process.wait(20)
    assert brood.process.returncode == 0


def test_a_drain_takes_no_longer_than_it_may(brood):
    brood.configure({"listeners": {}, "applications": {}, "settings": {"shutdown": {"timeout": 0.5}}})
    assert brood.put("/config/applications/s", stream()).status == 200
    brood.port = free_port()
    assert brood.put(f"/config/listeners/127.0.0.1:{brood.port}", PROTOCOL).status == 200
    with Client(brood) as c:
        pid = int(c.ask("pid"))
        assert brood.control("/control/applications/s/restart").status == 200
        assert c.hear() is None
    wait_until(lambda: not is_alive(pid))


def test_a_killed_prototype_comes_back_and_takes_who_waits(brood):
    serve(brood, stream())
    with Client(brood) as c:
        pid = int(c.ask("pid"))
        with Client(brood) as waits:
            assert waits.send("x").is_waiting()
            os.kill(brood.prototypes("s")[0], signal.SIGKILL)
            assert waits.hear() == "x"
        assert c.hear() is None and not is_alive(pid)


WRONG = [
    ({"listeners": {"127.0.0.1:9": {"pass": "applications/s"}}}, "/listeners/127.0.0.1:9/pass", 'needs the protocol "tcp"'),
    ({"listeners": {"127.0.0.1:9": PROTOCOL}, "applications": {"s": python_app("hello")}}, "/listeners/127.0.0.1:9/pass",
     "must name an application that takes connections"),
    ({"listeners": {"127.0.0.1:9": {"protocol": "stream", "pass": "applications/s"}}}, "/listeners/127.0.0.1:9/protocol", '"tcp"'),
    ({"routes": [{"action": {"pass": "applications/s"}}]}, "/routes/0/action/pass", "takes no requests"),
    ({"applications": {"s": stream(limits={"timeout": 3})}}, "/applications/s/limits/timeout", "only without the protocol"),
    ({"applications": {"s": stream(prefix="/x")}}, "/applications/s/prefix", "only without the protocol"),
    ({"applications": {"s": python_app("hello", connections={"max": 3})}}, "/applications/s/connections", "only with the protocol"),
    ({"applications": {"s": stream(connections={"max": 0})}}, "/applications/s/connections/max", "from 1"),
    ({"applications": {"s": stream(connections={"choice": "random"})}}, "/applications/s/connections/choice", "round_robin"),
    ({"applications": {"s": stream(connections={"per_source": 1})}}, "/applications/s/connections/per_source", "Unknown option"),
    ({"applications": {"s": stream(timeouts={"idle": -1})}}, "/applications/s/timeouts/idle", "from 0"),
]


def test_what_is_wrong_is_refused_with_its_place(brood):
    for change, path, words in WRONG:
        answer = brood.put("/config", {"listeners": {}, "applications": {"s": stream()}, **change})
        assert answer.status == 400 and words in answer.json["detail"], (change, answer)
        assert answer.json["path"] == path


def test_what_cannot_be_called_fails_the_change(brood):
    for callable, words in [("nobody", 'has no "nobody"'), ("number", "cannot be called"), ("wrong", "coroutine function")]:
        answer = brood.put("/config", {"listeners": {}, "applications": {"s": stream(callable)}})
        assert answer.status == 500 and words in answer.json["detail"], (callable, answer)
        assert brood.get("/config/applications").json == {}


# ---- in C ----

# A sanitized library would need sanitized programs.
RELEASE = Path(MODULES).parents[1] if MODULES else BUILD


@pytest.fixture(scope="module")
def program():
    """Builds a program against libbrood-app, where the user of applications can execute it."""
    directory = tempfile.TemporaryDirectory(prefix="brood-stream-")
    os.chmod(directory.name, 0o755)

    def build(source):
        target, lib = Path(directory.name, source.stem), RELEASE / "src" / "modules"
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", target, source, f"-I{ROOT / 'include'}",
                        f"-L{lib}", f"-Wl,-rpath,{lib}", "-lbrood-app"], check=True)
        return str(target)

    with directory:
        yield build


def c_stream(executable, *arguments, **options):
    return {"type": "stream", "executable": executable, "arguments": list(arguments), **options}


def test_the_example_in_c_echoes_bytes(brood, program):
    data = os.urandom(1_000_000)
    serve(brood, c_stream(program(ROOT / "examples" / "stream" / "echo.c"), threads=2))
    assert echoed(("127.0.0.1", brood.port), socket.AF_INET, data) == data
    wait_until(lambda: connections(brood) == {"accepted": 1, "active": 0, "waiting": 0, "lost": 0})


def test_all_of_the_c_library(brood, program):
    executable = program(APPS / "stream_app.c")
    serve(brood, c_stream(executable, "once", processes=2, threads=2, timeouts={"idle": 0.5}, thread_stack_size=65536))
    clients = [Client(brood) for _ in range(4)]
    pids = [c.ask("pid") for c in clients]
    assert sorted(map(int, pids)) == sorted(brood.workers("s") * 2)
    c = clients[0]
    assert [c.ask("prototype"), c.ask("started")] == [str(brood.prototypes("s")[0]), "1"]
    assert c.ask("peer") == "%s %d" % c.sock.getsockname()
    assert all(c.hear() == "silence" and c.hear() is None for c in clients)
    wait_until(lambda: connections(brood) == {"accepted": 4, "active": 0, "waiting": 0, "lost": 0})
    with Client(brood) as c:
        pid = c.ask("pid")
        assert c.send("leave").ask("pid") == pid
        wait_until(lambda: len(brood.workers("s")) == 3)
    wait_until(lambda: not is_alive(int(pid)) and f"stopped {pid}\n" in brood.log())
    assert brood.control("/control/applications/s/restart").status == 200
    wait_until(lambda: len(brood.prototypes("s")) == 1)
    assert brood.log().count("loaded once\n") == 2


def test_a_program_that_is_none_fails_the_change(brood, program):
    executable = program(APPS / "stream_app.c")
    for app, words in [(c_stream(executable, environment={"LOAD": "7"}), "could not load: 7"),
                       (c_stream("/nonexistent"), "No such file"), (c_stream("true"), "exited with code 0 before it was ready")]:
        answer = brood.put("/config", {"listeners": {}, "applications": {"s": app}})
        assert answer.status == 500 and words in answer.json["detail"], answer
    done = subprocess.run([executable], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "only as an application of brood" in done.stderr
