"""Listeners that overlap, change places, leave files behind, or cannot be had."""

import os
import socket
import struct
import subprocess
import threading

import pytest

from brood import free_port, python_app, wait_until

FAILED = "Failed to apply new configuration."


def listening(brood, *addresses):
    return brood.put("/config", {"listeners": {a: {"pass": "routes"} for a in addresses}, "routes": [{"action": {"return": 200}}]})


def served(host, port):
    with socket.create_connection((host, port), 20) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return s.recv(100).startswith(b"HTTP/1.1 200 ")


def is_refused(host, port):
    try:
        socket.create_connection((host, port), 20).close()
    except ConnectionRefusedError:
        return True
    return False


def bound(brood):
    """Inet sockets that listen: those of main, as address:port."""
    inodes = {os.readlink(f.path)[8:-1] for f in os.scandir(f"/proc/{brood.pid}/fd") if os.readlink(f.path).startswith("socket:[")}
    found = set()
    for name, width in (("tcp", 4), ("tcp6", 16)):
        for line in open(f"/proc/net/{name}").readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                host, port = fields[1].split(":")
                raw = bytes.fromhex(host)
                raw = b"".join(struct.pack(">I", *struct.unpack("<I", raw[i:i + 4])) for i in range(0, width, 4))
                found.add(f"{socket.inet_ntop(socket.AF_INET if width == 4 else socket.AF_INET6, raw)}:{int(port, 16)}")
    return found


class Clients:
    """Connect, ask, close, again and again; counts what was answered, keeps what was not."""

    def __init__(self, port, threads=3):
        self.port = port
        self.served = 0
        self.failed = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.over.is_set():
            try:
                assert served("127.0.0.1", self.port)
                self.served += 1
            except Exception as e:  # noqa: BLE001 - whatever a client sees is a failure
                self.failed.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()


@pytest.mark.parametrize("before, after", [("*:{}", "127.0.0.1:{}"), ("127.0.0.1:{}", "*:{}"), ("[::]:{}", "[::1]:{}"), ("[::1]:{}", "[::]:{}"),
                                           ("0.0.0.0:{}", "127.0.0.1:{}")])
def test_an_overlapping_address_takes_over_in_one_step(brood, before, after):
    port = free_port()
    host = "::1" if "[" in before else "127.0.0.1"
    for address in (before, after, before):
        answer = listening(brood, address.format(port))
        assert answer.status == 200, answer.text
        assert served(host, port)
        assert len(bound(brood)) == 1


def test_one_beside_the_other_in_any_order(brood):
    port = free_port()
    both = [f"*:{port}", f"127.0.0.1:{port}"]
    for addresses in (both[:1], both, both[1:], both[::-1], both[:1], [], both, [f"127.0.0.2:{port}", *both], []):
        answer = listening(brood, *addresses)
        assert answer.status == 200, f"{addresses}: {answer.text}"
        assert bound(brood) == {a.replace("*", "0.0.0.0") for a in addresses}
        assert is_refused("127.0.0.1", port) if not addresses else served("127.0.0.1", port)
    brood.configure({"listeners": {a: {"pass": "routes"} for a in both}, "routes": [{"action": {"return": 200}}]})
    brood.stop()
    brood.start()
    assert bound(brood) == {f"0.0.0.0:{port}", f"127.0.0.1:{port}"} and served("127.0.0.1", port)


def test_both_families_and_both_wildcards(brood):
    port = free_port()
    assert listening(brood, f"*:{port}", f"[::]:{port}", f"[::1]:{port}").status == 200
    assert served("127.0.0.1", port) and served("::1", port)


def test_no_client_is_lost_while_addresses_change_places(brood):
    port = free_port()
    listening(brood, f"*:{port}")
    with Clients(port) as clients:
        for n in range(int(os.environ.get("BROOD_LISTENER_CHANGES", 20))):
            assert listening(brood, f"*:{port}" if n % 2 else f"127.0.0.1:{port}").status == 200
            done = clients.served
            wait_until(lambda: clients.served > done + 5 or clients.failed, what="further answers")
    assert not clients.failed and clients.served > 100


def test_a_change_that_fails_has_taken_no_connection_from_the_old_one(brood, tmp_path):
    """The application fails only when it is told to: until then, and after it, the old listener serves."""
    (tmp_path / "fails.py").write_text(
        "import os, time\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.01)\n"
        "raise RuntimeError('as it was told')\n")
    port = free_port()
    for wide, narrow in ((f"*:{port}", f"127.0.0.1:{port}"), (f"127.0.0.1:{port}", f"*:{port}")):
        (tmp_path / "go").unlink(missing_ok=True)
        assert listening(brood, wide).status == 200
        answers = []
        change = threading.Thread(target=lambda: answers.append(brood.put("/config", {
            "listeners": {narrow: {"pass": "applications/fails"}}, "applications": {"fails": python_app("fails", path=str(tmp_path))}})))
        change.start()
        wait_until(lambda: brood.prototypes("fails"), what="the prototype")
        assert all(served("127.0.0.1", port) for _ in range(20))
        (tmp_path / "go").touch()
        change.join()
        assert answers[0].status == 500 and "as it was told" in answers[0].json["detail"]
        assert served("127.0.0.1", port) and bound(brood) == {wide.replace("*", "0.0.0.0")}


