"""Who may use the control API: modes, users and groups of a Unix socket, tokens and certificates of a TCP one."""

import http.client
import json
import os
import pwd
import socket
import ssl
import subprocess
import time
import warnings
from types import SimpleNamespace

import pytest

from brood import BINARY, DEADLINE, Answer, free_port, wait_until
from certs import Authority
from ctl import CTL

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")

FULL, READ = "f" * 16 + "/full+token==", "read-only.token_0123456789"

# Connects to argv[1] ("@" for NUL), sends what stdin holds, prints the answer.
CLIENT = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(20)
s.connect(sys.argv[1].replace("@", chr(0), 1) if sys.argv[1][0] == "@" else sys.argv[1])
try:
    s.sendall(sys.stdin.buffer.read())
    while piece := s.recv(65536): sys.stdout.buffer.write(piece)
except ConnectionError: pass
"""


def request(method, path, body=""):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def ask_as(user, groups, address, method, path, body=""):
    """The status of the answer to another user, None when there is none; PermissionError when it cannot connect."""
    done = subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}",
                           f"--groups={groups}" if groups else "--clear-groups",
                           "/usr/bin/python3", "-c", CLIENT, str(address)],
                          input=request(method, path, body), capture_output=True, timeout=DEADLINE)
    if b"PermissionError" in done.stderr:
        raise PermissionError
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[1]) if done.stdout else None


def refusal(*options):
    """What brood says when it does not start."""
    done = subprocess.run([BINARY, "--no-daemon", *map(str, options)], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 1, done
    return done.stderr


# --- Unix sockets ---

def test_mode_and_owner_are_as_asked(make_brood):
    owner = pwd.getpwuid(os.geteuid()).pw_name
    brood = make_brood("--control-mode", "0660", "--control-user", owner)
    st = brood.control_path.stat()
    assert (st.st_mode & 0o777, st.st_uid) == (0o660, os.geteuid())


@as_root
def test_group_and_user_of_the_socket_may_connect(make_brood):
    brood = make_brood("--control-mode", "0660", "--control-user", "daemon", "--control-group", "www-data")
    st = brood.control_path.stat()
    assert (st.st_uid, st.st_gid) == (pwd.getpwnam("daemon").pw_uid, 33)
    assert ask_as(1, "", brood.control_path, "GET", "/config") == 200
    assert ask_as(4321, "33", brood.control_path, "GET", "/config") == 200
    with pytest.raises(PermissionError):
        ask_as(4321, "", brood.control_path, "GET", "/config")


@as_root
def test_without_lists_the_mode_decides(make_brood):
    brood = make_brood("--control-mode", "0666")
    assert ask_as(4321, "", brood.control_path, "PUT", "/config", "{}") == 200


@as_root
def test_lists_name_users_and_groups(make_brood):
    brood = make_brood("--control-mode", "0666", "--control-allow", "4321,daemon,@5000", "--control-read", "@www-data,4322")
    path = brood.control_path

    def rights(user, groups=""):
        return [ask_as(user, groups, path, *words) for words in (
            ("GET", "/status"), ("GET", "/config"), ("PUT", "/config", "{}"))]

    assert rights(4321) == [200, 200, 200]
    assert rights(1) == [200, 200, 200]
    assert rights(6000, "7000,5000") == [200, 200, 200]
    assert rights(5000) == [200, 200, 200]  # by the primary group
    assert rights(4322) == [200, 403, 403]
    assert rights(6000, "33") == [200, 403, 403]
    assert rights(6000, "33,5000") == [200, 200, 200]  # the most of what is given
    assert rights(6000, "6001") == [None, None, None]
    assert "user 6000, group 6000, process " in brood.log()
    assert brood.get("/config").status == 200  # root always may


@as_root
def test_the_read_only_role_sees_numbers_and_nothing_else(make_brood):
    brood = make_brood("--control-mode", "0666", "--control-read", "4321")
    path = brood.control_path
    for target in ("/status", "/status/", "/status/requests/total", "/status?x"):
        assert ask_as(4321, "", path, "GET", target) == 200, target
    assert ask_as(4321, "", path, "GET", "/status/nothing") == 404
    for method, target in (("GET", "/"), ("GET", "/config"), ("GET", "/certificates"), ("GET", "/history"),
                           ("GET", "/nothing"), ("GET", "/config/..%2Fstatus"),
                           ("PUT", "/status"), ("DELETE", "/config"), ("PUT", "/certificates/a"),
                           ("POST", "/control/applications/a/restart"), ("GET", "/control/applications/a/restart"),
                           ("GET", "/status/../config")):
        assert ask_as(4321, "", path, method, target) == 403, (method, target)
    assert brood.get("/config").json == {"listeners": {}, "routes": [], "applications": {}}


@as_root
def test_an_abstract_socket_is_for_root_and_those_who_are_named(make_brood):
    name = f"brood-test-{os.getpid()}-{free_port()}"

    def start(*options):
        brood = make_brood("--control", f"unix:@{name}{len(options)}", *options, start=False)
        brood.process = subprocess.Popen(brood.command(), stdin=subprocess.DEVNULL, cwd=brood.dir)
        wait_until(lambda: "controller started" in brood.log(), what="start")
        return f"@{name}{len(options)}"

    alone = start()
    assert ask_as(4321, "", alone, "GET", "/status") is None
    assert ask_as(0, "", alone, "GET", "/status") == 200
    listed = start("--control-allow", "4321")
    assert ask_as(4321, "", listed, "GET", "/config") == 200
    assert ask_as(4322, "", listed, "GET", "/config") is None


@pytest.mark.parametrize("options, said", [
    (("--control-allow", "nobody-of-that-name"), 'no user "nobody-of-that-name"'),
    (("--control-read", "@nobody-of-that-name"), 'no group "nobody-of-that-name"'),
    (("--control-allow", "root,,daemon"), "a name is missing"),
    (("--control-allow", "@"), "a name is missing"),
    (("--control-allow", ""), "nothing given"),
])
def test_lists_that_cannot_be_read(tmp_path, options, said):
    assert said in refusal("--control", f"unix:{tmp_path}/c.sock", "--statedir", tmp_path / "s", *options)


# --- TCP ---

@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# who may do what\n\nfull {FULL}\n  read   {READ}\n")
    path.chmod(0o600)
    return path


class Tcp:
    def __init__(self, make_brood, tokens, *options):
        self.start(make_brood, "--control-token-file", str(tokens), *options)

    def start(self, make_brood, *options):
        self.port = free_port()
        self.brood = make_brood("--control", f"127.0.0.1:{self.port}", *options, start=False)
        self.brood.process = subprocess.Popen(self.brood.command(), stdin=subprocess.DEVNULL, cwd=self.brood.dir)
        wait_until(lambda: "controller started" in self.brood.log(), what="start")

    def ask(self, method, path, authorization=None, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            c.request(method, path, body, {"Authorization": authorization} if authorization else {})
            return Answer(c.getresponse())
        finally:
            c.close()


def test_each_request_over_tcp_shows_a_token(make_brood, tokens):
    tcp = Tcp(make_brood, tokens)
    for authorization in (None, "Bearer", "Bearer ", f"Bearer {FULL}x", f"Bearer {FULL[:-1]}", f"Basic {FULL}", FULL,
                          f"Bearer {FULL.upper()}", f"Bearer {FULL}, Bearer {FULL}", "Bearer full"):
        for method, path in (("GET", "/config"), ("PUT", "/config"), ("GET", "/nothing"), ("GET", "/status")):
            answer = tcp.ask(method, path, authorization, "{}" if method == "PUT" else None)
            assert answer.status == 401, (authorization, method, path)
            assert answer.fields["www-authenticate"] == 'Bearer realm="brood"'
            assert answer.json["error"] == "Unauthorized."
    assert "a request from 127.0.0.1 showed no token that counts" in tcp.brood.log()
    assert tcp.ask("GET", "/config", f"Bearer {FULL}").status == 200
    assert tcp.ask("PUT", "/config", f"bearer   {FULL}", '{"routes": []}').json == {"success": "Reconfiguration done."}


def test_a_token_for_reading(make_brood, tokens):
    tcp = Tcp(make_brood, tokens)
    assert tcp.ask("GET", "/status/requests", f"Bearer {READ}").status == 200
    for method, path in (("GET", "/config"), ("GET", "/"), ("PUT", "/config"), ("DELETE", "/config"), ("GET", "/nothing")):
        answer = tcp.ask(method, path, f"Bearer {READ}", "{}" if method == "PUT" else None)
        assert (answer.status, answer.json["error"]) == (403, "Forbidden."), (method, path)
        assert "www-authenticate" not in answer.fields


def test_tokens_stand_in_no_log_and_no_title(make_brood, tokens):
    tcp = Tcp(make_brood, tokens)
    tcp.ask("GET", "/config", f"Bearer {FULL}")
    tcp.ask("GET", "/config", f"Bearer {FULL}x")
    assert FULL not in tcp.brood.log()
    assert not any(FULL in title for title in tcp.brood.family().values())


def test_a_new_controller_reads_the_tokens_again(make_brood, tokens):
    tcp = Tcp(make_brood, tokens)
    tokens.write_text(f"full {'n' * 20}\n")
    [controller] = tcp.brood.pids("brood: controller")
    os.kill(controller, 15)
    wait_until(lambda: tcp.brood.log().count("controller started") == 2, what="another controller")
    assert tcp.ask("GET", "/config", f"Bearer {FULL}").status == 401
    assert tcp.ask("GET", "/config", f"Bearer {'n' * 20}").status == 200


def test_tcp_without_a_token_is_refused_at_start(tmp_path):
    for address in ("127.0.0.1:8443", "[::1]:8443", "*:8443"):
        said = refusal("--control", address, "--statedir", tmp_path / "s")
        assert f"--control {address} can be reached by anybody" in said
        assert "--control-token-file" in said


def test_token_files_that_will_not_do(tmp_path):
    path = tmp_path / "tokens"
    rows = [
        (None, 0o600, "cannot open token file"),
        (f"full {FULL}\n", 0o604, "mode 0604: others may read or write it"),
        (f"full {FULL}\n", 0o620, "others may read or write it"),
        ("", 0o600, "there is no token"),
        ("# nothing\n", 0o600, "there is no token"),
        (f"admin {FULL}\n", 0o600, 'line 1: not "full TOKEN" or "read TOKEN"'),
        (f"# a comment\nfull {FULL}\n{FULL}\n", 0o600, "line 3: not"),
        ("full short\n", 0o600, "line 1: a token has at least 16"),
        (f"full {FULL} {READ}\n", 0o600, "line 1: a token has"),
        ("full\n", 0o600, "line 1: a token has"),
    ]
    for text, mode, said in rows:
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
            path.chmod(mode)
        assert said in refusal("--control", "127.0.0.1:8443", "--control-token-file", path, "--statedir", tmp_path / "s")
    assert "is no regular file" in refusal("--control", "127.0.0.1:8443", "--control-token-file", tmp_path)


def test_what_does_not_go_together_is_refused(tmp_path, tokens):
    assert "are for Unix sockets" in refusal("--control", "127.0.0.1:8443", "--control-token-file", tokens,
                                             "--control-allow", "root")
    assert "is for TCP" in refusal("--control", f"unix:{tmp_path}/c.sock", "--control-token-file", tokens)


# --- broodctl ---

def broodctl(*words, env=None):
    return subprocess.run([CTL, *map(str, words)], capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})


def test_broodctl_shows_the_token(make_brood, tokens, tmp_path):
    tcp = Tcp(make_brood, tokens)
    where = ("--control", f"127.0.0.1:{tcp.port}")
    bare = tmp_path / "bare"
    bare.write_text(f"{READ}\n")
    assert broodctl("get", *where, "--token-file", tokens).returncode == 0
    assert broodctl("status", *where, "--token-file", bare).returncode == 0
    assert broodctl("status", *where, env={"BROOD_TOKEN_FILE": str(bare)}).returncode == 0
    denied = broodctl("get", *where, "--token-file", bare)
    assert (denied.returncode, "you may read /status" in denied.stderr) == (1, True)
    without = broodctl("get", *where)
    assert (without.returncode, "asks for a token" in without.stderr) == (1, True)
    empty = tmp_path / "empty"
    empty.write_text("# none\n")
    assert "there is no token in" in broodctl("get", *where, "--token-file", empty).stderr


# --- TLS ---

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pems(authority, tmp_path_factory):
    """Paths: what the server shows, whom it trusts, and what clients show."""
    place = tmp_path_factory.mktemp("pems")

    def save(name, *texts):
        path = place / f"{name}.pem"
        path.write_text("".join(texts))
        path.chmod(0o600)
        return path

    def bundle(name, issuer=authority, **how):
        b = issuer.issue(name, f"/CN={name}", f"DNS:{name}", **how)
        return save(name, b.pem)

    server = authority.issue("server", "/CN=server", "DNS:localhost,IP:127.0.0.1")
    stranger = Authority(tmp_path_factory.mktemp("other-ca"))
    return SimpleNamespace(
        server=save("server", server.pem), ca=save("ca", authority.cert.read_text()),
        admin=bundle("admin"), monitor=bundle("monitor"), old=bundle("old", days=-1),
        wrong=bundle("wrong", stranger), other_ca=save("other-ca", stranger.cert.read_text()), save=save)


def tls_context(pems, show=None, ca=None):
    context = ssl.create_default_context(cafile=str(ca or pems.ca))
    if show is not None:
        context.load_cert_chain(str(show))
    return context


class Tls(Tcp):
    def __init__(self, make_brood, pems, *options, client_ca=True):
        self.pems = pems
        ca = ("--control-client-ca", str(pems.ca)) if client_ca else ()
        self.start(make_brood, "--control-certificate", str(pems.server), *ca, *options)

    def ask(self, method, path, authorization=None, body=None, show=None):
        c = http.client.HTTPSConnection("localhost", self.port, timeout=DEADLINE, context=tls_context(self.pems, show))
        try:
            c.request(method, path, body, {"Authorization": authorization} if authorization else {})
            return Answer(c.getresponse())
        finally:
            c.close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)


@pytest.fixture
def guarded(make_brood, pems):
    return Tls(make_brood, pems)


def test_a_client_certificate_opens_everything(guarded, pems):
    assert guarded.ask("PUT", "/config", None, '{"routes": []}', show=pems.admin).json == {"success": "Reconfiguration done."}
    assert guarded.ask("GET", "/config/routes", show=pems.monitor).json == []
    done = subprocess.run(["curl", "-sS", "--cacert", pems.ca, "--cert", pems.admin,
                           f"https://127.0.0.1:{guarded.port}/config/routes"], capture_output=True, text=True, timeout=DEADLINE)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("shown, why", [
    (None, "peer did not return a certificate"),
    ("wrong", "the peer's certificate is refused: "),
    ("old", "the peer's certificate is refused: certificate has expired"),
])
def test_who_shows_no_certificate_that_counts_gets_nowhere(guarded, pems, shown, why):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        guarded.ask("GET", "/config", show=shown and getattr(pems, shown))
    wait_until(lambda: f"TLS with 127.0.0.1 failed: {why}" in guarded.brood.log(), what="a line in the log")
    assert guarded.ask("GET", "/config", show=pems.admin).status == 200


def test_old_versions_of_tls_are_refused(guarded, pems):
    context = tls_context(pems, pems.admin)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with guarded.connect() as s, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(s, server_hostname="localhost")
    context = tls_context(pems, pems.admin)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with guarded.connect() as s, context.wrap_socket(s, server_hostname="localhost") as t:
        t.sendall(b"GET /config HTTP/1.1\r\nHost: x\r\n\r\n")
        assert t.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("request_head", [
    b"GET /config HTTP/1.1\r\nHost: x\r\n\r\n", b"DELETE /config HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n{",
])
def test_http_in_clear_is_told_so(guarded, request_head):
    with guarded.connect() as s:
        s.sendall(request_head)
        text = s.makefile("rb").read()
    assert text.startswith(b"HTTP/1.1 400 ")
    assert b"speaks TLS" in text


def test_a_slow_handshake_is_cut_and_hinders_nobody(guarded, pems):
    began = time.monotonic()
    with guarded.connect() as silent, guarded.connect() as slow:
        slow.sendall(b"\x16\x03\x01")
        assert guarded.ask("GET", "/config", show=pems.admin).status == 200
        assert silent.recv(1) == b"" and slow.recv(1) == b""
    assert 9 < time.monotonic() - began < DEADLINE
    assert "TLS with 127.0.0.1 failed: no handshake came in time" in guarded.brood.log()


def test_large_bodies_and_answers_come_whole(guarded, pems):
    answer = guarded.ask("PUT", "/config", None, " " * (63 << 20), show=pems.admin)
    assert (answer.status, answer.json["error"]) == (400, "Invalid JSON.")
    with guarded.connect() as s, tls_context(pems, pems.admin).wrap_socket(s, server_hostname="localhost") as t:
        t.sendall(b"PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % ((64 << 20) + 1))
        assert t.recv(12) == b"HTTP/1.1 413"
    text = json.dumps({"routes": [{"action": {"return": 200}, "match": {"uri": [f"/{i}" + "x" * 900 for i in range(3000)]}}]})
    assert guarded.ask("PUT", "/config", None, text, show=pems.admin).status == 200
    assert guarded.ask("GET", "/config", show=pems.admin).json["routes"] == json.loads(text)["routes"]


def test_a_body_of_a_stranger_is_not_read(make_brood, tokens):
    tcp = Tcp(make_brood, tokens)
    with socket.create_connection(("127.0.0.1", tcp.port), DEADLINE) as s:
        s.sendall(b"PUT /config HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n")
        assert s.recv(12) == b"HTTP/1.1 401"


def test_names_of_certificates_have_roles(make_brood, pems):
    tls = Tls(make_brood, pems, "--control-allow", "admin", "--control-read", "monitor")
    other = tls.ask("GET", "/status", show=pems.server)
    assert (other.status, "in no list" in other.text) == (403, True)
    assert tls.ask("GET", "/config", show=pems.admin).status == 200
    assert tls.ask("GET", "/status", show=pems.monitor).status == 200
    assert tls.ask("GET", "/config", show=pems.monitor).status == 403


def test_tokens_over_tls(make_brood, pems, tokens):
    tls = Tls(make_brood, pems, "--control-token-file", str(tokens), client_ca=False)
    assert tls.ask("GET", "/config").status == 401
    assert tls.ask("GET", "/config", f"Bearer {FULL}").status == 200
    assert tls.ask("GET", "/config", f"Bearer {READ}").status == 403
    both = Tls(make_brood, pems, "--control-token-file", str(tokens))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        both.ask("GET", "/config", f"Bearer {FULL}")
    assert both.ask("GET", "/config", show=pems.admin).status == 401
    assert both.ask("GET", "/config", f"Bearer {FULL}", show=pems.admin).status == 200


def test_files_that_will_not_do_for_tls(tmp_path, pems):
    no_key = pems.save("no-key", pems.ca.read_text())
    garbage = pems.save("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    readable = pems.save("readable", pems.server.read_text())
    readable.chmod(0o644)

    def said(certificate, ca=pems.ca):
        return refusal("--control", "127.0.0.1:8443", "--statedir", tmp_path / "s",
                       "--control-certificate", certificate, "--control-client-ca", ca)

    assert f'certificate file "{no_key}": there is no private key in it' in said(no_key)
    assert f'certificate file "{garbage}": certificate 1 cannot be decoded' in said(garbage)
    assert f'certificate file "{readable}" has mode 0644' in said(readable)
    assert f'cannot open certificate file "{tmp_path}/none"' in said(tmp_path / "none")
    assert f'client CA file "{garbage}": certificate 1' in said(pems.server, garbage)
    assert f'client CA file "{pems.server}": a block "' in said(pems.server, pems.server)
    assert "needs --control-certificate" in refusal("--control", "127.0.0.1:8443", "--control-client-ca", pems.ca)
    assert "it needs --control-token-file, or" in refusal("--control", "127.0.0.1:8443", "--control-certificate", pems.server)
    assert "--control-certificate is for TCP" in refusal("--control", f"unix:{tmp_path}/c", "--control-certificate", pems.server)


def test_broodctl_speaks_tls(guarded, pems):
    where = ("--control", f"https://localhost:{guarded.port}")
    trust = ("--cacert", pems.ca)
    assert broodctl("get", *where, *trust, "--cert", pems.admin).stdout.startswith("{")
    assert broodctl("get", *where, env={"BROOD_CACERT": str(pems.ca), "BROOD_CERT": str(pems.admin)}).returncode == 0
    assert broodctl("get", "--control", f"https://127.0.0.1:{guarded.port}", *trust, "--cert", pems.admin).returncode == 0

    def complaint(*words):
        done = broodctl("get", *words)
        assert done.returncode == 3, done
        return done.stderr

    assert "the peer's certificate is refused" in complaint(*where, "--cacert", pems.other_ca, "--cert", pems.admin)
    assert "certificate required" in complaint(*where, *trust)
    assert "cannot read" in complaint(*where, "--cacert", "/nowhere")
    assert "--key needs --cert" in complaint(*where, *trust, "--key", pems.admin)
    assert "https://HOST:PORT" in complaint("--control", "https://localhost", *trust)
