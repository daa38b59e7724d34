/*
 * stream.c - the prototype of a stream application: accepts, chooses, passes on.
 *
 *   round_robin    the next worker in turn that has a thread to spare
 *   least_loaded   of these the one that has the fewest connections; in turn among equals
 *
 * Nothing is read from a connection here: all its bytes are still in the socket when a worker gets
 * it.  Who cannot be served now is not accepted and waits in the queue of the listening socket,
 * which outlives this process in main.
 */
#include "app/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/prototype.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/status.h"

#define BATCH 16

/* Accepted, not taken by a thread yet. */
struct accepted {
    struct list link; /* waiting, or handed to a worker */
    int fd;
    struct msg_connection about;
};

struct ear {
    struct listener listener;
    struct stream *stream;
    int fd; /* -1: let go */
};

/* A worker as we see it. */
struct slot {
    struct process *process; /* NULL: none */
    struct list handed;      /* those that no thread has taken, in order */
    uint64_t n_handed;       /* ever */
    uint64_t taken;          /* as the board said last */
    uint64_t over;
    int64_t idle_since_ms;
};

struct stream {
    struct prototype *proto;
    struct ear ears[STREAM_LISTEN_MAX];
    unsigned n_ears;
    bool live;
    bool accepting;
    bool least_loaded;
    unsigned max;        /* connections of all workers */
    unsigned per_worker; /* as many as it has threads */
    struct list waiting; /* struct accepted */
    unsigned n_waiting;
    unsigned last; /* slot of the worker that got one last */
    struct slot slots[NEST_LANES];
    struct stream_board *boards; /* shared with the workers, one for each slot */
    uint64_t accepted;
    uint64_t lost; /* taken by workers that died */
};

static void on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len);

bool
stream_is(const struct launch *card)
{
    return card != NULL && launch_get(card, "stream", NULL) != NULL;
}

/* ---- numbers ---- */

static unsigned
load_of(const struct slot *slot)
{
    return (unsigned)(slot->n_handed - slot->over);
}

static bool
leaves(const struct slot *slot)
{
    return slot->process->life.state == PROC_DRAINING;
}

/* Connections that workers have; only those that stay, or all. */
static unsigned
active(const struct stream *s, bool staying)
{
    unsigned n = 0;

    for (unsigned i = 0; i < NEST_LANES; i++) {
        const struct slot *slot = &s->slots[i];

        if (slot->process != NULL && !(staying && leaves(slot)))
            n += load_of(slot);
    }
    return n;
}

/* May one more be accepted: for workers that there are, or may be. */
static bool
has_place(const struct stream *s)
{
    uint64_t threads = (uint64_t)s->per_worker * s->proto->app.rules.max;

    return active(s, false) + s->n_waiting < s->max && active(s, true) + s->n_waiting < threads;
}

unsigned
stream_waiting(const struct prototype *proto)
{
    return proto->app.stream->n_waiting;
}

unsigned
stream_held(const struct prototype *proto, const struct process *p)
{
    return load_of(&proto->app.stream->slots[p->index]);
}

int64_t
stream_idle_since(const struct prototype *proto, const struct process *p)
{
    return proto->app.stream->slots[p->index].idle_since_ms;
}

void
stream_numbers(const struct prototype *proto, struct status_stream *ret)
{
    const struct stream *s = proto->app.stream;

    *ret = (struct status_stream){.accepted = s->accepted,
                                  .active = active(s, false),
                                  .waiting = s->n_waiting,
                                  .lost = s->lost};
}

void
stream_worker_numbers(const struct prototype *proto, const struct process *p,
                      struct status_worker *ret)
{
    const struct slot *slot = &proto->app.stream->slots[p->index];

    ret->requests = slot->taken;
    ret->active = load_of(slot);
}

/* ---- passing on ---- */

static void
accepted_free(struct accepted *a)
{
    list_del(&a->link);
    fd_close(&a->fd);
    free(a);
}

