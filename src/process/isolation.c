/*
 * isolation.c - namespaces and id maps: who does which half, and when.
 *
 *   clone3(NEWUSER | NEWNS | …, INTO_CGROUP)
 *     parent: setgroups "deny" (without privilege), uid_map, gid_map      <- only it may
 *     child:  cgroup view, host name, mounts, root                        <- all its rights are new
 *
 * A namespace of ids owns all the others of the same clone3, so the child may mount and rename
 * there without any privilege outside.  The cgroup namespace is made by the child itself: its root
 * is the cgroup in which it is made, which during clone3 is still the parent's.
 */
#include "process/isolation.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/cgroup.h"
#include "process/creds.h"
#include "process/idmap.h"
#include "process/mounts.h"

#define RANGES_MAX 340 /* the kernel's own limit of a map's lines */

static const struct {
    const char *name;
    uint64_t flag;
} namespaces[] = {
    {"cgroup", CLONE_NEWCGROUP}, {"credential", CLONE_NEWUSER}, {"ipc", CLONE_NEWIPC},
    {"mount", CLONE_NEWNS},      {"network", CLONE_NEWNET},     {"pid", CLONE_NEWPID},
    {"time", CLONE_NEWTIME},     {"uname", CLONE_NEWUTS},
};

/* Those that the card asks for. */
static uint64_t
flags_of(const struct launch *card)
{
    uint64_t flags = 0;
    unsigned pos = 0;
    const char *name;

    while ((name = launch_next(card, "namespace", &pos)) != NULL)
        for (size_t i = 0; i < array_len(namespaces); i++)
            if (strcmp(namespaces[i].name, name) == 0)
                flags |= namespaces[i].flag;
    return flags;
}

int
isolation_birth(const struct launch *card, struct birth *ret, struct br_err *err)
{
    int rc;

    *ret = (struct birth){.flags = flags_of(card) & ~(uint64_t)CLONE_NEWCGROUP, .cgroup_fd = -1};
    rc = cgroup_open(card, &ret->cgroup_fd, err);
    if (rc == 0 && ret->cgroup_fd >= 0)
        ret->flags |= CLONE_INTO_CGROUP;
    return rc;
}

pid_t
isolation_fork(struct birth *birth)
{
    struct clone_args args = {
        .flags = birth->flags, .exit_signal = SIGCHLD, .cgroup = (uint64_t)birth->cgroup_fd};
    long pid;

    if (birth->flags == 0)
        return fork();
    if (birth->cgroup_fd < 0)
        args.cgroup = 0;
    pid = syscall(SYS_clone3, &args, sizeof(args));
    fd_close(&birth->cgroup_fd);
    return (pid_t)pid;
}

/* --- id maps --- */

static int
write_text(pid_t pid, const char *file, const char *text, struct br_err *err)
{
    int rc = idmap_write(pid, file, text);

    return rc < 0 ? br_fail(err, rc, "the kernel refuses the %s \"%.200s\"", file, text) : 0;
}

/* The card's ranges, or the one that maps id to itself. */
static int
write_map(const struct launch *card, pid_t pid, const char *file, unsigned id, struct br_err *err)
{
    const char *range;
    unsigned pos = 0;
    struct buf b;
    int rc;

    buf_init(&b, RANGES_MAX * 40);
    while ((range = launch_next(card, file, &pos)) != NULL)
        buf_printf(&b, "%s\n", range);
    if (b.n == 0)
        buf_printf(&b, "%u %u 1\n", id, id);
    buf_putc(&b, '\0');
    rc = b.error != 0 ? br_fail(err, b.error, "too many ranges in the %s", file)
                      : write_text(pid, file, b.p, err);
    buf_done(&b);
    return rc;
}

/* Whom the application runs as: its user, or who we are. */
static int
ids_of(const struct launch *card, uid_t *ret_uid, gid_t *ret_gid, struct br_err *err)
{
    const char *user = launch_get(card, "user", NULL);
    struct creds creds;
    int rc;

    *ret_uid = geteuid();
    *ret_gid = getegid();
    if (user == NULL)
        return 0;
    rc = creds_resolve(user, launch_get(card, "group", NULL), &creds, err);
    if (rc < 0)
        return rc;
    *ret_uid = creds.uid;
    *ret_gid = creds.gid;
    return 0;
}

int
isolation_outside(const struct launch *card, pid_t pid, struct br_err *err)
{
    uid_t uid;
    gid_t gid;
    int rc;

    if ((flags_of(card) & CLONE_NEWUSER) == 0)
        return 0;
    rc = ids_of(card, &uid, &gid, err);
    if (rc == 0 && !creds_privileged())
        rc = write_text(pid, "setgroups", "deny", err); /* user_namespaces(7): else no gid_map */
    if (rc == 0)
        rc = write_map(card, pid, "uid_map", uid, err);
    return rc < 0 ? rc : write_map(card, pid, "gid_map", gid, err);
}

/* Does a range of the card cover that id, as seen inside? */
static bool
covers(const struct launch *card, unsigned id)
{
    const char *range;
    unsigned pos = 0;

    while ((range = launch_next(card, "gid_map", &pos)) != NULL) {
        unsigned inside, outside, n;

        if (sscanf(range, "%u %u %u", &inside, &outside, &n) == 3 && id >= inside &&
            id - inside < n)
            return true;
    }
    return false;
}

void
isolation_fit(const struct launch *card, struct creds *creds)
{
    unsigned n = 0;

    if ((flags_of(card) & CLONE_NEWUSER) == 0)
        return;
    for (unsigned i = 0; i < creds->n_groups; i++)
        if (creds->groups[i] == creds->gid || covers(card, creds->groups[i]))
            creds->groups[n++] = creds->groups[i];
    creds->n_groups = n;
}

/* --- inside --- */

int
isolation_inside(const struct launch *card, const char *const *deps, struct br_err *err)
{
    const char *hostname = launch_get(card, "hostname", NULL);
    uint64_t flags = flags_of(card);

    if ((flags & CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWCGROUP) < 0)
        return br_fail(err, -errno, "no cgroup namespace");
    if (hostname != NULL && sethostname(hostname, strlen(hostname)) < 0)
        return br_fail(err, -errno, "cannot set the host name \"%s\"", hostname);
    return mounts_make(card, (flags & CLONE_NEWNS) != 0, (flags & CLONE_NEWPID) != 0, deps, err);
}
