/*
 * card_isolation.c - from the options of `isolation` to lines of a launch card.
 *
 * What is on by default is left out where the kernel would refuse it: a filter of system calls or
 * of paths needs no_new_privs, or privilege at the time it is set.
 */
#include "controller/card_isolation.h"

#include <stdarg.h>
#include <stdio.h>

#include "process/launch.h"

/* cgroup-v2.rst, cpu.max: "$MAX $PERIOD" in microseconds. */
#define CPU_PERIOD_US 100000

static void
put(struct buf *b, const char *key, const char *value)
{
    if (value != NULL)
        launch_put(b, key, slice_cstr(value));
}

static void
put_all(struct buf *b, const char *key, const struct strings *values)
{
    for (size_t i = 0; i < values->n; i++)
        put(b, key, values->p[i]);
}

/* key=name when it is on. */
static void
put_if(struct buf *b, bool on, const char *key, const char *name)
{
    if (on)
        put(b, key, name);
}

static void
put_namespaces(struct buf *b, const struct isolation_conf *i)
{
    put_if(b, i->namespaces.cgroup, "namespace", "cgroup");
    put_if(b, i->namespaces.credential, "namespace", "credential");
    put_if(b, i->namespaces.ipc, "namespace", "ipc");
    put_if(b, i->namespaces.mount, "namespace", "mount");
    put_if(b, i->namespaces.network, "namespace", "network");
    put_if(b, i->namespaces.pid, "namespace", "pid");
    put_if(b, i->namespaces.time, "namespace", "time");
    put_if(b, i->namespaces.uname, "namespace", "uname");
    put_all(b, "uid_map", &i->uidmap);
    put_all(b, "gid_map", &i->gidmap);
    put(b, "hostname", i->hostname);
}

static void
put_mounts(struct buf *b, const struct isolation_conf *i)
{
    put(b, "rootfs", i->rootfs);
    put_if(b, i->automount.language_deps, "automount", "language_deps");
    put_if(b, i->automount.procfs, "automount", "procfs");
    put_if(b, i->automount.tmpfs, "automount", "tmpfs");
    put_if(b, i->read_only, "read_only", "1");
    put_if(b, i->private_tmp, "private_tmp", "1");
    for (size_t n = 0; n < i->binds.n; n += 3) {
        put(b, "bind_source", i->binds.p[n]);
        put(b, "bind_target", i->binds.p[n + 1]);
        put(b, "bind_mode", i->binds.p[n + 2]);
    }
}

static void br_printf(2, 3) put_limit(struct buf *b, const char *fmt, ...)
{
    char text[64];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    launch_put(b, "cgroup_limit", slice_make(text, (size_t)n));
}

static void
put_cgroup(struct buf *b, const struct isolation_conf *i)
{
    long long quota_us = i->cgroup.cpu * CPU_PERIOD_US / 1000;

    put(b, "cgroup", i->cgroup.path);
    if (i->cgroup.memory > 0)
        put_limit(b, "memory.max=%lld", (long long)i->cgroup.memory);
    if (i->cgroup.cpu > 0)
        put_limit(b, "cpu.max=%lld %d", br_max(quota_us, 1000LL), CPU_PERIOD_US);
    if (i->cgroup.pids > 0)
        put_limit(b, "pids.max=%d", (int)i->cgroup.pids);
}

static void
put_rights(struct buf *b, const struct isolation_conf *i, const struct settings *settings)
{
    bool may_filter = settings->privileged || i->namespaces.credential || !i->new_privs;

    put_all(b, "rlimit", &i->rlimits);
    put_all(b, "affinity", &i->affinity);
    put_all(b, "capability", &i->capabilities);
    if (i->nice != 0)
        launch_put_int(b, "nice", i->nice);
    if (i->oom_score_adj != 0)
        launch_put_int(b, "oom_score_adj", i->oom_score_adj);
    put_if(b, !i->new_privs, "no_new_privs", "1");
    put_if(b, i->seccomp && may_filter, "seccomp", "1");
    put_all(b, "landlock_read", &i->paths.read);
    put_all(b, "landlock_write", &i->paths.write);
    if (i->paths.hide_state && may_filter && i->paths.read.n + i->paths.write.n == 0)
        put(b, "landlock_hide", settings->state_dir);
}

void
card_isolation(struct buf *b, const struct isolation_conf *i, const struct settings *settings)
{
    put_namespaces(b, i);
    put_mounts(b, i);
    put_cgroup(b, i);
    put_rights(b, i, settings);
}
