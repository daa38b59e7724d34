"""A wrapper, a language's library, a script in a directory of its own: calls and what comes of them.

$BROOD_BUILD is the build that is tested. $BROOD_RELEASE, if set, is another one from which the wrapper is taken: it has no
C library, which a sanitizer would need. Beside a copy of it lies the tested build's server program, so that it is found.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("BROOD_BUILD", HERE.parents[1] / "build/test"))
SERVER = BUILD / "src/programs/brood-interp"


def wrapper():
    release = os.environ.get("BROOD_RELEASE")
    if not release:
        return BUILD / "src/programs/prefork-interp"
    directory = Path(tempfile.mkdtemp(prefix="brood-wrapper-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    directory.chmod(0o755)
    shutil.copy(Path(release, "src/programs/prefork-interp"), directory)
    (directory / "brood-interp").symlink_to(SERVER.resolve())
    return directory / "prefork-interp"


OURS = wrapper()
ORIGINAL = Path("/usr/bin/prefork-interp")
ORIGINAL_LIBRARY = Path("/usr/share/perl5/Proc/Prefork/Interp.pm")

PATIENCE = 30


def wait_until(condition, what, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Pair:
    """`wrapper` and `library` are "ours" or "original"."""

    def __init__(self, wrapper, library, language, directory):
        self.wrapper, self.library, self.language = wrapper, library, language
        self.program = OURS if wrapper == "ours" else ORIGINAL
        self.dir = Path(directory)
        self.runtime = self.dir / "run"
        self.runtime.mkdir(mode=0o700)
        self.script = self.dir / language.probe
        shutil.copy(HERE / language.probe, self.script)
        self.before = ["-U"]
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PERL", "PYTHON", "RUBY", "PREFORK"))}
        self.env.update(XDG_RUNTIME_DIR=str(self.runtime), BROOD_INTERP=str(SERVER), LC_ALL="C.UTF-8")
        if str(self) != "ours-ours-perl":
            # One of them looks for leaks, which takes most of a short program's time.
            self.env.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        if library == "ours":
            self.env.update(language.library)
        else:
            self.env["PROBE_PROTECTED"] = "1"
            if wrapper == "original":
                self.env["PROBE_DROP"] = "2"
        self.started = []
        self.used = {(tuple(self.before), self.dir)}  # options and directory: each has a server of its own, perhaps

    def __str__(self):
        return f"{self.wrapper}-{self.library}-{self.language.name}"

    def words(self, *args, before=None):
        return [str(self.program), *(self.before if before is None else before), self.language.interpreter,
                str(self.script), *args]

    def environment(self, env):
        merged = dict(self.env)
        merged.update(env or {})
        return {k: v for k, v in merged.items() if v is not None}

    def call(self, *args, env=None, before=None, timeout=PATIENCE, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        if "input" in how:
            del how["stdin"]
        how.setdefault("cwd", self.dir)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        self.used.add((tuple(before or self.before), how["cwd"]))
        return subprocess.run(self.words(*args, before=before), env=self.environment(env), timeout=timeout, **how)

    def start(self, *args, env=None, before=None, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("cwd", self.dir)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(self.words(*args, before=before), env=self.environment(env), **how)
        self.started.append(process)
        return process

    def ready(self, *args, **how):
        """Start it, and wait for its first line."""
        process = self.start(*args, **how)
        assert process.stdout.readline() == b"ready\n"
        return process

    def who(self, **how):
        """(token of the initialisation, pid of this call, version of the module)"""
        done = self.call("who", **how)
        assert done.returncode == 0, done
        token, pid, module = done.stdout.split()
        return token.decode(), int(pid), module.decode()

    def kill(self, before=None, cwd=None):
        subprocess.run([str(self.program), *(before or self.before), "--kill", self.language.interpreter, str(self.script)],
                       env=self.env, cwd=cwd or self.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)

    @property
    def base(self):
        return self.runtime / "brood-interp"

    def sockets(self):
        return sorted(p for p in self.base.glob("s*") if p.name != "standing")

    def status(self, **how):
        """What the server says of itself (ours only)."""
        done = self.call(before=[*self.before, "--status"], **how)
        lines = [line.split("=", 1) for line in done.stdout.decode().splitlines()]
        return dict(line for line in lines if line[0] != "process")

    def processes(self):
        """Every process whose command line names our directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if str(self.dir).encode() in (entry / "cmdline").read_bytes() and alive(entry.name):
                        found.append(int(entry.name))
        return found

    def finish(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        for before, cwd in self.used:
            if not any(word.startswith("--") for word in before):
                self.kill(before, cwd)
        for path in self.sockets():
            path.unlink(missing_ok=True)
        try:
            wait_until(lambda: not self.processes(), "the server and its children have gone")
        except AssertionError:
            left = self.processes()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise
