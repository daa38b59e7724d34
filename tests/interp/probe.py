"""The probe in Python: initialises once, then does what its first argument says.  See languages.py."""
import os
import random
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from prefork_interp import initialisation_complete, autoreload_also_check

init, _, rest = os.environ.get("PROBE_INIT", "").partition(" ")
if init == "exit":
    sys.exit(int(rest))
elif init == "signal":
    os.kill(os.getpid(), int(rest))
    time.sleep(10)
elif init == "sleep":
    time.sleep(float(rest))
elif init == "run":
    os.system(rest)
elif init == "mark":
    with open(rest, "a") as f:
        f.write(f"{os.getpid()}\n")
try:
    import probe_module
    module = probe_module.version()
except ImportError:
    module = "none"
token = f"{random.getrandbits(32):08x}"
if os.environ.get("PROBE_CHECK"):
    autoreload_also_check(os.environ["PROBE_CHECK"])
if init != "never":
    initialisation_complete(**{name: int(value) for name, value in
                               (pair.split("=") for pair in os.environ.get("PROBE_OPTIONS", "").split())})


def cat():
    while piece := os.read(0, 65536):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def closed():
    try:
        os.write(1, b"x")
        print("written", file=sys.stderr)
    except OSError:
        print("refused", file=sys.stderr)


def die(number):
    signal.signal(int(number), signal.SIG_DFL) if int(number) != signal.SIGKILL else None
    os.kill(os.getpid(), int(number))
    time.sleep(10)


def line():
    print("got:", sys.stdin.readline().rstrip("\n") if sys.stdin else "nothing", flush=True)


def both(out, err):
    print(out)
    print(err, file=sys.stderr)


def is_open(fd):
    try:
        os.fstat(int(fd))
        print("open")
    except OSError:
        print("closed")


def write_fd(fd, text):
    with open(int(fd), "w") as f:
        f.write(text)


def umask():
    mask = os.umask(0)
    print(f"{mask:04o}")


def sleep(seconds):
    print("ready", flush=True)
    time.sleep(float(seconds))
    print("slept")


def trap(name, code):
    def caught(*_):
        os.write(1, f"caught {name}\n".encode())  # print may be interrupted in itself, before it returns from "ready"
        sys.exit(int(code))

    signal.signal(getattr(signal, f"SIG{name}"), caught)
    print("ready", flush=True)
    time.sleep(20)


def background(path):
    if os.fork() == 0:
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        time.sleep(0.5)
        open(path, "w").close()
        os._exit(0)


left_open = []  # never closed by us


def file(path):
    left_open.append(open(path, "w"))
    left_open[0].write("buffered")


def fail():
    raise ValueError("this one is expected")


def at_exit(text):
    import atexit
    atexit.register(print, text)
    sys.exit(4)


do = {
    "args": lambda *args: print("".join(os.fsencode(a).hex() + "\n" for a in args), end=""),
    "env": lambda: sys.stdout.buffer.write(b"".join(b"%b=%b\0" % e for e in sorted(os.environb.items()))),
    "exit": lambda status: sys.exit(int(status)),
    "fall": lambda: None,
    "die": die,
    "cat": cat,
    "line": line,
    "both": both,
    "where": lambda: print(os.getcwd()),
    "umask": umask,
    "who": lambda: print(token, os.getpid(), module),
    "name": lambda: print(sys.argv[0]),
    "limit": lambda: print(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    "nice": lambda: print(os.nice(0)),
    "random": lambda: print(random.random()),
    "tty": lambda: print(*(int(f.isatty()) for f in (sys.stdin, sys.stdout, sys.stderr))),
    "fd": is_open,
    "writefd": write_fd,
    "closed": closed,
    "ignored": lambda name: print("yes" if signal.getsignal(getattr(signal, f"SIG{name}")) == signal.SIG_IGN else "no"),
    "sleep": sleep,
    "trap": trap,
    "background": background,
    "child": lambda: print(subprocess.run("echo ${PREFORK_INTERP-unset}", shell=True, stdout=subprocess.PIPE).stdout.decode(), end=""),
    "file": file,
    "fail": fail,
    "object": lambda: sys.exit("a message"),
    "atexit": at_exit,
    "byline": lambda: print(*(f.line_buffering for f in (sys.stdout, sys.stderr)), sys.stdin.seekable(), sys.stdout.name),
    "words": lambda *args: print(sys.orig_argv if hasattr(sys, "orig_argv") else sys.argv),
}
do[sys.argv[1]](*sys.argv[2:])
