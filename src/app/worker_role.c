/*
 * worker_role.c - a worker: forked from the prototype, serves until told to drain.
 *
 *   prototype --message, then nest_notify--> lane wakes -> worker_read_lines -> handlers below
 *
 * With threads each of them may read the lines: under one lock, which is never held together with
 * the guest's own (exchange.c lets that go first).
 */
#include "app/worker_role.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/stream_worker.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "event/loop.h"
#include "ipc/dispatch.h"
#include "process/title.h"

/* A router is asked for a body as soon as its line is here: it cannot be far. */
#define LINE_WAIT_MS 5000

struct worker {
    struct app *app;
    struct stream_worker *stream; /* NULL: it has lanes */
    struct task *task;
    unsigned first_lane;
    struct exchange *exchanges; /* app->threads of them */
    pthread_mutex_t lines;
    atomic_bool draining;
    atomic_bool leaving;
    bool reopen; /* told to, not done yet; under the lock of lines */
    atomic_uint_least64_t answered;
};

static void
wake_own_lanes(struct worker *w)
{
    for (unsigned i = 0; i < w->app->threads; i++)
        nest_notify(w->app->nest, w->first_lane + i);
}

static void
on_drain(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct worker *w = task->data;

    INJECT(worker, drains);
    if (w->stream != NULL) {
        stream_worker_drain(w->stream);
        return;
    }
    atomic_store(&w->draining, true);
    if (w->app->threads > 1)
        wake_own_lanes(w);
}

static void
on_stop(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    worker_leave(task->data);
}

static void
on_log_reopen(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct worker *w = task->data;

    if (w->stream != NULL)
        app_streams(w->app->card, -1);
    else
        w->reopen = true;
}

static void
on_connection(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct worker *w = task->data;

    if (w->stream != NULL)
        stream_worker_connection(w->stream, m);
}

static const struct msg_handler handlers[] = {
    {MSG_DRAIN, on_drain},           {MSG_STOP, on_stop}, {MSG_LOG_REOPEN, on_log_reopen},
    {MSG_CONNECTION, on_connection}, {MSG_NONE, NULL},
};

static void
ring(const struct app *app)
{
    uint64_t one = 1;
    ssize_t n br_unused = write(app->bell, &one, sizeof(one)); /* full: it rings already */
}

static void
lanes_close(struct worker *w)
{
    INJECT(worker, leaves);
    for (unsigned i = 0; i < w->app->threads; i++) {
        if (w->exchanges[i].lane)
            lane_close(w->exchanges[i].lane);
    }
    INJECT(worker, left);
    ring(w->app); /* perhaps another one is needed before this process is gone */
}

static int
lanes_open(struct worker *w, struct br_err *err)
{
    struct app *app = w->app;

    for (unsigned i = 0; i < app->threads; i++) {
        struct exchange *x = &w->exchanges[i];
        int rc =
            lane_open(app->nest, w->first_lane + i, app->wakefds, app->n_routers, &x->lane, err);

        if (rc < 0)
            return rc;
        x->worker = w;
        x->ops = &app->guest->lock;
        x->chunk = -1;
        x->body_fd = -1;
    }
    return 0;
}

static int
worker_setup(struct task *task, struct process *process, struct br_err *err)
{
    struct app *app = process->data;
    struct worker *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return br_fail(err, -ENOMEM, "cannot start a worker");
    w->app = app;
    w->task = task;
    w->first_lane = process->index;
    w->exchanges = calloc(app->threads, sizeof(*w->exchanges));
    if (!w->exchanges)
        return br_fail(err, -ENOMEM, "cannot start a worker");
    pthread_mutex_init(&w->lines, NULL);
    task->data = w;

    INJECT(worker, born);
    title_set("brood: \"%s\" application", app->name);
    if (!app->preload) {
        rc = app->guest->load(app->ctx, app->card, err);
        if (rc < 0)
            return rc;
    }
    if (app->stream != NULL)
        rc = stream_worker_new(app, task, process->index, &w->stream, err);
    else
        rc = lanes_open(w, err);
    INJECT(worker, opened);
    return rc;
}

static int
serve_stream(struct worker *w)
{
    const struct guest_ops *guest = w->app->guest;
    int code, rc = stream_worker_begin(w->stream);

    if (rc < 0) {
        br_log(LOG_ERROR, "\"%s\": a worker has no thread: %s", w->app->name, strerror(-rc));
        return 1;
    }
    code = guest->serve_stream(w->app->ctx, w);
    stream_worker_end(w->stream);
    return code;
}

