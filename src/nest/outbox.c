/*
 * outbox.c - what a lane sends back: its slab of chunks, and one outbox per router.
 *
 *   lane --entry, tail--> [ slot 7 chunk 0 | slot 3 chunk 2 END ] --router r
 *
 * One producer, one consumer.  The store of the tail is the one commit point of an answer:
 * before it nothing was sent, after it everything was, whatever happens to the worker.  The
 * router makes a chunk HELD before it moves the head, so that at each moment a committed chunk is
 * either in the outbox or HELD.
 */
#include "nest/outbox.h"

#include <errno.h>

#include "nest/fault.h"

#define OUTBOX_MASK (NEST_OUTBOX - 1)

#define CHUNK_FREE        0u
#define CHUNK_INUSE(r)    (1u << 8 | (r))
#define CHUNK_HELD(r)     (2u << 8 | (r))
#define CHUNK_IS_INUSE(w) ((w) >> 8 == 1)
#define CHUNK_ROUTER(w)   ((w)&0xff)

static bool
chunk_move(struct nest_lane *lane, unsigned chunk, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&lane->chunk[chunk], &from, to,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

int
chunk_take(struct nest_lane *lane, unsigned router)
{
    for (unsigned i = 0; i < NEST_CHUNKS; i++) {
        if (atomic_load_explicit(&lane->chunk[i], memory_order_acquire) != CHUNK_FREE)
            continue;
        atomic_store_explicit(&lane->chunk[i], CHUNK_INUSE(router), memory_order_relaxed);
        NEST_STEP(LANE_CHUNK_TAKEN);
        return (int)i;
    }
    return -EAGAIN;
}

void
chunk_drop(struct nest_lane *lane, unsigned chunk)
{
    atomic_store_explicit(&lane->chunk[chunk], CHUNK_FREE, memory_order_release);
}

bool
chunk_hold(struct nest_lane *lane, unsigned chunk, unsigned router)
{
    return chunk_move(lane, chunk, CHUNK_INUSE(router), CHUNK_HELD(router));
}

bool
chunk_free(struct nest_lane *lane, unsigned chunk, unsigned router)
{
    return chunk_move(lane, chunk, CHUNK_HELD(router), CHUNK_FREE);
}

bool
outbox_room(const struct nest_outbox *box, uint64_t tail)
{
    return tail - atomic_load_explicit(&box->head, memory_order_acquire) < NEST_OUTBOX;
}

void
outbox_put(struct nest_outbox *box, uint64_t tail, const struct outbox_piece *piece)
{
    struct nest_entry *entry = &box->entry[tail & OUTBOX_MASK];
    uint64_t what =
        (uint64_t)piece->generation << 32 | piece->slot << 16 | piece->chunk << 8 | piece->flags;

    atomic_store_explicit(&entry->what, what, memory_order_relaxed);
    atomic_store_explicit(&entry->n, piece->n, memory_order_relaxed);
    NEST_STEP(LANE_ENTRY_WRITTEN);
    atomic_store_explicit(&box->tail, tail + 1, memory_order_release);
    NEST_STEP(LANE_TAIL_STORED);
}

unsigned
outbox_count(struct nest_outbox *box, uint64_t *head)
{
    uint64_t tail = atomic_load_explicit(&box->tail, memory_order_acquire);

    if (tail - *head > NEST_OUTBOX) {
        *head = tail;
        outbox_pass(box, tail);
    }
    return (unsigned)(tail - *head);
}

struct outbox_piece
outbox_get(const struct nest_outbox *box, uint64_t head)
{
    const struct nest_entry *entry = &box->entry[head & OUTBOX_MASK];
    uint64_t what = atomic_load_explicit(&entry->what, memory_order_relaxed);

    return (struct outbox_piece){
        .generation = (uint32_t)(what >> 32),
        .slot = (uint32_t)(what >> 16) & 0xffff,
        .chunk = (uint32_t)(what >> 8) & 0xff,
        .flags = (uint32_t)what & 0xff,
        .n = atomic_load_explicit(&entry->n, memory_order_relaxed),
    };
}

void
outbox_pass(struct nest_outbox *box, uint64_t head)
{
    atomic_store_explicit(&box->head, head, memory_order_release);
}

static bool
is_committed(struct nest_outbox *box, unsigned chunk)
{
    uint64_t head = atomic_load_explicit(&box->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&box->tail, memory_order_acquire);

    for (unsigned i = 0; i < NEST_OUTBOX && head + i != tail; i++)
        if (outbox_get(box, head + i).chunk == chunk)
            return true;
    return false;
}

void
outbox_bury(struct nest_lane *lane)
{
    for (unsigned i = 0; i < NEST_CHUNKS; i++) {
        uint32_t word = atomic_load_explicit(&lane->chunk[i], memory_order_acquire);
        unsigned router = CHUNK_ROUTER(word);

        if (!CHUNK_IS_INUSE(word) || router >= NEST_ROUTERS)
            continue;
        /* Should its router take the committed one meanwhile, the word is no longer INUSE. */
        if (!is_committed(&lane->outbox[router], i))
            chunk_move(lane, i, word, CHUNK_FREE);
    }
}
