/*
 * confine.c - limits of a process, from its launch card, in the order in which they can be set.
 *
 * Raising a hard limit, a priority or lowering the OOM score needs privilege, so that half comes
 * before the change of user.  The last half takes away: Landlock and seccomp need no_new_privs or
 * CAP_SYS_ADMIN, and may only get narrower.
 *
 * See setrlimit(2), setpriority(2), proc(5) oom_score_adj, sched_setaffinity(2), prctl(2).
 */
#include "process/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/rights.h"
#include "process/landlock.h"
#include "process/syscalls.h"

static const struct {
    const char *name;
    int resource;
} limits[] = {
#define LIMIT(name, suffix) {#name, RLIMIT_##suffix},
    RESOURCE_LIMITS(LIMIT)
#undef LIMIT
};

static int
resource_of(const char *name)
{
    for (size_t i = 0; i < array_len(limits); i++)
        if (strcmp(limits[i].name, name) == 0)
            return limits[i].resource;
    return -1;
}

static rlim_t
limit_value(long long n)
{
    return n < 0 ? RLIM_INFINITY : (rlim_t)n;
}

static int
set_limit(const char *text, struct br_err *err)
{
    char name[16];
    long long soft, hard;
    struct rlimit limit;

    if (sscanf(text, "%15s %lld %lld", name, &soft, &hard) != 3 || resource_of(name) < 0)
        return br_fail(err, -EINVAL, "limit \"%s\"", text);
    limit = (struct rlimit){limit_value(soft), limit_value(hard)};
    if (setrlimit((__rlimit_resource_t)resource_of(name), &limit) < 0)
        return br_fail(err, -errno, "cannot set the limit %s", text);
    return 0;
}

static int
set_all_limits(const struct launch *card, struct br_err *err)
{
    const char *text;
    unsigned pos = 0;
    int rc = 0;

    while (rc == 0 && (text = launch_next(card, "rlimit", &pos)) != NULL)
        rc = set_limit(text, err);
    return rc;
}

static int
set_affinity(const struct launch *card, struct br_err *err)
{
    const char *text;
    unsigned pos = 0;
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    while ((text = launch_next(card, "affinity", &pos)) != NULL) {
        uint64_t n;

        if (slice_u64(slice_cstr(text), &n) < 0 || n >= CPU_SETSIZE)
            return br_fail(err, -EINVAL, "processor \"%s\"", text);
        CPU_SET(n, &cpus);
    }
    if (CPU_COUNT(&cpus) > 0 && sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
        return br_fail(err, -errno, "cannot stay on the processors of `affinity`");
    return 0;
}

static int
set_oom_score(const char *score, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, score, strlen(score)) < 0)
        return br_fail(err, -errno, "cannot set oom_score_adj to %s", score);
    return 0;
}

int
confine_limits(const struct launch *card, struct br_err *err)
{
    const char *score = launch_get(card, "oom_score_adj", NULL);
    int nice = (int)launch_int(card, "nice", 0);
    int rc = set_all_limits(card, err);

    if (rc == 0)
        rc = set_affinity(card, err);
    if (rc == 0 && launch_get(card, "nice", NULL) != NULL && setpriority(PRIO_PROCESS, 0, nice) < 0)
        rc = br_fail(err, -errno, "cannot set the priority to nice %d", nice);
    return rc == 0 && score != NULL ? set_oom_score(score, err) : rc;
}

int
confine_rights(const struct launch *card, uid_t uid, unsigned *ret_filters, struct br_err *err)
{
    bool calls = launch_int(card, "seccomp", 0) != 0;
    bool paths = false;
    int rc = 0;

    if (launch_int(card, "no_new_privs", 0) != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        rc = br_fail(err, -errno, "cannot give up new privileges");
    if (rc == 0)
        rc = landlock_apply(card, uid, err);
    paths = rc > 0;
    if (rc >= 0)
        rc = calls ? syscalls_forbid(err) : 0;
    if (rc == 0)
        *ret_filters = (calls ? CONFINED_CALLS : 0) | (paths ? CONFINED_PATHS : 0);
    return rc;
}
