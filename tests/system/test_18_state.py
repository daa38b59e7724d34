"""The state directory: whatever became of it, brood starts, says what is wrong where, and destroys nothing."""

import json
import os
import random
import stat
import subprocess

import pytest

from brood import free_port, python_app

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of several users, mounts")
CUTS = int(os.environ.get("BROOD_STATE_CUTS", 5))
DEFAULT = {"listeners": {}, "routes": [], "applications": {}}


def returns(status, port):
    return {"listeners": {f"127.0.0.1:{port}": {"pass": "routes"}}, "routes": [{"action": {"return": status}}]}


@pytest.fixture
def stopped(make_brood):
    """A brood that kept three configurations (201, 202, 203) and has ended."""
    brood = make_brood()
    brood.port = free_port()
    for status in (201, 202, 203):
        brood.configure(returns(status, brood.port))
    brood.stop()
    brood.conf = brood.state_dir / "conf.json"
    return brood


def damaged(brood):
    return sorted(brood.state_dir.glob("conf.json.damaged-*"))


def restart(brood):
    """Starts it with a log of its own; what that says."""
    brood.log_path.unlink(missing_ok=True)
    brood.start()
    return brood.log()


def assert_serves(brood, status):
    assert brood.get("/config/routes/0/action/return").json == status
    assert brood.fetch().status == status


def assert_lives_on(brood, status):
    """The next change is kept, and so is the history."""
    assert_serves(brood, status)
    brood.configure(returns(299, brood.port))
    brood.stop()
    log = restart(brood)
    assert_serves(brood, 299)
    assert "[alert]" not in log


# --- damaged texts ---

def test_a_truncated_file_is_kept_aside_and_the_last_good_one_is_served(stopped):
    text = stopped.conf.read_bytes()
    stopped.conf.write_bytes(text[:40])
    log = restart(stopped)
    assert "[alert]" in log and "conf.json:1:41: The text ends" in log
    assert "brood serves what was kept as history/3.json" in log
    assert [p.read_bytes() for p in damaged(stopped)] == [text[:40]]
    assert json.loads(stopped.conf.read_text()) == returns(203, stopped.port)
    assert [v["number"] for v in stopped.get("/history").json] == [3, 2, 1]
    assert_lives_on(stopped, 203)


def test_cut_anywhere(stopped):
    """At CUTS places (BROOD_STATE_CUTS=1000: at each byte) the file is either whole or not used."""
    text = stopped.conf.read_bytes()
    places = range(len(text)) if CUTS >= len(text) else sorted(random.Random(1).sample(range(len(text)), CUTS))
    for n in places:
        stopped.conf.write_bytes(text[:n])
        log = restart(stopped)
        assert_serves(stopped, 203)
        assert "conf.json:1:" in log and log.count("[alert]") == 2, log
        stopped.stop()
        assert damaged(stopped)[-1].read_bytes() == text[:n]
        assert stopped.conf.read_bytes() == text
        for p in damaged(stopped):
            p.unlink()


def test_flipped_bytes(stopped):
    """Some still make a configuration; what does not is never served in part."""
    text = stopped.conf.read_bytes()
    chance = random.Random(2)
    for _ in range(CUTS):
        bad = bytearray(text)
        for _ in range(chance.randint(1, 4)):
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        stopped.conf.write_bytes(bad)
        log = restart(stopped)
        conf = stopped.get().json
        if conf not in (returns(203, stopped.port), DEFAULT):
            assert json.loads(bytes(bad)) == conf
        else:
            assert "[alert]" in log
        stopped.stop()
        kept = [p.read_bytes() for p in damaged(stopped)] + [stopped.conf.read_bytes()]
        assert bytes(bad) in kept
        for p in damaged(stopped):
            p.unlink()


def test_older_ones_are_tried_until_one_is_good(stopped):
    history = stopped.state_dir / "history"
    (history / "3.json").write_text("{")
    (history / "2.json").write_text('{"listner": {}}')
    stopped.conf.write_text("")
    log = restart(stopped)
    assert "history/3.json:1:2: " in log and "history/2.json:1:2: /listner: " in log
    assert "brood serves what was kept as history/1.json" in log
    assert [p.read_text() for p in damaged(stopped)] == [""]
    assert_lives_on(stopped, 201)


