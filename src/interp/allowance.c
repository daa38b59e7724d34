/*
 * allowance.c - prlimit and setpriority on a service that waits for its call.
 */
#include "interp/allowance.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "interp/message.h"

/* This process's own, which the interpreter and its children have too. */
static struct rlimit own[RLIM_NLIMITS];
static bool own_known;

static void
learn(void)
{
    for (unsigned r = 0; r < RLIM_NLIMITS; r++)
        getrlimit((int)r, &own[r]);
    own_known = true;
}

static int
apply_limit(pid_t pid, const char *text, struct br_err *err)
{
    char *end;
    unsigned long r = strtoul(text, &end, 10);
    struct rlimit limit;

    if (r >= RLIM_NLIMITS || *end != ':')
        return br_fail(err, -EBADMSG, "rlimit=%s", text);
    limit.rlim_cur = (rlim_t)strtoll(end + 1, &end, 10);
    if (*end != ':')
        return br_fail(err, -EBADMSG, "rlimit=%s", text);
    limit.rlim_max = (rlim_t)strtoll(end + 1, &end, 10);
    if (limit.rlim_cur == own[r].rlim_cur && limit.rlim_max == own[r].rlim_max)
        return 0;
    if (prlimit(pid, (int)r, &limit, NULL) < 0)
        return br_fail(err, -errno, "cannot give the service its caller's resource limit %lu", r);
    return 0;
}

static void
apply_nice(pid_t pid, const char *text)
{
    int nice = atoi(text);

    if (nice != getpriority(PRIO_PROCESS, 0))
        setpriority(PRIO_PROCESS, (id_t)pid, nice);
}

int
allowance_apply(pid_t pid, struct slice attributes, struct br_err *err)
{
    static const struct slice limit = {"rlimit=", 7}, nice = {"nice=", 5};
    struct slice one;
    int rc = 0;

    if (!own_known)
        learn();
    while (rc == 0 && message_string(&attributes, &one)) {
        if (slice_starts(one, limit))
            rc = apply_limit(pid, one.p + limit.n, err);
        else if (slice_starts(one, nice))
            apply_nice(pid, one.p + nice.n);
    }
    return rc;
}
