/*
 * spawn.c - birth: the parent's half up to FORKED, the child's half up to its role's loop.
 *
 *   child: signals -> parent-death signal -> session -> descriptors -> title -> line -> user ->
 * setup
 *
 * No window in which a child could outlive its parent: the signal is asked for first, then the
 * parent's pid is compared with the one from before the fork; a change of ids clears the signal
 * (prctl(2), PR_SET_PDEATHSIG), so it is asked for again behind it.
 *
 * pidfd_open after fork is no race: a child that died already is a zombie until we reap it, and
 * nobody else does.  See fork(2), pidfd_open(2), close_range(2), signal(7).
 */
#include "ipc/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "process/isolation.h"
#include "process/title.h"

#define GO_WAIT_MS  10000
#define FAREWELL_MS 1000
#define KEPT_BESIDE 2 /* log and line */

/* --- what a process says of itself --- */

struct msg_process
spawn_self(const struct task *task)
{
    return (struct msg_process){
        .role = task->role->id,
        .pid = getpid(),
        .index = task->index,
        .launch = task->launch,
        .instance = task->instance,
    };
}

int
spawn_tell_ready(struct task *task)
{
    struct msg_process self = spawn_self(task);

    if (task->parent == NULL)
        return -EPIPE;
    return dispatch_tell(task->parent, MSG_PROCESS_READY, &self, NULL, 0);
}

int
spawn_tell_failed(struct task *task, const struct br_err *err)
{
    struct msg_failed failed = {.process = spawn_self(task), .rc = err->rc};
    int rc;

    if (task->parent == NULL)
        return -EPIPE;
    memcpy(failed.text, err->text, br_min(sizeof(failed.text), sizeof(err->text)));
    rc = dispatch_tell(task->parent, MSG_PROCESS_FAILED, &failed, NULL, 0);
    return rc < 0 ? rc : channel_flush(task->parent, FAREWELL_MS);
}

struct go {
    bool answered;
    int rc;
};

static void
on_go(br_unused struct task *task, void *arg, br_unused struct message *m, int rc)
{
    struct go *go = arg;

    go->answered = true;
    go->rc = rc;
}

int
spawn_wait_go(struct task *task, struct br_err *err)
{
    struct msg_process self = spawn_self(task);
    struct go go = {.answered = false};
    int64_t end_ms = clock_us() / 1000 + GO_WAIT_MS;
    int rc = task->parent == NULL ? -EPIPE : 0;

    if (rc == 0)
        rc = dispatch_ask(task->parent, MSG_PROCESS_CREATED, &self, NULL, 0, -1, on_go, &go);
    while (rc >= 0 && !go.answered) {
        int64_t left = end_ms - clock_us() / 1000;

        if (task->parent == NULL)
            rc = -EPIPE;
        else if (left <= 0)
            rc = -ETIMEDOUT;
        else
            rc = channel_recv_wait(task->parent, (int)left);
    }
    if (rc >= 0)
        rc = go.rc;
    dispatch_forget(task->dispatch, &go);
    return rc < 0 ? br_fail(err, rc, "the outside work was not done") : 0;
}

/* --- the child --- */

static br_noreturn void
leave(const struct spawn_how *how, int code)
{
    if (how != NULL && how->exit != NULL)
        how->exit(how->arg, code);
    _exit(code);
}

