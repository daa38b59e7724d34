"""/certificates: upload, look, replace, delete; what survives, and who may read the keys."""

import errno
import json
import os
import shutil
import signal as signals
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from http.client import HTTPException

import pytest

from brood import DEADLINE, escaped, is_alive, wait_until
from certs import Authority, openssl
from ctl import REFUSED, USAGE, Client
from injection import injection, needs_points

UPLOADED = {"success": "Certificate chain uploaded."}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def site(authority):
    return authority.issue(
        "site", "/C=NL/ST=Gelderland/L=Ede/O=Brood/OU=Hühner/CN=site.example",
        "DNS:site.example,DNS:*.site.example,IP:192.0.2.1,IP:2001:db8::1,email:a@example.org")


@pytest.fixture(scope="module")
def other(authority):
    return authority.issue("other", kind="RSA")


def put(brood, name, pem, query=""):
    return brood.put(f"/certificates/{name}{query}", pem)


def refused(answer, status, title, detail=None):
    assert (answer.status, answer.json["error"]) == (status, title), answer.text
    if detail is not None:
        assert detail in answer.json["detail"]
    return True


def as_python(when):
    return datetime.strptime(when, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=timezone.utc)


# --- looking ---

def test_there_are_none_at_first(brood):
    assert brood.get("/certificates").body == b"{}\r\n"
    assert list(brood.get("/").json)[0] == "certificates"
    refused(brood.get("/certificates/site"), 404, "Certificate doesn't exist.")


def test_a_bundle_is_described_with_its_chain(brood, site):
    answer = put(brood, "site", site.pem)
    assert (answer.status, answer.json) == (200, UPLOADED)
    bundle = brood.get("/certificates").json["site"]
    assert list(bundle) == ["key", "chain"]
    assert bundle["key"] == "ECDH"
    leaf, root = bundle["chain"]
    assert list(leaf)[:3] == ["subject", "issuer", "validity"]
    assert list(leaf["subject"].items()) == [
        ("common_name", "site.example"), ("alt_names", ["site.example", "*.site.example"]), ("country", "NL"),
        ("state_or_province", "Gelderland"), ("locality", "Ede"), ("organization", "Brood"),
        ("department", "Hühner"), ("ip_names", ["192.0.2.1", "2001:db8::1"])]
    assert leaf["issuer"] == {"common_name": "Test root"}
    assert root["subject"] == root["issuer"] == {"common_name": "Test root"}
    since, until = as_python(leaf["validity"]["since"]), as_python(leaf["validity"]["until"])
    assert (until - since).days == 30
    assert leaf["validity"]["days_left"] in (29, 30)
    assert brood.get("/").json["certificates"]["site"] == bundle


def test_dates_and_fingerprint_are_those_of_openssl(brood, site):
    put(brood, "site", site.pem)
    leaf = brood.get("/certificates/site/chain/0").json
    printed = subprocess.run(["openssl", "x509", "-noout", "-dates", "-serial", "-fingerprint", "-sha256",
                              "-in", site.cert_path], check=True, capture_output=True, text=True).stdout
    said = dict(line.split("=", 1) for line in printed.splitlines())
    assert leaf["validity"]["since"] == said["notBefore"]
    assert leaf["validity"]["until"] == said["notAfter"]
    assert leaf["serial"] == said["serial"]
    assert leaf["fingerprint"] == said["sha256 Fingerprint"]


def test_parts_of_a_bundle_have_paths(brood, site):
    put(brood, "site", site.pem)
    assert brood.get("/certificates/site/key").text == '"ECDH"\r\n'
    assert brood.get("/certificates/site/chain/0/subject/common_name").json == "site.example"
    assert brood.get("/certificates/site/chain/0/subject/alt_names/1/").json == "*.site.example"
    for miss in ("chain/2", "chain/x", "chain/0/subject/nothing", "key/0", "certificate"):
        refused(brood.get(f"/certificates/site/{miss}"), 404, "Invalid path.")
    refused(brood.get("/certificates/nothing/chain"), 404, "Certificate doesn't exist.")


