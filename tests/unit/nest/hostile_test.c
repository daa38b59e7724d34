/*
 * hostile_test.c - application code writes whatever it likes into the nest; the router lives.
 *
 *   hostile_test [SECONDS]
 *
 * A child maps the nest, plays two lanes as well as it can, and in a second thread overwrites
 * words of the mapping: small numbers, all ones, neighbours, single bits.  This process is the
 * router, and the prototype that buries the child when it has shot itself.  Its port must return
 * from every call and hand out nothing that lies outside; alarm(2) ends a test that hangs, and
 * the sanitizers see a read outside.  What becomes of the requests is the application's affair.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "nest/lane.h"
#include "nest/layout.h"
#include "nest/port.h"
#include "nest/wire.h"

#define LANES     2
#define IN_FLIGHT 32
#define TURNS     2000 /* of one port before it is opened anew */

struct victim {
    struct nest *nest;
    struct port *port;
    int wakefd;
    pid_t child;
    bool flying[NEST_SLOTS];
    uint64_t asked;
    uint64_t pieces;
    uint64_t orphans;
    uint64_t ports;
    uint64_t deaths;
};

static void
fail(const char *what)
{
    fprintf(stderr, "hostile_test: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- the application --- */

static uint64_t
random_next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 20;
}

/* Some word that the protocol uses: the ring, slots, outboxes and chunk words, not their data. */
static _Atomic(uint64_t) *
some_word(struct nest_map *map, uint64_t *seed)
{
    uint64_t at = random_next(seed);
    char *p;
    size_t n;

    switch (random_next(seed) % 4) {
    case 0:
        p = (char *)&map->idle;
        n = offsetof(struct nest_map, router) - offsetof(struct nest_map, idle);
        break;
    case 1: /* dirty, orphans, head, tail */
        p = (char *)&map->router[0];
        n = offsetof(struct nest_router, ring);
        break;
    case 2:
        p = (char *)&map->router[0];
        n = offsetof(struct nest_router, data);
        break;
    default:
        p = (char *)&map->lane[at % LANES];
        n = offsetof(struct nest_lane, outbox) + sizeof(struct nest_outbox);
        break;
    }
    return (_Atomic(uint64_t) *)(void *)(p + at % (n / 8) * 8);
}

static void *
scribble(void *arg)
{
    struct nest_map *map = arg;
    uint64_t seed = (uint64_t)getpid();

    for (;;) {
        _Atomic(uint64_t) *word = some_word(map, &seed);
        uint64_t old = atomic_load(word);

        switch (random_next(&seed) % 5) {
        case 0:
            atomic_store(word, random_next(&seed) % 8);
            break;
        case 1:
            atomic_store(word, UINT64_MAX);
            break;
        case 2:
            atomic_store(word, old + 1 - random_next(&seed) % 3);
            break;
        case 3:
            atomic_store(word, old ^ UINT64_C(1) << random_next(&seed) % 64);
            break;
        default:
            atomic_store(word, random_next(&seed) << 32 | random_next(&seed));
            break;
        }
        for (unsigned i = 0; i < random_next(&seed) % 2000; i++)
            atomic_load(word);
    }
    return NULL;
}

static void
serve(struct lane *lane)
{
    struct claim c;
    char *p;

    for (unsigned i = 0; i < 64 && lane_claim(lane, &c); i++) {
        int chunk = lane_chunk_try(lane, &c, &p);

        lane_publish(lane, &c, chunk, 100, chunk < 0 ? PIECE_END | PIECE_ABORT : PIECE_END);
    }
}

static void
be_application(struct victim *v)
{
    struct lane *lane[LANES];
    pthread_t thread;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGABRT, SIG_DFL);
    for (unsigned i = 0; i < LANES; i++)
        if (lane_open(v->nest, i, &v->wakefd, 1, &lane[i], NULL) < 0)
            fail("lane");
    if (pthread_create(&thread, NULL, scribble, v->nest->map) != 0)
        fail("thread");
    for (;;)
        for (unsigned i = 0; i < LANES; i++) {
            serve(lane[i]);
            lane_sleep(lane[i], 1);
        }
}

/* --- the router --- */

