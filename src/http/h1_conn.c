/*
 * h1_conn.c - the life of an HTTP/1.1 connection, as steps of one state machine.
 *
 *          read            parsed          body whole        answered        sent
 *   IDLE --------> HEAD ----------> BODY ------------> HANDLER -------> REPLY ------> IDLE
 *                   |                |                  ^                    \----> LINGER
 *                   \----refused-----+------------------/  (answered here)            |
 *                                                                                   CLOSED
 *
 * h1_run takes steps until one has to wait; a step never calls another, so a thousand pipelined
 * requests need no stack.  Answers that were copied into the output wait for their followers of the
 * same read; h1_run flushes before it returns.  When the owner answers later, h1_answered finishes
 * the request but leaves the next one to the loop, so that a handler is never entered from inside
 * a response_… call.
 *
 * One timer a connection.  It is moved, not set: the deadlines of a request that is read, answered
 * and sent in one turn are never touched, the idle one is only stored.
 */
#include "http/h1_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/h1_input.h"
#include "http/h1_read.h"
#include "http/h1_state.h"
#include "http/h1_write.h"

#define TURN_STEPS     256         /* of one connection, then the others have their turn */
#define BODY_STEPS     16          /* what one read of a body counts */
#define CORK_MAX       (16u << 10) /* answers that may wait for their followers */
#define OUT_LOW        (64u << 10) /* the handler may go on */
#define DRAIN_GRACE_MS 1000        /* for the first request of a connection that is new */

#define TO(state) (1u << H1_##state)

static const unsigned may_become[] = {
    [H1_IDLE] = TO(HEAD) | TO(CLOSED),
    [H1_HEAD] = TO(BODY) | TO(HANDLER) | TO(CLOSED),
    [H1_BODY] = TO(HANDLER) | TO(CLOSED),
    [H1_HANDLER] = TO(REPLY) | TO(CLOSED),
    [H1_REPLY] = TO(IDLE) | TO(LINGER) | TO(CLOSED),
    [H1_LINGER] = TO(CLOSED),
    [H1_CLOSED] = 0,
};

void
h1_move(struct h1_conn *c, enum h1_state state)
{
    assert(may_become[c->state] & 1u << state);
    c->state = (uint8_t)state;
}

static void
wait_for(struct h1_conn *c, enum h1_wait wait, int64_t delay_ms)
{
    c->wait = (uint8_t)wait;
    timer_set(loop_timers(c->server->loop), &c->timer, clock_ms() + delay_ms);
}

static const struct http_limits *
limits_now(const struct h1_conn *c)
{
    return c->server->ops->limits(c->owner);
}

static bool
is_draining(const struct h1_conn *c)
{
    return c->draining || c->server->draining;
}

static void
close_conn(struct h1_conn *c, bool reset)
{
    struct h1_server *server = c->server;

    assert(c->req == NULL);
    h1_move(c, H1_CLOSED);
    server->counters.idle--;
    server->counters.closed++;
    timer_cancel(loop_timers(server->loop), &c->timer);
    stream_close(&c->stream, reset);
    h1_input_drop(c);
    list_del(&c->link);
    free(c->ends);
    c->ends = NULL;
    if (server->ops->on_gone != NULL)
        server->ops->on_gone(c->owner);
    loop_free_later(server->loop, free, c);
}

/* The request is over, its answer sent or not: the owner's last look at it. */
static void
end_request(struct h1_conn *c)
{
    struct request *req = c->req;

    request_move(req, REQ_DONE);
    c->server->counters.active--;
    c->server->counters.idle++;
    if (c->server->ops->on_done != NULL)
        c->server->ops->on_done(req);
    c->req = NULL;
    request_free(req);
}

