/*
 * app_queue.c - the waiting line of an application.
 *
 *   serve -> slot free? -> link (newest instance)                 answered -> over
 *              no: line, FIFO, bounded --pump when a slot frees or an instance is ready-->
 *
 *   its worker died   not begun, or the method may be repeated: again, at most twice; else 503
 *   its instance died the same, towards the next instance; queued ones just move
 *   launch replaced   nobody serves its line any more: to the application's new launch, else 503
 *   client gone       out of the line or the slot: an application that did not begin never sees it;
 *                     one that closed its sending half is believed to be gone when no worker has
 *                     taken its request EOF_PATIENCE_MS later (the two look the same to TCP)
 *   limits.timeout    503, and the prototype is told which lane is stuck
 *
 * Why a request failed goes to the log with its method and URI; the client gets 503, or, when it
 * has seen the head, a connection that is cut.
 */
#include "router/app_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/response.h"
#include "ipc/dispatch.h"
#include "ipc/status.h"
#include "process/restart.h"
#include "router/action.h"
#include "router/router.h"

#define REPEATS_MAX      2
#define CLAIM_LOOK_MIN   10 /* ms between two looks whether a lane has it */
#define CLAIM_LOOK_MAX   1000
#define CLAIM_LOOK_PARTS 8 /* of limits.timeout */
#define EOF_PATIENCE_MS  200

static const struct link_ops link_ops;
static const char removed[] = "the application was removed";

/* --- queues by launch --- */

static struct app_queue *
find(struct router *router, uint32_t launch)
{
    struct app_queue *q;

    list_foreach (q, &router->queues, link) {
        if (q->launch == launch)
            return q;
    }
    return NULL;
}

static struct app_queue *
find_or_make(struct router *router, uint32_t launch)
{
    struct app_queue *q = find(router, launch);

    if (q != NULL)
        return q;
    q = calloc(1, sizeof(*q));
    if (q == NULL)
        abort();
    q->router = router;
    q->launch = launch;
    list_init(&q->links);
    list_init(&q->line);
    list_add_tail(&router->queues, &q->link);
    return q;
}

static void
free_unused(struct app_queue *q)
{
    if (q->refs > 0 || q->active > 0 || !list_empty(&q->links))
        return;
    list_del(&q->link);
    free(q->name);
    free(q);
}

struct app_queue *
app_queue_ref(struct router *router, uint32_t launch, const struct app_conf *conf)
{
    struct app_queue *q = find_or_make(router, launch);

    q->refs++;
    q->timeout_ms = conf->timeout_ms;
    if (q->name == NULL)
        q->name = strndup(conf->name.p, conf->name.n);
    if (q->name == NULL)
        abort();
    return q;
}

void
app_queue_unref(struct app_queue *q)
{
    q->refs--;
    free_unused(q);
}

/* --- one call --- */

/* The call is over, answered or not; the request itself is still there. */
static void
leave(struct call *call)
{
    struct app_queue *q = call->queue;

    loop_timer_cancel(q->router->task->loop, &call->timer);
    loop_timer_cancel(q->router->task->loop, &call->eof);
    if (!list_empty(&call->link)) {
        list_del(&call->link);
        q->n_line--;
    }
    if (call->at != NULL)
        link_leave(call);
    q->active--;
}

static void
fail(struct call *call, const char *reason)
{
    struct transaction *tx = call->tx;

    leave(call);
    if (call->head_given) {
        tx->reason = reason;
        response_abort(tx->req);
    } else {
        action_fail(tx, 503, reason);
    }
}

static void
wait_in_line(struct call *call, bool first)
{
    struct app_queue *q = call->queue;

    request_move(call->tx->req, REQ_WAITING);
    if (first)
        list_add(&q->line, &call->link);
    else
        list_add_tail(&q->line, &call->link);
    q->n_line++;
}

static void
set_timer(struct call *call)
{
    struct app_queue *q = call->queue;
    int64_t ms = q->timeout_ms;

    if (ms == 0)
        return;
    if (!call->claimed)
        ms = br_max(br_min(ms / CLAIM_LOOK_PARTS, CLAIM_LOOK_MAX), CLAIM_LOOK_MIN);
    loop_timer(q->router->task->loop, &call->timer, ms);
}