static int
worker_start(struct task *task, void *data br_unused)
{
    struct worker *w = task->data;
    int code;

    INJECT(worker, serves);
    if (w->stream != NULL)
        return serve_stream(w);
    code = w->app->guest->serve(w->app->ctx, w);
    lanes_close(w);
    return code;
}

const struct br_role app_worker_role = {
    .id = ROLE_WORKER,
    .name = "application",
    .parent = ROLE_PROTOTYPE,
    .user = USER_KEEP,
    .respawn = RESPAWN_NEVER, /* scale.c says if another one is needed */
    .keep_foreign = true,
    .setup = worker_setup,
    .start = worker_start,
    .on_message = handlers,
};

unsigned
worker_threads(const struct worker *w)
{
    return w->app->threads;
}

struct exchange *
worker_exchange(struct worker *w, unsigned thread)
{
    return &w->exchanges[thread];
}

void
worker_read_lines(struct worker *w)
{
    pthread_mutex_lock(&w->lines);
    loop_once(w->task->loop, 0);
    loop_once(w->task->loop, 0); /* a router that was introduced just now may be dead already */
    if (w->reopen)
        app_streams(w->app->card, -1);
    w->reopen = false;
    pthread_mutex_unlock(&w->lines);
}

bool
worker_draining(const struct worker *w)
{
    return atomic_load_explicit(&w->draining, memory_order_relaxed);
}

bool
worker_leaving(const struct worker *w)
{
    return atomic_load_explicit(&w->leaving, memory_order_relaxed);
}

struct stream_worker *
worker_stream(struct worker *w)
{
    return w->stream;
}

void
worker_leave(struct worker *w)
{
    if (w->stream != NULL) {
        stream_worker_leave(w->stream);
        return;
    }
    if (atomic_exchange(&w->leaving, true))
        return;
    for (unsigned i = 0; i < w->app->threads; i++)
        lane_set_draining(w->exchanges[i].lane);
    if (w->app->threads > 1)
        wake_own_lanes(w);
}

void
worker_count(struct worker *w)
{
    uint64_t limit = w->app->requests;

    if (limit > 0 && atomic_fetch_add(&w->answered, 1) + 1 >= limit)
        worker_leave(w);
}

/* Workers whose lanes all sleep. */
static unsigned
count_idle(const struct app *app)
{
    unsigned n = 0;

    for (unsigned first = 0; first + app->threads <= NEST_LANES; first += app->threads) {
        bool idle = true;

        for (unsigned i = 0; i < app->threads && idle; i++) {
            struct lane_view v;

            nest_lane_view(app->nest, first + i, &v);
            idle = v.open && v.idle;
        }
        n += idle;
    }
    return n;
}

void
worker_took(struct worker *w)
{
    const struct app *app = w->app;

    if (app->rules.spare == 0 || app->rules.max <= app->rules.spare || !nest_bell_wanted(app->nest))
        return;
    if (count_idle(app) < app->rules.spare)
        ring(app);
}

struct body_wait {
    bool done;
    int fd;
};

static void
on_body(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct body_wait *wait = arg;

    wait->done = true;
    if (m && m->type == MSG_BODY_FILE && m->n_fds == 1)
        wait->fd = fd_take(&m->fds[0]);
    else
        wait->fd = rc < 0 && rc != -EPIPE ? rc : -ECONNRESET;
}

/* The line to that router; one that was born a moment ago may still be on its way. */
static struct channel *
line_to_router(struct worker *w, unsigned router)
{
    int64_t until = clock_us() / 1000 + LINE_WAIT_MS;
    struct channel *ch;

    loop_once(w->task->loop, 0);
    while (!(ch = dispatch_find(w->task->dispatch, ROLE_ROUTER, router))) {
        int64_t left = until - clock_us() / 1000;

        if (left <= 0 || loop_once(w->task->loop, (int)left) < 0)
            return NULL;
    }
    return ch;
}

int
worker_ask_body(struct worker *w, const struct claim *claim)
{
    struct msg_slot slot = {.slot = claim->slot, .generation = claim->generation};
    struct body_wait wait = {.fd = -ECONNRESET};
    struct channel *ch;

    pthread_mutex_lock(&w->lines);
    ch = line_to_router(w, claim->router);
    if (ch && dispatch_ask(ch, MSG_BODY_ASK, &slot, NULL, 0, -1, on_body, &wait) == 0) {
        while (!wait.done && loop_once(w->task->loop, -1) == 0)
            ;
    }
    if (!wait.done)
        dispatch_forget(w->task->dispatch, &wait);
    pthread_mutex_unlock(&w->lines);
    return wait.fd;
}