def test_nothing_good_is_the_default_and_nothing_is_overwritten(stopped):
    for n in (1, 2, 3):
        (stopped.state_dir / "history" / f"{n}.json").write_text(f"[{n}")
    stopped.conf.write_text("{,")
    for _ in range(3):
        log = restart(stopped)
        assert stopped.get().json == DEFAULT and "[alert]" in log
        stopped.stop()
        assert stopped.conf.read_text() == "{," and [p.read_text() for p in damaged(stopped)] == ["{,"]
        assert [(stopped.state_dir / "history" / f"{n}.json").read_text() for n in (1, 2, 3)] == ["[1", "[2", "[3"]
    restart(stopped)
    stopped.configure(returns(204, stopped.port))
    assert [p.read_text() for p in damaged(stopped)] == ["{,"]
    assert_lives_on(stopped, 204)


def test_one_that_is_not_valid_stays_until_the_next_change(stopped):
    text = '{"listeners": {},\n "from_the_future": 1, "routs": []}'
    stopped.conf.write_text(text)
    for _ in range(2):
        log = restart(stopped)
        assert "conf.json:2:2: /from_the_future: Unknown option" in log and 'did you mean "routes"?' in log
        assert_serves(stopped, 203)
        stopped.stop()
        assert stopped.conf.read_text() == text and damaged(stopped) == []
    restart(stopped)
    stopped.configure(returns(204, stopped.port))
    assert stopped.get("/history/4").status == 200 and (stopped.state_dir / "history" / "4.json").read_text() == text


def test_one_that_cannot_be_applied_is_no_reason_to_go_back(stopped):
    conf = {**returns(205, stopped.port), "applications": {"x": python_app("no_such_module")}}
    stopped.conf.write_text(json.dumps(conf))
    log = restart(stopped)
    assert stopped.get().json == DEFAULT and "no_such_module" in log
    assert json.loads(stopped.conf.read_text()) == conf and damaged(stopped) == []


# --- not even a file, or not ours ---

def as_directory(path):
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("x")


def as_link(path):
    path.rename(path.with_name("elsewhere.json"))
    path.symlink_to("elsewhere.json")


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)


def as_somebody_elses(path):
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize("spoil, reason", [
    (as_directory, "no regular file"), (as_link, "Too many levels of symbolic links"), (as_pipe, "no regular file"),
    pytest.param(as_somebody_elses, "belongs to user 65534", marks=ROOT_ONLY)])
def test_what_is_no_file_of_ours_is_kept_aside(stopped, spoil, reason):
    spoil(stopped.conf)
    log = restart(stopped)
    assert reason in log and "brood serves what was kept as history/3.json" in log
    assert len(damaged(stopped)) == 1 and not stopped.conf.is_symlink()
    assert stat.S_IMODE(stopped.conf.stat().st_mode) == 0o600
    assert_lives_on(stopped, 203)


def test_others_lose_their_access(stopped):
    os.chmod(stopped.state_dir, 0o777)
    os.chmod(stopped.conf, 0o664)
    log = restart(stopped)
    assert "was open to other users" in log and "could be read by others" in log
    assert_serves(stopped, 203)
    for path in (stopped.state_dir, stopped.state_dir / "history", stopped.conf, stopped.state_dir / "version"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@ROOT_ONLY
def test_a_directory_of_another_user_is_refused(stopped):
    os.chown(stopped.state_dir, 65534, 65534)
    done = subprocess.run(stopped.command(), capture_output=True, text=True, timeout=20, cwd=stopped.dir)
    assert done.returncode == 1 and "belongs to user 65534" in stopped.log() + done.stderr
    os.chown(stopped.state_dir, 0, 0)
    restart(stopped)
    assert_serves(stopped, 203)


# --- disks ---

@pytest.fixture
def on_a_small_disk(make_brood):
    """A stopped brood whose state directory is a file system of 64 KiB."""
    brood = make_brood(start=False)
    brood.state_dir.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(brood.state_dir)], capture_output=True)
    if mount.returncode:
        pytest.skip("cannot mount: " + mount.stderr.decode().strip())
    try:
        brood.start()
        brood.port = free_port()
        for status in (201, 202, 203):
            brood.configure(returns(status, brood.port))
        brood.stop()
        brood.conf = brood.state_dir / "conf.json"
        yield brood
    finally:
        brood.stop()
        subprocess.run(["umount", str(brood.state_dir)], check=True)


def remount(brood, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(brood.state_dir)], check=True)


