/*
 * port.h - a router's side of a nest: slots, its ring, what lanes answered, sleep and wake.
 *
 *   slot_take -> fill port_slot_data -> port_publish (QUEUED, number into the ring)
 *   turn end: port_wake (one fence, at most one wake)
 *   before epoll_wait: port_may_sleep -> after: port_awake -> port_collect (orphans first, then
 * outboxes) answer's END seen: port_slot_free;  piece sent: port_chunk_done
 *
 * Made of nest/slots, nest/queue, nest/lane and nest/wake; the router uses only this header and
 * nest/wire.h.
 */
#ifndef NEST_PORT_H
#define NEST_PORT_H

#include "nest/nest.h"

struct port;

/* One piece of an answer, checked: chunk bytes lie inside the lane's slab. */
struct piece {
    uint32_t slot;
    uint32_t generation;
    uint32_t flags; /* PIECE_… */
    uint16_t lane;
    uint16_t chunk;
    const char *p; /* shared memory: copy before parsing, a piece of body may be sent from here */
    uint32_t n;
};

#define NEST_NO_CHUNK 0xffffu /* piece.chunk: nothing to give back */

#define PIECE_HEAD  1u /* begins with a response head (nest/wire.h) */
#define PIECE_END   2u /* the answer is complete */
#define PIECE_ABORT 4u /* the application gave up: cut, or 503 when nothing was sent; with END */

/* Both are called from port_collect only.  They may use the port, but not close it. */
struct port_ops {
    /* p points into shared memory; return only after the chunk is noted, call port_chunk_done
     * later. */
    void (*on_piece)(void *arg, const struct piece *piece);
    /*
     * A lane died with this slot claimed.  entered: it may have begun to run the request.
     * Call port_requeue or port_slot_free.  Pieces already delivered were sent: then only free.
     */
    void (*on_orphan)(void *arg, uint32_t slot, bool entered);
};

/*
 * port_open - take over router area `index`; what a dead predecessor left is cleared (its chunks
 * are freed, its queued slots dropped; slots still claimed stay out of use until answered).
 *
 * ops is borrowed.  Wakes every lane, since a dead predecessor may have owed one a wake.
 * Calls nothing back.  -EINVAL, -ENOMEM.
 */
int port_open(struct nest *nest, unsigned index, const struct port_ops *ops, void *arg,
              struct port **ret_port, struct br_err *err);
/* The instance is over: forget.  Chunks referenced must have been returned or copied. */
void port_close(struct port *port);

/* A free slot, or -EAGAIN. */
int port_slot_take(struct port *port);
char *port_slot_data(struct port *port, uint32_t slot); /* NEST_SLOT_BYTES */
uint32_t port_slot_generation(const struct port *port, uint32_t slot);
/*
 * QUEUED and into the ring: from now on a lane may take it.  The generation stays the one that
 * port_slot_generation tells after port_slot_take; port_requeue gives the slot a new one.
 */
void port_publish(struct port *port, uint32_t slot, uint32_t n_bytes);
/*
 * true: it was still queued and is ours again (free it).  false: a lane has it, which is told;
 * pieces, or on_orphan, still come: drop them, and free the slot at END.
 */
bool port_cancel(struct port *port, uint32_t slot);
/* Which lane claimed it, or -1 when none did. */
int port_slot_lane(const struct port *port, uint32_t slot);
/* Put an orphaned slot back in the line, at most twice: false when its attempts are used up. */
bool port_requeue(struct port *port, uint32_t slot);
void port_slot_free(struct port *port, uint32_t slot);
unsigned port_slots_used(const struct port *port);
/* Pieces that were dropped: for requests no longer ours (late), or nonsense. */
uint64_t port_stale(const struct port *port);

/* Give it back to its lane; NEST_NO_CHUNK and what is not held are ignored. */
void port_chunk_done(struct port *port, uint16_t lane, uint16_t chunk);

/*
 * After publishing, once a turn: a fence, then at most one lane is woken, or the bell is rung (an
 * eventfd, -1: none) when no lane is idle and the prototype wants it.  Nothing published: nothing.
 */
void port_wake(struct port *port, int bell_fd);
bool port_any_idle(const struct port *port);

/*
 * Set SLEEP in the dirty word: false when there is something to collect (epoll_wait with 0).
 * Needed only while slots are in flight; port_awake must follow the wait in any case.
 */
bool port_may_sleep(struct port *port);
/* Clear it and take the dirty bits. */
void port_awake(struct port *port);
/* Deliver orphans and pieces of all dirty lanes. */
void port_collect(struct port *port);

#endif
