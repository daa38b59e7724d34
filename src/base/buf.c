/*
 * buf.c - one malloc'ed block that doubles up to its ceiling.
 *
 * One byte more than room is allocated, so that vsnprintf may put its NUL behind the last byte.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 256

void
buf_init(struct buf *b, size_t ceiling)
{
    *b = (struct buf){.ceiling = br_min(ceiling, SIZE_MAX / 2)};
}

void
buf_done(struct buf *b)
{
    free(b->p);
    buf_init(b, b->ceiling);
}

void
buf_clear(struct buf *b)
{
    b->n = 0;
    b->error = 0;
}

static int
grow(struct buf *b, size_t need)
{
    size_t room = b->room > 0 ? b->room : FIRST_ROOM;
    char *p;

    while (room < need)
        room *= 2;
    room = br_min(room, b->ceiling);
    p = realloc(b->p, room + 1);
    if (p == NULL)
        return -ENOMEM;
    b->p = p;
    b->room = room;
    return 0;
}

int
buf_reserve(struct buf *b, size_t more)
{
    if (b->error < 0)
        return b->error;
    if (br_likely(more <= b->room - b->n))
        return 0;
    if (more > b->ceiling - b->n)
        b->error = -EMSGSIZE;
    else
        b->error = grow(b, b->n + more);
    return b->error;
}

int
buf_append(struct buf *b, const void *p, size_t n)
{
    int rc = buf_reserve(b, n);

    if (rc < 0 || n == 0)
        return rc;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    return 0;
}

int
buf_puts(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int
buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int
buf_put(struct buf *b, struct slice s)
{
    return buf_append(b, s.p, s.n);
}

int
buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    size_t left;
    int n, rc;

    /* The first byte makes the block, and with it the place for the NUL. */
    rc = buf_reserve(b, b->room == 0 && b->ceiling > 0 ? 1 : 0);
    if (rc < 0)
        return rc;
    left = b->p != NULL ? b->room - b->n + 1 : 0;

    va_copy(again, args);
    n = vsnprintf(b->p != NULL ? b->p + b->n : NULL, left, fmt, again);
    va_end(again);
    if (n < 0)
        return b->error = -EINVAL;
    if ((size_t)n >= left) {
        rc = buf_reserve(b, (size_t)n);
        if (rc < 0)
            return rc;
        if (n > 0)
            vsnprintf(b->p + b->n, (size_t)n + 1, fmt, args);
    }
    b->n += (size_t)n;
    return 0;
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    int rc;

    va_start(args, fmt);
    rc = buf_vprintf(b, fmt, args);
    va_end(args);
    return rc;
}

void
buf_consume(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    if (n > 0)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}
