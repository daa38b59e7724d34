"""Applications of type `inetd`: a program for each connection."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from brood import free_port, is_alive, processes, wait_until


def inetd(script, **options):
    return {"type": "inetd", "executable": "/bin/sh", "arguments": ["-c", script], **options}


def serve(brood, app, address=None):
    brood.port = free_port()
    address = address or f"127.0.0.1:{brood.port}"
    brood.configure({"listeners": {address: {"protocol": "tcp", "pass": "applications/p"}}, "applications": {"p": app}})


def connect(brood):
    return socket.create_connection(("127.0.0.1", brood.port), 20)


def rest(s):
    data = b""
    while piece := s.recv(65536):
        data += piece
    return data.decode()


def ask(brood, text=""):
    with connect(brood) as s:
        s.sendall(text.encode())
        s.shutdown(socket.SHUT_WR)
        return rest(s)


def refuses(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def connections(brood):
    return brood.status("/applications/p/connections")


def supervisor(brood):
    return brood.pids('brood: "p" supervisor')[0]


def test_the_socket_is_standard_input_and_output(brood):
    serve(brood, inetd("tr a-z A-Z; echo to the log >&2"))
    assert ask(brood, "hello\n") == "HELLO\n"
    wait_until(lambda: "\nto the log\n" in brood.log())
    wait_until(lambda: connections(brood) == {"accepted": 1, "active": 0, "refused": 0})


@pytest.mark.parametrize("client", ["nc", "socat"])
def test_with_the_clients_that_people_use(brood, client):
    if shutil.which(client) is None:
        pytest.skip(f"Debian's package of {client} is not installed")
    serve(brood, inetd("read line; echo got $line"))
    command = {"nc": ["nc", "-N", "127.0.0.1", str(brood.port)],
               "socat": ["socat", "-t5", "-", f"TCP:127.0.0.1:{brood.port}"]}[client]
    assert subprocess.run(command, input=b"this\n", stdout=subprocess.PIPE, timeout=20).stdout == b"got this\n"


def test_standard_error_goes_to_the_client_when_told(brood):
    serve(brood, inetd("echo err >&2", client_stderr=True))
    assert ask(brood) == "err\n"


def test_the_program_knows_who_is_there(brood):
    serve(brood, inetd("env; ls /proc/self/fd | tr '\\n' ' '", environment={"TCPREMOTEIP": "forged", "OWN": "1"}))
    with connect(brood) as s:
        host, port = s.getsockname()
        s.shutdown(socket.SHUT_WR)
        text = rest(s)
    env = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert env["PROTO"] == "TCP" and env["OWN"] == "1"
    assert (env["TCPREMOTEIP"], env["TCPREMOTEPORT"]) == (env["REMOTE_ADDR"], env["REMOTE_PORT"]) == (host, str(port))
    assert (env["TCPLOCALIP"], env["TCPLOCALPORT"]) == ("127.0.0.1", str(brood.port))
    assert "BROOD_HERITAGE" not in env
    assert text.splitlines()[-1].split() == ["0", "1", "2", "3"]


def test_ipv6_and_unix(brood):
    path = brood.dir / "sock"
    script = "echo $PROTO $TCPREMOTEIP $UNIXREMOTEEUID"
    serve(brood, inetd(script), f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        assert rest(s) == f"UNIX {os.getuid()}\n"
    port = free_port()
    brood.configure({"listeners": {f"[::1]:{port}": {"protocol": "tcp", "pass": "applications/p"}},
                     "applications": {"p": inetd(script)}})
    with socket.create_connection(("::1", port)) as s:
        assert rest(s) == "TCP ::1\n"


def test_over_max_the_next_ones_wait(brood):
    serve(brood, inetd("echo in; read x; echo out", connections={"max": 2}))
    clients = [connect(brood) for _ in range(4)]
    assert [c.recv(10) for c in clients[:2]] == [b"in\n"] * 2
    clients[2].settimeout(0.3)
    with pytest.raises(TimeoutError):
        clients[2].recv(10)
    clients[2].settimeout(20)
    assert connections(brood)["active"] == 2
    for n in (0, 1):
        clients[n].sendall(b"\n")
        assert rest(clients[n]) == "out\n"
        assert clients[n + 2].recv(10) == b"in\n"
    for c in clients[2:]:
        c.sendall(b"\n")
        assert rest(c) == "out\n"
    wait_until(lambda: connections(brood) == {"accepted": 4, "active": 0, "refused": 0})


def test_one_source_has_its_share(brood):
    serve(brood, inetd("echo in; read x", connections={"per_source": 2}), "*:{port}".format(port=free_port()))
    port = int(list(brood.get("/config/listeners").json)[0].rsplit(":")[-1])

    def client(source):
        return socket.create_connection(("127.0.0.1", port), 20, (source, 0))

    kept = [client("127.0.0.2"), client("127.0.0.2"), client("127.0.0.3")]
    assert [c.recv(10) for c in kept] == [b"in\n"] * 3
    with client("127.0.0.2") as s:
        assert s.recv(10) == b""
    assert connections(brood) == {"accepted": 3, "active": 3, "refused": 1}
    kept[0].close()
    wait_until(lambda: connections(brood)["active"] == 2)
    with client("127.0.0.2") as s:
        assert s.recv(10) == b"in\n"


def test_a_connection_has_its_time(brood):
    serve(brood, inetd("trap '' TERM; echo in; while :; do sleep 0.05; done", timeouts={"total": 0.5}, stop={"grace": 0.3}))
    began = time.monotonic()
    assert ask(brood) == "in\n"
    assert 0.8 <= time.monotonic() - began < 10


def test_an_idle_connection_is_ended_and_a_busy_one_is_not(brood):
    serve(brood, inetd("exec tr a-z A-Z", timeouts={"idle": 1.5}))
    with connect(brood) as busy, connect(brood) as silent:
        began = time.monotonic()
        while time.monotonic() - began < 3:
            busy.sendall(b"x")
            time.sleep(0.2)
        assert rest(silent) == "" and connections(brood)["active"] == 1
        assert rest(busy) == ""
    assert brood.log().count("is idle") == 2


def test_a_client_that_takes_nothing_is_idle_and_who_listens_is_not(brood):
    """What the program writes counts when it gets through."""
    serve(brood, inetd("exec cat /dev/zero", timeouts={"idle": 1}))
    with connect(brood) as takes, connect(brood) as stuck:
        wait_until(lambda: connections(brood) == {"accepted": 2, "active": 2, "refused": 0})
        while connections(brood)["active"] == 2:
            assert takes.recv(1 << 20)
        wait_until(lambda: "is idle" in brood.log())
        for _ in range(10):
            assert takes.recv(1 << 20)
        assert connections(brood)["active"] == 1
        stuck.close()


def test_a_unix_socket_cannot_be_told_to_be_idle(brood):
    app = inetd("cat", timeouts={"idle": 5})
    answer = brood.put("/config", {"listeners": {f"unix:{brood.dir}/s": {"protocol": "tcp", "pass": "applications/p"}}, "applications": {"p": app}})
    assert answer.status == 400 and "Unix socket" in answer.json["detail"]
    assert answer.json["path"] == "/listeners/unix:" + str(brood.dir).replace("/", "~1") + "~1s/pass"
    app["timeouts"]["idle"] = 0
    serve(brood, app, f"unix:{brood.dir}/s")


def test_a_restart_and_reloads_under_load_lose_nobody(brood):
    serve(brood, inetd("read x; echo got $x"))
    answers, failures, stop = [], [], threading.Event()

    def client():
        while not stop.is_set():
            try:
                answers.append(ask(brood, "x\n"))
            except OSError as e:
                failures.append(e)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for n in range(6):
        assert brood.control("/control/applications/p/restart").status == 200
        assert brood.put("/config/applications/p/environment", {"N": str(n)}).status == 200
        if n % 2:
            os.kill(brood.pids("brood: router")[0], signal.SIGKILL)
            wait_until(lambda: brood.pids("brood: router"))
    stop.set()
    for t in threads:
        t.join()
    assert not failures and set(answers) == {"got x\n"} and len(answers) > 20


def test_a_connection_outlives_a_reload_and_ends_by_itself(brood):
    serve(brood, inetd("read x; echo got $x $A"))
    with connect(brood) as s:
        wait_until(lambda: connections(brood)["active"] == 1)
        assert brood.put("/config/applications/p/environment", {"A": "new"}).status == 200
        assert ask(brood, "y\n") == "got y new\n"
        s.sendall(b"x\n")
        assert rest(s) == "got x\n"
    wait_until(lambda: len(brood.pids('brood: "p" supervisor')) == 1)


def test_a_change_elsewhere_leaves_the_supervisor_alone(brood):
    serve(brood, inetd("read x; echo got $x"))
    with connect(brood) as s:
        wait_until(lambda: connections(brood)["active"] == 1)
        before = supervisor(brood)
        assert brood.put("/config/applications/q", inetd("true")).status == 200
        assert brood.control("/config/applications/q", "DELETE").status == 200
        os.kill(brood.pids("brood: controller")[0], signal.SIGKILL)
        wait_until(lambda: brood.pids("brood: controller"))
        s.sendall(b"x\n")
        assert rest(s) == "got x\n" and supervisor(brood) == before


def test_a_killed_supervisor_takes_its_programs_along_and_the_next_one_serves(brood):
    serve(brood, inetd("echo in; exec sleep 1000"))
    with connect(brood) as s:
        assert s.recv(10) == b"in\n"
        old = supervisor(brood)
        programs = [p for p, (parent, _, _) in processes().items() if parent == old]
        os.kill(old, signal.SIGKILL)
        with connect(brood) as waiting:  # the kernel's queue holds it until the next one is there
            assert waiting.recv(10) == b"in\n"
        assert s.recv(10) == b"" and not [p for p in programs if is_alive(p)]


def test_a_listener_that_goes_finishes_what_it_has(brood):
    serve(brood, inetd("read x; echo got $x"))
    with connect(brood) as s:
        wait_until(lambda: connections(brood)["active"] == 1)
        brood.configure({"listeners": {}, "applications": {}})
        wait_until(lambda: refuses(brood.port))
        s.sendall(b"x\n")
        assert rest(s) == "got x\n"
    wait_until(lambda: not brood.pids('brood: "p" supervisor'))


def test_an_address_can_change_its_protocol_and_back(brood):
    brood.port = free_port()
    address = f"127.0.0.1:{brood.port}"
    apps = {"p": inetd("echo inetd")}
    for _ in range(3):
        brood.configure({"listeners": {address: {"pass": "routes"}}, "routes": [{"action": {"return": 204}}], "applications": apps})
        wait_until(lambda: brood.fetch("/").status == 204)
        brood.configure({"listeners": {address: {"protocol": "tcp", "pass": "applications/p"}}, "applications": apps})
        assert ask(brood) == "inetd\n"


@pytest.mark.parametrize("app, path, words", [
    ({"processes": 3}, "/processes", "Unknown option"),
    ({"restart": "always"}, "/restart", "Unknown option"),
    ({"every": 5}, "/every", "Unknown option"),
    ({"connections": {"max": 0}}, "/connections/max", "from 1"),
    ({"connections": {"per_source": -1}}, "/connections/per_source", "from 0"),
    ({"connections": 3}, "/connections", "must be an object"),
    ({"timeouts": {"total": "x"}}, "/timeouts/total", "must be a number"),
    ({"timeouts": {"idle": -1}}, "/timeouts/idle", "from 0"),
    ({"client_stderr": 1}, "/client_stderr", "must be a boolean"),
])
def test_what_is_no_inetd_is_refused_with_its_place(brood, app, path, words):
    answer = brood.put("/config", {"listeners": {}, "applications": {"p": inetd("true", **app)}})
    assert answer.status == 400 and words in answer.json["detail"], answer
    assert answer.json["path"] == "/applications/p" + path


def test_a_program_that_cannot_be_executed_fails_the_change(brood):
    answer = brood.put("/config", {"listeners": {}, "applications": {"p": {"type": "inetd", "executable": "/nonexistent"}}})
    assert answer.status == 500 and "No such file" in answer.json["detail"]
    assert brood.get("/config/applications").json == {}
