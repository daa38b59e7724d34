/*
 * settle.c - a router takes what its settings give it; nothing of it needs privilege.
 *
 * It is its user already (ipc/spawn), and not dumpable, as all that are confined.
 * See setrlimit(2), sched_setaffinity(2), setpriority(2), PR_SET_DUMPABLE of prctl(2), core(5).
 */
#include "router/settle.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int
limit(int resource, int64_t value, const char *what, struct br_err *err)
{
    struct rlimit both = {.rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value};

    if (value < 0 || setrlimit((__rlimit_resource_t)resource, &both) == 0)
        return 0;
    return br_fail(err, -errno, "cannot set a router's limit of %s to %lld", what,
                   (long long)value);
}

/* Router number nth has the nth of the processors that brood may use. */
static void
own_processor(unsigned nth, cpu_set_t *ret)
{
    cpu_set_t all;
    unsigned n, seen = 0;

    CPU_ZERO(ret);
    if (sched_getaffinity(0, sizeof(all), &all) < 0)
        return;
    n = (unsigned)CPU_COUNT(&all);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && n > 0; cpu++)
        if (CPU_ISSET(cpu, &all) && seen++ == nth % n)
            CPU_SET(cpu, ret);
}

static void
given_processors(const struct msg_routers *how, unsigned nth, cpu_set_t *ret)
{
    const uint64_t *mask = how->affinity[nth % br_min(how->n_affinity, MSG_ROUTERS_MAX)];

    CPU_ZERO(ret);
    for (unsigned cpu = 0; cpu < 64 * MSG_AFFINITY_WORDS; cpu++)
        if ((mask[cpu / 64] >> (cpu % 64) & 1) != 0)
            CPU_SET(cpu, ret);
}

static int
bind_to_processors(const struct msg_routers *how, unsigned nth, struct br_err *err)
{
    cpu_set_t cpus;

    if (how->affinity_auto)
        own_processor(nth, &cpus);
    else if (how->n_affinity > 0)
        given_processors(how, nth, &cpus);
    else
        return 0;
    if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
        return br_fail(err, -errno, "cannot bind a router to its processors");
    return 0;
}

static int
block_signals(uint64_t mask, struct br_err *err)
{
    sigset_t set;

    sigemptyset(&set);
    for (int number = 1; number <= 64; number++)
        if ((mask >> (number - 1) & 1) != 0)
            sigaddset(&set, number);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return br_fail(err, -errno, "cannot block the signals of `signal_mask`");
    return 0;
}

int
settle(const struct msg_routers *how, unsigned nth, struct br_err *err)
{
    int rc = limit(RLIMIT_NOFILE, how->rlimit_nofile, "descriptors", err);

    if (rc == 0)
        rc = limit(RLIMIT_CORE, how->rlimit_core, "bytes in a core file", err);
    if (rc == 0)
        rc = bind_to_processors(how, nth, err);
    if (rc == 0 && how->priority > 0 && setpriority(PRIO_PROCESS, 0, how->priority) < 0)
        rc = br_fail(err, -errno, "cannot set a router's priority to %d", how->priority);
    if (rc == 0 && how->working_directory[0] != '\0' && chdir(how->working_directory) < 0)
        rc = br_fail(err, -errno, "a router cannot enter working directory \"%s\"",
                     how->working_directory);
    if (rc == 0 && how->dumpable != 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        rc = br_fail(err, -errno, "a router cannot be made dumpable");
    return rc < 0 ? rc : block_signals(how->signal_mask, err);
}
