/*
 * handle.c - the head of every handle: in its loop's list, holding it or not, freed late.
 */
#include "lib/lib.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned
counts(const struct handle *h)
{
    return h->holds && !h->unref ? 1 : 0;
}

char *
loop_room(struct br_loop *loop)
{
    if (loop->room == NULL)
        loop->room = malloc(LOOP_ROOM);
    return loop->room;
}

void *
handle_new(struct br_loop *loop, size_t size, void (*close)(struct handle *h))
{
    struct handle *h = calloc(1, size);

    if (h == NULL)
        return NULL;
    h->loop = loop;
    h->close = close;
    list_add_tail(&loop->handles, &h->link);
    return h;
}

void
handle_free(struct handle *h)
{
    if (h == NULL || h->closed)
        return;
    handle_hold(h, false);
    h->closed = true;
    h->close(h);
    list_del(&h->link);
    loop_free_later(h->loop->loop, free, h);
}

void
handle_hold(struct handle *h, bool holds)
{
    unsigned before = counts(h);

    h->holds = holds && !h->closed;
    h->loop->held += counts(h) - before;
}

void
handle_unref(struct handle *h)
{
    h->loop->held -= counts(h);
    h->unref = true;
}

void *
handle_fail(struct handle *h, int rc)
{
    handle_free(h);
    errno = -rc;
    return NULL;
}

int
error_out(struct br_error *error, const char *step, const struct br_err *err, int rc)
{
    if (error == NULL)
        return rc;
    *error = (struct br_error){.code = rc, .step = step};
    snprintf(error->text, sizeof(error->text), "%s", err->text);
    return rc;
}