/* The connection broke.  Who works on its request hears of it. */
void
h1_lost(struct h1_conn *c, bool reset)
{
    struct request *req = c->req;

    if (req != NULL) {
        const struct request_handler *handler = req->handler;

        req->truncated = true;
        req->keep_alive = false;
        req->body_sent -= br_min(req->body_sent, (uint64_t)c->stream.queued);
        if (!req->end_given && handler != NULL && handler->on_abort != NULL)
            handler->on_abort(req);
        stream_drop(&c->stream); /* before the memory it refers to */
        end_request(c);
    }
    close_conn(c, reset);
}

/* RFC 9112, 2.2: empty lines before a request are not part of it. */
static void
skip_empty_lines(struct h1_conn *c)
{
    while (c->in_end - c->in_at >= 2 && memcmp(c->in + c->in_at, "\r\n", 2) == 0)
        c->in_at += 2;
}

static bool
step_idle(struct h1_conn *c)
{
    struct slice input;

    skip_empty_lines(c);
    input = h1_input(c);
    if (input.n > 1 || (input.n == 1 && input.p[0] != '\r')) {
        h1_begin(c);
        return true;
    }
    switch (h1_fill(c)) {
    case FILL_DATA:
        return true;
    case FILL_WAIT:
        if (!is_draining(c) || !c->served)
            return false;
        break;
    case FILL_END:
    case FILL_LOST:
        break;
    }
    if (c->stream.queued != 0)
        (void)stream_flush(&c->stream, false);
    if (c->stream.queued == 0) {
        /* A request that crosses our close would be answered by a reset alone: the end comes first,
         * from which the client knows that it may send it again (RFC 9112, 9.3.1). */
        stream_shutdown(&c->stream);
        close_conn(c, false);
    }
    return false;
}

static bool
step_handler(struct h1_conn *c)
{
    struct request *req = c->req;

    if (c->stream.hangup && !req->eof_told) {
        req->eof_told = true;
        if (req->handler != NULL && req->handler->on_eof != NULL) {
            req->handler->on_eof(req);
            return true;
        }
    }
    return false;
}

/*
 * All is said on this connection.  Closing with unread input would make the kernel send a reset,
 * which can overtake the answer: read on for a while (RFC 9112, 9.6).
 */
static bool
hang_up(struct h1_conn *c, bool reset)
{
    const struct http_limits *limits = limits_now(c);
    bool unread = h1_input(c).n > 0 || c->stream.readable || c->refused;

    if (reset || c->stream.ended || !unread) {
        close_conn(c, reset);
        return false;
    }
    h1_input_drop(c);
    stream_shutdown(&c->stream);
    h1_move(c, H1_LINGER);
    wait_for(c, WAIT_LINGER, limits->linger_ms);
    return true;
}

/* The answer may wait for the next ones: all of it is ours, and there is more to serve. */
static bool
may_cork(const struct h1_conn *c)
{
    return h1_input(c).n > 0 && c->stream.foreign == 0 && c->stream.queued < CORK_MAX &&
           c->req->keep_alive && !c->req->truncated;
}

static bool
step_reply(struct h1_conn *c)
{
    struct request *req = c->req;
    bool keep, reset;

    if (!may_cork(c)) {
        if (c->stream.queued != 0)
            (void)stream_flush(&c->stream, false);
        if (c->stream.failed != 0) {
            h1_lost(c, false);
            return false;
        }
        if (c->stream.queued != 0)
            return false;
    }
    keep = req->keep_alive && !req->truncated && !is_draining(c);
    /* A body that ends with the connection must not seem to have ended. */
    reset = req->truncated && req->framing == FRAMING_CLOSE;
    end_request(c);
    c->served = true;
    if (!keep)
        return hang_up(c, reset);
    h1_input_settle(c);
    h1_move(c, H1_IDLE);
    return true;
}

static bool
step_linger(struct h1_conn *c)
{
    struct slice dropped;

    switch (h1_fill_aside(c, UINT64_MAX, &dropped)) {
    case FILL_DATA:
        c->lingered += (uint32_t)dropped.n;
        if (c->lingered <= limits_now(c)->linger_bytes)
            return true;
        break;
    case FILL_WAIT:
        return false;
    case FILL_END:
    case FILL_LOST:
        break;
    }
    close_conn(c, false);
    return false;
}