static void
reset_signals(const struct br_role *role)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &dfl, NULL);
    if (role->user != USER_CARD)
        sigaction(SIGPIPE, &ignore, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* main has raised its own limit, which programs that loop over all descriptors would suffer from.
 */
static void
lower_limits(const struct br_role *role, const struct settings *settings)
{
    struct rlimit limit;

    if (role->user != USER_CARD || settings->nofile == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = br_min((rlim_t)settings->nofile, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* From now on the end of the parent is ours.  0 stands for a parent in an outer pid namespace. */
static void
end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent && getppid() != 0)
        _exit(1);
}

static int
compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return x < y ? -1 : x > y;
}

static int
close_between(int first, int last)
{
    if (first > last)
        return 0;
    return syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0 ? 0 : -errno;
}

/* All but stdio, log, line and what is kept: nothing of the parent's is left by oversight. */
static int
close_foreign(const struct process *p, int line_fd)
{
    int keep[KEEP_MAX + KEPT_BESIDE];
    unsigned n = 0;
    int from = STDERR_FILENO + 1;
    int rc = 0;

    for (unsigned i = 0; i < p->n_keep; i++)
        keep[n++] = p->keep[i].fd;
    keep[n++] = line_fd;
    keep[n++] = log_fd();
    qsort(keep, n, sizeof(keep[0]), compare_ints);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = close_between(from, keep[i] - 1);
        from = br_max(from, keep[i] + 1);
    }
    return rc < 0 ? rc : close_between(from, INT32_MAX);
}

/* A fork of an application: its descriptors are not ours to close, only our parent's are. */
static void
close_ours(const struct process *p)
{
    struct process *other;

    if (p->roster == NULL)
        return;
    list_foreach (other, &p->roster->all, link) {
        if (other == p)
            continue;
        process_unkeep(other);
        fd_close(&other->card_fd);
    }
}

static void
set_title(const struct process *p, const struct br_role *role)
{
    const char *what = role->title != NULL ? role->title : role->name;

    if (p->card != NULL)
        title_set("brood: \"%s\" %s", launch_get(p->card, "name", ""), what);
    else
        title_set("brood: %s", what);
}

static int
confine(const struct br_role *role, struct br_err *err)
{
    if (!role->confined)
        return 0;
    if (geteuid() != 0 && creds_drop_caps() < 0)
        return br_fail(err, -errno, "cannot drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return br_fail(err, -errno, "cannot give up new privileges");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return br_fail(err, -errno, "cannot refuse to be traced");
    return 0;
}

int
spawn_become(struct task *task, const struct creds *creds, struct br_err *err)
{
    pid_t parent = task->parent != NULL ? channel_peer(task->parent)->pid : 0;
    int rc = creds_drop(creds, err);

    if (rc < 0)
        return rc;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent && getppid() != 0)
        return br_fail(err, -EPIPE, "the parent is gone");
    return 0;
}

static int
child_task(struct task *task, const struct process *p, const struct peer *parent, int line_fd,
           struct br_err *err)
{
    task->dispatch = dispatch_new(task);
    if (task->dispatch == NULL)
        return br_fail(err, -ENOMEM, "dispatch");
    task->parent = dispatch_add(task->dispatch, line_fd, parent);
    if (task->parent == NULL)
        return br_fail(err, -ENOMEM, "no line to the parent");
    set_title(p, task->role);
    if (p->creds != NULL)
        return spawn_become(task, p->creds, err);
    if (task->role->user == USER_BROOD && task->settings->creds != NULL)
        return spawn_become(task, task->settings->creds, err);
    return 0;
}

static int
child_setup(struct task *task, struct process *p, struct br_err *err)
{
    int rc = confine(task->role, err);

    if (rc == 0 && task->role->setup != NULL)
        rc = task->role->setup(task, p, err);
    if (rc == 0 && spawn_tell_ready(task) < 0)
        return br_fail(err, -EPIPE, "the parent is gone");
    return rc;
}

static br_noreturn void
child(struct task *above, struct process *p, const struct spawn_how *how, pid_t above_pid,
      int line_fd)
{
    struct task task = {
        .role = p->role,
        .index = p->index,
        .launch = p->launch,
        .instance = p->instance,
        .settings = above->settings,
        .loop = above->loop,
    };
    struct peer parent = {
        .role = above->role->id,
        .pid = above_pid,
        .index = above->index,
        .launch = above->launch,
        .instance = above->instance,
    };
    struct br_err err = BR_ERR_NONE;
    int rc;

    log_after_fork();
    loop_after_fork(above->loop);
    dispatch_after_fork(above->dispatch);
    end_with(above_pid);
    if (p->role->keep_foreign) {
        close_ours(p);
    } else {
        reset_signals(p->role);
        setsid();
        rc = close_foreign(p, line_fd);
        if (rc < 0)
            br_log(LOG_ERROR, "cannot close foreign descriptors: %s", strerror(-rc));
        lower_limits(p->role, above->settings);
    }
    p->pid = getpid();
    rc = child_task(&task, p, &parent, line_fd, &err);
    if (rc == 0)
        rc = child_setup(&task, p, &err);
    if (rc < 0) {
        err.rc = err.rc != 0 ? err.rc : rc;
        if (task.parent != NULL)
            spawn_tell_failed(&task, &err);
        leave(how, 1);
    }
    leave(how, task.role->start != NULL ? task.role->start(&task, task.data) : 0);
}