@ROOT_ONLY
def test_damaged_on_a_full_disk(on_a_small_disk):
    brood = on_a_small_disk
    brood.conf.write_text("{")
    with open(brood.state_dir / "fill", "wb", buffering=0) as fill, pytest.raises(OSError):
        while True:
            fill.write(b"x" * 4096)
    for _ in range(2):
        log = restart(brood)
        assert_serves(brood, 203)
        assert "is not saved" in log and "No space left" in log
        brood.stop()
        assert brood.conf.read_text() == "{"
    (brood.state_dir / "fill").unlink()
    restart(brood)
    assert_lives_on(brood, 203)
    assert [p.read_text() for p in damaged(brood)] == ["{"]


@ROOT_ONLY
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_damaged_on_a_read_only_disk(on_a_small_disk, mode):
    brood = on_a_small_disk
    brood.conf.write_text("{")
    os.chmod(brood.state_dir, mode)
    remount(brood, "ro")
    log = restart(brood)
    assert_serves(brood, 203)
    assert "Read-only file system" in log
    assert brood.put("/config/routes/0/action/return", "204").status == 500
    assert_serves(brood, 203)
    brood.stop()
    assert brood.conf.read_text() == "{" and damaged(brood) == []
    remount(brood, "rw")
    restart(brood)
    assert_lives_on(brood, 203)


# --- other writers ---

def version(brood):
    return (brood.state_dir / "version").read_text().split("\n")


def test_the_version_is_stamped_and_an_older_one_is_brought_up(stopped):
    number, name, _ = version(stopped)
    assert name == "brood"
    (stopped.state_dir / "version").write_text("1\n")
    restart(stopped)
    assert_serves(stopped, 203)
    assert version(stopped) == [number, "brood", ""]


def test_a_newer_version_is_tried(stopped):
    (stopped.state_dir / "version").write_text("990000\nbrood\n")
    log = restart(stopped)
    assert "of a newer brood (990000): it is tried" in log
    assert_serves(stopped, 203)
    assert version(stopped)[0] == "990000"


def unit_state(brood, conf):
    """The directory as NGINX Unit leaves it."""
    brood.state_dir.mkdir(mode=0o700)
    (brood.state_dir / "conf.json").write_text(conf if isinstance(conf, str) else json.dumps(conf, separators=(",", ":")))
    (brood.state_dir / "version").write_text("13500")
    for name in ("certs", "scripts"):
        (brood.state_dir / name).mkdir(mode=0o700)
    for path in (brood.state_dir / "conf.json", brood.state_dir / "version"):
        os.chmod(path, 0o600)


def test_the_state_of_unit_is_read_as_it_is(make_brood):
    brood = make_brood(start=False)
    brood.port = free_port()
    conf = {"listeners": {f"127.0.0.1:{brood.port}": {"pass": "applications/hello"}}, "routes": [],
            "applications": {"hello": python_app("hello")}}
    unit_state(brood, conf)
    text = (brood.state_dir / "conf.json").read_text()
    log = restart(brood)
    assert "the state directory is that of NGINX Unit 1.35.0" in log and "[alert]" not in log
    assert brood.get().json == conf and brood.fetch().status == 200
    assert (brood.state_dir / "conf.json").read_text() == text and version(brood) == ["13500"]
    brood.put("/config/routes", [{"action": {"return": 200}}])
    brood.put("/config/routes", [{"action": {"return": 201}}])
    assert (brood.state_dir / "conf.json.unit").read_text() == text
    assert brood.get("/history/1").json == conf
    brood.stop()
    log = restart(brood)
    assert "Unit" not in log and version(brood)[1] == "brood"
    assert brood.get().json == {**conf, "routes": [{"action": {"return": 201}}]}
    assert (brood.state_dir / "conf.json.unit").read_text() == text


def test_what_is_missing_for_the_state_of_unit_is_said_by_name(make_brood):
    brood = make_brood(start=False)
    brood.port = free_port()
    text = json.dumps({"listeners": {}, "js_module": "x", "applications": {
        "a": {"type": "wasm-wasi-component", "component": "c"}, "b": {**python_app("hello"), "telepathy": {}}}})
    unit_state(brood, text)
    log = restart(brood)
    for pointer in ("/js_module: Unknown option", '/applications/a/type: The type "wasm-wasi-component" is known, but',
                    "/applications/b/telepathy: Unknown option"):
        assert pointer in log, pointer
    assert brood.get().json == DEFAULT and (brood.state_dir / "conf.json").read_text() == text
    assert damaged(brood) == []
    brood.configure(returns(201, brood.port))
    assert (brood.state_dir / "conf.json.unit").read_text() == text
    assert_lives_on(brood, 201)
