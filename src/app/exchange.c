/*
 * exchange.c - a worker's end of the nest: claim, view, answer.
 *
 *   chunk:  [ head: status, fields ][ body ........ ]  --publish-->  router
 *           ^ exchange_start         ^ closed at the first body byte
 *
 * The head stays open until the first byte of the body or the end, so that a length that is known
 * by then still gets in, and an error page may replace it (PEP 3333, exc_info).
 */
#include "app/exchange.h"

#include <errno.h>
#include <unistd.h>

#include "app/worker_role.h"
#include "base/fd.h"
#include "base/inject.h"
#include "nest/port.h"

/* A read of this size or more is worth letting other threads run. */
#define PAUSE_BYTES (16 * 1024)

static void *
let_go(const struct exchange *x)
{
    return x->ops->pause ? x->ops->pause() : NULL;
}

static void
take_back(const struct exchange *x, void *paused)
{
    if (x->ops->resume)
        x->ops->resume(paused);
}

static void
read_lines(struct exchange *x)
{
    void *paused = let_go(x);

    worker_read_lines(x->worker);
    take_back(x, paused);
}

static bool
begin(struct exchange *x)
{
    x->body_at = 0;
    x->body_fd = -1;
    x->head = HEAD_NONE;
    x->length = -1;
    x->written = 0;
    x->no_body = false;
    x->active = true;
    x->serial++;
    INJECT(worker, claimed);
    if (wire_request_read(x->claim.p, x->claim.n, &x->request) < 0) {
        exchange_abort(x);
        return false;
    }
    lane_entered(x->lane, &x->claim);
    INJECT(worker, entered);
    return true;
}

bool
exchange_next(struct exchange *x)
{
    bool slept = x->serial == 0; /* it was idle for the prototype, asleep or not */

    while (!worker_leaving(x->worker)) {
        if (lane_notice(x->lane)) {
            read_lines(x);
            continue;
        }
        if (lane_claim(x->lane, &x->claim)) {
            if (slept)
                worker_took(x->worker);
            if (begin(x))
                return true;
            continue;
        }
        if (worker_draining(x->worker))
            return false;
        void *paused = let_go(x);
        lane_sleep(x->lane, -1);
        take_back(x, paused);
        slept = true;
    }
    return false;
}

struct slice
exchange_body_inline(const struct exchange *x)
{
    if (x->request.flags & WIRE_BODY_FILE)
        return SLICE_NONE;
    return slice_sub(x->request.body, x->body_at, x->request.body.n);
}

static ssize_t
read_file(struct exchange *x, char *p, size_t n)
{
    ssize_t got = -ECONNRESET;
    void *paused = n >= PAUSE_BYTES || x->body_fd < 0 ? let_go(x) : NULL;
    bool let = n >= PAUSE_BYTES || x->body_fd < 0;

    if (x->body_fd < 0) {
        x->body_fd = worker_ask_body(x->worker, &x->claim);
        INJECT(worker, body);
    }
    if (x->body_fd >= 0) {
        do
            got = pread(x->body_fd, p, n, (off_t)x->body_at);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            got = -errno;
        else if (got == 0)
            got = -EIO; /* shorter than the request said */
    } else {
        got = x->body_fd;
    }
    if (let)
        take_back(x, paused);
    return got;
}

ssize_t
exchange_body_read(struct exchange *x, char *p, size_t n)
{
    ssize_t got;

    n = br_min(n, exchange_body_left(x));
    if (n == 0)
        return 0;
    if (x->request.flags & WIRE_BODY_FILE) {
        got = read_file(x, p, n);
        if (got < 0)
            return got;
    } else {
        struct slice s = exchange_body_inline(x);

        got = (ssize_t)br_min(n, s.n);
        if (got == 0)
            return -EIO;
        memcpy(p, s.p, (size_t)got);
    }
    x->body_at += (uint64_t)got;
    return got;
}

static int
wait_for_chunk(struct exchange *x)
{
    void *paused = let_go(x);
    int rc = lane_chunk(x->lane, &x->claim, &x->p);

    take_back(x, paused);
    if (rc == -EINTR && lane_notice(x->lane))
        read_lines(x);
    return rc;
}

static int
need_chunk(struct exchange *x)
{
    int rc;

    if (x->chunk >= 0)
        return 0;
    rc = lane_chunk_try(x->lane, &x->claim, &x->p);
    while (rc == -EAGAIN || rc == -EINTR)
        rc = wait_for_chunk(x);
    if (rc < 0)
        return rc;
    x->chunk = rc;
    x->at = 0;
    INJECT(worker, chunk);
    return 0;
}

