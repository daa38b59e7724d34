/*
 * h1_input.c - where requests lie while they are served.
 *
 *   in:  [ served | head under way, in_at … in_end | free ]        16 KiB, from the pool
 *
 * A head that does not fit goes to the front of the buffer, then to a larger one of its own; the
 * parser is told that its input moved.
 */
#include "http/h1_input.h"

#include <errno.h>
#include <stdlib.h>

#define IN_BYTES    16384
#define KEPT        64
#define ASIDE_BYTES 65536

static struct {
    char *items[KEPT];
    unsigned n;
} pool;

static char *
buffer_new(size_t n)
{
    char *p = n == IN_BYTES && pool.n > 0 ? pool.items[--pool.n] : malloc(n);

    if (p == NULL)
        abort();
    return p;
}

static void
buffer_free(char *p, size_t n)
{
    if (n == IN_BYTES && pool.n < KEPT)
        pool.items[pool.n++] = p;
    else
        free(p);
}

void
h1_input_drop(struct h1_conn *c)
{
    if (c->in != NULL)
        buffer_free(c->in, c->in_room);
    if (c->head_in != NULL)
        buffer_free(c->head_in, c->head_room);
    c->in = c->head_in = NULL;
    c->in_room = c->in_at = c->in_end = c->in_base = 0;
}

void
h1_input_settle(struct h1_conn *c)
{
    if (c->in_at == c->in_end) {
        h1_input_drop(c);
        return;
    }
    if (c->head_in != NULL)
        buffer_free(c->head_in, c->head_room);
    c->head_in = NULL;
    c->in_base = 0;
}

void
h1_input_renew(struct h1_conn *c)
{
    struct slice left = h1_input(c);
    char *fresh = buffer_new(IN_BYTES);

    memcpy(fresh, left.p, left.n);
    c->head_in = c->in;
    c->head_room = c->in_room;
    c->in = fresh;
    c->in_room = IN_BYTES;
    c->in_at = c->in_base = 0;
    c->in_end = (uint32_t)left.n;
}

/* The head begins at in_at; move it, or what there is of it, to the front of `to`. */
static void
move_head(struct h1_conn *c, char *to)
{
    struct slice head = h1_input(c);

    memmove(to, head.p, head.n);
    if (c->state == H1_HEAD)
        h1_parse_moved(&c->parser, to - head.p);
    c->in_at = 0;
    c->in_end = (uint32_t)head.n;
}

static void
make_room(struct h1_conn *c)
{
    if (c->in == NULL) {
        c->in = buffer_new(IN_BYTES);
        c->in_room = IN_BYTES;
    }
    if (c->in_at == c->in_end)
        c->in_at = c->in_end = c->in_base;
    if (c->in_end < c->in_room)
        return;
    if (c->in_at > 0) {
        move_head(c, c->in);
    } else {
        uint32_t room = c->in_room * 2;
        char *larger = buffer_new(room), *old = c->in;

        move_head(c, larger);
        buffer_free(old, c->in_room);
        c->in = larger;
        c->in_room = room;
    }
}

static enum h1_fill
judge_read(ssize_t got)
{
    if (got > 0)
        return FILL_DATA;
    if (got == 0)
        return FILL_END;
    return got == -EAGAIN ? FILL_WAIT : FILL_LOST;
}

enum h1_fill
h1_fill(struct h1_conn *c)
{
    ssize_t got;

    if (!c->stream.readable)
        return c->stream.ended ? FILL_END : FILL_WAIT;
    make_room(c);
    got = stream_read(&c->stream, c->in + c->in_end, c->in_room - c->in_end);
    if (got > 0)
        c->in_end += (uint32_t)got;
    return judge_read(got);
}

enum h1_fill
h1_fill_aside(struct h1_conn *c, uint64_t n, struct slice *ret)
{
    static char aside[ASIDE_BYTES];
    ssize_t got;

    if (!c->stream.readable)
        return c->stream.ended ? FILL_END : FILL_WAIT;
    got = stream_read(&c->stream, aside, (size_t)br_min(n, (uint64_t)sizeof(aside)));
    if (got > 0)
        *ret = slice_make(aside, (size_t)got);
    return judge_read(got);
}
