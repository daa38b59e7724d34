#!/usr/bin/env python3
"""What a call of a script costs: the plain interpreter, the original prefork-interp, ours.

    bench/interp.py [--build DIR] [--rounds N] [--callers N]

Each round runs every contender once, in random order, everything on /dev/null, from posix_spawn to wait; the
figures are medians and the medians of the ratios within a round; on a machine that does other things only the ratios mean
anything. The original is missing from the table where
its packages (chiark-utils-bin, chiark-scripts) are.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUESTS = ROOT / "src/guests/prefork_interp"
ORIGINAL = "/usr/bin/prefork-interp"
ORIGINAL_LIBRARY = "/usr/share/perl5/Proc/Prefork/Interp.pm"

HEAVY_PYTHON = """import argparse, asyncio, decimal, email.message, http.client, json, logging, sqlite3, ssl, subprocess
import tempfile, urllib.request, xml.etree.ElementTree
"""
HEAVY_PERL = """use strict; use warnings;
use POSIX; use File::Temp; use Data::Dumper; use Encode; use Storable; use JSON::PP; use Getopt::Long;
use Time::Local; use File::Find; use IO::Socket::INET; use Digest::SHA; use Text::Wrap; use Unicode::Normalize; use HTTP::Tiny;
"""


def script(directory, name, text):
    path = directory / name
    path.write_text(text)
    return path


class Contender:
    def __init__(self, name, words, env=None):
        self.name, self.words, self.times = name, [str(w) for w in words], []
        self.env = dict(os.environ, **(env or {}))

    def call(self):
        null = os.open("/dev/null", os.O_RDWR)
        began = time.perf_counter()
        pid = os.posix_spawn(self.words[0], self.words, self.env,
                             file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in range(3)])
        _, status = os.waitpid(pid, 0)
        took = time.perf_counter() - began
        os.close(null)
        if status:
            sys.exit(f"{self.name}: wait status {status}: {self.words}")
        return took * 1000

    def median(self):
        return statistics.median(self.times)


def contenders(build, directory):
    """The table, and which is compared with which."""
    ours = Path(build, "src/programs/prefork-interp")
    env = {"XDG_RUNTIME_DIR": str(directory), "BROOD_INTERP": str(Path(build, "src/programs/brood-interp")),
           "PERL5LIB": str(GUESTS / "perl"), "PYTHONPATH": str(GUESTS / "python")}
    perl_load, perl_end = "use Proc::Prefork::Interp; prefork_initialisation_complete({});\n", "exit 0;\n"
    python_load = "from prefork_interp import initialisation_complete\ninitialisation_complete({})\n"
    light = "use strict; use warnings;\n"
    perl, python = shutil.which("perl"), "/usr/bin/python3"

    def served(name, interpreter, file, text):
        return Contender(name, [ours, "-U", interpreter, script(directory, file, text)], env)

    def alone(name, interpreter, file, text):
        return Contender(name, [interpreter, script(directory, file, text)])

    table = [alone("perl, a dozen modules", perl, "plain.pl", HEAVY_PERL + perl_end),
             served("ours", "perl", "heavy.pl", HEAVY_PERL + perl_load.format("") + perl_end),
             served("ours, ordinary exit", "perl", "ordinary.pl", HEAVY_PERL + perl_load.format("quick_exit => 0") + perl_end),
             alone("perl, no modules", perl, "light.pl", light + perl_end),
             served("ours, no modules", "perl", "light-served.pl", light + perl_load.format("") + perl_end),
             Contender("perl -e 1", [perl, "-e", "1"]),
             alone("python, ten modules", python, "plain.py", HEAVY_PYTHON),
             served("ours, python", python, "heavy.py", HEAVY_PYTHON + python_load.format("")),
             served("ours, python, ordinary exit", python, "ordinary.py", HEAVY_PYTHON + python_load.format("quick_exit=False")),
             alone("python, no modules", python, "light.py", "pass\n"),
             served("ours, python, no modules", python, "light-served.py", python_load.format("")),
             Contender("true", [shutil.which("true")])]
    pairs = [("ours", "perl, a dozen modules"), ("ours", "perl -e 1"), ("ours, ordinary exit", "perl, a dozen modules"),
             ("ours, no modules", "perl, no modules"), ("ours, python", "python, ten modules"),
             ("ours, python, ordinary exit", "python, ten modules"), ("ours, python, no modules", "python, no modules")]
    if Path(ORIGINAL).exists() and Path(ORIGINAL_LIBRARY).exists():
        # It reports an ordinary exit as SIGINT, unless the script ignores that at its end.
        guarded = HEAVY_PERL + perl_load.format("") + "END { $SIG{INT} = 'IGNORE' }\n" + perl_end
        table.insert(1, Contender("original prefork-interp", [ORIGINAL, "-U", "perl", script(directory, "original.pl", guarded)]))
        pairs += [("ours", "original prefork-interp"), ("ours, ordinary exit", "original prefork-interp")]
    return table, pairs


def report(table, pairs):
    base = {c.name: c for c in table}
    print(f"{'':28} {'best':>8} {'median':>8} {'p90':>8} ms")
    for c in table:
        p90 = sorted(c.times)[int(len(c.times) * 0.9)]
        print(f"{c.name:28} {min(c.times):8.2f} {c.median():8.2f} {p90:8.2f}")
    print("\ntime as a part of the other's, median of the rounds (and of the bests)")
    for name, other in pairs:
        a, b = base[name].times, base[other].times
        part = statistics.median(x / y for x, y in zip(a, b))
        print(f"{name} / {other}: {part:.3f} ({min(a) / min(b):.3f}), {1 / part:.1f} times as fast")


def concurrent(contender, callers):
    began = time.perf_counter()
    running = [subprocess.Popen(contender.words, env=contender.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
               for _ in range(callers)]
    failed = sum(process.wait() != 0 for process in running)
    took = time.perf_counter() - began
    print(f"{contender.name}: {callers} callers at once in {took * 1000:.0f} ms, {callers / took:.0f} calls a second, "
          f"{failed} failed")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--callers", type=int, default=100)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="brood-interp-bench-"))
    os.chdir(directory)
    table, pairs = contenders(options.build, directory)
    failed = 0
    try:
        for c in table:
            c.call()
        for _ in range(options.rounds):
            for c in random.sample(table, len(table)):
                c.times.append(c.call())
        report(table, pairs)
        for c in table:
            if c.name in ("perl, a dozen modules", "ours", "original prefork-interp"):
                lost = concurrent(c, options.callers)
                failed += lost if c.name == "ours" else 0
    finally:
        for c in table:
            if "prefork-interp" in c.words[0]:
                subprocess.run([c.words[0], "-U", "--kill", *c.words[2:]], env=c.env, check=False)
        os.chdir("/")
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
