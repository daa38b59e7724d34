"""WSGI: what an application is given, what it may answer, and what happens when it misbehaves."""

import hashlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from brood import APPS, DEADLINE, free_port, is_alive, python_app, wait_until


def test_the_environ(brood):
    brood.serve("echo", environment={"FLAVOUR": "mild"}, working_directory="/tmp")
    with brood.connect() as wire:
        wire.send("POST /a%20b//c/../d?x=1&y=%20 HTTP/1.1\r\nHost: Example.org:8080\r\nCookie: a=1\r\nCookie: b=2\r\nX-One: 1\r\nx-one: 2\r\n"
                  "X_Under: no\r\nProxy: evil\r\nContent-Type: text/x\r\nAuthorization: Basic eA==\r\nContent-Length: 4\r\n\r\nbody")
        got = wire.answer().json
    env = got["environ"]
    assert got["body"] == "body" and got["cwd"] == "/tmp"
    expected = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/a b/d", "QUERY_STRING": "x=1&y=%20",
        "REQUEST_URI": "/a%20b//c/../d?x=1&y=%20", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "example.org", "SERVER_ADDR": "127.0.0.1",
        "SERVER_PORT": str(brood.port), "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": "4", "CONTENT_TYPE": "text/x", "HTTP_HOST": "Example.org:8080",
        "HTTP_COOKIE": "a=1; b=2", "HTTP_X_ONE": "1, 2", "HTTP_AUTHORIZATION": "Basic eA==", "wsgi.url_scheme": "http"}
    assert {k: env.get(k) for k in expected} == expected
    assert env["SERVER_SOFTWARE"].startswith("brood/") and int(env["REMOTE_PORT"]) > 0
    assert not {"HTTP_PROXY", "HTTP_X_UNDER", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(env)


def test_a_minimal_request_has_no_keys_for_absent_fields(brood):
    brood.serve("echo")
    with brood.connect() as wire:
        env = wire.send("GET / HTTP/1.0\r\n\r\n").answer().json["environ"]
    assert env["SERVER_NAME"] == "localhost" and env["QUERY_STRING"] == "" and env["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert not {"CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_HOST"} & set(env)


def test_nothing_to_report_for_wsgiref_validate(brood, tmp_path):
    brood.serve("validated")
    assert brood.fetch("/", method="POST", body=b"abc").body == b"abc"
    assert brood.fetch("/").body == b""
    assert brood.fetch("/write").body == b"written returned"
    answer = brood.fetch("/exc-info")
    assert answer.status == 500 and answer.body == b"second thoughts"
    assert brood.fetch("/lines", method="POST", body=b"a\nbb\nc\nd").body == b"a\n|bb\n|c\n|d"
    assert brood.fetch("/nothing").status == 204
    assert brood.fetch("/", method="HEAD").body == b""
    payload = os.urandom(300000)
    path = tmp_path / "file"
    path.write_bytes(payload)
    os.chmod(path, 0o644)
    assert brood.fetch(f"/file?{path}").body == payload
    for n in (0, 1, 16383, 16384, 16385, 65536, 1000000, 8388608):
        assert hashlib.md5(brood.fetch("/", method="POST", body=payload[:1] * n).body).digest() == hashlib.md5(payload[:1] * n).digest()
    assert "Traceback" not in brood.log() and "Warning" not in brood.log()


def test_bodies_of_every_size_in_both_directions(brood):
    brood.serve("echo", processes=2)
    block = bytes(range(256)) * 64
    for n in (0, 1, 100, 16384, 32768, 100000, 5000000):
        expected = (block * (n // len(block) + 1))[:n]
        assert brood.fetch(f"/bytes/{n}").body == expected
        assert brood.fetch(f"/stream/{n}").body == expected


def test_a_chunked_request_body(brood):
    brood.serve("echo")
    with brood.connect() as wire:
        got = wire.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4;ext=1\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: t\r\n\r\n").answer().json
    assert got["body"] == "Wikipedia" and got["environ"]["CONTENT_LENGTH"] == "9" and "HTTP_TRANSFER_ENCODING" not in got["environ"]


def test_expect_continue(brood):
    brood.serve("echo")
    with brood.connect() as wire:
        wire.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert wire.file.readline() == b"HTTP/1.1 100 Continue\r\n" and wire.file.readline() == b"\r\n"
        assert wire.send("ok").answer().json["body"] == "ok"


@pytest.mark.parametrize("path, status", [
    ("/no-start", 503), ("/twice", 503), ("/status-int", 503), ("/header-int", 503), ("/header-crlf", 503), ("/header-name", 503), ("/none", 503), ("/item-str", 503),
])
def test_misuse_is_an_error_page_and_a_traceback(brood, path, status):
    brood.serve("misuse")
    answer = brood.fetch(path)
    assert answer.status == status and b"Injected" not in answer.body and "injected" not in answer.fields
    assert brood.fetch("/").body == b"ok"


def test_lengths_that_lie(brood):
    brood.serve("misuse")
    with brood.connect() as wire:
        raw = wire.send("GET /too-short HTTP/1.1\r\nHost: x\r\n\r\n").rest()
        assert raw.endswith(b"\r\n\r\nabc")
    with brood.connect() as wire:
        raw = wire.send("GET /too-long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").rest()
        assert b"abcdef" not in raw
    with brood.connect() as wire:
        raw = wire.send("GET /body-204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").rest()
        assert raw.endswith(b"\r\n\r\n") and b"body" not in raw.lower().split(b"\r\n\r\n", 1)[1]


def test_hop_by_hop_fields_of_the_application_are_dropped(brood):
    brood.serve("misuse")
    answer = brood.fetch("/hop")
    assert answer.body == b"ok" and not {"keep-alive", "status", "transfer-encoding"} & set(answer.fields)
    assert answer.fields["content-length"] == "2"


def test_exceptions(brood):
    brood.serve("echo")
    assert brood.fetch("/raise").status == 503
    assert "RuntimeError: asked to fail" in brood.log()
    with brood.connect() as wire:
        raw = wire.send("GET /raise-late HTTP/1.1\r\nHost: x\r\n\r\n").rest()
        assert b"first" in raw and not raw.endswith(b"0\r\n\r\n")
    assert brood.fetch("/id?id=1").body == b"1"


def test_a_worker_that_exits_is_replaced(brood):
    brood.serve("echo")
    old = brood.workers("echo")
    assert brood.fetch("/exit").status == 503
    assert brood.fetch("/id?id=1").body == b"1"
    assert brood.workers("echo") != old
    brood.serve("misuse")
    assert brood.fetch("/exit").status == 503
    assert brood.fetch("/").body == b"ok"


def test_close_is_always_called(brood):
    closed = brood.dir / "closed"
    brood.serve("closing", environment={"CLOSED": str(closed)})
    count = lambda: len(closed.read_text().splitlines()) if closed.exists() else 0
    os.chmod(brood.dir, 0o777)
    brood.fetch("/")
    wait_until(lambda: count() == 1)
    try:
        brood.fetch("/fail")
    except Exception:
        pass
    wait_until(lambda: count() == 2)
    with brood.connect() as wire:
        wire.send("GET /?100000 HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.sock.recv(100)
    wait_until(lambda: count() == 3, what="close() after the client left")


def test_back_pressure_reaches_the_application(brood):
    """A client that does not read stops the application; the router's memory does not grow."""
    brood.serve("closing", environment={"CLOSED": "/dev/null"})
    router = brood.pids("brood: router")[0]

    def rss():
        for line in open(f"/proc/{router}/status"):
            if line.startswith("RssAnon:"):
                return int(line.split()[1])

    before = rss()
    with brood.connect() as wire:
        wire.send("GET /?16000 HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.sock.recv(10)
        worker = brood.workers("closing")[0]

        def asleep():
            first = open(f"/proc/{worker}/schedstat").read().split()[2]
            import time
            time.sleep(0.2)
            return open(f"/proc/{worker}/schedstat").read().split()[2] == first

        wait_until(asleep, what="sleep of the application")
        assert rss() - before < 4096


def test_queued_requests_of_clients_that_left_never_run(brood):
    brood.serve("echo", processes=1)
    slow = brood.connect()
    slow.send("GET /sleep/1 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: brood.status("/applications/echo")["processes"]["idle"] == 0)
    for _ in range(20):
        with brood.connect() as wire:
            wire.send("GET /sleep/5 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert slow.answer().body == b"slept"
    assert brood.fetch("/id?id=2", timeout=4).body == b"2"


def test_limits_timeout(brood):
    brood.serve("echo", processes=1, limits={"timeout": 1})
    worker = brood.workers("echo")
    assert brood.fetch("/sleep/30", timeout=10).status == 503
    assert brood.fetch("/id?id=3", timeout=15).body == b"3"
    assert brood.workers("echo") != worker


def test_limits_requests(brood):
    brood.serve("echo", processes=1, limits={"requests": 5})
    pids = [brood.fetch("/id?id=1").fields["x-pid"] for _ in range(20)]
    assert [pids.count(p) for p in dict.fromkeys(pids)] == [5, 5, 5, 5]


def test_processes_grow_and_shrink(brood):
    brood.serve("echo", processes={"max": 3, "spare": 1, "idle_timeout": 1})
    assert len(brood.workers("echo")) == 1
    wires = [brood.connect().send("GET /sleep/1 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(6)]
    wait_until(lambda: len(brood.workers("echo")) == 3)
    assert {w.answer().body for w in wires} == {b"slept"}
    wait_until(lambda: len(brood.workers("echo")) == 1, what="idle processes going")


def test_spare_0_starts_nothing_until_asked(brood):
    brood.serve("echo", processes={"max": 2, "spare": 0, "idle_timeout": 1})
    assert brood.workers("echo") == [] and len(brood.prototypes("echo")) == 1
    assert brood.fetch("/id?id=9").body == b"9"
    wait_until(lambda: brood.workers("echo") == [], what="idle processes going")
    assert brood.fetch("/id?id=9").body == b"9"


def test_a_broken_application_is_refused_with_its_traceback(brood):
    brood.serve("echo")
    before = brood.get().body
    answer = brood.put("/config/applications/broken", python_app("broken"))
    assert answer.status == 500 and answer.json["error"] == "Failed to apply new configuration."
    assert "ImportError: this module cannot be loaded, on purpose" in answer.json["detail"]
    assert brood.get().body == before and brood.fetch("/id?id=1").body == b"1"
    for change in ({"module": "no_such_module"}, {"callable": "no_such"}, {"user": "no-such-user"}, {"working_directory": "/no/such"}, {"home": "/no/such"}):
        answer = brood.put("/config/applications/broken", {**python_app("echo"), **change})
        assert answer.status == 500 and list(change.values())[0] in answer.json["detail"], (change, answer.json)
    assert len([1 for t in brood.family().values() if "prototype" in t]) == 1


def test_another_user_and_group(brood):
    if os.getuid() != 0:
        pytest.skip("needs root to change users")
    brood.serve("echo", user="daemon", group="nogroup")
    got = brood.fetch("/").json
    import pwd
    assert got["uid"] == pwd.getpwnam("daemon").pw_uid
    for pid in brood.workers("echo") + brood.prototypes("echo"):
        status = dict(l.split(":\t", 1) for l in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in l)
        assert set(status["Uid"].split()) == {"1"} and status["CapEff"].strip() == "0" * 16


def test_stdout_and_stderr_to_files(brood):
    os.chmod(brood.dir, 0o777)
    brood.serve("echo", stderr=str(brood.dir / "app.err"))
    brood.fetch("/raise")
    wait_until(lambda: "asked to fail" in (brood.dir / "app.err").read_text())


def test_restart_makes_new_processes(brood):
    brood.serve("echo", processes=2)
    old = brood.workers("echo") + brood.prototypes("echo")
    slow = brood.connect().send("GET /sleep/0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: brood.status("/applications/echo")["processes"]["idle"] == 1)
    answer = brood.control("/control/applications/echo/restart")
    assert answer.status == 200 and answer.json == {"success": "Ok"}
    new = brood.fetch("/id?id=1").fields["x-pid"]
    assert int(new) not in old
    assert slow.answer().body == b"slept"
    wait_until(lambda: not [p for p in old if is_alive(p)], what="end of the old processes")


def test_an_unchanged_application_keeps_its_processes(brood):
    brood.serve("echo", processes=2)
    old = brood.workers("echo")
    assert brood.put("/config/routes", [{"action": {"return": 200}}]).status == 200
    assert brood.workers("echo") == old


def test_status_counts_and_lists_workers(brood):
    brood.serve("echo", processes=2)
    for _ in range(10):
        brood.fetch("/id?id=1")
    status = brood.status()
    assert list(status) == ["modules", "connections", "requests", "applications"]
    wait_until(lambda: brood.status("/connections")["closed"] == 10)
    assert status["connections"]["accepted"] == 10 and status["requests"]["total"] == 10
    app = status["applications"]["echo"]
    assert app["processes"] == {"running": 2, "starting": 0, "idle": 2} and app["requests"]["active"] == 0
    assert sorted(w["pid"] for w in app["workers"]) == brood.workers("echo")
    assert sum(w["requests"] for w in app["workers"]) == 10
    for w in app["workers"]:
        assert w["state"] == "idle" and w["memory"]["private"] > 0 and w["memory"]["shared"] > 0
    assert brood.control("/status/requests/total").body == b"10\r\n"
    assert "python" in status["modules"]


def test_the_main_line_is_gone_and_workers_follow(brood):
    brood.serve("echo", processes=2)
    workers = brood.workers("echo")
    os.kill(brood.prototypes("echo")[0], signal.SIGKILL)
    wait_until(lambda: not [w for w in workers if is_alive(w)], deadline=1.0, what="end of the dead prototype's workers")
    assert brood.fetch("/id?id=5", timeout=DEADLINE).body == b"5"


# --- ways into one module ---


def ways(brood, **options):
    return brood.put("/config", listening(brood, applications={"a": python_app("ways", **options)}))


def listening(brood, to={"pass": "applications/a"}, **more):
    brood.port = free_port()
    return {"listeners": {f"127.0.0.1:{brood.port}": to}, **more}


def test_a_factory_makes_the_application_once(brood):
    assert ways(brood, callable="make", factory=True).status == 200
    assert brood.fetch("/").json["way"] == "made in MainThread"


@pytest.mark.parametrize("name, reason", [("make_trouble", "the factory is on strike"), ("make_nothing", "cannot be called"), ("nothing", 'has no "nothing"')])
def test_a_factory_that_fails_is_told(brood, name, reason):
    answer = ways(brood, callable=name, factory=True)
    assert answer.status == 500 and answer.json["error"] == "Failed to apply new configuration." and reason in answer.json["detail"]


@pytest.mark.parametrize("prefix", ["/app", "/app//"])
def test_a_prefix_is_taken_from_the_path_at_a_boundary(brood, prefix):
    assert ways(brood, prefix=prefix).status == 200
    for path, script_name, path_info in (("/app", "/app", ""), ("/app/", "/app", "/"), ("/app/x%20y?z", "/app", "/x y"),
                                         ("/apple", "", "/apple"), ("/", "", "/"), ("/ap", "", "/ap")):
        got = brood.fetch(path).json
        assert (got["SCRIPT_NAME"], got["PATH_INFO"]) == (script_name, path_info), path


def test_a_prefix_of_slashes_is_none(brood):
    assert ways(brood, prefix="/").status == 200
    assert brood.fetch("/x").json["PATH_INFO"] == "/x"


def test_targets_are_chosen_by_pass(brood):
    app = python_app("ways", targets={"first": {"module": "ways"}, "s/d": {"module": "ways", "callable": "second", "prefix": "/s"},
                                      "made": {"module": "ways", "callable": "make", "factory": True}})
    del app["module"]
    brood.configure(listening(brood, {"pass": "routes"}, applications={"a": app}, routes=[
        {"match": {"uri": "/s/*"}, "action": {"pass": "applications/a/s%2Fd"}},
        {"match": {"uri": "/by-name/*"}, "action": {"pass": "applications/a/$arg_target"}},
        {"action": {"pass": "applications/a"}}]))
    assert brood.fetch("/").json["way"] == "application"
    assert brood.fetch("/s/x").json == {"way": "second", "SCRIPT_NAME": "/s", "PATH_INFO": "/x", "multithread": False}
    assert brood.fetch("/by-name/?target=made").json["way"].startswith("made in")
    assert brood.fetch("/by-name/?target=first").json["way"] == "application"
    assert brood.fetch("/by-name/?target=nobody").status == 404


def test_two_threads_answer_at_once(brood):
    assert ways(brood, callable="together", threads=2).status == 200
    with ThreadPoolExecutor(2) as pool:
        names = {answer.body for answer in pool.map(brood.fetch, ["/", "/"])}
    assert len(names) == 2
    assert ways(brood, threads=2).status == 200
    assert brood.fetch("/").json["multithread"]


def test_the_stack_of_a_thread_has_the_size_that_was_asked_for(brood):
    assert ways(brood, callable="stack", threads=2, thread_stack_size=3 * 1024 * 1024).status == 200
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(brood.fetch, ["/", "/"]))
    assert 3 * 1024 in answers[0].json


def test_the_protocol_may_be_named(brood):
    assert ways(brood, protocol="wsgi").status == 200
    assert brood.fetch("/").json["way"] == "application"
    answer = ways(brood, protocol="asgi")
    assert answer.status == 400 and answer.json["path"] == "/applications/a/protocol" and "this build has none but" in answer.json["detail"]
    answer = ways(brood, callable="coroutine")
    assert answer.status == 500 and "ASGI" in answer.json["detail"]


def test_a_listener_names_an_application_in_the_older_way(brood):
    brood.configure(listening(brood, {"application": "a"}, applications={"a": python_app("hello")}))
    assert brood.fetch("/").body == b"Hello, World!"
