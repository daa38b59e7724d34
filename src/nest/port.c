/*
 * port.c - a router's side of a nest: slots, its ring, what lanes answered, sleep and wake.
 *
 * What this port believes lies in its own memory: which slots are in flight with which
 * generation, how far the ring and each outbox have got, which chunks it holds.  The mapping is
 * only compared with it.  Application code may write any bytes there: the worst that follows is
 * a request of its own that is not answered.
 *
 *   slot, as the port sees it:
 *   IDLE -take-> OURS -publish-> FLYING -END-> ENDED -free-> IDLE       cancelled in time: OURS
 *                                  |  orphaned: on_orphan, then FLYING again or IDLE
 *   LIMBO: a dead predecessor's, still claimed by a living lane
 *
 * Orphans, in this order (the model finds the fault in any other): take the flag, note the slots
 * that are ORPHANED, drain all outboxes, deliver those noted which are still unanswered.  A dead
 * lane may have committed its answer before it died, and a slot marked after the note was taken
 * comes with a flag of its own.
 */
#include "nest/port.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "nest/fault.h"
#include "nest/outbox.h"
#include "nest/queue.h"
#include "nest/wake.h"

enum port_slot_state { IDLE, OURS, FLYING, ENDED, LIMBO };

struct port_slot {
    uint32_t generation;
    uint32_t n;
    uint64_t place; /* the ring's tail after its newest entry, 0: it never had one */
    uint8_t state;
    uint8_t repeats;
};

struct port {
    struct nest_map *map;
    struct nest_router *shared;
    const struct port_ops *ops;
    void *arg;
    unsigned index;
    unsigned used;
    bool published; /* since the last port_wake */
    bool look;      /* for orphans, whatever the flag says */
    uint64_t dirty; /* lanes whose outbox has something */
    uint64_t stale; /* pieces dropped: late, or nonsense */
    struct queue queue;
    unsigned n_free;
    unsigned n_passing;
    uint16_t free[NEST_SLOTS];    /* a stack: the warmest on top */
    uint16_t passing[NEST_SLOTS]; /* free but for a dead entry that the head has not passed */
    struct port_slot slot[NEST_SLOTS];
    uint64_t outbox_head[NEST_LANES];
    uint32_t held[NEST_LANES]; /* chunks, as bits */
};

static inline struct nest_slot *
word_of(struct port *port, uint32_t slot)
{
    return &port->shared->slot[slot];
}

/* --- slots --- */

static void
slot_retire(struct port *port, uint32_t slot)
{
    struct port_slot *s = &port->slot[slot];

    slot_put(word_of(port, slot), slot_word(s->generation, SLOT_FREE, 0));
    s->state = IDLE;
    if (queue_passed(&port->queue, s->place))
        port->free[port->n_free++] = (uint16_t)slot;
    else
        port->passing[port->n_passing++] = (uint16_t)slot;
}

static void
collect_passed(struct port *port)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < port->n_passing; i++) {
        uint16_t slot = port->passing[i];

        if (queue_passed(&port->queue, port->slot[slot].place))
            port->free[port->n_free++] = slot;
        else
            port->passing[kept++] = slot;
    }
    port->n_passing = kept;
}

int
port_slot_take(struct port *port)
{
    struct port_slot *s;
    uint16_t slot;

    if (port->n_free == 0 && port->n_passing != 0)
        collect_passed(port);
    if (port->n_free == 0)
        return -EAGAIN;
    slot = port->free[--port->n_free];
    s = &port->slot[slot];
    s->generation++;
    s->state = OURS;
    s->repeats = 0;
    port->used++;
    return slot;
}

char *
port_slot_data(struct port *port, uint32_t slot)
{
    return port->shared->data[slot];
}

uint32_t
port_slot_generation(const struct port *port, uint32_t slot)
{
    return port->slot[slot].generation;
}

static void
enqueue(struct port *port, uint32_t slot)
{
    struct port_slot *s = &port->slot[slot];

    slot_queue(word_of(port, slot), s->generation, s->n);
    NEST_STEP(PORT_SLOT_QUEUED);
    s->state = FLYING;
    s->place = queue_push(&port->queue, slot, s->generation);
    port->published = true;
}

void
port_publish(struct port *port, uint32_t slot, uint32_t n_bytes)
{
    assert(port->slot[slot].state == OURS && n_bytes <= NEST_SLOT_BYTES);
    port->slot[slot].n = n_bytes;
    enqueue(port, slot);
}

