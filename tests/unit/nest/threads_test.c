/*
 * threads_test.c - the protocol with threads as workers, for ThreadSanitizer to look at.
 *
 *   threads_test [REQUESTS]
 *
 * Threads that share one struct nest see the same addresses, so the sanitizer follows each
 * byte from the router's slot to the lane and from the lane's chunk back.  In a build without it
 * this is a short test of the same under real parallelism: each answer must be the request's own
 * bytes turned round, and each lane must have had its share of sleep.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nest/lane.h"
#include "nest/port.h"

#define LANES     3
#define MOST      40
#define TEXT_MAX  200
#define CHUNK_ONE 100 /* bytes of the first piece */

struct talk {
    struct nest *nest;
    struct port *port;
    int wakefd;
    uint64_t asked;
    uint64_t answered;
    uint64_t wrong;
    uint64_t total;
    uint32_t received[NEST_SLOTS];
    unsigned char text[NEST_SLOTS][TEXT_MAX];
};

struct worker {
    struct talk *talk;
    unsigned index;
};

static void
fail(const char *what)
{
    fprintf(stderr, "threads_test: %s\n", what);
    exit(1);
}

static void
give(struct lane *lane, const struct claim *c, const unsigned char *p, uint32_t n, uint32_t flags)
{
    char *to;
    int chunk = lane_chunk(lane, c, &to);

    if (chunk < 0)
        fail("no chunk");
    for (uint32_t i = 0; i < n; i++)
        to[i] = (char)~p[i];
    lane_publish(lane, c, chunk, n, flags);
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct lane *lane;
    struct claim c;

    if (lane_open(w->talk->nest, w->index, &w->talk->wakefd, 1, &lane, NULL) < 0)
        fail("lane");
    while (!lane_notice(lane)) {
        while (lane_claim(lane, &c)) {
            const unsigned char *p = (const unsigned char *)c.p;

            lane_entered(lane, &c);
            give(lane, &c, p, CHUNK_ONE, PIECE_HEAD);
            give(lane, &c, p + CHUNK_ONE, c.n - CHUNK_ONE, PIECE_END);
        }
        lane_sleep(lane, -1);
    }
    lane_close(lane);
    return NULL;
}

static void
ask(struct talk *t)
{
    int slot = port_slot_take(t->port);

    if (slot < 0)
        fail("no slot");
    t->received[slot] = 0;
    for (unsigned i = 0; i < TEXT_MAX; i++)
        t->text[slot][i] = (unsigned char)(t->asked * 31 + i);
    memcpy(port_slot_data(t->port, (uint32_t)slot), t->text[slot], TEXT_MAX);
    port_publish(t->port, (uint32_t)slot, TEXT_MAX);
    t->asked++;
}

static void
on_piece(void *arg, const struct piece *piece)
{
    struct talk *t = arg;
    uint32_t from = t->received[piece->slot];

    for (uint32_t i = 0; i < piece->n; i++)
        t->wrong += (unsigned char)piece->p[i] != (unsigned char)~t->text[piece->slot][from + i];
    t->received[piece->slot] += piece->n;
    port_chunk_done(t->port, piece->lane, piece->chunk);
    if ((piece->flags & PIECE_END) == 0)
        return;
    t->wrong += t->received[piece->slot] != TEXT_MAX;
    port_slot_free(t->port, piece->slot);
    t->answered++;
}

static void
on_orphan(void *arg, uint32_t slot, bool entered)
{
    (void)arg, (void)slot, (void)entered;
    fail("nobody died");
}

static void
route(struct talk *t)
{
    struct pollfd pfd = {.fd = t->wakefd, .events = POLLIN};
    uint64_t n;

    while (t->answered < t->total) {
        unsigned most = t->asked / 1000 % 2 == 0 ? MOST : 1; /* crowded, then lonely */

        while (t->asked < t->total && port_slots_used(t->port) < most)
            ask(t);
        port_wake(t->port, -1);
        if (port_may_sleep(t->port)) {
            if (poll(&pfd, 1, 20000) != 1)
                fail("a wake was lost");
            if (read(t->wakefd, &n, sizeof(n)) != sizeof(n))
                fail("eventfd");
        }
        port_awake(t->port);
        port_collect(t->port);
    }
}

int
main(int argc, char **argv)
{
    static const struct port_ops ops = {.on_piece = on_piece, .on_orphan = on_orphan};
    static struct talk t;
    struct worker worker[LANES];
    pthread_t thread[LANES];
    int fd = nest_make();

    t.total = argc == 2 ? strtoull(argv[1], NULL, 10) : 20000;
    t.wakefd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0 || nest_attach(fd, &t.nest, NULL) < 0 ||
        port_open(t.nest, 0, &ops, &t, &t.port, NULL) < 0)
        fail("nest");
    for (unsigned i = 0; i < LANES; i++) {
        worker[i] = (struct worker){&t, i};
        if (pthread_create(&thread[i], NULL, work, &worker[i]) != 0)
            fail("thread");
    }
    route(&t);
    for (unsigned i = 0; i < LANES; i++)
        nest_notify(t.nest, i);
    for (unsigned i = 0; i < LANES; i++)
        pthread_join(thread[i], NULL);
    printf("%llu answers, %llu wrong, %llu stale\n", (unsigned long long)t.answered,
           (unsigned long long)t.wrong, (unsigned long long)port_stale(t.port));
    port_close(t.port);
    nest_detach(t.nest);
    close(fd);
    close(t.wakefd);
    return t.wrong != 0;
}