def test_the_queue_of_a_listener_that_goes_is_served(brood):
    """Those who wait in the kernel's queue when their listener is replaced get their answers."""
    port = free_port()
    listening(brood, f"*:{port}")
    waiting = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(50)]
    assert listening(brood, f"127.0.0.1:{port}").status == 200
    for s in waiting:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert all(s.recv(100).startswith(b"HTTP/1.1 200 ") for s in waiting)
    for s in waiting:
        s.close()


def test_a_stranger_at_an_overlapping_address_is_in_the_way(brood):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = listening(brood, f"*:{port}")
        assert answer.status == 500 and answer.json["error"] == FAILED
        assert f"*:{port}" in answer.json["detail"] and "Address already in use" in answer.json["detail"]
        assert listening(brood, f"127.0.0.2:{port}").status == 200
        answer = listening(brood, f"127.0.0.2:{port}", f"*:{port}")
    if os.geteuid() != 0:  # a stranger of the same user with SO_REUSEPORT is none
        assert answer.status == 500
    assert listening(brood, f"127.0.0.2:{port}").status == 200 and served("127.0.0.2", port)


@pytest.mark.parametrize("address, reason", [
    ("192.0.2.1:{}", "Cannot assign requested address"), ("[2001:db8::1]:{}", "Cannot assign requested address"), ("127.0.0.1:{busy}", "Address already in use"),
    ("unix:{dir}/no/such/place.sock", "No such file or directory"), ("unix:{dir}/file", "File exists"), ("unix:{dir}/live.sock", "Address already in use"),
])
def test_what_cannot_be_bound_says_address_and_reason(brood, address, reason):
    with socket.socket() as taken, socket.socket(socket.AF_UNIX) as live:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        live.bind(str(brood.dir / "live.sock"))
        live.listen()
        (brood.dir / "file").touch()
        address = address.format(free_port(), busy=taken.getsockname()[1], dir=brood.dir)
        fine = free_port()
        answer = listening(brood, f"127.0.0.1:{fine}", address)
        assert answer.status == 500 and answer.json["error"] == FAILED
        assert address in answer.json["detail"] and reason in answer.json["detail"]
        assert is_refused("127.0.0.1", fine) and brood.get("/config/listeners").json == {}
        assert (brood.dir / "file").exists() and (brood.dir / "live.sock").exists()


def unix_served(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return s.recv(100).startswith(b"HTTP/1.1 200 ")


def test_the_file_of_a_unix_listener_comes_and_goes_with_it(brood):
    path = f"{brood.dir}/app.sock"
    assert listening(brood, f"unix:{path}").status == 200
    assert unix_served(path) and os.stat(path).st_mode & 0o777 == 0o666
    assert listening(brood).status == 200
    assert not os.path.exists(path)
    assert listening(brood, f"unix:{path}").status == 200 and unix_served(path)
    brood.stop()
    assert not os.path.exists(path)


def test_a_file_that_a_dead_daemon_left_is_replaced(brood):
    path = f"{brood.dir}/app.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    assert listening(brood, f"unix:{path}").status == 200 and unix_served(path)
    family = brood.family()
    brood.kill()
    wait_until(lambda: not any(os.path.exists(f"/proc/{p}") for p in family), what="the end of the others")
    assert os.path.exists(path)
    brood.start()
    assert unix_served(path)


def test_an_abstract_listener(brood):
    name = f"\0brood-test-{brood.pid}"
    assert listening(brood, f"unix:@{name[1:]}").status == 200 and unix_served(name)
    assert listening(brood).status == 200
    with pytest.raises(ConnectionRefusedError):
        unix_served(name)


def backlog_of(port):
    """The longest queue of the listening socket, as the kernel's socket table has it (ss -l: Send-Q)."""
    out = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return int(out.split()[2])


def test_the_backlog_changes_live_and_nobody_notices(brood):
    port = free_port()
    address = f"127.0.0.1:{port}"
    config = {"listeners": {address: {"pass": "routes", "backlog": 7}}, "routes": [{"action": {"return": 200}}]}
    brood.configure(config)
    assert backlog_of(port) == 7
    with Clients(port, threads=1) as clients:
        assert brood.put(f"/config/listeners/{address}/backlog", "100").status == 200
        assert backlog_of(port) == 100
        assert brood.control(f"/config/listeners/{address}/backlog", "DELETE").status == 200
        assert backlog_of(port) == int(open("/proc/sys/net/core/somaxconn").read())
        wait_until(lambda: clients.served > 20 or clients.failed, what="answers")
    assert not clients.failed
