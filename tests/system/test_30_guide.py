"""The programs of docs/guide: each built against the installed library and run beside a real counterpart."""

import os
import pwd
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from brood import BUILD, MODULES, ROOT

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

    def flags(self, *options):
        done = subprocess.run(["pkg-config", *options, "brood"], env=self.environment, check=True,
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
    out = run("nm", "-D", "--defined-only", guide.lib / "libbrood.so").stdout
    exported = {line.split()[-1].split("@")[0] for line in out.splitlines()} - {"BROOD_0.1"}
    text = "\n".join(path.read_text() for path in (ROOT / "include" / "brood").glob("*.h"))
    declared = set(re.findall(r"^(?!typedef)[a-z].*?\b(br_\w+)\((?:[^;{]|\n)*\);", text, re.M))
    assert exported == declared


def test_a_program_links_the_static_library(guide):
    program = guide.build(ROOT / "examples" / "guide" / "01_spawn.c", guide.dir / "static", "-static", static=True)
    assert "statically linked" in run("ldd", program).stdout or "not a dynamic" in run("ldd", program).stdout
    assert run(program, "sh", "-c", "exit 5").returncode == 5


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
