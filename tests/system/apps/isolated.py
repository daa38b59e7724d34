"""Tells how the machine looks from inside an application, and does what it is asked to try."""

import ctypes
import json
import os
import resource
import socket
import subprocess
import sys
from urllib.parse import parse_qsl

LIBC = ctypes.CDLL(None, use_errno=True)


def status_lines():
    with open("/proc/self/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def look():
    return {
        "ids": [os.getuid(), os.getgid(), os.getgroups()],
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "root": sorted(os.listdir("/")),
        "namespaces": {n: os.readlink(f"/proc/self/ns/{n}") for n in
                       ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")},
        "cgroup": open("/proc/self/cgroup").read(),
        "uid_map": open("/proc/self/uid_map").read().split(),
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "nice": os.nice(0),
        "oom": int(open("/proc/self/oom_score_adj").read()),
        "affinity": sorted(os.sched_getaffinity(0)),
        "status": status_lines(),
        "prefix": sys.prefix,
    }


def read(path):
    with open(path) as f:
        return f.read()


def write(path):
    with open(path, "w") as f:
        f.write("written")
    os.unlink(path)
    return "written"


def mount(path):
    if LIBC.mount(b"none", path.encode(), b"tmpfs", 0, None) < 0:
        raise OSError(ctypes.get_errno(), "mount")
    return "mounted"


def orphan(count):
    """Leave processes behind whose parent is gone at once."""
    subprocess.run(["/bin/sh", "-c", f"for i in $(seq {count}); do (exec /bin/true &) ; done"], check=True)
    return "left"


def zombies(_):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = read(f"/proc/{entry}/stat")
            except OSError:
                continue
            if stat[stat.rindex(")") + 2] == "Z":
                found.append(int(entry))
    return found


TRIES = {f.__name__: f for f in (read, write, mount, orphan, zombies)}


def application(environ, start_response):
    wanted = parse_qsl(environ["QUERY_STRING"])
    answer = look() if not wanted else {}
    for name, value in wanted:
        try:
            answer[name] = TRIES[name](value)
        except OSError as e:
            answer[name] = f"errno {e.errno}"
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
