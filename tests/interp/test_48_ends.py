"""A service may leave without taking its interpreter apart: nobody notices it, and who would gets the ordinary end."""

import os
import subprocess

import pytest

OURS = pytest.mark.pairs(("ours", "ours"))

PERL = """use strict; use warnings; use POSIX; use File::Temp;
use Proc::Prefork::Interp; prefork_initialisation_complete(split /[= ]/, $ENV{PROBE_OPTIONS} // '');
package Loud { sub DESTROY { print "destroyed $_[0][0]\\n" } }
our $kept;
my %do = (
    fall => sub { print "fallen\\n" },
    exit => sub { print "leaving"; exit 3 },
    die  => sub { die "as expected\\n" },
    object => sub { $kept = bless ['one'], 'Loud' },
    new_class => sub { eval 'package Late::Comer; sub DESTROY { print "late\\n" } 1' or die; $kept = bless [], 'Late::Comer' },
    temporary => sub { $kept = File::Temp->new; print -e "$kept" ? "there\\n" : "missing\\n" },
    program => sub { open $kept, '|-', 'sleep 0.2; cat' or die; print $kept "through a pipe\\n" },
    end => sub { eval 'END { print "status $?\\n"; $? = 9 }'; exit 3 },
    file => sub { open $kept, '>', 'written' or die; print $kept 'buffered' },
    child => sub { exit 4 unless my $pid = fork; waitpid $pid, 0; print $? >> 8, "\\n"; exit 5 },
);
$do{$ARGV[0]}->();
"""

PYTHON = """import atexit, os, sys, tempfile
atexit.register(print, "registered before the library was loaded")
from prefork_interp import initialisation_complete
initialisation_complete(**{k: int(v) for k, v in (o.split("=") for o in os.environ.get("PROBE_OPTIONS", "").split())})
class Loud:
    def __del__(self): print("destroyed")
def generator():
    try: yield
    finally: print("closed")
what = sys.argv[1]
print("hello")
if what == "exit": sys.exit(3)
elif what == "raise": raise SystemExit(5)
elif what == "none": sys.exit()
elif what == "text": sys.exit("a reason")
elif what == "large": sys.exit(2 ** 70)
elif what == "error": raise ValueError("as expected")
elif what == "object": kept = Loud()
elif what == "cycle":
    kept = Loud()
    kept.self = kept
elif what == "generator":
    kept = generator()
    next(kept)
elif what == "temporary": kept = tempfile.NamedTemporaryFile(dir=".")
elif what == "file":
    kept = open("written", "w")
    kept.write("buffered")
elif what == "caught":
    try: sys.exit(3)
    except SystemExit as e: print(e.code, repr(e))
elif what == "again":
    try: sys.exit(3)
    except SystemExit as e:
        e.code = 8
        raise
elif what == "handlers":
    atexit.register(print, "second")
    atexit.register(print, "first")
elif what == "child":
    if os.fork() == 0: sys.exit(4)
    print(os.wait()[1] >> 8, flush=True)
    sys.exit(6)
"""

TEXTS = {"perl": ("end.pl", PERL), "python": ("end.py", PYTHON)}
CASES = {"perl": ["fall", "exit", "die", "object", "new_class", "temporary", "program", "end", "file", "child"],
         "python": ["fall", "exit", "raise", "none", "text", "large", "error", "object", "cycle", "generator", "temporary", "file",
                    "caught", "again", "handlers", "child"]}


@OURS
@pytest.mark.languages("perl", "python")
def test_the_end_is_the_plain_scripts(pair):
    name, text = TEXTS[pair.language.name]
    pair.script = pair.dir / name
    pair.script.write_text(text)
    wrong = {}
    for case in CASES[pair.language.name]:
        seen = []
        plain = [pair.language.interpreter, str(pair.script), case]
        for words in (plain, pair.words(case), pair.words(case)):
            done = subprocess.run(words, env=pair.env, cwd=pair.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
            left = {p.name: p.read_text() for p in pair.dir.iterdir() if p.is_file() and p != pair.script}
            seen.append((done.returncode, done.stdout, done.stderr, left))
        if not seen[0] == seen[1] == seen[2]:
            wrong[case] = seen
    assert not wrong


@OURS
@pytest.mark.languages("perl", "python")
def test_output_that_cannot_be_written_is_an_error_at_the_end(pair):
    name, text = TEXTS[pair.language.name]
    pair.script = pair.dir / name
    pair.script.write_text(text)
    pair.call("fall")  # the first one ends ordinarily
    with open("/dev/full", "wb") as full:
        seen = [subprocess.run(words, env=pair.env, cwd=pair.dir, stdin=subprocess.DEVNULL, stdout=full,
                               stderr=subprocess.PIPE, timeout=30)
                for words in ([pair.language.interpreter, str(pair.script), "fall"], pair.words("fall"), pair.words("fall"))]
    assert seen[0].returncode != 0
    assert len({(done.returncode, done.stderr) for done in seen}) == 1


@OURS
@pytest.mark.languages("perl", "python")
def test_the_caller_has_its_status_when_nothing_of_the_script_is_open(pair):
    """The memory may still be there; a lock may not."""
    readable, writable = os.pipe()
    pair.who()
    for _ in range(5):
        assert pair.call("fall", pass_fds=[writable]).returncode == 0
        os.set_blocking(readable, False)
        os.close(writable)
        assert os.read(readable, 1) == b""  # else BlockingIOError: somebody holds the other end
        os.close(readable)
        readable, writable = os.pipe()
    os.close(readable)
    os.close(writable)