/* No thread will take these any more: they wait for another worker, in front of all others. */
static void
take_back(struct stream *s, struct slot *slot)
{
    while (!list_empty(&slot->handed)) {
        struct accepted *a = container_of(slot->handed.prev, struct accepted, link);

        list_del(&a->link);
        slot->n_handed--;
        list_add(&s->waiting, &a->link);
        s->n_waiting++;
    }
}

/* What that worker's threads have done since we looked last. */
static void
read_board(struct stream *s, struct slot *slot)
{
    struct stream_board *board = &s->boards[slot - s->slots];
    bool leaving = atomic_load(&board->leaving);
    uint64_t over = atomic_load(&board->over), taken = atomic_load(&board->taken);

    taken = br_min(br_max(taken, slot->taken), slot->n_handed);
    over = br_min(br_max(over, slot->over), taken);
    for (; slot->taken < taken; slot->taken++)
        accepted_free(container_of(slot->handed.next, struct accepted, link));
    if (over > slot->over && over == slot->n_handed)
        slot->idle_since_ms = clock_ms();
    slot->over = over;
    if (leaving && slot->process->life.state == PROC_READY)
        worker_drain(s->proto, slot->process);
    if (leaving)
        take_back(s, slot);
}

static bool
has_room(const struct stream *s, const struct slot *slot)
{
    return slot->process != NULL && slot->process->life.state == PROC_READY &&
           load_of(slot) < s->per_worker;
}

static struct slot *
choose(struct stream *s)
{
    struct slot *best = NULL;

    for (unsigned i = 1; i <= NEST_LANES; i++) {
        struct slot *slot = &s->slots[(s->last + i) % NEST_LANES];

        if (!has_room(s, slot))
            continue;
        if (!s->least_loaded)
            return slot;
        if (best == NULL || load_of(slot) < load_of(best))
            best = slot;
    }
    return best;
}

/* 0, or -errno: it waits on. */
static int
hand_over(struct stream *s, struct slot *slot, struct accepted *a)
{
    const struct app *app = &s->proto->app;
    int fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 3);
    int rc;

    if (slot->process->channel == NULL || fd < 0) {
        fd_close(&fd);
        return -EAGAIN;
    }
    rc = dispatch_tell(slot->process->channel, MSG_CONNECTION, &a->about, &fd, 1);
    if (rc < 0)
        return rc;
    list_del(&a->link);
    list_add_tail(&slot->handed, &a->link);
    s->n_waiting--;
    slot->n_handed++;
    s->last = (unsigned)(slot - s->slots);
    if (app->requests > 0 && slot->n_handed >= app->requests)
        worker_drain(s->proto, slot->process);
    return 0;
}

static void
pass_on(struct stream *s)
{
    while (!list_empty(&s->waiting)) {
        struct accepted *a = container_of(s->waiting.next, struct accepted, link);
        struct slot *slot = choose(s);

        if (slot == NULL || hand_over(s, slot, a) < 0)
            return;
    }
}

/* ---- accepting ---- */

static void
stop_accepting(struct stream *s)
{
    for (unsigned i = 0; i < s->n_ears && s->accepting; i++)
        listener_stop(&s->ears[i].listener);
    s->accepting = false;
}

static void
start_accepting(struct stream *s)
{
    s->accepting = true;
    for (unsigned i = 0; i < s->n_ears; i++) {
        int rc = listener_start(&s->ears[i].listener, s->proto->task.loop, s->ears[i].fd, BATCH,
                                on_accept, NULL);

        if (rc < 0)
            br_log(LOG_ALERT, "\"%s\" cannot accept: %s", s->proto->app.name, strerror(-rc));
    }
}

static void
on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct stream *s = container_of(l, struct ear, listener)->stream;
    struct accepted *a = calloc(1, sizeof(*a));

    s->accepted++;
    if (a == NULL || fd_set_nonblock(fd, false) < 0) {
        br_log(LOG_ALERT, "\"%s\" cannot keep a connection", s->proto->app.name);
        s->lost++;
        free(a);
        fd_close(&fd);
        return;
    }
    a->fd = fd;
    a->about.peer_length = (uint32_t)br_min((size_t)len, sizeof(a->about.peer));
    memcpy(a->about.peer, addr, a->about.peer_length);
    list_add_tail(&s->waiting, &a->link);
    s->n_waiting++;
    if (!s->proto->draining)
        prototype_consider(s->proto);
}