int
exchange_start(struct exchange *x, unsigned status)
{
    int rc;

    if (x->head == HEAD_SENT)
        return -EALREADY;
    rc = need_chunk(x);
    if (rc < 0)
        return rc;
    wire_response_begin(&x->writer, x->p, NEST_CHUNK_BYTES, status);
    x->head = HEAD_OPEN;
    x->at = 0;
    x->length = -1;
    x->written = 0;
    x->no_body =
        status == 204 || status == 304 || slice_eq(x->request.text[TEXT_METHOD], SLICE("HEAD"));
    return 0;
}

/* RFC 9110, 5.6.2: the bytes of a token. */
static bool
is_token(struct slice s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c != '\0' && strchr(marks, c) != NULL);

        if (!good)
            return false;
    }
    return s.n > 0;
}

/* What would end the field early or begin another one is refused: response splitting. */
static bool
is_value(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return false;
    }
    return true;
}

int
exchange_field(struct exchange *x, struct slice name, struct slice value)
{
    if (!is_token(name) || !is_value(value))
        return -EINVAL;
    wire_response_field(&x->writer, name, value);
    return x->writer.overflow ? -EMSGSIZE : 0;
}

void
exchange_length(struct exchange *x, uint64_t n)
{
    x->length = (int64_t)br_min(n, (uint64_t)INT64_MAX);
}

bool
exchange_cancelled(const struct exchange *x)
{
    return lane_cancelled(x->lane, &x->claim);
}

static int
close_head(struct exchange *x)
{
    int rc;

    if (x->head != HEAD_OPEN)
        return 0;
    rc = wire_response_end(&x->writer, x->length, &x->at);
    if (rc == 0)
        x->head = HEAD_READY;
    return rc;
}

static void
publish(struct exchange *x, uint32_t flags)
{
    if (x->head == HEAD_READY) {
        flags |= PIECE_HEAD;
        x->head = HEAD_SENT;
    }
    if (x->chunk >= 0 && x->at == 0) {
        lane_chunk_drop(x->lane, x->chunk);
        x->chunk = -1;
    }
    lane_publish(x->lane, &x->claim, x->chunk, x->chunk < 0 ? 0 : x->at, flags);
    x->chunk = -1;
    x->at = 0;
}

int
exchange_flush(struct exchange *x)
{
    int rc = close_head(x);

    if (rc < 0)
        return rc;
    if (lane_cancelled(x->lane, &x->claim))
        return -ECONNRESET;
    if (x->at == 0)
        return 0;
    publish(x, 0);
    INJECT(worker, head_sent);
    return 0;
}

int
exchange_space(struct exchange *x, char **ret_p, size_t *ret_room)
{
    int rc = close_head(x);

    if (rc == 0 && x->at == NEST_CHUNK_BYTES)
        rc = exchange_flush(x);
    if (rc == 0)
        rc = need_chunk(x);
    if (rc < 0)
        return rc;
    *ret_p = x->p + x->at;
    *ret_room = NEST_CHUNK_BYTES - x->at;
    return 0;
}

void
exchange_filled(struct exchange *x, size_t n)
{
    x->written += n;
    if (!x->no_body)
        x->at += (uint32_t)n;
}

/* How many of n bytes the Content-Length still admits. */
static size_t
admitted(const struct exchange *x, size_t n)
{
    uint64_t length = (uint64_t)x->length;

    if (x->length < 0)
        return n;
    return x->written >= length ? 0 : (size_t)br_min((uint64_t)n, length - x->written);
}

int
exchange_write(struct exchange *x, const char *p, size_t n)
{
    size_t left = admitted(x, n);
    int over = left < n ? -E2BIG : 0;
    int rc;

    if (x->no_body) {
        x->written += left;
        rc = close_head(x);
        return rc < 0 ? rc : 0;
    }
    while (left > 0) {
        size_t room;
        char *to;

        rc = exchange_space(x, &to, &room);
        if (rc < 0)
            return rc;
        room = br_min(room, left);
        memcpy(to, p, room);
        exchange_filled(x, room);
        p += room;
        left -= room;
    }
    return over;
}

static void
finish(struct exchange *x)
{
    fd_close(&x->body_fd);
    x->active = false;
    worker_count(x->worker);
}

int
exchange_end(struct exchange *x)
{
    int rc = x->head == HEAD_NONE ? -EPROTO : close_head(x);

    if (rc < 0) {
        exchange_abort(x);
        return rc;
    }
    INJECT(worker, answering);
    publish(x, PIECE_END);
    INJECT(worker, answered);
    finish(x);
    return 0;
}

void
exchange_abort(struct exchange *x)
{
    if (x->head != HEAD_SENT) {
        x->head = HEAD_NONE;
        x->at = 0; /* a head that was not sent is no answer */
    }
    publish(x, PIECE_ABORT | PIECE_END);
    finish(x);
}
