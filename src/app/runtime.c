/*
 * runtime.c - the prototype in the user's interpreter: loads once, forks workers, buries them.
 *
 *   main ==line== prototype ==line== worker (a line each)      router ==line== prototype
 *                 |  bell (eventfd): "requests wait and no lane is idle"
 *                 |  pidfd of each worker: nest_bury, CHANNEL_CLOSE to routers, another one perhaps
 *                 `- prototype_consider: what scale.c decides is done here, after every event
 *
 * READY is sent only when the first workers are: a configuration change that was answered really
 * runs.  The guest's global lock is let go while this loop waits, so that threads which the
 * application started when it was imported live on.
 */
#include "app/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/prototype.h"
#include "app/stream.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "nest/lane.h"

#define STOP_GRACE_MS  1000 /* for workers to leave in order before PDEATHSIG ends them */
#define DRAIN_LOOK_MS  1000 /* between two looks at workers that leave */
#define SPAWN_RETRY_MS 1000 /* after a fork that failed */

void
prototype_give_up(struct prototype *proto, const struct br_err *err)
{
    spawn_tell_failed(&proto->task, err);
    proto->code = 1;
    loop_stop(proto->task.loop);
}

/* ---- how many ---- */

/* Requests, or connections, that no worker has. */
static unsigned
waiting(const struct prototype *proto)
{
    return proto->app.stream != NULL ? stream_waiting(proto) : nest_waiting(proto->app.nest);
}

/* They are told to leave when nothing waits for one of them. */
static void
drain_workers(struct prototype *proto)
{
    struct process *p;

    if (proto->app.stream != NULL && stream_waiting(proto) > 0)
        return;
    list_foreach (p, &proto->workers.all, link)
        worker_drain(proto, p);
}

/* *ret_serving: how many do not drain. */
static struct scale_plan
ask_scale(struct prototype *proto, struct process **by_row, unsigned *ret_serving)
{
    struct scale_worker rows[NEST_LANES];
    struct scale_view view = {.workers = rows,
                              .waiting = waiting(proto),
                              .now_ms = clock_ms(),
                              .hold_until_ms = proto->hold_until_ms,
                              .draining = proto->draining};
    struct process *p;

    list_foreach (p, &proto->workers.all, link) {
        by_row[view.n_workers] = p;
        rows[view.n_workers] = worker_look(proto, p);
        *ret_serving += rows[view.n_workers++].state != SCALE_DRAINING;
    }
    return scale_decide(&proto->app.rules, &view);
}

static void
forked(struct prototype *proto)
{
    if (proto->deaths.in_vain > 0)
        br_log(LOG_NOTICE, "\"%s\": a worker started after %u tries in vain", proto->app.name,
               proto->deaths.in_vain);
    proto->deaths.in_vain = 0;
}

/* When to look again, -1: no need to. */
static int64_t
start_some(struct prototype *proto, unsigned n)
{
    struct br_err err = BR_ERR_NONE;

    for (unsigned i = 0; i < n; i++) {
        if (worker_spawn(proto, &err) == 0) {
            forked(proto);
            continue;
        }
        if (!proto->ready) {
            prototype_give_up(proto, &err);
            return -1;
        }
        if (proto->deaths.in_vain++ == 0)
            br_log(LOG_ERROR, "\"%s\": %s: tried again until it succeeds", proto->app.name,
                   err.text);
        proto->hold_until_ms = clock_ms() + SPAWN_RETRY_MS;
        return proto->hold_until_ms;
    }
    return -1;
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
    INJECT(prototype, ready);
    proto->ready = true;
    spawn_tell_ready(&proto->task);
    INJECT(prototype, ready_told);
}

