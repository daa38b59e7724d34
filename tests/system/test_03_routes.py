"""Listeners, routes, return and static files, through real connections."""

import os
import re
import socket
import time
from email.utils import formatdate, parsedate_to_datetime

import pytest

from brood import Answer, UnixHTTPConnection, free_port, wait_until


@pytest.fixture
def www(brood):
    """A daemon that shares brood.dir/www, with a file older than the cache's caution."""
    root = brood.dir / "www"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(bytes(range(256)) * 4)
    (root / "big.bin").write_bytes(os.urandom(300000))
    (root / "sub" / "index.html").write_text("<p>index</p>")
    (root / "README").write_text("no extension")
    for path in root.rglob("*"):
        os.utime(path, (1700000000, 1700000000))
    (root / "out").symlink_to("/etc/hostname")
    os.mkfifo(root / "fifo")
    brood.port = free_port()
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "routes"}},
                     "routes": [{"action": {"share": f"{root}$uri"}}]})
    brood.www = root
    return brood


def serve(brood, routes, **more):
    brood.port = free_port()
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "routes"}}, "routes": routes, **more})


def test_return_and_its_error_page(brood):
    serve(brood, [{"match": {"uri": f"/{s}"}, "action": {"return": s}} for s in (200, 204, 301, 404, 503)])
    for status in (200, 204, 301, 404, 503):
        answer = brood.fetch(f"/{status}")
        assert answer.status == status
        assert answer.body == (b"" if status < 400 else b"<!DOCTYPE html><title>Error %d</title><p>Error %d.\r\n" % (status, status))
        assert ("content-length" in answer.fields) == (status != 204)
        assert answer.fields["server"].startswith("brood/") and parsedate_to_datetime(answer.fields["date"])
    head = brood.fetch("/404", method="HEAD")
    assert head.status == 404 and head.body == b"" and head.fields["content-length"] == "54"
    assert brood.fetch("/other").status == 404


def test_location_is_sent_and_encoded(brood):
    serve(brood, [{"action": {"return": 301, "location": "https://example.org/a b$uri"}}])
    assert brood.fetch("/x%20y").fields["location"] == "https://example.org/a%20b/x%20y"


@pytest.mark.parametrize("pattern, yes, no", [
    ("/a", ["/a", "/%61", "//a", "/b/../a", "/a?x"], ["/A", "/a/", "/ab"]),
    ("/a*", ["/a", "/a/b/c"], ["/b/a"]),
    ("*.php", ["/x.php", "/.php"], ["/x.php/y"]),
    ("*mid*", ["/amidb", "/mid"], ["/mi/d"]),
    ("/a*c*e", ["/ace", "/abcde"], ["/aec"]),
    ("!/no*", ["/yes"], ["/no", "/nothing"]),
    ("~^/[0-9]+$", ["/123"], ["/12a"]),
    ("!~x", ["/y"], ["/x"]),
    (["/a", "/b"], ["/a", "/b"], ["/c"]),
    (["/a*", "!/ab*"], ["/ac"], ["/abc", "/b"]),
    ("/star%2A", ["/star*"], ["/starx"]),
    ([], ["/any"], []),
])
def test_uri_patterns(brood, pattern, yes, no):
    serve(brood, [{"match": {"uri": pattern}, "action": {"return": 200}}])
    assert {u: brood.fetch(u).status for u in yes + no} == {**{u: 200 for u in yes}, **{u: 404 for u in no}}


def test_host_and_method_do_not_mind_case(brood):
    serve(brood, [{"match": {"host": "*.Example.org", "method": ["get", "!HEAD"]}, "action": {"return": 200}}])
    for host, method, status in (("a.example.ORG:80", "GET", 200), ("a.example.org.", "GET", 200), ("example.com", "GET", 404), ("a.example.org", "POST", 404)):
        assert brood.fetch("/", method=method, headers={"Host": host}).status == status


def test_named_routes_with_escaped_names_and_a_loop(brood):
    brood.port = free_port()
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "routes/a%2Fb"}},
                     "routes": {"a/b": [{"match": {"uri": "/loop"}, "action": {"pass": "routes/l"}}, {"action": {"pass": "routes/$method"}}],
                                "GET": [{"action": {"return": 204}}], "l": [{"action": {"pass": "routes/a%2Fb"}}]}})
    assert brood.fetch("/").status == 204
    assert brood.fetch("/", method="POST").status == 404
    assert brood.fetch("/loop").status == 500


def test_a_unix_listener_comes_and_goes(brood):
    path = brood.dir / "web.sock"
    brood.configure({"listeners": {f"unix:{path}": {"pass": "routes"}}, "routes": [{"action": {"return": 200}}]})
    c = UnixHTTPConnection(path)
    c.request("GET", "/")
    assert Answer(c.getresponse()).status == 200
    c.close()
    brood.configure({"listeners": {}})
    assert not path.exists()


