"""broodctl as tests call it, and what it ends with."""

import subprocess

from brood import BINARY, DEADLINE

CTL = BINARY.with_name("broodctl")
OK, REFUSED, USAGE, UNREACHABLE, UNKNOWN = range(5)


class Client:
    def __init__(self, daemon):
        self.daemon = daemon
        self.env = {**daemon.env, "TMPDIR": str(daemon.dir)}
        self.flags = ["--control", f"unix:{daemon.control_path}"]

    def command(self, *words):
        return [str(CTL), *self.flags, *map(str, words)]

    def __call__(self, *words, stdin=None, code=OK, env=None):
        """Standard output; the exit code and an empty stderr on success are checked."""
        run = subprocess.run(self.command(*words), input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                             capture_output=True, text=True, timeout=DEADLINE, env={**self.env, **(env or {})},
                             cwd=self.daemon.dir)
        assert run.returncode == code, run
        self.complaint = run.stderr
        if code == OK:
            assert "AddressSanitizer" not in run.stderr and "runtime error" not in run.stderr
        return run.stdout