void
prototype_consider(struct prototype *proto)
{
    struct process *by_row[NEST_LANES];
    unsigned serving = 0;
    struct scale_plan plan;
    int64_t again_ms;

    if (loop_stopped(proto->task.loop))
        return;
    if (proto->app.stream != NULL)
        stream_work(proto);
    if (proto->draining)
        drain_workers(proto);
    plan = ask_scale(proto, by_row, &serving);
    if (plan.retire >= 0)
        worker_drain(proto, by_row[plan.retire]);
    workers_watch_leaving(proto);
    again_ms = start_some(proto, plan.start);
    if (again_ms >= 0)
        plan.look_ms = plan.look_ms < 0 ? again_ms : br_min(plan.look_ms, again_ms);
    tell_ready(proto);
    if (proto->app.nest != NULL)
        nest_want_bell(proto->app.nest, serving + plan.start < proto->app.rules.max);
    if (serving < proto->workers.n && plan.look_ms < 0)
        plan.look_ms = clock_ms() + DRAIN_LOOK_MS;
    if (plan.look_ms >= 0)
        timer_set(loop_timers(proto->task.loop), &proto->look, plan.look_ms);
    if (proto->draining && proto->workers.n == 0 && plan.start == 0 &&
        (proto->app.stream == NULL || stream_waiting(proto) == 0))
        loop_stop(proto->task.loop);
}

static void
on_look(struct timer *t)
{
    prototype_consider(container_of(t, struct prototype, look));
}

static void
on_bell(struct watch *w, uint32_t events br_unused)
{
    uint64_t n;
    ssize_t got br_unused = read(w->fd, &n, sizeof(n));

    prototype_consider(container_of(w, struct prototype, bell));
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
    if (p->ready_us == 0)
        p->ready_us = clock_us();
    prototype_consider(proto);
}

static void
on_failed(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct prototype *proto = task->data;
    const struct msg_failed *failed = m->payload;
    struct br_err err = BR_ERR_NONE;

    br_fail(&err, -EBADMSG, "%s", failed->text);
    if (!proto->ready)
        prototype_give_up(proto, &err);
    else
        br_log(LOG_ERROR, "\"%s\": a worker could not start: %s", proto->app.name, err.text);
}

/* What main says is done at the end of the turn: look_at_told. */
static void
on_drain(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct prototype *proto = task->data;
    const struct msg_drain *drain = m->payload;

    proto->told.quit = true;
    proto->told.grace_ms = drain->grace_ms;
    proto->told.staying = drain->staying;
}

static void
on_live(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct prototype *proto = task->data;

    if (proto->app.stream == NULL || proto->draining)
        return;
    stream_live(proto);
    prototype_consider(proto);
}

static void
on_stop(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct prototype *proto = task->data;

    proto->told.terminate = true;
}

static void
on_log_reopen(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct prototype *proto = task->data;

    fd_close(&proto->told.log_fd);
    proto->told.log_fd = fd_take(&m->fds[0]);
}

static void
reopen(struct prototype *proto)
{
    struct msg_none none = {0};
    struct process *p;

    app_streams(proto->app.card, -1);
    list_foreach (p, &proto->workers.all, link)
        worker_tell(proto, p, MSG_LOG_REOPEN, &none, fcntl(proto->told.log_fd, F_DUPFD_CLOEXEC, 3));
    fd_close(&proto->told.log_fd);
}

static void
quit(struct prototype *proto)
{
    INJECT(prototype, drains);
    if (!proto->draining && proto->app.stream != NULL) {
        proto->draining = true;
        stream_drain(proto, proto->told.staying);
    }
    proto->draining = true;
    if (proto->told.grace_ms > 0)
        loop_timer(proto->task.loop, &proto->grace, proto->told.grace_ms);
    prototype_consider(proto);
}

static void
terminate(struct prototype *proto)
{
    struct msg_none none = {0};
    struct process *p;

    proto->draining = true;
    list_foreach (p, &proto->workers.all, link) {
        if (p->life.state == PROC_READY)
            lifecycle_move(&p->life, PROC_DRAINING, "worker");
        worker_tell(proto, p, MSG_STOP, &none, -1);
    }
    loop_timer(proto->task.loop, &proto->grace, STOP_GRACE_MS);
    if (proto->workers.n == 0)
        loop_stop(proto->task.loop);
}

/* After the events of each turn: what main asked for. */
static void
look_at_told(void *arg)
{
    struct prototype *proto = arg;

    if (proto->told.log_fd >= 0)
        reopen(proto);
    if (proto->told.terminate)
        terminate(proto);
    else if (proto->told.quit)
        quit(proto);
    proto->told.terminate = proto->told.quit = false;
}