def test_an_ipv6_listener_beside_ipv4(brood):
    port = free_port()
    brood.configure({"listeners": {f"*:{port}": {"pass": "routes"}, f"[::]:{port}": {"pass": "routes"}}, "routes": [{"action": {"return": 200}}]})
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port)) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_file_and_its_fields(www):
    answer = www.fetch("/a.txt")
    assert answer.status == 200 and answer.body == bytes(range(256)) * 4
    assert answer.fields["content-type"] == "text/plain" and answer.fields["etag"] == '"6553f100-400"'
    assert answer.fields["last-modified"] == formatdate(1700000000, usegmt=True) and answer.fields["accept-ranges"] == "bytes"
    assert "content-type" not in www.fetch("/README").fields
    head = www.fetch("/big.bin", method="HEAD")
    assert head.status == 200 and head.fields["content-length"] == "300000" and head.body == b""
    assert www.fetch("/big.bin").body == (www.www / "big.bin").read_bytes()


def test_a_changed_file_is_never_served_stale(www):
    for i in range(30):
        (www.www / "a.txt").write_text(f"v{i:02d}")
        assert www.fetch("/a.txt").body == b"v%02d" % i
    (www.www / "new").write_text("replaced")
    os.rename(www.www / "new", www.www / "a.txt")
    assert www.fetch("/a.txt").body == b"replaced"
    os.unlink(www.www / "a.txt")
    assert www.fetch("/a.txt").status == 404


def test_what_is_not_a_file(www):
    assert www.fetch("/sub/").body == b"<p>index</p>"
    answer = www.fetch("/sub?q=1")
    assert answer.status == 301 and answer.fields["location"] == "/sub/?q=1"
    for path in ("/", "/none", "/fifo", "/a.txt/", "/a.txt/b", "/" + "n" * 300):
        assert www.fetch(path).status == 404, path
    post = www.fetch("/a.txt", method="POST", body=b"x")
    assert post.status == 405 and post.fields["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path, status", [
    ("/../../../etc/hostname", 400), ("/%2e%2e/%2e%2e/etc/hostname", 400), ("/..%2f..%2fetc/hostname", 400), ("/sub/%2e%2e/a.txt", 200),
    ("/.%2e/etc/hostname", 400), ("/a.txt%00.html", 400), ("/..%5c..%5cetc/hostname", 404), ("/sub/..", 404), ("/%2fetc/hostname", 404),
])
def test_paths_that_try_to_climb(www, path, status):
    with www.connect() as wire:
        assert wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").answer().status == status


