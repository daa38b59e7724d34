/*
 * lane.h - a worker's side of a nest: claim, chunk, publish, sleep; and the undertaker.
 */
#ifndef NEST_LANE_H
#define NEST_LANE_H

#include "nest/nest.h"

struct lane;

/* A request as claimed: checked numbers, bytes in shared memory that the router filled. */
struct claim {
    uint16_t router;
    uint32_t slot;
    uint32_t generation;
    const char *p;
    uint32_t n;
};

/*
 * lane_open - become lane `index` (the prototype chose it; the previous owner is dead and buried).
 *   wakefds   eventfd of each router, borrowed; n_routers of them (-1 where there is none)
 */
int lane_open(struct nest *nest, unsigned index, const int *wakefds, unsigned n_routers,
              struct lane **ret_lane, struct br_err *err);
/* An orderly end, with no claim open.  The prototype buries the lane all the same. */
void lane_close(struct lane *lane);

/* Claim the next request; passes the wake on when there is more work and an idle lane.  false:
 * none. */
bool lane_claim(struct lane *lane, struct claim *ret_claim);
/* The application is about to be entered: from now on a repeat is not safe. */
void lane_entered(struct lane *lane, const struct claim *c);
/*
 * Sleep until there may be work, a notice, or wait_ms (-1: without limit) have passed.
 * Never misses a wake; may return early, on a signal too.  Call lane_claim after it in any case:
 * a wake may be meant for this lane alone.  Returns at once while a notice is not taken.
 * The only function that another thread than the lane's may call (for event loops).
 */
void lane_sleep(struct lane *lane, int wait_ms);
/* A notice from the prototype (read your channel): taken and cleared. */
bool lane_notice(struct lane *lane);

/*
 * lane_chunk - a free response chunk of NEST_CHUNK_BYTES for that claim.
 * Sleeps until one comes back (back-pressure).  The chunk's number; -ECONNRESET when the request
 * is over (cancelled, its router was replaced): publish PIECE_END | PIECE_ABORT all the same;
 * -EINTR on a notice or a signal.
 */
int lane_chunk(struct lane *lane, const struct claim *c, char **ret_p);
/* The same without sleeping, for event loops: -EAGAIN. */
int lane_chunk_try(struct lane *lane, const struct claim *c, char **ret_p);
/* Give an unused one back. */
void lane_chunk_drop(struct lane *lane, int chunk);
/*
 * Commit one piece (PIECE_… of nest/port.h).  chunk -1: none, which makes sense with END only.
 * With END, or ABORT which includes it, the claim is over.
 */
void lane_publish(struct lane *lane, const struct claim *c, int chunk, uint32_t n, uint32_t flags);
/* Has the client of this claim gone? */
bool lane_cancelled(const struct lane *lane, const struct claim *c);

/* Claim nothing any more; a wake that was meant for this lane goes to another. */
void lane_set_draining(struct lane *lane);

/* --- the prototype's side --- */

struct lane_view {
    bool open;
    bool idle;             /* asleep, ready to be woken for work */
    bool busy;             /* has claims */
    int64_t idle_since_ms; /* CLOCK_MONOTONIC to within a tick, 0: busy */
    int64_t busy_since_ms;
    uint64_t requests;
    uint32_t slot; /* taken last: router << 16 | slot, and its generation */
    uint32_t generation;
};

void nest_lane_view(const struct nest *nest, unsigned lane, struct lane_view *ret);
/* Requests that wait in all rings (a hint: help not counted). */
unsigned nest_waiting(const struct nest *nest);
/* Set the notice and wake that lane. */
void nest_notify(struct nest *nest, unsigned lane);
/*
 * nest_bury - the undertaker: the owner of this lane is reaped.  Frees its unpublished chunks,
 * CLAIMED -> ORPHANED, flags and wakes the routers, clears the idle bit, wakes every lane.
 */
void nest_bury(struct nest *nest, unsigned lane, const int *wakefds, unsigned n_routers);

#endif