static void
on_grace(struct timer *t)
{
    struct prototype *proto = container_of(t, struct prototype, grace);

    loop_stop(proto->task.loop);
}

static void
on_peer(struct task *task, struct channel *ch)
{
    struct prototype *proto = task->data;

    if (channel_peer(ch)->role == ROLE_ROUTER && proto->app.stream == NULL)
        workers_meet_router(task->data, ch);
}

static void
on_peer_gone(struct task *task, struct channel *ch)
{
    if (ch == task->parent)
        _exit(1); /* main is gone; workers follow by PDEATHSIG */
    if (channel_peer(ch)->role == ROLE_ROUTER)
        workers_lose_router(task->data);
}

static const struct msg_handler handlers[] = {
    {MSG_PROCESS_READY, on_ready},
    {MSG_PROCESS_FAILED, on_failed},
    {MSG_PROCESS_LIVE, on_live},
    {MSG_DRAIN, on_drain},
    {MSG_STOP, on_stop},
    {MSG_LANE_STUCK, stuck_on_message},
    {MSG_STATUS_ASK, numbers_on_ask},
    {MSG_LOG_REOPEN, on_log_reopen},
    {MSG_NONE, NULL},
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
    bool stream = stream_is(app->card);
    int64_t threads = launch_int(app->card, "threads", 1);
    unsigned most;

    app->threads = (unsigned)br_min(br_max(threads, (int64_t)1),
                                    (int64_t)(stream ? STREAM_THREADS_MAX : NEST_LANES));
    most = stream ? NEST_LANES : NEST_LANES / app->threads;
    if (launch_int(app->card, "max", 1) > most)
        br_log(LOG_WARN, "\"%s\" can have %u processes", launch_get(app->card, "name", ""), most);
    app->rules.max = (unsigned)br_min(launch_int(app->card, "max", 1), (int64_t)most);
    app->rules.spare = (unsigned)br_min(launch_int(app->card, "spare", 0), (int64_t)app->rules.max);
    app->rules.idle_timeout_ms = launch_int(app->card, "idle_timeout_ms", 15000);
    app->requests = (uint64_t)launch_int(app->card, "requests", 0);
    app->preload = launch_int(app->card, "preload", 1) != 0;
    app->name = launch_get(app->card, "name", "");
}

static int
app_open(struct prototype *proto, struct br_err *err)
{
    const struct process *self = &proto->self;
    struct app *app = &proto->app;
    int rc;

    app->card = self->card;
    if (app->card == NULL)
        return br_fail(err, -EINVAL, "no launch card was inherited");
    read_rules(app);
    if (stream_is(app->card))
        return stream_open(proto, err);
    rc = nest_attach(process_kept(self, "nest"), &app->nest, err);
    if (rc < 0)
        return rc;
    app->bell = process_kept(self, "bell");
    find_wakes(app, self);
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
    INJECT(prototype, loaded);
    if (app->guest->before_fork)
        app->guest->before_fork(app->ctx);
    return 0;
}

static int
prototype_run(struct prototype *proto)
{
    struct loop_hooks hooks = {.arg = proto,
                               .before_wait = before_wait,
                               .after_wait = after_wait,
                               .turn_end = look_at_told};
    struct br_err err = BR_ERR_NONE;
    int rc = loop_add(proto->task.loop, &proto->bell, proto->app.bell, EPOLLIN, on_bell);

    if (rc < 0) {
        br_fail(&err, rc, "cannot watch the bell of \"%s\"", proto->app.name);
        spawn_tell_failed(&proto->task, &err);
        return 1;
    }
    loop_set_hooks(proto->task.loop, &hooks);
    clock_update();
    orphans_begin(proto);
    prototype_consider(proto);
    if (!loop_stopped(proto->task.loop))
        loop_run(proto->task.loop);
    stuck_forget(proto, 0);
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
    workers_init(proto);
    list_init(&proto->stuck);
    proto->told.log_fd = -1;
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
    rc = app_open(proto, &err);
    if (rc == 0)
        rc = prototype_load(proto, &err);
    if (rc < 0) {
        spawn_tell_failed(&proto->task, &err);
        return 1;
    }
    return prototype_run(proto);
}