static void
on_piece(void *arg, const struct piece *piece)
{
    struct victim *v = arg;
    struct wire_response_head head;
    char copy[NEST_CHUNK_BYTES];

    if (piece->slot >= NEST_SLOTS || piece->n > NEST_CHUNK_BYTES || piece->lane >= NEST_LANES ||
        !v->flying[piece->slot])
        fail("a piece of nothing");
    v->pieces++;
    memcpy(copy, piece->p == NULL ? "" : piece->p, piece->n);
    wire_response_read(copy, piece->n, &head);
    port_chunk_done(v->port, piece->lane, piece->chunk);
    if ((piece->flags & PIECE_END) != 0) {
        v->flying[piece->slot] = false;
        port_slot_free(v->port, piece->slot);
    }
}

static void
on_orphan(void *arg, uint32_t slot, bool entered)
{
    struct victim *v = arg;

    if (slot >= NEST_SLOTS || !v->flying[slot])
        fail("an orphan of nobody");
    v->orphans++;
    if (entered || !port_requeue(v->port, slot)) {
        v->flying[slot] = false;
        port_slot_free(v->port, slot);
    }
}

static void
cancel_some(struct victim *v, unsigned turn)
{
    uint32_t slot = turn % NEST_SLOTS;

    port_slot_lane(v->port, slot);
    if (v->flying[slot] && port_cancel(v->port, slot)) {
        v->flying[slot] = false;
        port_slot_free(v->port, slot);
    }
}

static void
spawn(struct victim *v)
{
    v->child = fork();
    if (v->child < 0)
        fail("fork");
    if (v->child == 0)
        be_application(v);
}

static void
supervise(struct victim *v)
{
    if (waitpid(v->child, NULL, WNOHANG) != v->child)
        return;
    v->deaths++;
    for (unsigned i = 0; i < LANES; i++)
        nest_bury(v->nest, i, &v->wakefd, 1);
    spawn(v);
}

static void
turn(struct victim *v, unsigned n)
{
    int slot;

    while (port_slots_used(v->port) < IN_FLIGHT && (slot = port_slot_take(v->port)) >= 0) {
        v->flying[slot] = true;
        v->asked++;
        memset(port_slot_data(v->port, (uint32_t)slot), 0, 64);
        port_publish(v->port, (uint32_t)slot, 64);
    }
    port_wake(v->port, -1);
    if (n % 16 == 0)
        sched_yield(); /* let the application at the processor */
    if (n % 4 == 0)
        cancel_some(v, n / 4);
    port_may_sleep(v->port);
    port_awake(v->port);
    port_collect(v->port);
}

static void
live_through_one_port(struct victim *v)
{
    static const struct port_ops ops = {.on_piece = on_piece, .on_orphan = on_orphan};
    struct lane_view view;

    memset(v->flying, 0, sizeof(v->flying));
    if (port_open(v->nest, 0, &ops, v, &v->port, NULL) < 0)
        fail("port");
    v->ports++;
    for (unsigned n = 0; n < TURNS; n++) {
        turn(v, n);
        if (n % 64 == 0)
            supervise(v);
        if (nest_waiting(v->nest) > NEST_ROUTERS * NEST_RING)
            fail("more waiting than there is room");
        nest_lane_view(v->nest, n % NEST_LANES, &view);
    }
    port_close(v->port);
}

int
main(int argc, char **argv)
{
    unsigned seconds = argc == 2 ? (unsigned)atoi(argv[1]) : 2;
    int64_t end = clock_us() + (int64_t)seconds * 1000000;
    struct victim v = {.wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    int fd = nest_make();

    if (fd < 0 || nest_attach(fd, &v.nest, NULL) < 0)
        fail("nest");
    alarm(seconds + 30);
    spawn(&v);
    do
        live_through_one_port(&v);
    while (clock_us() < end);
    kill(v.child, SIGKILL);
    waitpid(v.child, NULL, 0);
    printf("%llu ports lived: %llu requests, %llu pieces, %llu orphans, %llu deaths of the child\n",
           (unsigned long long)v.ports, (unsigned long long)v.asked, (unsigned long long)v.pieces,
           (unsigned long long)v.orphans, (unsigned long long)v.deaths);
    nest_detach(v.nest);
    close(fd);
    close(v.wakefd);
    return v.pieces == 0; /* it was a conversation, not silence */
}
