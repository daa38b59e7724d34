/*
 * exchange.h - a worker's end of the nest: one request at a time through one lane.
 *
 *   exchange_next -> exchange_request, exchange_body_read
 *                 -> exchange_start, exchange_field…, exchange_write…  -> exchange_end or
 * exchange_abort
 *
 * The answer is built in the response chunk itself: the head first, the body behind it, so that a
 * small answer is one piece (HEAD | END) and nothing is copied twice.  Nothing leaves before the
 * chunk is full, exchange_flush or exchange_end.  Used by one thread; an exchange per lane.
 *
 * Functions marked "waits" may sleep.  A guest with a global lock gives `pause` and `resume`, which
 * are called around such a sleep only.
 */
#ifndef APP_EXCHANGE_H
#define APP_EXCHANGE_H

#include "nest/lane.h"
#include "nest/wire.h"

struct worker;

struct exchange_ops {
    void *(*pause)(void); /* let other threads of the guest run; what it returns goes to resume */
    void (*resume)(void *paused);
};

/* The head of the answer. */
enum exchange_head {
    HEAD_NONE,
    HEAD_OPEN,  /* begun in the chunk, fields may follow */
    HEAD_READY, /* closed, not sent */
    HEAD_SENT,
};

struct exchange {
    struct worker *worker;
    struct lane *lane;
    const struct exchange_ops *ops;
    uint64_t serial; /* counts requests: tells a late user of an older one */

    struct claim claim;
    struct wire_request request;
    uint64_t body_at;
    int body_fd;  /* the body's file once asked for, or -1 */
    bool active;  /* between exchange_next and the end */
    bool no_body; /* HEAD, 204, 304: body bytes are dropped here */

    enum exchange_head head;
    struct wire_writer writer;
    int64_t length;   /* Content-Length of the answer, or -1 */
    uint64_t written; /* body bytes accepted */
    int chunk;        /* the one being filled, or -1 */
    char *p;
    uint32_t at;
};

/*
 * exchange_next - the next request, its head checked and ready in x->request.  Waits.
 * false: this lane is to leave (drain, request limit, stop).
 */
bool exchange_next(struct exchange *x);

/*
 * exchange_body_read - up to n bytes of what is left of the body.
 * 0 at its end, or -errno: -ECONNRESET when the client is gone.  Waits (for a large body's file).
 */
ssize_t exchange_body_read(struct exchange *x, char *p, size_t n);
/* The inline body from body_at on, in place; n is 0 for a body in a file. */
struct slice exchange_body_inline(const struct exchange *x);
static inline uint64_t
exchange_body_left(const struct exchange *x)
{
    return x->request.body_length - x->body_at;
}

/*
 * exchange_start - begin the answer's head; a head that was begun but not sent is thrown away.
 * 0, -EALREADY when it was sent, or as exchange_write.  Waits.
 */
int exchange_start(struct exchange *x, unsigned status);
/* 0, -EINVAL (a name that is no token, CR, LF or NUL in the value), -EMSGSIZE. */
int exchange_field(struct exchange *x, struct slice name, struct slice value);
/* The Content-Length, when known; before the first byte of the body. */
void exchange_length(struct exchange *x, uint64_t n);

/*
 * 0, or -ECONNRESET: the client is gone, stop; -E2BIG: what is beyond the Content-Length was
 * dropped; -EMSGSIZE: the head does not fit.  Waits: back-pressure.
 */
int exchange_write(struct exchange *x, const char *p, size_t n);
/* Has the client gone?  While the request is active. */
bool exchange_cancelled(const struct exchange *x);
/* Place to put body bytes into, then how many there are.  As exchange_write. */
int exchange_space(struct exchange *x, char **ret_p, size_t *ret_room);
void exchange_filled(struct exchange *x, size_t n);
/* Send what is there; the head even without a body. */
int exchange_flush(struct exchange *x);
/* The answer is complete.  0; -EPROTO (there is no head), -EMSGSIZE: aborted instead. */
int exchange_end(struct exchange *x);
/* The application gave up: 503 when no head was sent, else the connection is cut. */
void exchange_abort(struct exchange *x);

#endif