/* 0: it is in a slot.  -EAGAIN: it has to wait.  Else it was answered. */
static int
send_now(struct call *call)
{
    struct app_queue *q = call->queue;
    int rc = q->ready != NULL ? link_send(q->ready, call) : -EAGAIN;

    if (rc == 0) {
        request_move(call->tx->req, REQ_SENT);
        call->claimed = false;
        set_timer(call);
    } else if (rc != -EAGAIN) {
        struct transaction *tx = call->tx;

        leave(call);
        action_fail(tx, 431, "the request head does not fit into a slot");
    }
    return rc;
}

void
app_queue_pump(struct app_queue *q)
{
    struct call *call;

    while ((call = list_first(&q->line, struct call, link)) != NULL) {
        list_del(&call->link);
        q->n_line--;
        if (send_now(call) == -EAGAIN) {
            wait_in_line(call, true);
            return;
        }
    }
}

/*
 * limits.timeout counts from the moment that a worker has the request.  That moment is not told,
 * it is looked for; the error is at most one look late, never early.
 */
static void
on_timer(struct timer *t)
{
    struct call *call = container_of(t, struct call, timer);
    struct app_queue *q = call->queue;
    struct msg_lane stuck = {.slot = call->slot};
    struct channel *prototype;
    int lane = link_lane(call);

    if (!call->claimed || response_full(call->tx->req)) { /* or the client is what is slow */
        call->claimed |= lane >= 0;
        set_timer(call);
        return;
    }
    prototype = dispatch_find_launch(q->router->task->dispatch, ROLE_PROTOTYPE, q->launch,
                                     call->at->instance);
    if (lane >= 0 && prototype != NULL) {
        stuck.lane = (uint32_t)lane;
        stuck.generation = link_generation(call);
        dispatch_tell(prototype, MSG_LANE_STUCK, &stuck, NULL, 0);
    }
    fail(call, "the application ran over limits.timeout");
}

static void
on_abort(struct request *req)
{
    struct transaction *tx = req->data;

    leave(tx->call);
}

static void
on_eof_over(struct timer *t)
{
    struct call *call = container_of(t, struct call, eof);
    struct request *req = call->tx->req;

    if (call->at != NULL && link_lane(call) >= 0)
        return;
    leave(call);
    req->fault = "client closed the connection while its request waited";
    response_abort(req);
}

static void
on_eof(struct request *req)
{
    struct transaction *tx = req->data;

    timer_init(&tx->call->eof, on_eof_over);
    loop_timer(tx->call->queue->router->task->loop, &tx->call->eof, EOF_PATIENCE_MS);
}

static const struct request_handler handler = {.on_abort = on_abort, .on_eof = on_eof};

/* The queue where a call for q has a future: q itself, its application's new launch, or NULL. */
static struct app_queue *
where_to(struct app_queue *q)
{
    const struct installed *live = q->router->live;
    struct app_queue *next = NULL;

    if (q->ready != NULL || live == NULL)
        return q;
    for (size_t i = 0; i < live->conf->n_apps; i++) {
        struct app_queue *other = live->queues[i];

        if (other == q)
            return q;
        if (q->name != NULL && strcmp(other->name, q->name) == 0)
            next = other;
    }
    return next;
}

void
app_queue_serve(struct app_queue *q, struct transaction *tx, struct slice target)
{
    struct call *call = arena_new(&tx->req->arena, struct call);

    if (call == NULL) {
        action_fail(tx, 500, "no memory for the request");
        return;
    }
    q->total++;
    q = where_to(q);
    if (q == NULL) {
        action_fail(tx, 503, removed);
        return;
    }
    if (q->n_line >= QUEUE_LINE_MAX) {
        action_fail(tx, 503, "too many requests wait for the application");
        return;
    }
    call->tx = tx;
    call->queue = q;
    call->target = target;
    call->since_ms = clock_ms();
    list_init(&call->link);
    timer_init(&call->timer, on_timer);
    tx->call = call;
    tx->req->handler = &handler;
    q->active++;
    request_move(tx->req, REQ_WAITING);
    if (q->n_line > 0 || send_now(call) == -EAGAIN)
        wait_in_line(call, false);
}

/* --- what the link tells --- */

static void
on_progress(struct call *call)
{
    call->claimed = true;
    set_timer(call);
}

static bool
may_repeat(const struct request *req)
{
    switch (req->method_id) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_OPTIONS:
        return true;
    case METHOD_OTHER:
        return slice_eq(req->method, SLICE("TRACE"));
    case METHOD_POST:
    case METHOD_CONNECT:
        return false;
    }
    return false;
}

