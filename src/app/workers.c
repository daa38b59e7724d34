/*
 * workers.c - one worker as its prototype sees it: start, lines to routers, drain, death.
 *
 *   fork -> CHANNEL_OPEN to it and to each router -> READY -> DRAIN -> lanes closed -> gone
 *                                                                        |
 *        nest_bury for its lanes, CHANNEL_CLOSE to routers, back-off  <--'
 */
#include "app/prototype.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/stream.h"
#include "app/worker_role.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "nest/lane.h"

#define EXIT_GRACE_MS 10000 /* for a worker that serves no more to be gone */

void
worker_tell(struct prototype *proto, struct process *p, enum msg_type type, const void *payload,
            int fd)
{
    if (p->channel == NULL) {
        fd_close(&fd);
        return;
    }
    dispatch_tell(p->channel, type, payload, &fd, fd >= 0 ? 1 : 0);
    if (proto->app.nest != NULL)
        nest_notify(proto->app.nest, p->index);
}

/* ---- lines between workers and routers ---- */

/* A router knows it by another number when we are the first process of a namespace; 0: unknown. */
static pid_t
pid_outside(const struct process *p)
{
    return getpid() == 1 ? 0 : p->pid;
}

static void
connect_pair(struct prototype *proto, struct process *p, struct channel *router)
{
    const struct peer *peer = channel_peer(router);
    struct msg_process to_router = {.role = ROLE_WORKER,
                                    .pid = pid_outside(p),
                                    .index = p->index,
                                    .launch = proto->task.launch,
                                    .instance = proto->task.instance};
    struct msg_process to_worker = {.role = ROLE_ROUTER, .pid = peer->pid, .index = peer->index};
    int fds[2];

    if (channel_pair(fds) < 0)
        return;
    if (dispatch_tell(router, MSG_CHANNEL_OPEN, &to_router, &fds[0], 1) == 0)
        worker_tell(proto, p, MSG_CHANNEL_OPEN, &to_worker, fds[1]);
    else
        fd_close(&fds[1]);
}

struct pairing {
    struct prototype *proto;
    struct process *worker;
};

static void
connect_router(struct channel *router, void *arg)
{
    struct pairing *pairing = arg;

    connect_pair(pairing->proto, pairing->worker, router);
}

static void
close_at_router(struct channel *router, void *arg)
{
    struct pairing *pairing = arg;
    struct msg_process m = {.role = ROLE_WORKER,
                            .pid = pid_outside(pairing->worker),
                            .index = pairing->worker->index,
                            .launch = pairing->proto->task.launch,
                            .instance = pairing->proto->task.instance};

    dispatch_tell(router, MSG_CHANNEL_CLOSE, &m, NULL, 0);
}

void
workers_meet_router(struct prototype *proto, struct channel *router)
{
    struct process *p;

    list_foreach (p, &proto->workers.all, link)
        connect_pair(proto, p, router);
    INJECT(prototype, met);
}

/* One that sleeps would keep its end of the line until something else wakes it. */
void
workers_lose_router(struct prototype *proto)
{
    struct process *p;

    if (proto->app.nest == NULL)
        return; /* those of a stream have no line to it */
    list_foreach (p, &proto->workers.all, link)
        nest_notify(proto->app.nest, p->index);
}

/* ---- workers ---- */

static pid_t
how_fork(void *arg)
{
    struct prototype *proto = arg;

    return proto->app.guest->fork(proto->app.ctx);
}

static void br_noreturn
how_exit(void *arg, int code)
{
    struct prototype *proto = arg;

    proto->app.guest->exit(proto->app.ctx, code);
}

static void
log_death(const struct process *p, int status)
{
    if (WIFSIGNALED(status))
        br_log(LOG_ALERT, "process %d exited on signal %d", (int)p->pid, WTERMSIG(status));
    else
        br_log(LOG_NOTICE, "process %d exited with code %d", (int)p->pid, WEXITSTATUS(status));
}