bool
port_requeue(struct port *port, uint32_t slot)
{
    struct port_slot *s = &port->slot[slot];

    assert(s->state == FLYING);
    if (s->repeats == NEST_REQUEUES)
        return false;
    s->repeats++;
    s->generation++;
    enqueue(port, slot);
    NEST_STEP(PORT_REQUEUED);
    return true;
}

bool
port_cancel(struct port *port, uint32_t slot)
{
    struct port_slot *s = &port->slot[slot];
    struct nest_slot *shared = word_of(port, slot);

    if (s->state != FLYING)
        return s->state == OURS;
    for (;;) {
        uint64_t word = slot_load(shared);
        unsigned lane = slot_word_lane(word);

        if (word == slot_word(s->generation, SLOT_CANCELLED, lane) ||
            word == slot_word(s->generation, SLOT_ORPHANED, lane))
            return false;
        if (lane < NEST_LANES && word == slot_word(s->generation, SLOT_CLAIMED, lane)) {
            if (!slot_move(shared, word, slot_word(s->generation, SLOT_CANCELLED, lane)))
                continue;
            NEST_STEP(PORT_CANCELLED);
            wake_starving(port->map, lane);
            return false;
        }
        /* QUEUED; or a word that nobody of us wrote, so that no lane can have it. */
        if (slot_move(shared, word, slot_word(s->generation, SLOT_FREE, 0))) {
            s->state = OURS;
            return true;
        }
    }
}

int
port_slot_lane(const struct port *port, uint32_t slot)
{
    uint64_t word = slot_load(&port->shared->slot[slot]);
    uint32_t generation = port->slot[slot].generation;
    unsigned lane = slot_word_lane(word);

    if (port->slot[slot].state != FLYING || lane >= NEST_LANES)
        return -1;
    if (word == slot_word(generation, SLOT_CLAIMED, lane) ||
        word == slot_word(generation, SLOT_CANCELLED, lane))
        return (int)lane;
    return -1;
}

void
port_slot_free(struct port *port, uint32_t slot)
{
    assert(port->slot[slot].state == OURS || port->slot[slot].state == FLYING ||
           port->slot[slot].state == ENDED);
    port->used--;
    slot_retire(port, slot);
}

unsigned
port_slots_used(const struct port *port)
{
    return port->used;
}

/* --- pieces --- */

void
port_chunk_done(struct port *port, uint16_t lane, uint16_t chunk)
{
    if (lane >= NEST_LANES || chunk >= NEST_CHUNKS || (port->held[lane] & 1u << chunk) == 0)
        return;
    port->held[lane] &= ~(1u << chunk);
    chunk_free(&port->map->lane[lane], chunk, port->index);
    NEST_STEP(PORT_CHUNK_FREED);
    wake_starving(port->map, lane);
}

/* Make an entry's chunk ours.  A chunk that we hold already is not the lane's to send. */
static bool
hold_chunk(struct port *port, unsigned lane, uint32_t chunk)
{
    if (chunk >= NEST_CHUNKS || (port->held[lane] & 1u << chunk) != 0)
        return false;
    if (!chunk_hold(&port->map->lane[lane], chunk, port->index))
        return false;
    port->held[lane] |= 1u << chunk;
    return true;
}

/* The slot of a piece, if this generation of it is still to be answered. */
static struct port_slot *
slot_of_piece(struct port *port, const struct outbox_piece *raw)
{
    struct port_slot *s = raw->slot < NEST_SLOTS ? &port->slot[raw->slot] : NULL;

    if (s == NULL || s->generation != raw->generation)
        return NULL;
    return s->state == FLYING || s->state == LIMBO ? s : NULL;
}

/* Nonsense in place of a piece gives the request up; ABORT includes END. */
static uint32_t
flags_of_piece(const struct outbox_piece *raw, bool held)
{
    bool nonsense = (raw->chunk != OUTBOX_NO_CHUNK && !held) || raw->n > NEST_CHUNK_BYTES ||
                    raw->flags > (PIECE_HEAD | PIECE_END | PIECE_ABORT);

    if (nonsense)
        return PIECE_END | PIECE_ABORT;
    return (raw->flags & PIECE_ABORT) != 0 ? raw->flags | PIECE_END : raw->flags;
}