/* One step; false: wait for the client, the owner or the clock. */
static bool
step(struct h1_conn *c)
{
    switch ((enum h1_state)c->state) {
    case H1_IDLE:
        return step_idle(c);
    case H1_HEAD:
        return h1_read_head(c);
    case H1_BODY:
        return h1_read_body(c);
    case H1_HANDLER:
        return step_handler(c);
    case H1_REPLY:
        return step_reply(c);
    case H1_LINGER:
        return step_linger(c);
    case H1_CLOSED:
        return false;
    }
    return false;
}

/* Nothing more can be done now: which deadline counts? */
static void
set_deadline(struct h1_conn *c, bool progress)
{
    const struct http_limits *limits = c->req != NULL ? c->req->limits : limits_now(c);

    if (c->stream.queued != 0) {
        if (progress || c->wait != WAIT_SEND)
            wait_for(c, WAIT_SEND, limits->send_timeout_ms);
        return;
    }
    switch ((enum h1_state)c->state) {
    case H1_IDLE:
        wait_for(c, WAIT_IDLE, is_draining(c) ? DRAIN_GRACE_MS : limits->idle_timeout_ms);
        break;
    case H1_HEAD:
        if (c->wait != WAIT_HEAD)
            wait_for(c, WAIT_HEAD, limits->header_read_timeout_ms);
        break;
    case H1_BODY:
        wait_for(c, WAIT_BODY, limits->body_read_timeout_ms);
        break;
    case H1_HANDLER:
    case H1_REPLY:
        c->wait = WAIT_NONE;
        break;
    case H1_LINGER:
    case H1_CLOSED:
        break;
    }
}

/* Before the connection is left alone: what is queued goes out, the deadline is right. */
static void
settle(struct h1_conn *c, bool progress)
{
    if (c->state == H1_CLOSED)
        return;
    if (c->req != NULL && c->req->head_open && !c->req->end_given)
        response_flush(c->req);
    if (c->stream.queued != 0)
        progress |= stream_flush(&c->stream, false) > 0;
    if (c->stream.failed != 0) {
        h1_lost(c, false);
        return;
    }
    if (c->state == H1_IDLE && c->in_at == c->in_end)
        h1_input_drop(c);
    set_deadline(c, progress);
}

static void
run(struct h1_conn *c, bool progress)
{
    int steps = TURN_STEPS;

    c->running = true;
    while (step(c)) {
        steps -= c->state == H1_BODY ? BODY_STEPS : 1;
        if (steps <= 0) {
            stream_again(&c->stream);
            break;
        }
    }
    settle(c, progress);
    c->running = false;
}

void
h1_answered(struct h1_conn *c)
{
    bool more;

    h1_move(c, H1_REPLY);
    if (c->running)
        return;
    c->running = true;
    more = step(c);
    if (more && (h1_input(c).n > 0 || c->stream.readable))
        stream_again(&c->stream);
    settle(c, true);
    c->running = false;
}

void
h1_push(struct h1_conn *c)
{
    uint64_t sent;

    if (c->running || c->state == H1_CLOSED)
        return;
    sent = stream_flush(&c->stream, false);
    if (c->stream.failed != 0)
        stream_again(&c->stream); /* the handler hears of it in its own time */
    else
        set_deadline(c, sent > 0);
}

static void
flush_head(void *arg)
{
    struct h1_conn *c = arg;

    c->flush_asked = false;
    if (c->state == H1_HANDLER && c->req->head_open)
        response_flush(c->req);
}

void
h1_head_given(struct h1_conn *c)
{
    if (c->running || c->flush_asked)
        return;
    c->flush_asked = true;
    loop_free_later(c->server->loop, flush_head, c);
}

static void
tell_room(struct h1_conn *c)
{
    struct request *req = c->req;

    if (req == NULL || !req->was_full || req->end_given || c->stream.queued >= OUT_LOW)
        return;
    req->was_full = false;
    if (req->handler != NULL && req->handler->on_room != NULL)
        req->handler->on_room(req);
}

