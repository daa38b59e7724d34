/*
 * nest_fixture.h - a nest with one port and some lanes in one process, and what the port was told.
 */
#ifndef NEST_FIXTURE_H
#define NEST_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nest/lane.h"
#include "nest/port.h"

#define FIXTURE_LANES  3
#define FIXTURE_PIECES 64

struct fixture {
    int fd;
    struct nest *nest;
    int wakefd[2];
    int bell;
    struct port *port;
    struct lane *lane[FIXTURE_LANES];

    struct piece piece[FIXTURE_PIECES]; /* in the order of delivery */
    unsigned n_pieces;
    uint32_t orphan[FIXTURE_PIECES];
    bool entered[FIXTURE_PIECES];
    unsigned n_orphans;
    bool requeue; /* what to do with an orphan: else free it */
    bool nested;  /* collect from within on_piece, as a router may that gives a nest up */
};

static inline void
fixture_on_piece(void *arg, const struct piece *piece)
{
    struct fixture *f = arg;

    assert_true(f->n_pieces < FIXTURE_PIECES);
    f->piece[f->n_pieces++] = *piece;
    if (f->nested)
        port_collect(f->port);
}

static inline void
fixture_on_orphan(void *arg, uint32_t slot, bool entered)
{
    struct fixture *f = arg;

    f->entered[f->n_orphans] = entered;
    f->orphan[f->n_orphans++] = slot;
    if (!f->requeue || !port_requeue(f->port, slot))
        port_slot_free(f->port, slot);
}

static const struct port_ops fixture_ops = {.on_piece = fixture_on_piece,
                                            .on_orphan = fixture_on_orphan};

static inline int
fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct br_err err = BR_ERR_NONE;

    f->fd = nest_make();
    assert_true(f->fd >= 0);
    assert_int_equal(nest_attach(f->fd, &f->nest, &err), 0);
    for (unsigned i = 0; i < 2; i++)
        f->wakefd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(port_open(f->nest, 0, &fixture_ops, f, &f->port, &err), 0);
    for (unsigned i = 0; i < FIXTURE_LANES; i++)
        assert_int_equal(lane_open(f->nest, i, f->wakefd, 2, &f->lane[i], &err), 0);
    *state = f;
    return 0;
}

static inline int
fixture_teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < FIXTURE_LANES; i++)
        if (f->lane[i] != NULL)
            lane_close(f->lane[i]);
    port_close(f->port);
    nest_detach(f->nest);
    close(f->bell);
    close(f->wakefd[0]);
    close(f->wakefd[1]);
    close(f->fd);
    free(f);
    return 0;
}

/* A request whose bytes are this text. */
static inline uint32_t
fixture_ask(struct fixture *f, const char *text)
{
    int slot = port_slot_take(f->port);

    assert_true(slot >= 0);
    memcpy(port_slot_data(f->port, (uint32_t)slot), text, strlen(text));
    port_publish(f->port, (uint32_t)slot, (uint32_t)strlen(text));
    return (uint32_t)slot;
}

/* An answer of this text in one piece. */
static inline void
fixture_answer(struct lane *lane, const struct claim *c, const char *text)
{
    char *p;
    int chunk = lane_chunk(lane, c, &p);

    assert_true(chunk >= 0);
    memcpy(p, text, strlen(text));
    lane_publish(lane, c, chunk, (uint32_t)strlen(text), PIECE_HEAD | PIECE_END);
}

/* What was written to an eventfd since the last call. */
static inline uint64_t
fixture_events(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* The worker of this lane is gone without a word. */
static inline void
fixture_kill(struct fixture *f, unsigned lane)
{
    free(f->lane[lane]); /* what the kernel does with a dead process's own memory */
    f->lane[lane] = NULL;
    nest_bury(f->nest, lane, f->wakefd, 2);
}

/* As after the epoll_wait of a turn. */
static inline void
fixture_collect(struct fixture *f)
{
    port_awake(f->port);
    port_collect(f->port);
}

#endif
