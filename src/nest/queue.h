/*
 * queue.h - one router's ring of waiting requests, read by every lane of the application.
 */
#ifndef NEST_QUEUE_H
#define NEST_QUEUE_H

#include "nest/slots.h"

/* The router's end. */
struct queue {
    struct nest_router *router;
    uint64_t tail;      /* the true one: nobody else stores it */
    uint64_t head_seen; /* the head as last looked at */
};

/* Forgets all entries: whoever has not been claimed by now will not be. */
void queue_open(struct queue *q, struct nest_router *router);

/* Put a QUEUED slot into the ring; the tail after it, which the head will reach. */
uint64_t queue_push(struct queue *q, uint32_t slot, uint32_t generation);

/* Has the head reached that place?  Helps it over dead entries to find out. */
bool queue_passed(struct queue *q, uint64_t place);

/* A lane's end: take the next request. */
bool queue_claim(struct nest_router *router, unsigned lane, uint32_t *ret_slot,
                 uint32_t *ret_generation);
/* Entries between head and tail: a hint, some of them may be dead. */
unsigned queue_length(const struct nest_router *router);

#endif