def test_each_kind_of_key_has_its_words(brood, authority):
    for kind, said in (("RSA", "RSA (2048 bits)"), ("EC", "ECDH"), ("ED25519", "unknown")):
        assert put(brood, kind, authority.issue(f"kind-{kind}", kind=kind).pem).status == 200
        assert brood.get(f"/certificates/{kind}/key").json == said


def test_no_answer_holds_a_key(brood, site):
    put(brood, "site", site.pem)
    secret = site.key.splitlines()[1]
    for path in ("/", "/certificates", "/certificates/site"):
        assert secret not in brood.get(path).text
    assert secret not in brood.log()


# --- names ---

def test_names_are_any_text(brood, site):
    for name in ("site", "my site", "hühner", "100%", "...", "new", "conf.json", "x" * 255, "*", 'a"b', "a\\b", "?", "~"):
        path = f"/certificates/{escaped(name)}"
        assert brood.put(path, site.pem).json == UPLOADED, name
        assert list(brood.get("/certificates").json) == [name]
        assert brood.get(f"{path}/key").json == "ECDH"
        assert os.listdir(brood.state_dir / "certs") == [name]
        assert brood.control(path, "DELETE").json == {"success": "Certificate deleted."}
    assert brood.get("/certificates").json == {}


def test_names_are_told_apart_by_case(brood, site, other):
    assert put(brood, "site", site.pem).status == put(brood, "Site", other.pem).status == 200
    assert {k: v["key"] for k, v in brood.get("/certificates").json.items()} == {
        "Site": "RSA (2048 bits)", "site": "ECDH"}


def test_names_that_are_none(brood, site):
    for path in ("/certificates", "/certificates/", "/certificates/a/b", "/certificates/a%2Fb", "/certificates/%2F",
                 "/certificates/" + "x" * 256):
        refused(brood.put(path, site.pem), 400, "Invalid certificate name.", "at most 255 bytes")
    assert not (brood.state_dir / "certs").exists() or os.listdir(brood.state_dir / "certs") == []


def test_dot_segments_are_resolved_before_they_are_names(brood, site):
    refused(brood.put("/certificates/../config", site.pem), 400, "Invalid JSON.")
    refused(brood.put("/certificates/x/..", site.pem), 400, "Invalid certificate name.")


def test_other_methods(brood, site):
    put(brood, "site", site.pem)
    for path in ("/certificates", "/certificates/site", "/certificates/nothing"):
        for method in ("POST", "PATCH", "OPTIONS"):
            refused(brood.control(path, method), 405, "Invalid method.")


# --- what is no bundle ---

