/*
 * runtime.c - the prototype in the user's interpreter: loads once, forks workers, buries them.
 *
 *   main ==line== prototype ==line== worker (a line each)      router ==line== prototype
 *                 |  bell (eventfd): "requests wait and no lane is idle"
 *                 |  pidfd of each worker: nest_bury, CHANNEL_CLOSE to routers, another one perhaps
 *                 `- consider(): what scale.c decides is done here, after every event
 *
 * READY is sent only when the first workers are: a configuration change that was answered really
 * runs.  The guest's global lock is let go while this loop waits, so that threads which the
 * application started when it was imported live on.
 */
#include "app/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "app/worker_role.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/spawn.h"
#include "ipc/status.h"

#define STUCK_GRACE_MS 5000  /* from SIGTERM to SIGKILL */
#define STOP_GRACE_MS  1000  /* for workers to leave in order before PDEATHSIG ends them */
#define EXIT_GRACE_MS  10000 /* for a worker that serves no more to be gone */
#define DRAIN_LOOK_MS  1000  /* between two looks at workers that leave */
#define SMAPS_BYTES    16384

struct prototype {
    struct task task;
    struct process self;
    struct app app;
    struct roster workers;
    struct spawn_how how;
    struct list stuck; /* workers told to end over a request that took too long */
    struct watch bell;
    struct timer look;
    struct timer grace;
    struct restart_history deaths; /* of workers, one after the other */
    int64_t hold_until_ms;
    void *paused;
    bool ready; /* PROCESS_READY was sent */
    bool draining;
    int code;
};

/* The lane still holds this when the grace is over: SIGKILL. */
struct stuck {
    struct list link;
    struct timer timer;
    struct prototype *proto;
    pid_t pid;
    struct msg_lane at; /* slot with its router, as nest_lane_view says it */
};

static void consider(struct prototype *proto);

static void
tell_worker(struct prototype *proto, struct process *p, enum msg_type type, const void *payload,
            int fd)
{
    if (p->channel == NULL) {
        fd_close(&fd);
        return;
    }
    dispatch_tell(p->channel, type, payload, &fd, fd >= 0 ? 1 : 0);
    nest_notify(proto->app.nest, p->index);
}

/* ---- lines between workers and routers ---- */

static void
connect_pair(struct prototype *proto, struct process *p, struct channel *router)
{
    const struct peer *peer = channel_peer(router);
    struct msg_process to_router = {.role = ROLE_WORKER,
                                    .pid = p->pid,
                                    .index = p->index,
                                    .launch = proto->task.launch,
                                    .instance = proto->task.instance};
    struct msg_process to_worker = {.role = ROLE_ROUTER, .pid = peer->pid, .index = peer->index};
    int fds[2];

    if (channel_pair(fds) < 0)
        return;
    if (dispatch_tell(router, MSG_CHANNEL_OPEN, &to_router, &fds[0], 1) == 0)
        tell_worker(proto, p, MSG_CHANNEL_OPEN, &to_worker, fds[1]);
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
                            .pid = pairing->worker->pid,
                            .index = pairing->worker->index,
                            .launch = pairing->proto->task.launch,
                            .instance = pairing->proto->task.instance};

    dispatch_tell(router, MSG_CHANNEL_CLOSE, &m, NULL, 0);
}

static void
on_peer(struct task *task, struct channel *ch)
{
    struct prototype *proto = task->data;
    struct process *p;

    if (channel_peer(ch)->role != ROLE_ROUTER)
        return;
    list_foreach (p, &proto->workers.all, link)
        connect_pair(proto, p, ch);
}

