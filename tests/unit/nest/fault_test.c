/*
 * fault_test.c - kill workers and routers at every step of the protocol; nothing may be lost.
 *
 *   this process: prototype and undertaker ---- forks ---> workers, each a lane
 *                                          \--- forks ---> routers, each a port
 *
 *   fault_test [-s SECONDS_OF_EACH_RUN] [-v]       -v: deaths at each step
 *
 * Each request carries an id, each piece of its answer must bring it back with the right number.
 * Half of the requests are unsafe: once a lane has entered the application with one, it must not
 * run again.  Workers and routers kill themselves at one step in N (src/nest/fault.c) and are
 * replaced a moment later, not at once: an immediate successor would hide a lane that nobody woke.
 * Then the killing stops, a last burst must be answered in full, and everything must be in its
 * place: each lane asleep with its idle bit set, every chunk and every slot free.
 *
 * A lost request or wake shows as a router that waits while nothing moves (`stalls`), a doubled
 * one as an execution too many or a late piece, a wrong one as an id that does not fit.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "nest/fault.h"
#include "nest/lane.h"
#include "nest/layout.h"
#include "nest/port.h"
#include "nest/slots.h"

#define MOST_WORKERS 4
#define MOST_ROUTERS 2
#define IN_FLIGHT    24 /* at most; how many changes all the time, so that lanes sleep too */
#define MOST_PIECES  24 /* more than a lane has chunks */
#define BURST        2000
#define RUNS_IDS     (1u << 20) /* places for counts of executions */
#define STALL_MS     3000 /* a router that nobody tells anything for so long has been forgotten */
#define SETTLE_MS    8000 /* for the last burst and for everybody to fall asleep */

enum phase { STORM, CALM, OVER };

/* Shared with all children. */
struct table {
    _Atomic(uint32_t) phase;
    _Atomic(uint32_t) workers_one_in;
    _Atomic(uint32_t) routers_one_in;
    _Atomic(uint64_t) next_id;
    _Atomic(uint64_t) answered;
    _Atomic(uint64_t) requeued;
    _Atomic(uint64_t) given_up; /* three lanes died of it, or it was unsafe to repeat */
    _Atomic(uint64_t) cut;      /* the lane died in the middle of the answer */
    _Atomic(uint64_t) cancelled;
    _Atomic(uint64_t) wrong;
    _Atomic(uint64_t) twice;
    _Atomic(uint64_t) late;
    _Atomic(uint64_t) stalls;
    _Atomic(uint32_t) bursts_done;
    _Atomic(uint64_t) deaths[NEST_STEPS];
    _Atomic(uint8_t) runs[RUNS_IDS];
};

struct request {
    uint64_t id;
    uint64_t check;
    uint32_t pieces;
    uint32_t unsafe;
};

struct piece_bytes {
    uint64_t id;
    uint64_t check;
    uint32_t number;
};

struct run {
    const char *name;
    unsigned workers;
    unsigned routers;
    uint32_t workers_one_in;
    uint32_t routers_one_in;
};

struct child {
    pid_t pid;
    int64_t respawn_at_us; /* while pid is 0 */
};

struct world {
    const struct run *run;
    int nest_fd;
    struct nest *nest;
    int wakefd[MOST_ROUTERS];
    struct child worker[MOST_WORKERS];
    struct child router[MOST_ROUTERS];
    uint64_t worker_deaths;
    uint64_t router_deaths;
    uint64_t seed;
};

static struct table *table;
static bool show_steps;

