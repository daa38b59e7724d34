#!/usr/bin/env python3
"""Many calls, and what they leave behind: nothing.

    bench/interp_soak.py [--build DIR] [--calls N] [--callers N] [--every N]

Callers run at once, each one call after the other, of a script that does little. Every so often the calls pause, and
what belongs to the server is counted: its processes, the descriptors and the anonymous memory of the server and of the
interpreter, the files of the runtime directory. The first such look, after a twentieth of the calls, is what the last
one must not exceed. Ends with 1 when a call fails or something has grown.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GROWTH_KIB = 512  # of anonymous memory: what allocators and the kernel's page tables play with
SCRIPT = "use strict; use warnings; use Proc::Prefork::Interp; prefork_initialisation_complete(); exit 0;\n"


class Soak:
    def __init__(self, build, directory, callers):
        self.dir, self.callers, self.failed = directory, callers, 0
        self.words = [str(Path(build, "src/programs/prefork-interp")), "-U", "perl", str(directory / "soak.pl")]
        Path(self.words[-1]).write_text(SCRIPT)
        self.env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(directory),
                    "BROOD_INTERP": str(Path(build, "src/programs/brood-interp")),
                    "PERL5LIB": str(ROOT / "src/guests/prefork_interp/perl")}

    def one(self):
        null = os.open("/dev/null", os.O_RDWR)
        pid = os.posix_spawn(self.words[0], self.words, self.env,
                             file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in range(3)])
        os.close(null)
        return os.waitpid(pid, 0)[1]

    def caller(self, calls):
        for _ in range(calls):
            self.failed += self.one() != 0

    def calls(self, n):
        threads = [threading.Thread(target=self.caller, args=(n // self.callers,)) for _ in range(self.callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def status(self):
        done = subprocess.run([self.words[0], "-U", "--status", *self.words[2:]], env=self.env, capture_output=True, text=True,
                              check=True)
        return [line.split("=", 1) for line in done.stdout.splitlines()]

    def at_rest(self):
        """The server's own words, once no call runs and its spare is ready."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            lines = self.status()
            said = dict(lines)
            if said["running"] == said["waiting"] == "0" and [v for k, v in lines if k == "process"][1:] == []:
                if any(k == "process" for k, _ in lines):
                    return said
            time.sleep(0.02)
        sys.exit("the server did not come to rest within 60 s")

    def look(self):
        said = self.at_rest()
        ours = [int(said["pid"]), int(said["interpreter"])]
        return {
            "calls": int(said["calls"]),
            "server": said["pid"],
            "processes": sum(str(self.dir).encode() in read(f"/proc/{p}/cmdline") for p in os.listdir("/proc") if p.isdigit()),
            "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in ours),
            "files": sum(len(files) for _, _, files in os.walk(self.dir)),
            "KiB": sum(anonymous_kib(pid) for pid in ours),
        }


def read(path):
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def anonymous_kib(pid):
    """Of heap and stack: what the interpreter shares with a spare counts too, since who of them has it is chance."""
    return sum(int(line.split()[1]) for line in read(f"/proc/{pid}/smaps_rollup").decode().splitlines()
               if line.startswith("Anonymous:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=ROOT / "build/release")
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--every", type=int, default=10_000)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="brood-interp-soak-"))
    soak = Soak(options.build, directory, options.callers)
    began = time.monotonic()
    try:
        soak.one()
        soak.calls(max(options.calls // 20, options.callers))
        first = last = soak.look()
        print("  ".join(first), flush=True)
        print(*first.values(), sep="  ", flush=True)
        while last["calls"] < options.calls:
            soak.calls(min(options.every, options.calls - last["calls"] + options.callers))
            last = soak.look()
            print(*last.values(), sep="  ", flush=True)
    finally:
        subprocess.run([soak.words[0], "-U", "--kill", *soak.words[2:]], env=soak.env, check=False)
        shutil.rmtree(directory, ignore_errors=True)
    grown = [name for name in ("processes", "descriptors", "files") if last[name] > first[name]]
    grown += ["KiB"] if last["KiB"] > first["KiB"] + GROWTH_KIB else []
    took = time.monotonic() - began
    print(f"{last['calls']} calls in {took:.0f} s, {last['calls'] / took:.0f} a second; {soak.failed} failed; "
          f"{'one server' if first['server'] == last['server'] else 'the server was replaced'}; "
          f"grown: {', '.join(grown) or 'nothing'}")
    return 1 if soak.failed or grown or first["server"] != last["server"] else 0


if __name__ == "__main__":
    sys.exit(main())