static void
on_peer_gone(struct task *task, struct channel *ch)
{
    if (ch == task->parent)
        _exit(1); /* main is gone; workers follow by PDEATHSIG */
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

static void
forget_stuck(struct prototype *proto, pid_t pid)
{
    struct stuck *s, *next;

    list_foreach_safe (s, next, &proto->stuck, link) {
        if (pid != 0 && s->pid != pid)
            continue;
        loop_timer_cancel(proto->task.loop, &s->timer);
        list_del(&s->link);
        free(s);
    }
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
give_up(struct prototype *proto, const struct br_err *err)
{
    spawn_tell_failed(&proto->task, err);
    proto->code = 1;
    loop_stop(proto->task.loop);
}

static void
on_death(struct task *task, struct process *p, int status)
{
    struct prototype *proto = task->data;
    struct pairing pairing = {proto, p};
    bool was_ready = p->life.was == PROC_READY || p->life.was == PROC_DRAINING;
    struct br_err err = BR_ERR_NONE;

    log_death(p, status);
    dispatch_each(task->dispatch, ROLE_ROUTER, close_at_router, &pairing);
    for (unsigned i = 0; i < proto->app.threads; i++)
        nest_bury(proto->app.nest, p->index + i, proto->app.wakefds, proto->app.n_routers);
    forget_stuck(proto, p->pid);
    hold_back(proto, p, status, was_ready);
    roster_free(&proto->workers, p);
    if (!proto->ready && !was_ready && !loop_stopped(task->loop)) {
        br_fail(&err, -EBADMSG, "a worker of \"%s\" ended before it was ready", proto->app.name);
        give_up(proto, &err);
        return;
    }
    consider(proto);
}

/* The lowest group of lanes that nobody has, or -1. */
static int
free_lane(struct prototype *proto)
{
    for (unsigned first = 0; first + proto->app.threads <= NEST_LANES;
         first += proto->app.threads) {
        if (roster_find(&proto->workers, ROLE_WORKER, first) == NULL)
            return (int)first;
    }
    return -1;
}

static int
start_worker(struct prototype *proto, struct br_err *err)
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
    dispatch_each(proto->task.dispatch, ROLE_ROUTER, connect_router, &pairing);
    return 0;
}

static void
drain_worker(struct prototype *proto, struct process *p)
{
    struct msg_drain m = {0};

    if (p->life.state != PROC_READY)
        return; /* one that is starting is told when it is ready */
    lifecycle_move(&p->life, PROC_DRAINING, "worker");
    tell_worker(proto, p, MSG_DRAIN, &m, -1);
}

/* ---- how many ---- */

/* As scale.c wants to see a worker.  One that closed its lanes leaves, told to or not. */
static struct scale_worker
look_at(const struct prototype *proto, const struct process *p)
{
    struct scale_worker w = {.state = SCALE_IDLE};
    bool open = false;

    if (p->life.state == PROC_FORKED || p->life.state == PROC_CREATED) {
        w.state = SCALE_STARTING;
        return w;
    }
    for (unsigned i = 0; i < proto->app.threads; i++) {
        struct lane_view v;

        nest_lane_view(proto->app.nest, p->index + i, &v);
        open = open || v.open;
        w.held += v.busy;
        w.idle_since_ms = br_max(w.idle_since_ms, v.idle_since_ms);
    }
    if (p->life.state != PROC_READY || !open)
        w.state = SCALE_DRAINING;
    else if (w.held > 0)
        w.state = SCALE_BUSY;
    return w;
}

/* *ret_serving: how many do not drain. */
static struct scale_plan
ask_scale(struct prototype *proto, struct process **by_row, unsigned *ret_serving)
{
    struct scale_worker rows[NEST_LANES];
    struct scale_view view = {.workers = rows,
                              .waiting = nest_waiting(proto->app.nest),
                              .now_ms = clock_ms(),
                              .hold_until_ms = proto->hold_until_ms,
                              .draining = proto->draining};
    struct process *p;

    list_foreach (p, &proto->workers.all, link) {
        by_row[view.n_workers] = p;
        rows[view.n_workers] = look_at(proto, p);
        *ret_serving += rows[view.n_workers++].state != SCALE_DRAINING;
    }
    return scale_decide(&proto->app.rules, &view);
}

static void
start_some(struct prototype *proto, unsigned n)
{
    struct br_err err = BR_ERR_NONE;

    for (unsigned i = 0; i < n; i++) {
        if (start_worker(proto, &err) == 0)
            continue;
        if (!proto->ready) {
            give_up(proto, &err);
            return;
        }
        br_log(LOG_ERROR, "\"%s\": %s", proto->app.name, err.text);
        restart_after(RESPAWN_ALWAYS, &proto->deaths, 0);
        proto->hold_until_ms = clock_ms() + 1000;
        return;
    }
}

static void
tell_ready(struct prototype *proto)
{
    unsigned first = br_min(proto->app.rules.spare, proto->app.rules.max);
    unsigned n = 0;
    struct process *p;

    if (proto->ready)
        return;
    list_foreach (p, &proto->workers.all, link)
        n += p->life.state == PROC_READY;
    if (n < first)
        return;
    proto->ready = true;
    spawn_tell_ready(&proto->task);
}

static void
on_patience(struct timer *t)
{
    struct process *p = container_of(t, struct process, timer);

    br_log(LOG_WARN, "process %d serves no more but does not leave: killed", (int)p->pid);
    syscall(SYS_pidfd_send_signal, p->child.pidfd, SIGKILL, NULL, 0);
}

/* Workers whose lanes are closed run exit functions and wait for threads: not for ever. */
static void
watch_leaving(struct prototype *proto)
{
    struct process *p;

    list_foreach (p, &proto->workers.all, link) {
        struct lane_view v;

        nest_lane_view(proto->app.nest, p->index, &v);
        if (look_at(proto, p).state != SCALE_DRAINING || v.open || timer_is_set(&p->timer))
            continue;
        timer_init(&p->timer, on_patience);
        loop_timer(proto->task.loop, &p->timer, EXIT_GRACE_MS);
    }
}

static void
consider(struct prototype *proto)
{
    struct process *by_row[NEST_LANES];
    unsigned serving = 0;
    struct scale_plan plan = ask_scale(proto, by_row, &serving);

    if (loop_stopped(proto->task.loop))
        return;
    if (plan.retire >= 0)
        drain_worker(proto, by_row[plan.retire]);
    watch_leaving(proto);
    start_some(proto, plan.start);
    tell_ready(proto);
    nest_want_bell(proto->app.nest, serving + plan.start < proto->app.rules.max);
    if (serving < proto->workers.n && plan.look_ms < 0)
        plan.look_ms = clock_ms() + DRAIN_LOOK_MS;
    if (plan.look_ms >= 0)
        timer_set(loop_timers(proto->task.loop), &proto->look, plan.look_ms);
    if (proto->draining && proto->workers.n == 0 && plan.start == 0)
        loop_stop(proto->task.loop);
}

static void
on_look(struct timer *t)
{
    consider(container_of(t, struct prototype, look));
}

static void
on_bell(struct watch *w, uint32_t events br_unused)
{
    uint64_t n;
    ssize_t got br_unused = read(w->fd, &n, sizeof(n));

    consider(container_of(w, struct prototype, bell));
}

/* ---- messages ---- */

static void
on_ready(struct task *task, struct channel *ch, struct message *m br_unused)
{
    struct prototype *proto = task->data;
    struct process *p = roster_find_pid(&proto->workers, channel_peer(ch)->pid);

    if (p == NULL)
        return;
    if (p->life.state != PROC_READY)
        lifecycle_move(&p->life, PROC_READY, "worker");
    if (proto->draining)
        drain_worker(proto, p);
    consider(proto);
}

static void
on_failed(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct prototype *proto = task->data;
    const struct msg_failed *failed = m->payload;
    struct br_err err = BR_ERR_NONE;

    br_fail(&err, -EBADMSG, "%s", failed->text);
    if (!proto->ready)
        give_up(proto, &err);
    else
        br_log(LOG_ERROR, "\"%s\": a worker could not start: %s", proto->app.name, err.text);
}

static void
on_drain(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct prototype *proto = task->data;
    const struct msg_drain *drain = m->payload;
    struct process *p;

    proto->draining = true;
    list_foreach (p, &proto->workers.all, link)
        drain_worker(proto, p);
    if (drain->grace_ms > 0)
        loop_timer(task->loop, &proto->grace, drain->grace_ms);
    consider(proto);
}

static void
on_stop(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct prototype *proto = task->data;
    struct msg_none none = {0};
    struct process *p;

    proto->draining = true;
    list_foreach (p, &proto->workers.all, link) {
        if (p->life.state == PROC_READY)
            lifecycle_move(&p->life, PROC_DRAINING, "worker");
        tell_worker(proto, p, MSG_STOP, &none, -1);
    }
    loop_timer(task->loop, &proto->grace, STOP_GRACE_MS);
    if (proto->workers.n == 0)
        loop_stop(task->loop);
}

static void
on_grace(struct timer *t)
{
    struct prototype *proto = container_of(t, struct prototype, grace);

    loop_stop(proto->task.loop);
}

static bool
still_stuck(const struct prototype *proto, const struct msg_lane *at)
{
    struct lane_view v;

    nest_lane_view(proto->app.nest, at->lane, &v);
    return v.busy && v.slot == at->slot && v.generation == at->generation;
}

static void
on_stuck_grace(struct timer *t)
{
    struct stuck *s = container_of(t, struct stuck, timer);
    struct process *p = roster_find_pid(&s->proto->workers, s->pid);

    if (p && still_stuck(s->proto, &s->at))
        syscall(SYS_pidfd_send_signal, p->child.pidfd, SIGKILL, NULL, 0);
    list_del(&s->link);
    free(s);
}

static void
on_lane_stuck(struct task *task, struct channel *ch, struct message *m)
{
    struct prototype *proto = task->data;
    const struct msg_lane *stuck = m->payload;
    struct msg_lane at = *stuck;
    struct process *p;
    struct stuck *s;

    if (at.lane >= NEST_LANES)
        return;
    at.slot |= channel_peer(ch)->index << 16;
    p = roster_find(&proto->workers, ROLE_WORKER, at.lane - at.lane % proto->app.threads);
    if (p == NULL || !still_stuck(proto, &at))
        return;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return;
    br_log(LOG_WARN, "process %d of \"%s\" ran over the time limit and is ended", (int)p->pid,
           proto->app.name);
    s->proto = proto;
    s->pid = p->pid;
    s->at = at;
    timer_init(&s->timer, on_stuck_grace);
    list_add_tail(&proto->stuck, &s->link);
    loop_timer(task->loop, &s->timer, STUCK_GRACE_MS);
    syscall(SYS_pidfd_send_signal, p->child.pidfd, SIGTERM, NULL, 0);
}

static void
on_log_reopen(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct prototype *proto = task->data;
    struct msg_none none = {0};
    struct process *p;

    app_streams(proto->app.card, -1);
    list_foreach (p, &proto->workers.all, link)
        tell_worker(proto, p, MSG_LOG_REOPEN, &none, fcntl(m->fds[0], F_DUPFD_CLOEXEC, 3));
}

/* ---- status ---- */

/* The sum of the lines "NAME: N kB" of /proc/PID/smaps_rollup that begin with this word. */
static uint64_t
smaps_sum(const char *text, const char *word)
{
    uint64_t sum = 0;

    for (const char *p = text; (p = strstr(p, word)) != NULL; p++) {
        const char *colon = strchr(p, ':');

        if (colon && (p == text || p[-1] == '\n'))
            sum += strtoull(colon + 1, NULL, 10) * 1024;
    }
    return sum;
}

static void
measure(pid_t pid, struct status_worker *w)
{
    char path[64];
    char text[SMAPS_BYTES];
    ssize_t n;
    br_cleanup(fd_closep) int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    n = read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return;
    text[n] = '\0';
    w->private_bytes = smaps_sum(text, "Private_Clean") + smaps_sum(text, "Private_Dirty");
    w->shared_bytes = smaps_sum(text, "Shared_Clean") + smaps_sum(text, "Shared_Dirty");
}

static void
describe_worker(const struct prototype *proto, const struct process *p, struct status_worker *w)
{
    static const enum status_worker_state states[] = {[SCALE_STARTING] = WORKER_STARTING,
                                                      [SCALE_IDLE] = WORKER_IDLE,
                                                      [SCALE_BUSY] = WORKER_BUSY,
                                                      [SCALE_DRAINING] = WORKER_DRAINING};

    *w = (struct status_worker){.pid = p->pid,
                                .state = states[look_at(proto, p).state],
                                .age_ms = (uint64_t)(clock_ms() - p->forked_ms)};
    for (unsigned i = 0; i < proto->app.threads; i++) {
        struct lane_view v;

        nest_lane_view(proto->app.nest, p->index + i, &v);
        w->requests += v.requests;
    }
    measure(p->pid, w);
}

static void
on_status_ask(struct task *task, struct channel *ch, struct message *m)
{
    struct prototype *proto = task->data;
    struct {
        struct status_prototype head;
        struct status_worker workers[NEST_LANES];
    } status = {.head = {.launch = task->launch,
                         .instance = task->instance,
                         .max = proto->app.rules.max,
                         .pid = getpid()}};
    struct msg_none none = {0};
    struct process *p;
    int fd;

    list_foreach (p, &proto->workers.all, link)
        describe_worker(proto, p, &status.workers[status.head.n_workers++]);
    fd = fd_memfd_sealed("status", &status,
                         offsetof(__typeof__(status), workers[status.head.n_workers]));
    if (fd >= 0)
        dispatch_reply(ch, m, MSG_STATUS, &none, &fd, 1);
}

static const struct msg_handler handlers[] = {
    {MSG_PROCESS_READY, on_ready},   {MSG_PROCESS_FAILED, on_failed},
    {MSG_DRAIN, on_drain},           {MSG_STOP, on_stop},
    {MSG_LANE_STUCK, on_lane_stuck}, {MSG_STATUS_ASK, on_status_ask},
    {MSG_LOG_REOPEN, on_log_reopen}, {MSG_NONE, NULL},
};

static const struct br_role role = {
    .id = ROLE_PROTOTYPE,
    .name = "prototype",
    .parent = ROLE_MAIN,
    .user = USER_CARD,
    .respawn = RESPAWN_ALWAYS,
    .keep_foreign = true,
    .on_message = handlers,
    .on_peer = on_peer,
    .on_peer_gone = on_peer_gone,
};

/* ---- birth ---- */

static void
find_wakes(struct app *app, const struct process *self)
{
    for (unsigned i = 0; i < NEST_ROUTERS; i++) {
        char name[24];

        snprintf(name, sizeof(name), "wake%u", i);
        app->wakefds[i] = process_kept(self, name);
        if (app->wakefds[i] >= 0)
            app->n_routers = i + 1;
    }
}

static void
read_rules(struct app *app)
{
    int64_t threads = launch_int(app->card, "threads", 1);
    unsigned most;

    app->threads = (unsigned)br_min(br_max(threads, (int64_t)1), (int64_t)NEST_LANES);
    most = NEST_LANES / app->threads;
    app->rules.max = (unsigned)br_min(launch_int(app->card, "max", 1), (int64_t)most);
    app->rules.spare = (unsigned)br_min(launch_int(app->card, "spare", 0), (int64_t)app->rules.max);
    app->rules.idle_timeout_ms = launch_int(app->card, "idle_timeout_ms", 15000);
    app->requests = (uint64_t)launch_int(app->card, "requests", 0);
    app->preload = launch_int(app->card, "preload", 1) != 0;
    app->name = launch_get(app->card, "name", "");
}

static int
app_open(struct app *app, const struct process *self, struct br_err *err)
{
    int rc = nest_attach(process_kept(self, "nest"), &app->nest, err);

    if (rc < 0)
        return rc;
    app->card = self->card;
    if (app->card == NULL)
        return br_fail(err, -EINVAL, "no launch card was inherited");
    app->bell = process_kept(self, "bell");
    find_wakes(app, self);
    read_rules(app);
    return 0;
}

static bool
before_wait(void *arg)
{
    struct prototype *proto = arg;

    if (proto->app.guest->lock.pause)
        proto->paused = proto->app.guest->lock.pause();
    return true;
}

static void
after_wait(void *arg)
{
    struct prototype *proto = arg;

    if (proto->app.guest->lock.resume)
        proto->app.guest->lock.resume(proto->paused);
}

static int
prototype_load(struct prototype *proto, struct br_err *err)
{
    struct app *app = &proto->app;
    int rc;

    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* a page fault after fork copies 4 KiB, not 2 MiB */
    if (app->preload) {
        rc = app->guest->load(app->ctx, app->card, err);
        if (rc < 0)
            return rc;
    }
    if (app->guest->before_fork)
        app->guest->before_fork(app->ctx);
    return 0;
}

static int
prototype_run(struct prototype *proto)
{
    struct loop_hooks hooks = {.arg = proto, .before_wait = before_wait, .after_wait = after_wait};
    struct br_err err = BR_ERR_NONE;
    int rc = loop_add(proto->task.loop, &proto->bell, proto->app.bell, EPOLLIN, on_bell);

    if (rc < 0) {
        br_fail(&err, rc, "cannot watch the bell of \"%s\"", proto->app.name);
        spawn_tell_failed(&proto->task, &err);
        return 1;
    }
    loop_set_hooks(proto->task.loop, &hooks);
    clock_update();
    consider(proto);
    if (!loop_stopped(proto->task.loop))
        loop_run(proto->task.loop);
    forget_stuck(proto, 0);
    return proto->code;
}

int
app_runtime_run(const struct guest_ops *guest, void *ctx)
{
    struct prototype *proto = calloc(1, sizeof(*proto));
    const char *given = getenv(RUNTIME_HERITAGE);
    char *heritage = given ? strdup(given) : NULL; /* the title is written over the environment */
    struct br_err err = BR_ERR_NONE;
    int rc;

    if (heritage == NULL || proto == NULL) {
        fprintf(stderr, "%s: this runs only as an application of brood\n", guest->name);
        return 1;
    }
    proto->app.guest = guest;
    proto->app.ctx = ctx;
    proto->how = (struct spawn_how){how_fork, how_exit, proto, on_death};
    roster_init(&proto->workers);
    list_init(&proto->stuck);
    timer_init(&proto->look, on_look);
    timer_init(&proto->grace, on_grace);

    unsetenv(RUNTIME_HERITAGE);
    rc = spawn_inherit(heritage, &role, &proto->task, &proto->self, &err);
    free(heritage);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", guest->name, err.text);
        return 1;
    }
    proto->task.data = proto;
    rc = app_open(&proto->app, &proto->self, &err);
    if (rc == 0)
        rc = prototype_load(proto, &err);
    if (rc < 0) {
        spawn_tell_failed(&proto->task, &err);
        return 1;
    }
    return prototype_run(proto);
}