static void
fail(const char *what)
{
    fprintf(stderr, "fault_test: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t
check_of(uint64_t id)
{
    return id * UINT64_C(0xd1342543de82ef95) + 1;
}

static uint64_t
random_next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static void
count(_Atomic(uint64_t) *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* --- a worker --- */

static bool
give_piece(struct lane *lane, const struct claim *c, const struct request *r, uint32_t number)
{
    struct piece_bytes bytes = {.id = r->id, .check = check_of(r->id), .number = number};
    char *p;
    int chunk;

    do
        chunk = lane_chunk(lane, c, &p);
    while (chunk == -EINTR);
    if (chunk < 0) {
        lane_publish(lane, c, -1, 0, PIECE_END | PIECE_ABORT);
        return false;
    }
    memcpy(p, &bytes, sizeof(bytes));
    lane_publish(lane, c, chunk, sizeof(bytes), number + 1 == r->pieces ? PIECE_END : 0);
    return true;
}

static void
serve(struct lane *lane, const struct claim *c)
{
    struct request r;

    memcpy(&r, c->p, sizeof(r));
    if (c->n != sizeof(r) || r.check != check_of(r.id))
        count(&table->wrong);
    lane_entered(lane, c);
    if (atomic_fetch_add(&table->runs[r.id % RUNS_IDS], 1) >= (r.unsafe ? 1 : 1 + NEST_REQUEUES))
        count(&table->twice);
    for (uint32_t i = 0; i < r.pieces; i++)
        if (!give_piece(lane, c, &r, i))
            return;
}

static void
be_worker(struct world *w, unsigned index)
{
    struct br_err err = BR_ERR_NONE;
    struct lane *lane;
    struct claim c;

    nest_fault_arm(&table->workers_one_in, w->seed, table->deaths);
    if (lane_open(w->nest, index, w->wakefd, w->run->routers, &lane, &err) < 0)
        fail(err.text);
    for (;;) {
        while (lane_claim(lane, &c))
            serve(lane, &c);
        lane_sleep(lane, -1);
    }
}

/* --- a router --- */

struct asked {
    struct request request;
    uint32_t generation;
    uint32_t received;
    bool flying;
    bool cancelled;
};

struct chunk_held {
    uint16_t lane;
    uint16_t chunk;
};

struct router {
    struct world *world;
    struct port *port;
    int wakefd;
    uint64_t seed;
    uint64_t stale_at_open;
    unsigned in_flight;
    unsigned to_ask; /* of the last burst */
    bool bursting;
    struct asked asked[NEST_SLOTS];
    unsigned n_held;
    struct chunk_held held[NEST_LANES * NEST_CHUNKS];
};

static void
ask(struct router *r)
{
    int slot = port_slot_take(r->port);
    uint64_t id = atomic_fetch_add(&table->next_id, 1);
    struct asked *a;

    if (slot < 0)
        return;
    a = &r->asked[slot];
    *a =
        (struct asked){.flying = true, .generation = port_slot_generation(r->port, (uint32_t)slot)};
    a->request = (struct request){.id = id, .check = check_of(id), .pieces = 1};
    a->request.unsafe = random_next(&r->seed) % 2 == 0;
    if (random_next(&r->seed) % 8 == 0)
        a->request.pieces = 1 + (uint32_t)random_next(&r->seed) % MOST_PIECES;
    atomic_store(&table->runs[id % RUNS_IDS], 0);
    memcpy(port_slot_data(r->port, (uint32_t)slot), &a->request, sizeof(a->request));
    port_publish(r->port, (uint32_t)slot, sizeof(a->request));
}

static void
release_chunks(struct router *r)
{
    while (r->n_held != 0) {
        r->n_held--;
        port_chunk_done(r->port, r->held[r->n_held].lane, r->held[r->n_held].chunk);
    }
}

static void
finish(struct router *r, uint32_t slot, _Atomic(uint64_t) *counter)
{
    r->asked[slot].flying = false;
    port_slot_free(r->port, slot);
    count(r->asked[slot].cancelled ? &table->cancelled : counter);
}

static void
check_piece(struct router *r, const struct piece *piece)
{
    struct asked *a = &r->asked[piece->slot];
    struct piece_bytes bytes = {.id = 0};

    if (piece->n == sizeof(bytes))
        memcpy(&bytes, piece->p, sizeof(bytes));
    if (!a->flying || piece->generation != a->generation || bytes.id != a->request.id ||
        bytes.check != check_of(bytes.id) || bytes.number != a->received)
        count(&table->wrong);
    a->received++;
    if (((piece->flags & PIECE_END) != 0) != (a->received == a->request.pieces))
        count(&table->wrong);
}

static void
on_piece(void *arg, const struct piece *piece)
{
    struct router *r = arg;

    if ((piece->flags & PIECE_ABORT) == 0)
        check_piece(r, piece);
    else if (!r->asked[piece->slot].cancelled)
        count(&table->wrong);
    if (piece->chunk != NEST_NO_CHUNK)
        r->held[r->n_held++] = (struct chunk_held){piece->lane, piece->chunk};
    if (random_next(&r->seed) % 8 == 0)
        release_chunks(r);
    if ((piece->flags & PIECE_END) != 0)
        finish(r, piece->slot, &table->answered);
}

static void
on_orphan(void *arg, uint32_t slot, bool entered)
{
    struct router *r = arg;
    struct asked *a = &r->asked[slot];

    if (!a->flying)
        count(&table->wrong);
    if (a->received != 0) {
        finish(r, slot, &table->cut);
    } else if (a->cancelled || (a->request.unsafe && entered) || !port_requeue(r->port, slot)) {
        finish(r, slot, &table->given_up);
    } else {
        a->generation = port_slot_generation(r->port, slot);
        count(&table->requeued);
    }
}

static void
cancel_one(struct router *r)
{
    uint32_t slot = (uint32_t)random_next(&r->seed) % NEST_SLOTS;

    if (!r->asked[slot].flying || r->asked[slot].cancelled)
        return;
    r->asked[slot].cancelled = true;
    if (port_cancel(r->port, slot))
        finish(r, slot, &table->cancelled);
}

static void
ask_more(struct router *r)
{
    static const unsigned in_flight[] = {1, 1, 2, 3, 4, IN_FLIGHT};
    uint32_t phase = atomic_load(&table->phase);

    if (phase == CALM && !r->bursting) {
        r->bursting = true;
        r->to_ask = BURST;
    }
    if (random_next(&r->seed) % 64 == 0)
        r->in_flight = in_flight[random_next(&r->seed) % array_len(in_flight)];
    while (port_slots_used(r->port) < r->in_flight && (phase == STORM || r->to_ask != 0)) {
        ask(r);
        if (phase != STORM)
            r->to_ask--;
    }
    if (phase == STORM && random_next(&r->seed) % 8 == 0)
        cancel_one(r);
}

static void
sleep_for_news(struct router *r)
{
    struct pollfd pfd = {.fd = r->wakefd, .events = POLLIN};
    uint64_t n;

    if (!port_may_sleep(r->port))
        return;
    release_chunks(r); /* nobody else would */
    if (poll(&pfd, 1, STALL_MS) == 1) {
        if (read(r->wakefd, &n, sizeof(n)) < 0 && errno != EAGAIN)
            fail("eventfd");
    } else if (port_slots_used(r->port) != 0) {
        count(&table->stalls);
        pause(); /* the prototype ends the run */
    }
}

static void
be_router(struct world *w, unsigned index)
{
    static const struct port_ops ops = {.on_piece = on_piece, .on_orphan = on_orphan};
    struct router *r = calloc(1, sizeof(*r));
    struct br_err err = BR_ERR_NONE;
    bool reported = false;

    nest_fault_arm(&table->routers_one_in, w->seed, table->deaths);
    *r = (struct router){
        .world = w, .wakefd = w->wakefd[index], .seed = w->seed, .in_flight = IN_FLIGHT};
    if (port_open(w->nest, index, &ops, r, &r->port, &err) < 0)
        fail(err.text);
    r->stale_at_open = port_stale(r->port);
    while (atomic_load(&table->phase) != OVER) {
        ask_more(r);
        port_wake(r->port, -1);
        sleep_for_news(r);
        port_awake(r->port);
        port_collect(r->port);
        if (r->bursting && !reported && r->to_ask == 0 && port_slots_used(r->port) == 0) {
            reported = true;
            atomic_fetch_add(&table->bursts_done, 1);
        }
    }
    release_chunks(r);
    atomic_fetch_add(&table->late, port_stale(r->port) - r->stale_at_open);
    _exit(0);
}

/* --- the prototype --- */

static pid_t
spawn(struct world *w, void (*be)(struct world *, unsigned), unsigned index)
{
    pid_t parent = getpid();
    pid_t pid;

    random_next(&w->seed);
    pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        be(w, index);
        _exit(0);
    }
    return pid;
}

static void
reap_one(struct world *w, pid_t pid, int status)
{
    int64_t at = clock_us() + (int64_t)(random_next(&w->seed) % 1500);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail("a child ended by itself");
    for (unsigned i = 0; i < w->run->workers; i++)
        if (w->worker[i].pid == pid) {
            nest_bury(w->nest, i, w->wakefd, w->run->routers);
            w->worker[i] = (struct child){.respawn_at_us = at};
            w->worker_deaths++;
        }
    for (unsigned i = 0; i < w->run->routers; i++)
        if (w->router[i].pid == pid) {
            w->router[i] = (struct child){.respawn_at_us = at};
            w->router_deaths++;
        }
}

static void
respawn(struct world *w)
{
    int64_t now = clock_us();

    for (unsigned i = 0; i < w->run->workers; i++)
        if (w->worker[i].pid == 0 && w->worker[i].respawn_at_us <= now)
            w->worker[i].pid = spawn(w, be_worker, i);
    for (unsigned i = 0; i < w->run->routers; i++)
        if (w->router[i].pid == 0 && w->router[i].respawn_at_us <= now)
            w->router[i].pid = spawn(w, be_router, i);
}

/* One turn of the prototype: deaths, successors, at most a millisecond of waiting. */
static void
supervise(struct world *w)
{
    struct timespec wait = {.tv_nsec = 1000000};
    sigset_t set;
    pid_t pid;
    int status;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigtimedwait(&set, NULL, &wait);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        reap_one(w, pid, status);
    respawn(w);
}

static bool
all_asleep(struct world *w)
{
    for (unsigned i = 0; i < w->run->workers; i++) {
        struct lane_view view;

        nest_lane_view(w->nest, i, &view);
        if (w->worker[i].pid == 0 || !view.open || !view.idle || view.busy)
            return false;
    }
    return true;
}

static bool
all_free(struct world *w)
{
    struct nest_map *map = w->nest->map;
    unsigned taken = 0;

    for (unsigned l = 0; l < w->run->workers; l++)
        for (unsigned i = 0; i < NEST_CHUNKS; i++)
            taken += atomic_load(&map->lane[l].chunk[i]) != 0;
    for (unsigned r = 0; r < w->run->routers; r++)
        for (unsigned i = 0; i < NEST_SLOTS; i++)
            taken += slot_word_state(slot_load(&map->router[r].slot[i])) != SLOT_FREE;
    return taken == 0;
}

static bool
settled(struct world *w)
{
    return atomic_load(&table->bursts_done) == w->run->routers && all_asleep(w) && all_free(w);
}

static void
end_children(struct world *w)
{
    uint64_t one = 1;

    atomic_store(&table->phase, OVER);
    for (unsigned i = 0; i < w->run->routers; i++) {
        if (write(w->wakefd[i], &one, sizeof(one)) < 0)
            fail("eventfd");
        if (w->router[i].pid == 0)
            continue;
        if (table->stalls != 0)
            kill(w->router[i].pid, SIGKILL);
        waitpid(w->router[i].pid, NULL, 0);
    }
    for (unsigned i = 0; i < w->run->workers; i++)
        if (w->worker[i].pid != 0) {
            kill(w->worker[i].pid, SIGKILL);
            waitpid(w->worker[i].pid, NULL, 0);
        }
}

static bool
verdict(struct world *w, bool calm)
{
    unsigned reached = 0;
    bool ok;

    for (unsigned i = 0; i < NEST_STEPS; i++)
        reached += table->deaths[i] != 0;
    ok = calm && table->wrong == 0 && table->twice == 0 && table->late == 0 && table->stalls == 0;
    for (unsigned i = 0; i < NEST_STEPS && show_steps; i++)
        printf("  %8llu %s\n", (unsigned long long)table->deaths[i],
               nest_fault_name((enum nest_step)i));
    printf("%s %s\n"
           "  deaths: %llu workers, %llu routers, at %u of %u steps\n"
           "  answered %llu, requeued %llu, given up %llu, cut %llu, cancelled %llu\n"
           "  wrong %llu, twice %llu, late %llu, stalls %llu; afterwards lanes %s, all %s\n",
           ok ? "ok    " : "FAILED", w->run->name, (unsigned long long)w->worker_deaths,
           (unsigned long long)w->router_deaths, reached, (unsigned)NEST_STEPS,
           (unsigned long long)table->answered, (unsigned long long)table->requeued,
           (unsigned long long)table->given_up, (unsigned long long)table->cut,
           (unsigned long long)table->cancelled, (unsigned long long)table->wrong,
           (unsigned long long)table->twice, (unsigned long long)table->late,
           (unsigned long long)table->stalls, all_asleep(w) ? "alive" : "STRANDED",
           all_free(w) ? "free" : "NOT FREE");
    return ok;
}

static void
world_open(struct world *w)
{
    struct br_err err = BR_ERR_NONE;

    w->nest_fd = nest_make();
    if (w->nest_fd < 0 || nest_attach(w->nest_fd, &w->nest, &err) < 0)
        fail("nest");
    for (unsigned i = 0; i < MOST_ROUTERS; i++)
        w->wakefd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void
world_close(struct world *w)
{
    nest_detach(w->nest);
    close(w->nest_fd);
    for (unsigned i = 0; i < MOST_ROUTERS; i++)
        close(w->wakefd[i]);
}

static bool
run_one(const struct run *run, unsigned seconds, uint64_t seed)
{
    struct world w = {.run = run, .seed = seed};
    int64_t end;
    bool calm, ok;

    memset(table, 0, sizeof(*table));
    table->workers_one_in = run->workers_one_in;
    table->routers_one_in = run->routers_one_in;
    world_open(&w);
    end = clock_us() + (int64_t)seconds * 1000000;
    while (clock_us() < end && table->stalls == 0)
        supervise(&w);
    atomic_store(&table->workers_one_in, 0);
    atomic_store(&table->routers_one_in, 0);
    atomic_store(&table->phase, CALM);
    end = clock_us() + SETTLE_MS * 1000;
    while (!(calm = settled(&w)) && clock_us() < end && table->stalls == 0)
        supervise(&w);
    ok = calm;
    if (!calm)
        ok = verdict(&w, false);
    end_children(&w);
    if (calm)
        ok = verdict(&w, true);
    world_close(&w);
    return ok;
}

int
main(int argc, char **argv)
{
    static const struct run runs[] = {
        {"one worker", 1, 1, 300, 0},
        {"two workers, many deaths", 2, 1, 200, 0},
        {"three workers, two routers", 3, 2, 300, 0},
        {"three workers, two routers that die too", 3, 2, 1000, 4000},
        {"one worker lives, its router dies", 1, 1, 0, 2000},
    };
    unsigned seconds = 2;
    uint64_t seed = (uint64_t)clock_us();
    sigset_t set;
    int failed = 0;

    for (int opt; (opt = getopt(argc, argv, "s:v")) != -1;) {
        if (opt == 's')
            seconds = (unsigned)atoi(optarg);
        else if (opt == 'v')
            show_steps = true;
        else
            return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        fail("mmap");
    printf("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < array_len(runs); i++) {
        fflush(stdout);
        failed += !run_one(&runs[i], seconds, seed + i);
    }
    return failed != 0;
}