static void
deliver(struct port *port, unsigned lane, const struct outbox_piece *raw, bool held, uint32_t flags)
{
    struct piece piece = {.slot = raw->slot,
                          .generation = raw->generation,
                          .flags = flags,
                          .lane = (uint16_t)lane,
                          .chunk = NEST_NO_CHUNK};

    if (held) {
        piece.chunk = (uint16_t)raw->chunk;
        piece.p = port->map->lane[lane].data[raw->chunk];
        piece.n = raw->n <= NEST_CHUNK_BYTES ? (uint32_t)raw->n : 0;
    }
    port->ops->on_piece(port->arg, &piece);
}

/*
 * One entry.  What a successor would have to know is in the mapping before the head passes the
 * entry: the chunk is HELD, and a slot that ends is FREE.
 */
static void
take_piece(struct port *port, unsigned lane, struct nest_outbox *box)
{
    uint64_t *head = &port->outbox_head[lane];
    struct outbox_piece raw = outbox_get(box, *head);
    bool held = hold_chunk(port, lane, raw.chunk);
    struct port_slot *s = slot_of_piece(port, &raw);
    uint32_t flags = flags_of_piece(&raw, held);
    bool ends = (flags & PIECE_END) != 0;

    NEST_STEP(PORT_CHUNK_HELD);
    if (s != NULL && ends)
        slot_put(word_of(port, raw.slot), slot_word(s->generation, SLOT_FREE, 0));
    NEST_STEP(PORT_SLOT_ENDED);
    outbox_pass(box, ++*head);
    NEST_STEP(PORT_OUTBOX_MOVED);
    if (s != NULL && s->state == FLYING) {
        if (ends)
            s->state = ENDED;
        deliver(port, lane, &raw, held, flags);
        return;
    }
    if (held)
        port_chunk_done(port, (uint16_t)lane, (uint16_t)raw.chunk);
    if (s == NULL)
        port->stale++;
    else if (ends)
        slot_retire(port, raw.slot);
}

/*
 * The count is taken anew each time, since a callback may collect too.  A lane that fills its
 * outbox as fast as it is emptied gets no more than one turn's share.
 */
static void
drain(struct port *port, unsigned lane)
{
    struct nest_outbox *box = &port->map->lane[lane].outbox[port->index];

    for (unsigned i = 0; outbox_count(box, &port->outbox_head[lane]) != 0; i++) {
        if (i == NEST_OUTBOX) {
            port->dirty |= nest_bit(lane);
            return;
        }
        take_piece(port, lane, box);
    }
}

static void
drain_all(struct port *port, uint64_t lanes)
{
    while (lanes != 0)
        drain(port, nest_next(&lanes));
}

/* --- orphans --- */

struct note {
    uint32_t slot;
    uint32_t generation;
};

static bool
is_orphaned(struct port *port, uint32_t slot)
{
    uint64_t word = slot_load(word_of(port, slot));
    const struct port_slot *s = &port->slot[slot];

    return (s->state == FLYING || s->state == LIMBO) &&
           word == slot_word(s->generation, SLOT_ORPHANED, slot_word_lane(word));
}

static unsigned
note_orphans(struct port *port, struct note *notes)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < NEST_SLOTS; i++)
        if (is_orphaned(port, i))
            notes[n++] = (struct note){i, port->slot[i].generation};
    return n;
}

static void
deliver_orphan(struct port *port, uint32_t slot)
{
    const struct port_slot *s = &port->slot[slot];

    if (s->state == LIMBO)
        slot_retire(port, slot);
    else
        port->ops->on_orphan(port->arg, slot, slot_entered(word_of(port, slot), s->generation));
}

static void
collect_orphans(struct port *port)
{
    struct note notes[NEST_SLOTS];
    unsigned n = note_orphans(port, notes);

    drain_all(port, nest_lanes(port->map));
    for (unsigned i = 0; i < n; i++) {
        uint32_t slot = notes[i].slot;

        if (port->slot[slot].generation == notes[i].generation && is_orphaned(port, slot))
            deliver_orphan(port, slot);
    }
}

void
port_collect(struct port *port)
{
    uint64_t dirty = port->dirty;

    port->dirty = 0;
    if (port->look || atomic_load_explicit(&port->shared->orphans, memory_order_relaxed) != 0) {
        port->look = false;
        atomic_exchange_explicit(&port->shared->orphans, 0, memory_order_acq_rel);
        NEST_STEP(PORT_ORPHANS_TAKEN);
        collect_orphans(port);
    }
    drain_all(port, dirty);
}

