/*
 * slots.c - the state word of a slot, and who may move it.
 *
 *   router      FREE -> QUEUED, QUEUED -> FREE, CLAIMED -> CANCELLED, and back to FREE at the end
 *   lane        QUEUED -> CLAIMED
 *   undertaker  CLAIMED, CANCELLED -> ORPHANED
 *
 * Moves which may race are one compare-and-swap of the whole word, generation included.  The
 * store that makes a slot QUEUED releases the request's bytes; the claim acquires them.  This
 * holds for a lane with a stale view of the ring too, which may claim before it sees the tail.
 */
#include "nest/slots.h"

bool
slot_move(struct nest_slot *slot, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(&slot->word, &from, to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

void
slot_put(struct nest_slot *slot, uint64_t to)
{
    atomic_store_explicit(&slot->word, to, memory_order_release);
}

void
slot_queue(struct nest_slot *slot, uint32_t generation, uint32_t n)
{
    atomic_store_explicit(&slot->n, n, memory_order_relaxed);
    slot_put(slot, slot_word(generation, SLOT_QUEUED, 0));
}

uint32_t
slot_bytes(const struct nest_slot *slot)
{
    uint32_t n = atomic_load_explicit(&slot->n, memory_order_relaxed);

    return n <= NEST_SLOT_BYTES ? n : NEST_SLOT_BYTES;
}

void
slot_enter(struct nest_slot *slot, uint32_t generation)
{
    atomic_store_explicit(&slot->entered, generation, memory_order_release);
}

bool
slot_entered(const struct nest_slot *slot, uint32_t generation)
{
    return atomic_load_explicit(&slot->entered, memory_order_acquire) == generation;
}

bool
slot_orphan(struct nest_slot *slot, unsigned lane)
{
    for (;;) {
        uint64_t word = slot_load(slot);
        unsigned state = slot_word_state(word);

        if (state != SLOT_CLAIMED && state != SLOT_CANCELLED)
            return false;
        if (slot_word_lane(word) != lane)
            return false;
        if (slot_move(slot, word, slot_word(slot_word_generation(word), SLOT_ORPHANED, lane)))
            return true;
    }
}