def broken(site, other, authority):
    encrypted = authority.dir / "encrypted.key"
    openssl("pkcs8", "-topk8", "-in", site.key_path, "-out", encrypted, "-passout", "pass:secret")
    traditional = authority.dir / "encrypted-rsa.key"
    openssl("rsa", "-in", other.key_path, "-traditional", "-aes128", "-out", traditional, "-passout", "pass:secret")
    request = (authority.dir / "site.csr").read_text()
    half = site.cert[:len(site.cert) // 2]
    return {
        "empty": ("", "no certificate"),
        "garbage": ("\0\1\2 certificate", "no certificate"),
        "JSON": ('{"certificate": "x"}', "no certificate"),
        "no key": (site.cert + site.ca, "no private key"),
        "no certificate": (site.key, "no certificate"),
        "two keys": (site.pem + other.key, "more than one private key"),
        "the same key twice": (site.pem + site.key, "more than one private key"),
        "encrypted": (site.cert + encrypted.read_text(), "encrypted"),
        "encrypted, the old way": (other.cert + traditional.read_text(), "encrypted"),
        "a request": (site.pem + request, '"CERTIFICATE REQUEST"'),
        "cut": (half, "not proper PEM"),
        "cut behind a whole one": (site.cert + site.key + half, "block 3"),
        "another key": (site.cert + other.key, "does not belong to the first certificate"),
        "root first": (site.ca + site.cert + site.key, "belongs to certificate 2"),
        "too large": ("#" * (1024 * 1024) + site.pem, "larger than"),
    }


def test_what_is_no_bundle_is_refused_with_the_reason(brood, site, other, authority):
    for what, (pem, detail) in broken(site, other, authority).items():
        assert refused(put(brood, "a", pem), 400, "Invalid certificate.", detail), what
    assert brood.get("/certificates").json == {}
    assert not (brood.state_dir / "certs").exists()


def test_forms_that_are_taken(brood, site, other, authority):
    trad = authority.dir / "trad.key"
    openssl("ec", "-in", site.key_path, "-out", trad)
    parameters = authority.dir / "parameters"
    openssl("ecparam", "-name", "prime256v1", "-out", parameters)
    rsa = authority.dir / "rsa.key"
    openssl("rsa", "-in", other.key_path, "-traditional", "-out", rsa)
    assert "BEGIN EC PRIVATE KEY" in trad.read_text() and "BEGIN RSA PRIVATE KEY" in rsa.read_text()
    forms = {
        "key first": site.key + site.cert + site.ca,
        "key between": site.cert + site.key + site.ca,
        "parameters": parameters.read_text() + trad.read_text() + site.cert,
        "rsa": other.cert + rsa.read_text(),
        "text around": f"Subject: x\n{site.cert}\nthen\n{site.key}\nend",
        "CR LF": site.pem.replace("\n", "\r\n"),
    }
    for i, (what, pem) in enumerate(forms.items()):
        assert put(brood, f"b{i}", pem).json == UPLOADED, what


# --- changing ---

def test_an_existing_one_is_not_overwritten_unless_asked(brood, site, other):
    put(brood, "site", site.pem)
    refused(put(brood, "site", other.pem), 400, "Certificate already exists.")
    refused(put(brood, "site", other.pem, "?replace=false"), 400, "Certificate already exists.")
    refused(put(brood, "site", other.pem, "?replace=perhaps"), 400, "Invalid request.", '"replace"')
    assert brood.get("/certificates/site/key").json == "ECDH"
    refused(put(brood, "site", "rubbish", "?replace"), 400, "Invalid certificate.")
    assert brood.get("/certificates/site/key").json == "ECDH"
    assert put(brood, "site", other.pem, "?replace").json == UPLOADED
    assert brood.get("/certificates/site/key").json == "RSA (2048 bits)"
    assert (brood.state_dir / "certs" / "site").read_text() == other.pem


def test_a_dry_run_stores_and_deletes_nothing(brood, site):
    assert put(brood, "site", site.pem, "?dry_run").json == {"success": "Valid."}
    assert brood.get("/certificates").json == {}
    refused(put(brood, "site", site.cert, "?dry_run"), 400, "Invalid certificate.")
    put(brood, "site", site.pem)
    refused(put(brood, "site", site.pem, "?dry_run"), 400, "Certificate already exists.")
    assert brood.control("/certificates/site?dry_run", "DELETE").json == {"success": "Valid."}
    assert "site" in brood.get("/certificates").json


def test_deleting(brood, site):
    refused(brood.control("/certificates/site", "DELETE"), 404, "Certificate doesn't exist.")
    put(brood, "site", site.pem)
    assert brood.control("/certificates/site", "DELETE").json == {"success": "Certificate deleted."}
    assert not (brood.state_dir / "certs" / "site").exists()
    refused(brood.control("/certificates/site", "DELETE"), 404, "Certificate doesn't exist.")
    refused(brood.control("/certificates", "DELETE"), 400, "Invalid certificate name.")
    assert put(brood, "site", site.pem).json == UPLOADED


# --- on disk ---

def test_keys_are_readable_by_their_owner_alone(brood, site):
    put(brood, "site", site.pem)
    path = brood.state_dir / "certs" / "site"
    assert path.read_text() == site.pem
    for place, mode in ((path, 0o600), (path.parent, 0o700), (brood.state_dir, 0o700)):
        st = place.stat()
        assert (stat.S_IMODE(st.st_mode), st.st_uid) == (mode, os.geteuid())


def test_they_survive_a_restart_of_the_daemon(brood, site, other):
    put(brood, "site", site.pem)
    put(brood, "other", other.pem)
    before = brood.get("/certificates").body
    brood.stop()
    brood.start()
    assert brood.get("/certificates").body == before


def test_they_survive_the_controller(brood, site):
    put(brood, "site", site.pem)
    before = brood.get("/certificates").body
    [controller] = brood.pids("brood: controller")
    os.kill(controller, signals.SIGKILL)
    wait_until(lambda: brood.pids("brood: controller") not in ([], [controller]), what="a new controller")
    assert brood.get("/certificates").body == before


def test_what_cannot_be_read_at_start_is_logged_and_left_out(brood, site):
    put(brood, "site", site.pem)
    brood.stop()
    certs = brood.state_dir / "certs"
    (certs / "broken").write_text("rubbish")
    (certs / "cut").write_text(site.cert)
    (certs / "large").write_bytes(b"#" * (1024 * 1024 + 1))
    (certs / "directory").mkdir()
    os.mkfifo(certs / "fifo")
    (certs / "link").symlink_to(certs / "site")
    (brood.state_dir / "certs.new").write_text("half of a new o")
    brood.start()
    assert list(brood.get("/certificates").json) == ["site"]
    for name in ("broken", "cut", "large", "directory", "fifo", "link"):
        assert f'certificate bundle "{name}" is left out: ' in brood.log()
    assert put(brood, "broken", site.pem).json == UPLOADED
    assert (certs / "broken").read_text() == site.pem


def test_a_disk_that_cannot_take_it_changes_nothing(brood, site, other):
    put(brood, "site", site.pem)
    before = brood.get("/certificates").body
    certs = brood.state_dir / "certs"
    shutil.move(certs, brood.state_dir / "away")
    certs.write_text("in the way")
    refused(put(brood, "new", site.pem), 500, "Failed to store certificate.", "state directory")
    refused(put(brood, "site", other.pem, "?replace"), 500, "Failed to store certificate.")
    assert brood.get("/certificates").body == before
    certs.unlink()
    shutil.move(brood.state_dir / "away", certs)
    assert (certs / "site").read_text() == site.pem
    assert put(brood, "new", site.pem).json == UPLOADED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_changes_nothing(make_brood, site):
    brood = make_brood(start=False)
    brood.state_dir.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", brood.state_dir]).returncode != 0:
        pytest.skip("mount is not permitted here")
    try:
        brood.start()
        put(brood, "site", site.pem)
        filler = brood.state_dir / "filler"
        with open(filler, "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(b"x" * 4096)
        refused(put(brood, "new", site.pem), 500, "Failed to store certificate.", "No space left")
        assert list(brood.get("/certificates").json) == ["site"]
        assert os.listdir(brood.state_dir / "certs") == ["site"]
        filler.unlink()
        assert put(brood, "new", site.pem).json == UPLOADED
        brood.stop()
    finally:
        subprocess.run(["umount", "-l", brood.state_dir], check=True)


def test_uploads_at_once_are_all_or_nothing(brood, site, other):
    """Many clients want the same name: one gets it, and what is on disk is whole."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: put(brood, "site", (site if i % 2 else other).pem), range(16)))
    assert sorted(a.status for a in answers) == [200] + [400] * 15
    won = answers.index(next(a for a in answers if a.status == 200))
    assert (brood.state_dir / "certs" / "site").read_text() == (site if won % 2 else other).pem


# --- kills ---

@needs_points
@pytest.mark.parametrize("point, end", [("save_asked", "old"), ("save_opened", "old"), ("save_written", "old"),
                                        ("save_synced", "old"), ("saved", "new")])
def test_a_main_that_dies_while_it_stores_leaves_the_old_or_the_new(make_brood, tmp_path, site, other, point, end):
    brood = make_brood(env=injection(tmp_path / "inject"))
    put(brood, "site", site.pem)
    family = brood.family()
    brood.arm(f"main.{point}")
    try:  # the controller may still have the time to say that main is gone
        refused(put(brood, "site", other.pem, "?replace"), 500, "Failed to store certificate.", "no answer from main")
    except (OSError, HTTPException):
        pass
    assert brood.process.wait(DEADLINE) == -signals.SIGKILL
    wait_until(lambda: not [p for p in family if is_alive(p)], what="end of all processes")
    assert (brood.state_dir / "certs" / "site").read_text() == (site if end == "old" else other).pem
    assert os.listdir(brood.state_dir / "certs") == ["site"]
    brood.start()
    assert brood.get("/certificates/site/key").json == ("ECDH" if end == "old" else "RSA (2048 bits)")
    assert put(brood, "site", other.pem, "?replace").json == UPLOADED
    assert brood.get("/certificates/site/key").json == "RSA (2048 bits)"


@needs_points
@pytest.mark.parametrize("point, end", [("save_asked", "old"), ("saved", "new")])
def test_a_controller_that_dies_meanwhile_learns_what_main_has(make_brood, tmp_path, site, other, point, end):
    """main stands still at the point until the controller is dead."""
    brood = make_brood(env=injection(tmp_path / "inject"))
    put(brood, "site", site.pem)
    [controller] = brood.pids("brood: controller")
    armed = brood.arm(f"main.{point}", "stop")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(put, brood, "site", other.pem, "?replace")
        wait_until(lambda: not armed.exists(), what="the point")
        on_disk = (brood.state_dir / "certs" / "site").read_text()
        assert on_disk == (site if end == "old" else other).pem
        os.kill(controller, signals.SIGKILL)
        brood.signal(signals.SIGCONT)
        with pytest.raises((OSError, HTTPException)):
            answer.result()
    wait_until(lambda: brood.log().count("controller started") == 2, what="another controller")
    assert (brood.state_dir / "certs" / "site").read_text() == other.pem  # main had the order and carried it out
    assert brood.get("/certificates/site/key").json == "RSA (2048 bits)"


@needs_points
def test_a_disk_that_fails_says_so_and_the_old_one_stays(make_brood, tmp_path, site, other):
    brood = make_brood(env=injection(tmp_path / "inject"))
    put(brood, "site", site.pem)
    brood.arm("main.save_written", f"errno {errno.EIO}")
    refused(put(brood, "site", other.pem, "?replace"), 500, "Failed to store certificate.", "Input/output error")
    assert brood.get("/certificates/site/key").json == "ECDH"
    assert (brood.state_dir / "certs" / "site").read_text() == site.pem
    assert not (brood.state_dir / "certs.new").exists()


# --- broodctl ---

def test_broodctl_lists_puts_and_deletes(brood, site, other, tmp_path):
    ctl = Client(brood)
    assert ctl("certificates").split() == ["NAME", "KEY", "CHAIN", "UNTIL", "DAYS", "FOR"]
    chain = tmp_path / "chain.pem"
    chain.write_text((site.cert + site.ca).rstrip("\n"))  # the key's first line needs a line of its own
    assert ctl("certificates", "put", "my site", chain, site.key_path) == "Certificate chain uploaded.\n"
    assert (brood.state_dir / "certs" / "my site").read_text() == site.pem
    [_, row] = ctl("certificates", "list").splitlines()
    leaf = brood.get("/certificates/my%20site/chain/0").json
    assert row.startswith("my site  ECDH      2  ") and leaf["validity"]["until"] in row
    assert row.endswith("site.example *.site.example 192.0.2.1 2001:db8::1")
    assert json.loads(ctl("certificates", "--json")) == brood.get("/certificates").json
    ctl("certificates", "put", "my site", other.cert_path, other.key_path, code=REFUSED)
    assert "Certificate already exists." in ctl.complaint
    ctl("certificates", "put", "my site", other.cert_path, site.key_path, "--replace", code=REFUSED)
    assert "does not belong" in ctl.complaint
    assert ctl("certificates", "put", "my site", other.cert_path, other.key_path, "--replace", "--dry-run") == "Valid.\n"
    assert ctl("certificates", "put", "my site", other.cert_path, other.key_path, "--replace") == "Certificate chain uploaded.\n"
    assert "RSA (2048 bits)" in ctl("certificates")
    assert ctl("certificates", "delete", "my site") == "Certificate deleted.\n"
    ctl("certificates", "delete", "my site", code=REFUSED)
    assert "Certificate doesn't exist." in ctl.complaint
    for words in (("put", "a"), ("put",), ("delete",), ("delete", "a", "b"), ("list", "a"), ("show",), ("--replace",)):
        ctl("certificates", *words, code=USAGE)
