"""brood as process 1 of a pid namespace, as in a container without an init program.

BROOD_ORPHANS=10000 is the long form: 1,000 a second for 10 s.
"""

import os
import shutil
import signal
import subprocess
import time

import pytest

from brood import is_alive, processes, wait_until

ORPHANS = int(os.environ.get("BROOD_ORPHANS", 400))
RATE = 1000  # a second

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="unshare -p needs root")

# Runs inside: one child after the other that leaves twenty behind, which die when it is gone or just before.
# In C, since an interpreter cannot be forked a thousand times a second.
ORPHANAGE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    int n = atoi(argv[1]), rate = atoi(argv[2]), litter = 20;
    double began = now();

    for (int i = 0; i < n; i += litter) {
        pid_t mother = fork();
        double ahead;

        if (mother == 0) {
            for (int k = 0; k < litter; k++)
                if (fork() == 0)
                    _exit(0);
            _exit(0);
        }
        waitpid(mother, NULL, 0);
        ahead = began + (double)(i + litter) / rate - now();
        if (ahead > 0)
            usleep((useconds_t)(ahead * 1e6));
    }
    return printf("%f\n", n / (now() - began)) < 0;
}
"""


def orphanage(directory):
    program = directory / "orphanage"
    subprocess.run(["cc", "-O2", "-x", "c", "-o", program, "-"], input=ORPHANAGE, text=True, check=True)
    return str(program)


@pytest.fixture
def container(make_brood):
    """A brood without --no-daemon and --log, process 1 of a namespace; `inside` is its pid as we see it."""
    brood = make_brood(start=False)
    brood.prefix = [shutil.which("unshare"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = brood.command
    brood.command = lambda: [w for w in without(command(), "--log", 1) if w != "--no-daemon"]
    brood.start()
    brood.inside = next(p for p, (ppid, _, _) in processes().items() if ppid == brood.pid)
    brood.signal = lambda number: os.kill(brood.inside, number)  # unshare itself hears none
    return brood


def without(words, option, values):
    i = words.index(option)
    return words[:i] + words[i + 1 + values:]


def zombies(pid):
    return [p for p, (ppid, state, _) in processes().items() if ppid == pid and state == "Z"]


def enter(brood, *command):
    return ["nsenter", "--pid", "--mount", "--target", str(brood.inside), *command]


def test_it_stays_in_the_foreground_and_logs_to_stderr(container):
    assert container.pid_path.read_text() == "1\n"
    assert not container.log_path.exists()
    assert "brood is ready" in (container.dir / "output").read_text()


def test_orphans_leave_no_zombie(container, tmp_path):
    container.serve("echo", processes=2)
    run = subprocess.run(enter(container, orphanage(tmp_path), str(ORPHANS), str(RATE)), check=True,
                         capture_output=True, text=True)
    ended = time.monotonic()
    wait_until(lambda: not zombies(container.inside), what=lambda: f"no zombie, but {len(zombies(container.inside))}")
    assert time.monotonic() - ended < 1
    print(f"{ORPHANS} orphans, {float(run.stdout):.0f} a second")
    assert container.fetch("/id?id=1").body == b"1"


def test_its_own_children_are_still_noticed(container):
    container.serve("echo", processes=1)
    (worker,) = container.workers("echo")
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: container.workers("echo") not in ([], [worker]), what="another worker")
    (router,) = container.pids("brood: router")
    os.kill(router, signal.SIGKILL)
    wait_until(lambda: container.pids("brood: router") not in ([], [router]), what="another router")
    assert container.fetch("/id?id=1").body == b"1"


def test_term_ends_everything(container):
    container.serve("echo", processes=2)
    stray = subprocess.Popen(enter(container, "sh", "-c", "sleep 1000 & sleep 1000"))
    wait_until(lambda: len([1 for _, _, line in processes().values() if line == "sleep 1000"]) >= 2, what="strays")
    family = container.family()
    began = time.monotonic()
    container.signal(signal.SIGTERM)
    assert container.process.wait(20) == 0
    wait_until(lambda: not [p for p in family if is_alive(p)], what="end of all processes")
    assert time.monotonic() - began < 10
    assert stray.wait(5) == -signal.SIGKILL


def test_an_upgrade_is_refused(container):
    container.signal(signal.SIGUSR2)
    wait_until(lambda: container.control("/status/upgrade").status == 200, what="the refusal")  # until then there is none
    assert container.status("/upgrade")["state"] == "failed"
    assert "process 1 cannot be replaced" in container.status("/upgrade")["reason"]