static bool
can_go_again(const struct call *call, bool entered)
{
    return !call->head_given && (!entered || may_repeat(call->tx->req));
}

static const struct link_ops link_ops = {
    .on_progress = on_progress,
    .on_answered = leave,
    .on_failed = fail,
    .may_repeat = can_go_again,
};

/* --- instances --- */

int
app_queue_open(struct router *router, const struct msg_nest *m, int nest_fd, int bell,
               struct br_err *err)
{
    struct app_queue *q = find_or_make(router, m->launch);
    struct app_link *at;
    int rc = link_open(router, q, m->instance, nest_fd, bell, &link_ops, &at, err);

    if (rc < 0) {
        free_unused(q);
        return rc;
    }
    list_add(&q->links, &at->link);
    q->ready = at;
    q->has_worked = true;
    app_queue_pump(q);
    return 0;
}

/* Its instance died; whoever had it may still run for a moment, so it counts as begun. */
static void
move_on(struct call *call, bool queued)
{
    if (queued || (can_go_again(call, true) && call->repeats++ < REPEATS_MAX)) {
        loop_timer_cancel(call->queue->router->task->loop, &call->timer);
        wait_in_line(call, true); /* it is older than what waits there */
        return;
    }
    fail(call, "the application's prototype died");
}

/* The first call of the line. */
static void
pass_on(struct app_queue *q, struct app_queue *next)
{
    struct call *call = list_first(&q->line, struct call, link);

    if (next == NULL) {
        fail(call, removed);
        return;
    }
    list_del(&call->link);
    q->n_line--;
    q->active--;
    call->queue = next;
    next->active++;
    if (next->n_line > 0 || send_now(call) == -EAGAIN)
        wait_in_line(call, false);
}

/* The caller holds a reference: the last request of an old generation takes its queues with it. */
static void
pass_line_on(struct app_queue *q)
{
    struct app_queue *next = where_to(q);

    for (unsigned n = next != q ? q->n_line : 0; n > 0; n--)
        pass_on(q, next);
}

void
app_queues_pass_on(struct router *router)
{
    struct app_queue *q, *tmp;

    list_foreach (q, &router->queues, link)
        q->refs++;
    list_foreach (q, &router->queues, link)
        pass_line_on(q);
    list_foreach_safe (q, tmp, &router->queues, link)
        app_queue_unref(q);
}

void
app_queue_gone(struct router *router, uint32_t launch, uint32_t instance)
{
    struct app_queue *q = find(router, launch);
    struct app_link *at = app_queue_link(router, launch, instance);

    if (at == NULL)
        return;
    q->refs++;
    link_close(at, move_on);
    q->ready = list_first(&q->links, struct app_link, link);
    app_queue_pump(q);
    pass_line_on(q);
    app_queue_unref(q);
}

void
app_queue_failed(struct router *router, uint32_t launch)
{
    struct app_queue *q = find(router, launch);

    if (q == NULL || q->ready != NULL)
        return;
    /* Only those that wait now: an answer may let a connection's next request in. */
    for (unsigned n = q->n_line; n > 0; n--) {
        struct call *call = list_first(&q->line, struct call, link);

        if (q->has_worked && clock_ms() - call->since_ms < RESTART_DELAY_MAX_MS)
            return; /* nor have those behind it waited longer */
        fail(call, "the application cannot start");
    }
}

void
app_queues_close(struct router *router)
{
    struct app_queue *q;
    struct app_link *at;

    links_return(router);
    while ((q = list_first(&router->queues, struct app_queue, link)) != NULL) {
        while ((at = list_first(&q->links, struct app_link, link)) != NULL)
            link_close(at, move_on);
        assert(q->refs == 0 && q->active == 0);
        free_unused(q);
    }
}

struct app_link *
app_queue_link(struct router *router, uint32_t launch, uint32_t instance)
{
    struct app_queue *q = find(router, launch);
    struct app_link *at;

    if (q == NULL)
        return NULL;
    list_foreach (at, &q->links, link) {
        if (at->instance == instance)
            return at;
    }
    return NULL;
}

void
app_queue_status(const struct app_queue *q, struct status_app *ret)
{
    const struct app_link *at;

    *ret = (struct status_app){
        .launch = q->launch, .waiting = q->n_line, .active = q->active, .total = q->total};
    list_foreach (at, &q->links, link)
        ret->waiting += link_waiting(at);
}
