/*
 * outbox.h - what a lane sends back: its slab of chunks, and one outbox per router.
 *
 * A chunk's word says who has it:
 *
 *   FREE --lane takes it for router r--> INUSE r --r reads the entry--> HELD r --bytes sent--> FREE
 *            <------------------ dropped unused, or the lane died before it committed
 *
 * INUSE and HELD are told apart so that the undertaker frees exactly what died with a lane, and
 * a respawned router exactly what its dead predecessor held.
 */
#ifndef NEST_OUTBOX_H
#define NEST_OUTBOX_H

#include "nest/layout.h"

#define OUTBOX_NO_CHUNK 0xffu

/* One entry, as loaded: numbers not yet believed. */
struct outbox_piece {
    uint32_t generation;
    uint32_t slot;
    uint32_t chunk; /* or OUTBOX_NO_CHUNK */
    uint32_t flags;
    uint64_t n;
};

/* --- the lane's end --- */

/* A free chunk, now INUSE: the lowest, since it is the warmest.  -EAGAIN. */
int chunk_take(struct nest_lane *lane, unsigned router);
/* INUSE -> FREE, by its lane. */
void chunk_drop(struct nest_lane *lane, unsigned chunk);

/* Room for one more?  Only a scribbled head makes it full. */
bool outbox_room(const struct nest_outbox *box, uint64_t tail);
/* Write the entry at tail and commit it. */
void outbox_put(struct nest_outbox *box, uint64_t tail, const struct outbox_piece *piece);

/* --- the router's end --- */

/* How many entries follow head; corrected when the words make no sense. */
unsigned outbox_count(struct nest_outbox *box, uint64_t *head);
struct outbox_piece outbox_get(const struct nest_outbox *box, uint64_t head);
/* The entry before this head is done with. */
void outbox_pass(struct nest_outbox *box, uint64_t head);

/* INUSE r -> HELD r. */
bool chunk_hold(struct nest_lane *lane, unsigned chunk, unsigned router);
/* HELD r -> FREE. */
bool chunk_free(struct nest_lane *lane, unsigned chunk, unsigned router);

/* --- the undertaker's --- */

/* Free what the dead lane had taken and not committed. */
void outbox_bury(struct nest_lane *lane);

#endif
