#!/usr/bin/env python3
"""What a call of a script costs: the plain interpreter, the original prefork-interp, ours.

    bench/interp.py [--build DIR] [--rounds N] [--callers N] [LANGUAGE ...]

Each round runs every contender once, in random order, everything on /dev/null, from posix_spawn to wait; the
figures are medians and the medians of the ratios within a round. The original is missing from the table where
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

HEAVY_PERL = """use strict; use warnings;
use POSIX; use File::Temp; use Data::Dumper; use Encode; use Storable; use JSON::PP; use Getopt::Long;
use Time::Local; use File::Find; use IO::Socket::INET; use Digest::SHA; use Text::Wrap; use Unicode::Normalize; use HTTP::Tiny;
"""


def perl(directory, name, text):
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
    ours = Path(build, "src/programs/prefork-interp")
    env = {"XDG_RUNTIME_DIR": str(directory), "BROOD_INTERP": str(Path(build, "src/programs/brood-interp"))}
    lib = {**env, "PERL5LIB": str(GUESTS / "perl")}
    load, end = "use Proc::Prefork::Interp; prefork_initialisation_complete({});\n", "exit 0;\n"
    light = "use strict; use warnings;\n"
    plain = perl(directory, "plain.pl", HEAVY_PERL + end)
    heavy = perl(directory, "heavy.pl", HEAVY_PERL + load.format("") + end)
    quick = perl(directory, "quick.pl", HEAVY_PERL + load.format("quick_exit => 1") + end)
    small = perl(directory, "small.pl", light + load.format("") + end)
    small_plain = perl(directory, "small-plain.pl", light + end)
    perl_path = shutil.which("perl")
    table = [Contender("perl, a dozen modules", [perl_path, plain]),
             Contender("ours", [ours, "-U", "perl", heavy], lib),
             Contender("ours, quick exit", [ours, "-U", "perl", quick], lib),
             Contender("perl, no modules", [perl_path, small_plain]),
             Contender("ours, no modules", [ours, "-U", "perl", small], lib),
             Contender("perl -e 1", [perl_path, "-e", "1"]),
             Contender("true", [shutil.which("true")])]
    if Path(ORIGINAL).exists() and Path(ORIGINAL_LIBRARY).exists():
        # It reports an ordinary exit as SIGINT, unless the script ignores that at its end.
        guarded = perl(directory, "original.pl", HEAVY_PERL + load.format("") + "END { $SIG{INT} = 'IGNORE' }\n" + end)
        table.insert(1, Contender("original prefork-interp", [ORIGINAL, "-U", "perl", guarded]))
    return table


def report(table):
    base = {c.name: c for c in table}
    plain, original = base["perl, a dozen modules"], base.get("original prefork-interp")

    def ratio(c, to):
        return statistics.median(b / a for a, b in zip(c.times, to.times))

    print(f"{'':28} {'best':>8} {'median':>8} {'p90':>8} ms  times as fast as")
    for c in table:
        p90 = sorted(c.times)[int(len(c.times) * 0.9)]
        line = f"{c.name:28} {min(c.times):8.2f} {c.median():8.2f} {p90:8.2f}   "
        if c.name.startswith("ours") and "no modules" not in c.name:
            line += f"  plain {ratio(c, plain):.1f}"
            if original:
                line += f", original {ratio(c, original):.2f}"
        elif c.name == "ours, no modules":
            line += f"  plain {ratio(c, base['perl, no modules']):.2f}"
        print(line)


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
    table = contenders(options.build, directory)
    failed = 0
    try:
        for c in table:
            c.call()
        for _ in range(options.rounds):
            for c in random.sample(table, len(table)):
                c.times.append(c.call())
        report(table)
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
