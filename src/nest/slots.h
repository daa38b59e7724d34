/*
 * slots.h - a request's place and its state word.
 *
 *                      +--------- cancelled while it waits --------+
 *                      v                                           |
 *   FREE --publish--> QUEUED --claim--> CLAIMED --END seen--> FREE |
 *                      ^                 |   |                     |
 *                      |          cancel |   | the lane died       |
 *                      |                 v   v                     |
 *                      |        CANCELLED -> ORPHANED -------------+
 *                      +------------ requeue ---+
 *
 * One 64-bit word: generation (32 bits), lane, state.  A slot's generation grows with each request
 * that it holds and with each repeat, so that whoever was stopped for hours with an old word in
 * its hand cannot take part in the new.  There is no "answered": the outbox's tail says that.
 */
#ifndef NEST_SLOTS_H
#define NEST_SLOTS_H

#include "nest/layout.h"

enum slot_state {
    SLOT_FREE,
    SLOT_QUEUED,
    SLOT_CLAIMED,
    SLOT_CANCELLED,
    SLOT_ORPHANED,
    SLOT_STATES
};

/* lane is 0 in FREE and QUEUED. */
static inline uint64_t
slot_word(uint32_t generation, enum slot_state state, unsigned lane)
{
    return (uint64_t)generation << 32 | (uint64_t)lane << 8 | (uint64_t)state;
}

static inline uint32_t
slot_word_generation(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline unsigned
slot_word_lane(uint64_t word)
{
    return (unsigned)(word >> 8) & 0xffffff;
}

/* May be none of the enum when the word was scribbled on. */
static inline unsigned
slot_word_state(uint64_t word)
{
    return (unsigned)word & 0xff;
}

static inline uint64_t
slot_load(const struct nest_slot *slot)
{
    return atomic_load_explicit(&slot->word, memory_order_acquire);
}

/* The one contended step: from -> to if nobody was faster. */
bool slot_move(struct nest_slot *slot, uint64_t from, uint64_t to);
/* Its router's own step, from a state in which nobody else may move it. */
void slot_put(struct nest_slot *slot, uint64_t to);

/* The router's: request bytes are in place, a lane may take it. */
void slot_queue(struct nest_slot *slot, uint32_t generation, uint32_t n);

/* What a claim's lane finds; clamped to the slot. */
uint32_t slot_bytes(const struct nest_slot *slot);
void slot_enter(struct nest_slot *slot, uint32_t generation);
bool slot_entered(const struct nest_slot *slot, uint32_t generation);

/* The undertaker's: CLAIMED or CANCELLED by that lane -> ORPHANED.  true when it moved. */
bool slot_orphan(struct nest_slot *slot, unsigned lane);

#endif