uint64_t
port_stale(const struct port *port)
{
    return port->stale;
}

/* --- sleep and wake --- */

void
port_wake(struct port *port, int bell_fd)
{
    if (!port->published)
        return;
    port->published = false;
    wake_fence();
    NEST_STEP(PORT_FENCED);
    if (wake_one(port->map))
        return;
    if (atomic_load_explicit(&port->map->bell_wanted, memory_order_relaxed) != 0)
        wake_event(bell_fd);
}

bool
port_any_idle(const struct port *port)
{
    return wake_any_idle(port->map);
}

bool
port_may_sleep(struct port *port)
{
    bool may = port->dirty == 0 && wake_router_sleep(port->map, port->index);

    NEST_STEP(PORT_SLEEP_SET);
    return may;
}

void
port_awake(struct port *port)
{
    port->dirty |= wake_router_awake(port->map, port->index);
    NEST_STEP(PORT_AWAKE);
}

/* --- taking over an area --- */

/* What a predecessor left in a slot.  Only a slot that a living lane still has stays LIMBO. */
static void
take_over_slot(struct port *port, uint32_t slot)
{
    struct nest_slot *shared = word_of(port, slot);
    struct port_slot *s = &port->slot[slot];

    for (;;) {
        uint64_t word = slot_load(shared);
        unsigned lane = slot_word_lane(word);
        unsigned state = slot_word_state(word);

        s->generation = slot_word_generation(word);
        if ((state == SLOT_CLAIMED || state == SLOT_CANCELLED) && lane < NEST_LANES) {
            if (!slot_move(shared, word, slot_word(s->generation, SLOT_CANCELLED, lane)))
                continue;
            s->state = LIMBO;
            return;
        }
        if (!slot_move(shared, word, slot_word(s->generation, SLOT_FREE, 0)))
            continue;
        s->state = IDLE;
        port->free[port->n_free++] = (uint16_t)slot;
        return;
    }
}

static void
take_over_lane(struct port *port, unsigned lane)
{
    struct nest_outbox *box = &port->map->lane[lane].outbox[port->index];

    port->outbox_head[lane] = atomic_load_explicit(&box->head, memory_order_acquire);
    drain(port, lane);
}

/* After the outboxes: an entry that was read but not passed has a chunk that is HELD already. */
static void
sweep_chunks(struct port *port, unsigned lane)
{
    for (unsigned i = 0; i < NEST_CHUNKS; i++)
        if (chunk_free(&port->map->lane[lane], i, port->index))
            port->held[lane] &= ~(1u << i);
}

static void
take_over(struct port *port)
{
    uint64_t lanes = nest_lanes(port->map);

    for (uint32_t i = NEST_SLOTS; i-- > 0;)
        take_over_slot(port, i);
    NEST_STEP(OPEN_SLOTS_SEEN);
    queue_open(&port->queue, port->shared);
    for (uint64_t left = lanes; left != 0;)
        take_over_lane(port, nest_next(&left));
    NEST_STEP(OPEN_DRAINED);
    for (uint64_t left = lanes; left != 0;)
        sweep_chunks(port, nest_next(&left));
    NEST_STEP(OPEN_SWEPT);
    wake_router_awake(port->map, port->index);
    port->dirty = lanes;
    port->look = true;
}

int
port_open(struct nest *nest, unsigned index, const struct port_ops *ops, void *arg,
          struct port **ret_port, struct br_err *err)
{
    struct port *port;

    if (index >= NEST_ROUTERS)
        return br_fail(err, -EINVAL, "no router area %u in a nest", index);
    port = calloc(1, sizeof(*port));
    if (port == NULL)
        return br_fail(err, -ENOMEM, "cannot open a port");
    port->map = nest->map;
    port->shared = &nest->map->router[index];
    port->index = index;
    port->ops = ops;
    port->arg = arg;
    take_over(port);
    atomic_fetch_or_explicit(&nest->map->routers, nest_bit(index), memory_order_seq_cst);
    wake_every_lane(nest->map);
    *ret_port = port;
    return 0;
}

void
port_close(struct port *port)
{
    free(port);
}
