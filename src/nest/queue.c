/*
 * queue.c - one router's ring of waiting requests, read by every lane of the application.
 *
 *   router --push--> [ slot 7 | slot 3 | slot 9 ] --claim--> lanes
 *
 * One producer, many consumers, no lock.  A lane gets work by moving the slot's own state word
 * from QUEUED to CLAIMED (slots.c), never by owning the ring, so a worker killed at any
 * instruction wedges nothing; anybody may help the head past slots that are no longer queued.
 *
 * Why the help is safe: head only grows, so a compare-and-swap from h to h + 1 that succeeds
 * proves that h was the head since it was loaded, and the router does not overwrite what lies
 * between head and head + NEST_RING.  The entry read in between was the real one.  A lane with a
 * stale head may read an entry from a later round and claim that slot out of turn: harmless, the
 * word decides, and its head step fails.
 *
 * The ring cannot become full (layout.h).  Application code can write all of this memory: each
 * loop is bounded, each number masked or checked.
 */
#include "nest/queue.h"

#include "nest/fault.h"

#define RING_MASK (NEST_RING - 1)

static inline uint64_t
entry_make(uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << 32 | slot;
}

static inline uint32_t
entry_slot(uint64_t entry)
{
    return (uint32_t)entry;
}

static inline uint32_t
entry_generation(uint64_t entry)
{
    return (uint32_t)(entry >> 32);
}

static void
head_help(struct nest_router *router, uint64_t h)
{
    atomic_compare_exchange_strong_explicit(&router->head, &h, h + 1, memory_order_acq_rel,
                                            memory_order_relaxed);
}

void
queue_open(struct queue *q, struct nest_router *router)
{
    q->router = router;
    q->tail = atomic_load_explicit(&router->tail, memory_order_acquire);
    if (q->tail > UINT64_MAX / 2) { /* scribbled on: nobody pushed so many */
        q->tail = 0;
        atomic_store_explicit(&router->tail, 0, memory_order_release);
    }
    q->head_seen = q->tail;
    atomic_store_explicit(&router->head, q->tail, memory_order_release);
}

/* A head outside the ring's window was scribbled on: put it back to where nothing is skipped. */
static void
look_at_head(struct queue *q)
{
    uint64_t head = atomic_load_explicit(&q->router->head, memory_order_acquire);

    if (q->tail - head > NEST_RING) {
        head = q->tail < NEST_RING ? 0 : q->tail - NEST_RING;
        atomic_store_explicit(&q->router->head, head, memory_order_release);
    }
    q->head_seen = head;
}

static void
help_over_dead(struct queue *q)
{
    look_at_head(q);
    while (q->head_seen != q->tail) {
        uint64_t h = q->head_seen;
        uint64_t e = atomic_load_explicit(&q->router->ring[h & RING_MASK], memory_order_acquire);
        uint32_t slot = entry_slot(e);

        if (slot < NEST_SLOTS &&
            slot_load(&q->router->slot[slot]) == slot_word(entry_generation(e), SLOT_QUEUED, 0))
            return;
        head_help(q->router, h);
        q->head_seen = h + 1;
    }
}

uint64_t
queue_push(struct queue *q, uint32_t slot, uint32_t generation)
{
    atomic_store_explicit(&q->router->ring[q->tail & RING_MASK], entry_make(slot, generation),
                          memory_order_relaxed);
    NEST_STEP(PORT_ENTRY_WRITTEN);
    q->tail++;
    atomic_store_explicit(&q->router->tail, q->tail, memory_order_release);
    NEST_STEP(PORT_TAIL_STORED);
    return q->tail;
}

bool
queue_passed(struct queue *q, uint64_t place)
{
    if (place <= q->head_seen)
        return true;
    look_at_head(q);
    if (place <= q->head_seen)
        return true;
    help_over_dead(q);
    return place <= q->head_seen;
}

bool
queue_claim(struct nest_router *router, unsigned lane, uint32_t *ret_slot, uint32_t *ret_generation)
{
    for (unsigned i = 0; i < NEST_RING; i++) {
        uint64_t h = atomic_load_explicit(&router->head, memory_order_acquire);
        uint64_t t = atomic_load_explicit(&router->tail, memory_order_acquire);
        uint64_t e;
        uint32_t slot, generation;
        bool won;

        if (t == h)
            return false;
        if (t - h > NEST_RING) /* stopped between the two loads, or scribbled on */
            continue;
        e = atomic_load_explicit(&router->ring[h & RING_MASK], memory_order_acquire);
        slot = entry_slot(e);
        generation = entry_generation(e);
        NEST_STEP(LANE_BEFORE_CLAIM);
        won = slot < NEST_SLOTS &&
              slot_move(&router->slot[slot], slot_word(generation, SLOT_QUEUED, 0),
                        slot_word(generation, SLOT_CLAIMED, lane));
        if (won)
            NEST_STEP(LANE_SLOT_CLAIMED);
        head_help(router, h);
        if (won) {
            NEST_STEP(LANE_HEAD_MOVED);
            *ret_slot = slot;
            *ret_generation = generation;
            return true;
        }
    }
    return false;
}

unsigned
queue_length(const struct nest_router *router)
{
    uint64_t h = atomic_load_explicit(&router->head, memory_order_acquire);
    uint64_t t = atomic_load_explicit(&router->tail, memory_order_acquire);

    return t - h <= NEST_RING ? (unsigned)(t - h) : 0;
}