/* --- the parent --- */

static void
on_child(struct child *c, int status)
{
    struct process *p = container_of(c, struct process, child);

    if (p->channel != NULL)
        channel_pump(p->channel); /* what it said before it died */
    lifecycle_move(&p->life, PROC_GONE, process_name(p));
    if (p->channel != NULL)
        dispatch_drop(p->task->dispatch, p->channel);
    if (p->on_death != NULL)
        p->on_death(p->task, p, status);
}

/* Watch what was just forked.  On failure it is killed, reaped and forgotten. */
static int
adopt(struct task *task, struct process *p, pid_t pid, int line_fd, struct br_err *err)
{
    struct peer peer = {
        .role = p->role->id,
        .pid = pid,
        .index = p->index,
        .launch = p->launch,
        .instance = p->instance,
    };
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int rc = pidfd < 0 ? -errno : loop_child(task->loop, &p->child, pid, pidfd, on_child);
    struct channel *ch;

    if (rc == 0) {
        ch = dispatch_add(task->dispatch, fd_take(&line_fd), &peer);
        if (ch != NULL) {
            dispatch_bind(ch, &p->channel);
            return 0;
        }
        rc = -ENOMEM;
        loop_child_forget(&p->child);
    }
    fd_close(&line_fd);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return br_fail(err, rc, "cannot watch the new process");
}

static pid_t
fork_as(const struct spawn_how *how)
{
    return how != NULL && how->fork != NULL ? how->fork(how->arg) : fork();
}

/* A process with outside work may be born into namespaces and a cgroup of its own. */
static pid_t
bear(const struct process *p, const struct spawn_how *how, struct br_err *err)
{
    struct birth birth;
    pid_t pid;
    int rc;

    if (p->role->outside_work && p->card != NULL) {
        rc = isolation_birth(p->card, &birth, err);
        if (rc < 0)
            return rc;
        pid = isolation_fork(&birth);
    } else {
        pid = fork_as(how);
    }
    return pid < 0 ? br_fail(err, -errno, "cannot fork") : pid;
}

int
spawn(struct task *task, struct process *p, const struct spawn_how *how, struct br_err *err)
{
    br_cleanup(fd_closep) int ours = -1;
    br_cleanup(fd_closep) int theirs = -1;
    pid_t self = getpid();
    pid_t pid;
    int pair[2];
    int rc = 0;

    p->task = task;
    p->loop = task->loop;
    p->on_death = how != NULL ? how->on_death : NULL;
    if (p->role->prefork != NULL)
        rc = p->role->prefork(task, p, err);
    if (rc < 0)
        return rc;
    rc = channel_pair(pair);
    if (rc < 0)
        return br_fail(err, rc, "no line for the new process");
    ours = pair[0];
    theirs = pair[1];

    p->fork_us = clock_us();
    pid = bear(p, how, err);
    if (pid < 0)
        return pid;
    if (pid == 0) {
        fd_close(&ours);
        child(task, p, how, self, fd_take(&theirs));
    }
    if (task->role->id == ROLE_MAIN)
        INJECT(main, forked);
    else
        INJECT(prototype, forked);
    rc = adopt(task, p, pid, fd_take(&ours), err);
    if (rc < 0)
        return rc;
    p->pid = pid;
    p->forked_ms = clock_us() / 1000;
    lifecycle_move(&p->life, PROC_FORKED, process_name(p));
    return 0;
}