@pytest.mark.parametrize("field, status", [
    ({"If-None-Match": '"6553f100-400"'}, 304), ({"If-None-Match": 'W/"x", W/"6553f100-400"'}, 304), ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"other"'}, 200), ({"If-Modified-Since": formatdate(1700000000, usegmt=True)}, 304),
    ({"If-Modified-Since": formatdate(1699999999, usegmt=True)}, 200), ({"If-Modified-Since": "nonsense"}, 200),
    ({"If-None-Match": '"other"', "If-Modified-Since": formatdate(1700000000, usegmt=True)}, 200),
    ({"If-Match": '"6553f100-400"'}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"other"'}, 412), ({"If-Match": 'W/"6553f100-400"'}, 412),
    ({"If-Unmodified-Since": formatdate(1699999999, usegmt=True)}, 412), ({"If-Unmodified-Since": formatdate(1700000000, usegmt=True)}, 200),
])
def test_conditional_requests(www, field, status):
    answer = www.fetch("/a.txt", headers=field)
    assert answer.status == status
    if status == 304:
        assert answer.body == b"" and answer.fields["etag"] == '"6553f100-400"'


@pytest.mark.parametrize("spec, expected", [
    ("bytes=0-0", (0, 0)), ("bytes=0-9", (0, 9)), ("bytes=1000-", (1000, 1023)), ("bytes=-1", (1023, 1023)), ("bytes=-5000", (0, 1023)),
    ("bytes=1020-99999999999999999999", (1020, 1023)), ("bytes=0-1023", (0, 1023)),
    ("bytes=1024-", 416), ("bytes=-0", 416), ("bytes=9-3", 200), ("bytes=a-b", 200), ("items=0-1", 200), ("bytes=", 200), ("bytes=0-1,x", 200),
])
def test_a_range(www, spec, expected):
    answer = www.fetch("/a.txt", headers={"Range": spec})
    whole = bytes(range(256)) * 4
    if expected == 416:
        assert answer.status == 416 and answer.fields["content-range"] == "bytes */1024"
    elif expected == 200:
        assert answer.status == 200 and answer.body == whole
    else:
        first, last = expected
        assert answer.status == 206 and answer.body == whole[first:last + 1]
        assert answer.fields["content-range"] == f"bytes {first}-{last}/1024"


def test_several_ranges_and_if_range(www):
    answer = www.fetch("/a.txt", headers={"Range": "bytes=0-1, 5-6,-2"})
    assert answer.status == 206 and answer.fields["content-type"].startswith("multipart/byteranges; boundary=")
    boundary = answer.fields["content-type"].split("boundary=")[1].strip('"').encode()
    parts = answer.body.split(b"--" + boundary)
    assert parts[-1].startswith(b"--") and len(parts) == 5
    assert [p.split(b"\r\n\r\n", 1)[1][:-2] for p in parts[1:-1]] == [b"\x00\x01", b"\x05\x06", b"\xfe\xff"]
    assert b"Content-Range: bytes 5-6/1024" in parts[2]
    assert www.fetch("/a.txt", headers={"Range": "bytes=0-1", "If-Range": '"6553f100-400"'}).status == 206
    assert www.fetch("/a.txt", headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status == 200
    assert www.fetch("/a.txt", headers={"Range": "bytes=0-1", "If-Range": 'W/"6553f100-400"'}).status == 200
    many = "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 1000))
    assert www.fetch("/a.txt", headers={"Range": many}).status in (200, 416)


def test_share_list_fallback_index_and_types(brood):
    root = brood.dir / "w"
    (root / "one").mkdir(parents=True)
    (root / "two").mkdir()
    (root / "two" / "x.css").write_text("css")
    (root / "two" / "main.htm").write_text("main")
    serve(brood, [{"action": {"share": [f"{root}/one$uri", f"{root}/two$uri"], "index": "main.htm", "types": ["!text/markdown"],
                              "fallback": {"return": 418}}}],
          settings={"http": {"static": {"mime_types": {"text/x-own": [".css"]}}}})
    answer = brood.fetch("/x.css")
    assert answer.body == b"css" and answer.fields["content-type"] == "text/x-own"
    assert brood.fetch("/").body == b"main"
    assert brood.fetch("/none").status == 418
    assert brood.fetch("/x.css", method="POST").status == 418
    (root / "two" / "y.md").write_text("md")
    assert brood.fetch("/y.md").status == 418


def test_access_log_in_the_combined_format(brood):
    log = brood.dir / "access.log"
    serve(brood, [{"action": {"return": 200}}], access_log=str(log))
    brood.fetch('/a%22b?q="', headers={"Referer": 'http://r/"\\', "User-Agent": "agent"})
    with brood.connect() as wire:
        wire.send("BAD\r\n\r\n").rest()
    from brood import wait_until
    lines = wait_until(lambda: len(t := log.read_text().splitlines()) == 2 and t)
    import re
    assert re.fullmatch(r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a%22b\?q=(\\x22|%22) HTTP/1\.1" 200 0 "http://r/\\x22\\x5C" "agent"', lines[0]), lines[0]
    assert " 400 " in lines[1]
    os.rename(log, brood.dir / "old.log")
    import signal
    brood.signal(signal.SIGUSR1)
    wait_until(log.exists, what="reopened access log")
    brood.fetch("/after")
    wait_until(lambda: "/after" in log.read_text())


def test_many_requests_on_one_connection_and_pipelining(brood):
    serve(brood, [{"match": {"uri": "/a"}, "action": {"return": 200}}, {"action": {"return": 404}}])
    with brood.connect() as wire:
        wire.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert [wire.answer().status for _ in range(100)] == [200, 404] * 50


def test_a_listener_change_does_not_cut_a_connection(brood):
    serve(brood, [{"action": {"return": 200}}])
    with brood.connect() as wire:
        wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().status == 200
        assert brood.put("/config/routes/0/action/return", "204").status == 200
        wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().status == 204


def test_log_route_tells_the_way_of_each_request(www):
    routes = {"main": [{"match": {"uri": "/x"}, "action": {"return": 200}},
                       {"action": {"share": f"{www.www}$uri", "fallback": {"pass": "routes/a%2Fb"}}}],
              "a/b": [{"match": {"uri": "/no"}, "action": {"return": 204}}]}
    listeners = {f"127.0.0.1:{www.port}": {"pass": "routes/main"}}
    www.configure({"listeners": listeners, "routes": routes, "settings": {"http": {"log_route": True}}})
    before = len(www.log())
    assert www.fetch("/none?q").status == 404
    expected = ['[notice] "GET /none?q HTTP/1.1"', '[info] "routes/main/0" discarded', '[notice] "routes/main/1" selected',
                '[notice] "fallback" taken', '[info] "routes/a/b/0" discarded']
    wait_until(lambda: expected[-1].split("] ")[1] in www.log())
    told = [re.sub(r".*(\[[a-z]+\]) \S+ \*\d+ ", r"\1 ", line) for line in www.log()[before:].splitlines()]
    assert [line for line in told if line in expected] == expected
    www.configure({"listeners": listeners, "routes": routes})
    before = len(www.log())
    assert www.fetch("/none").status == 404
    www.stop()
    assert "discarded" not in www.log()[before:] and "taken" not in www.log()[before:]