/* A start that failed, or a quick death, holds the next start back. */
static void
hold_back(struct prototype *proto, const struct process *p, int status, bool was_ready)
{
    int64_t wait_ms;

    if (was_ready && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    proto->deaths.was_ready = was_ready;
    wait_ms = restart_after(RESPAWN_ALWAYS, &proto->deaths, clock_ms() - p->forked_ms);
    if (wait_ms > 0)
        proto->hold_until_ms = clock_ms() + wait_ms;
}

static void
on_death(struct task *task, struct process *p, int status)
{
    struct prototype *proto = task->data;
    struct pairing pairing = {proto, p};
    bool was_ready = p->life.was == PROC_READY || p->life.was == PROC_DRAINING;
    struct br_err err = BR_ERR_NONE;

    log_death(p, status);
    INJECT(prototype, bereaved);
    if (proto->app.stream != NULL) {
        stream_worker_gone(proto, p);
    } else {
        dispatch_each(task->dispatch, ROLE_ROUTER, close_at_router, &pairing);
        for (unsigned i = 0; i < proto->app.threads; i++)
            nest_bury(proto->app.nest, p->index + i, proto->app.wakefds, proto->app.n_routers);
    }
    stuck_forget(proto, p->pid);
    hold_back(proto, p, status, was_ready);
    roster_free(&proto->workers, p);
    if (!proto->ready && !was_ready && !loop_stopped(task->loop)) {
        br_fail(&err, -EBADMSG, "a worker of \"%s\" ended before it was ready", proto->app.name);
        prototype_give_up(proto, &err);
        return;
    }
    prototype_consider(proto);
}

/* The lowest group of lanes that nobody has, or -1. */
static int
free_lane(struct prototype *proto)
{
    unsigned n = app_lanes(&proto->app);

    for (unsigned first = 0; first + n <= NEST_LANES; first += n) {
        if (roster_find(&proto->workers, ROLE_WORKER, first) == NULL)
            return (int)first;
    }
    return -1;
}

int
worker_spawn(struct prototype *proto, struct br_err *err)
{
    int lane = free_lane(proto);
    struct pairing pairing = {.proto = proto};
    struct process *p;
    int rc;

    if (lane < 0)
        return br_fail(err, -EAGAIN, "all lanes of the application are in use");
    p = roster_new(&proto->workers, &app_worker_role);
    if (p == NULL)
        return br_fail(err, -ENOMEM, "cannot start a worker");
    p->index = (uint32_t)lane;
    p->launch = proto->task.launch;
    p->instance = proto->task.instance;
    p->data = &proto->app;
    rc = spawn(&proto->task, p, &proto->how, err);
    if (rc < 0) {
        roster_free(&proto->workers, p);
        return rc;
    }
    pairing.worker = p;
    if (proto->app.stream != NULL)
        stream_worker_born(proto, p);
    else
        dispatch_each(proto->task.dispatch, ROLE_ROUTER, connect_router, &pairing);
    return 0;
}

void
worker_drain(struct prototype *proto, struct process *p)
{
    struct msg_drain m = {0};

    if (p->life.state != PROC_READY)
        return; /* one that is starting is told when it is ready */
    lifecycle_move(&p->life, PROC_DRAINING, "worker");
    worker_tell(proto, p, MSG_DRAIN, &m, -1);
}

/* ---- what it does ---- */

/* true: it takes no more, told to or not. */
static bool
look_at_lanes(const struct prototype *proto, const struct process *p, struct scale_worker *w)
{
    bool open = false;

    for (unsigned i = 0; i < proto->app.threads; i++) {
        struct lane_view v;

        nest_lane_view(proto->app.nest, p->index + i, &v);
        open = open || v.open;
        w->held += v.busy;
        w->idle_since_ms = br_max(w->idle_since_ms, v.idle_since_ms);
    }
    return !open;
}

/* As scale.c wants to see a worker.  One that closed its lanes leaves, told to or not. */
struct scale_worker
worker_look(const struct prototype *proto, const struct process *p)
{
    struct scale_worker w = {.state = SCALE_IDLE};
    bool closed = false;

    if (p->life.state == PROC_FORKED || p->life.state == PROC_CREATED) {
        w.state = SCALE_STARTING;
        return w;
    }
    if (proto->app.stream != NULL) {
        w.held = stream_held(proto, p);
        w.idle_since_ms = stream_idle_since(proto, p);
    } else {
        closed = look_at_lanes(proto, p, &w);
    }
    if (p->life.state != PROC_READY || closed)
        w.state = SCALE_DRAINING;
    else if (w.held > 0)
        w.state = SCALE_BUSY;
    return w;
}

static void
on_patience(struct timer *t)
{
    struct process *p = container_of(t, struct process, timer);

    br_log(LOG_WARN, "process %d serves no more but does not leave: killed", (int)p->pid);
    syscall(SYS_pidfd_send_signal, p->child.pidfd, SIGKILL, NULL, 0);
}

/*
 * Workers whose lanes are closed run exit functions and wait for threads: not for ever.  What one
 * of a stream still has it may finish in the time of any graceful end.
 */
void
workers_watch_leaving(struct prototype *proto)
{
    struct process *p;

    list_foreach (p, &proto->workers.all, link) {
        struct scale_worker w = worker_look(proto, p);
        int64_t wait_ms = EXIT_GRACE_MS;

        if (w.state != SCALE_DRAINING || timer_is_set(&p->timer))
            continue;
        if (proto->app.nest != NULL) {
            struct lane_view v;

            nest_lane_view(proto->app.nest, p->index, &v);
            if (v.open)
                continue;
        } else if (w.held > 0) {
            wait_ms = br_max(wait_ms, (int64_t)proto->task.settings->grace_ms);
        }
        timer_init(&p->timer, on_patience);
        loop_timer(proto->task.loop, &p->timer, wait_ms);
    }
}

void
workers_init(struct prototype *proto)
{
    proto->how = (struct spawn_how){how_fork, how_exit, proto, on_death};
    roster_init(&proto->workers);
}
