"""The command line's faults, the runtime directory, other users."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from harness import OURS, wait_until

OURS_BOTH = pytest.mark.pairs(("ours", "ours"))
OUR_WRAPPER = pytest.mark.pairs(("ours", "ours"), ("ours", "original"))

pytestmark = OURS_BOTH


def run(*words, **how):
    return subprocess.run([str(OURS), *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, **how)


@pytest.mark.parametrize("words, code, said", [
    ([], 255, "need interpreter"),
    (["-U"], 255, "need interpreter"),
    (["-Ux", "perl"], 255, "-Ux"),
    (["--xyz", "perl"], 255, "--xyz"),
    (["-U", "-g"], 255, "-g"),
    (["-U", "--kill=1", "perl"], 255, "--kill"),
    (["-U=", "perl"], 255, "-U"),
    (["-U,-f", "x"], 255, "interpreter"),
    (["-U,perl"], 255, "script"),
    (["perl", "x"], 127, "-U"),
    (["-U", "--wait=soon", "perl"], 255, "soon"),
])
def test_a_fault_of_the_command_line(words, code, said):
    done = run(*words)
    assert done.returncode == code and said in done.stderr.decode() and done.stdout == b""


def test_help_is_one_line():
    done = run("--help")
    assert done.returncode == 0 and done.stdout.decode().count("\n") == 1 and done.stderr == b""


def test_doubled_separators_are_nothing(pair):
    done = subprocess.run([str(OURS), f"-U,,{pair.language.interpreter},", str(pair.script), "args", "x"], env=pair.env, cwd=pair.dir,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.stdout == b"78\n", done.stderr


def test_the_directory_is_closed_to_others(pair):
    pair.who()
    assert stat.S_IMODE(pair.base.stat().st_mode) == 0o700
    path, = pair.sockets()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_directory_open_to_others_is_not_used(pair):
    pair.base.mkdir()
    pair.base.chmod(0o777)
    done = pair.call("exit", "3", before=["-U", "--no-fallback"])
    assert done.returncode == 127 and b"not ours alone" in done.stderr
    assert pair.call("exit", "3").returncode == 3  # by the interpreter itself
    assert not pair.sockets()
    pair.base.chmod(0o700)


def test_a_link_in_the_directorys_place_is_not_followed(pair, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    pair.base.symlink_to(elsewhere)
    done = pair.call("exit", "3", before=["-U", "--no-fallback"])
    assert done.returncode == 127
    assert not list(elsewhere.iterdir())
    pair.base.unlink()


def test_without_any_directory_the_script_runs_all_the_same(pair):
    """Its parent cannot be written: the interpreter is executed directly."""
    pair.base.write_text("in the way")
    done = pair.call("exit", "6")
    assert done.returncode == 6
    pair.base.unlink()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as two users")
def test_another_users_directory_is_refused(pair):
    nobody = pwd.getpwnam("nobody")
    pair.base.mkdir(mode=0o700)
    os.chown(pair.base, nobody.pw_uid, nobody.pw_gid)
    done = pair.call("exit", "3", before=["-U", "--no-fallback"])
    assert done.returncode == 127 and b"not ours alone" in done.stderr
    os.chown(pair.base, 0, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as two users")
def test_another_users_server_gets_nothing(pair):
    """Somebody else listens under our name: neither environment nor files go there."""
    pair.who()
    path, = pair.sockets()
    pair.kill()
    wait_until(lambda: not pair.processes(), "the server has gone")
    nobody = pwd.getpwnam("nobody")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    child = os.fork()
    if child == 0:
        os.setuid(nobody.pw_uid)
        listener.listen(5)  # the credentials that a caller sees are those of who listened
        os.read(os.open("/dev/zero", os.O_RDONLY), 1)
        signal.pause()
    wait_until(lambda: f"{path}" in Path("/proc/net/unix").read_text() and
               " 00010000 " in next(l for l in Path("/proc/net/unix").read_text().splitlines() if str(path) in l), "listens")
    try:
        done = pair.call("exit", "3", before=["-U", "--no-fallback"])
        assert done.returncode == 127
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        listener.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a set-user-id program")
def test_set_user_id_is_refused(tmp_path):
    nobody = pwd.getpwnam("nobody")
    program = tmp_path / "prefork-interp"
    shutil.copy(OURS, program)
    os.chown(program, nobody.pw_uid, nobody.pw_gid)
    program.chmod(0o4755)
    os.chmod(tmp_path, 0o755)
    done = subprocess.run([str(program), "-U", "perl", "-e", "1"], capture_output=True, timeout=30)
    assert done.returncode == 127 and b"refuses" in done.stderr


def test_too_many_identities_are_cleaned(pair):
    pair.who()
    for i in range(120):
        Path(pair.base, f"s{i:064x}").touch()
        Path(pair.base, f"l{i:064x}").touch()
        os.utime(Path(pair.base, f"s{i:064x}"), (i + 1, i + 1))
    pair.who(before=["-U", "-Ganother"])
    left = {p.name[1:] for p in pair.base.iterdir() if p.name != "standing"}
    assert 100 <= len(left) <= 102
    assert f"{0:064x}" not in left and f"{119:064x}" in left
    pair.call(before=["-U", "-Ganother", "--kill"])
    for p in pair.base.glob("?0*"):
        p.unlink()


def test_a_full_directory_is_no_reason_to_fail(pair):
    """No socket can be made: the file system is full, or read-only."""
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2,mode=700", "tmpfs",
                                           str(pair.runtime)], capture_output=True).returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        pair.base.mkdir(mode=0o700)
        assert pair.call("exit", "9").returncode == 9
        assert pair.call("exit", "9", before=["-U", "--no-fallback"]).returncode == 127
    finally:
        subprocess.run(["umount", str(pair.runtime)], check=True)