void
stream_work(struct prototype *proto)
{
    struct stream *s = proto->app.stream;
    bool may;

    for (unsigned i = 0; i < NEST_LANES; i++) {
        if (s->slots[i].process != NULL)
            read_board(s, &s->slots[i]);
    }
    pass_on(s);
    may = s->live && !proto->draining && has_place(s);
    if (may && !s->accepting)
        start_accepting(s);
    else if (!may)
        stop_accepting(s);
}

void
stream_live(struct prototype *proto)
{
    proto->app.stream->live = true;
}

void
stream_drain(struct prototype *proto, uint32_t staying)
{
    struct stream *s = proto->app.stream;

    stop_accepting(s);
    if (s->live)
        start_accepting(s);
    for (unsigned i = 0; i < s->n_ears; i++) {
        if (!(staying >> i & 1))
            listener_drain(&s->ears[i].listener);
    }
    stop_accepting(s);
    for (unsigned i = 0; i < s->n_ears; i++)
        fd_close(&s->ears[i].fd);
    s->n_ears = 0;
    s->live = false;
}

/* ---- workers ---- */

void
stream_worker_born(struct prototype *proto, struct process *p)
{
    struct stream *s = proto->app.stream;
    struct slot *slot = &s->slots[p->index];

    *slot = (struct slot){.process = p, .idle_since_ms = clock_ms()};
    list_init(&slot->handed);
}

void
stream_worker_gone(struct prototype *proto, struct process *p)
{
    struct stream *s = proto->app.stream;
    struct slot *slot = &s->slots[p->index];

    read_board(s, slot);
    take_back(s, slot);
    s->lost += slot->taken - slot->over;
    slot->process = NULL;
    atomic_store(&s->boards[p->index].taken, 0);
    atomic_store(&s->boards[p->index].over, 0);
    atomic_store(&s->boards[p->index].leaving, false);
}

void
stream_after_fork(struct stream *s)
{
    struct accepted *a;

    for (unsigned i = 0; i < s->n_ears; i++)
        fd_close(&s->ears[i].fd);
    list_foreach (a, &s->waiting, link)
        fd_close(&a->fd);
    for (unsigned i = 0; i < NEST_LANES; i++) {
        if (s->slots[i].process == NULL)
            continue;
        list_foreach (a, &s->slots[i].handed, link)
            fd_close(&a->fd);
    }
}

struct stream_board *
stream_board(struct stream *s, unsigned index)
{
    return &s->boards[index];
}

/* ---- birth ---- */

static void
take_listeners(struct stream *s)
{
    char name[24];

    for (; s->n_ears < STREAM_LISTEN_MAX; s->n_ears++) {
        struct ear *ear = &s->ears[s->n_ears];

        snprintf(name, sizeof(name), "listen%u", s->n_ears);
        ear->fd = process_kept(&s->proto->self, name);
        ear->stream = s;
        if (ear->fd < 0)
            return;
    }
}

static void
read_rules(struct stream *s)
{
    const struct app *app = &s->proto->app;
    int64_t max = launch_int(app->card, "connections_max", 0);

    s->max = max > 0 ? (unsigned)max : UINT32_MAX;
    s->per_worker = app->threads;
    s->least_loaded = strcmp(launch_get(app->card, "choice", ""), "least_loaded") == 0;
}

int
stream_open(struct prototype *proto, struct br_err *err)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return br_fail(err, -ENOMEM, "cannot take connections");
    s->boards = mmap(NULL, NEST_LANES * sizeof(*s->boards), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    proto->app.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->boards == MAP_FAILED || proto->app.bell < 0) {
        free(s);
        return br_fail(err, -errno, "cannot share memory with workers");
    }
    s->proto = proto;
    proto->app.stream = s;
    list_init(&s->waiting);
    take_listeners(s);
    read_rules(s);
    return 0;
}