static void
on_stream(struct stream *s)
{
    struct h1_conn *c = container_of(s, struct h1_conn, stream);
    bool progress = false;

    if (s->queued != 0 && s->failed == 0)
        progress = stream_flush(s, false) > 0;
    if (s->failed != 0) {
        h1_lost(c, false);
        return;
    }
    c->running = true;
    tell_room(c);
    run(c, progress);
}

static void
on_timer(struct timer *t)
{
    struct h1_conn *c = container_of(t, struct h1_conn, timer);
    enum h1_wait wait = c->wait;

    c->wait = WAIT_NONE;
    switch (wait) {
    case WAIT_NONE:
        return;
    case WAIT_IDLE:
        h1_write_idle_timeout(&c->stream, limits_now(c)->server);
        (void)stream_flush(&c->stream, false);
        close_conn(c, false);
        return;
    case WAIT_SEND:
        h1_lost(c, true);
        return;
    case WAIT_LINGER:
        close_conn(c, false);
        return;
    case WAIT_HEAD:
    case WAIT_BODY:
        c->running = true;
        h1_refuse(c, wait == WAIT_HEAD ? H1_SLOW_HEAD : H1_SLOW_BODY);
        run(c, false);
        return;
    }
}

void
h1_server_init(struct h1_server *s, struct loop *loop, const struct http_ops *ops)
{
    *s = (struct h1_server){.loop = loop, .ops = ops};
    list_init(&s->conns);
}

void
h1_conn_open(struct h1_server *s, int fd, const struct sockaddr *addr, socklen_t len, void *owner)
{
    h1_conn_open_filtered(s, fd, NULL, addr, len, owner);
}

void
h1_conn_open_filtered(struct h1_server *s, int fd, struct stream_filter *filter,
                      const struct sockaddr *addr, socklen_t len, void *owner)
{
    static uint64_t last_id;
    struct h1_conn *c = calloc(1, sizeof(*c));

    if (c == NULL)
        abort();
    stream_init(&c->stream, s->loop, fd, on_stream);
    if (filter != NULL)
        stream_set_filter(&c->stream, filter);
    timer_init(&c->timer, on_timer);
    c->server = s;
    c->owner = owner;
    c->id = ++last_id;
    if (addr != NULL)
        memcpy(&c->peer, addr, br_min((size_t)len, sizeof(c->peer)));
    list_init(&c->link);
    list_insert_between(&c->link, s->conns.prev, &s->conns);
    s->counters.accepted++;
    s->counters.idle++;

    run(c, false);
    if (c->state != H1_CLOSED && stream_watch(&c->stream) < 0)
        h1_lost(c, false);
}

/* What may have come in the meantime is still served: look once more, then close. */
static void
drain_conn(struct h1_conn *c)
{
    c->draining = true;
    if (c->state != H1_IDLE)
        return;
    c->stream.readable = true;
    stream_again(&c->stream);
}

void
h1_server_drain(struct h1_server *s)
{
    struct h1_conn *c;

    s->draining = true;
    list_foreach (c, &s->conns, link)
        drain_conn(c);
}

void
h1_server_drain_owner(struct h1_server *s, const void *owner)
{
    struct h1_conn *c;

    list_foreach (c, &s->conns, link)
        if (c->owner == owner)
            drain_conn(c);
}

unsigned
h1_server_shed(struct h1_server *s, unsigned n)
{
    struct h1_conn *c, *next;
    unsigned shed = 0;

    list_foreach_safe (c, next, &s->conns, link) {
        if (shed == n)
            break;
        if (c->state == H1_IDLE) {
            close_conn(c, true);
            shed++;
        }
    }
    return shed;
}

void
h1_server_close(struct h1_server *s)
{
    while (!list_empty(&s->conns))
        h1_lost(list_first(&s->conns, struct h1_conn, link), false);
}
