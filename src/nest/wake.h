/*
 * wake.h - who sleeps, who must be woken: all fences and all waking system calls of the nest.
 */
#ifndef NEST_WAKE_H
#define NEST_WAKE_H

#include "nest/layout.h"

/* System calls that this thread made here; for the bench and the tests. */
struct wake_counts {
    uint64_t futex_waits;
    uint64_t futex_wakes;
    uint64_t event_writes;
};

extern _Thread_local struct wake_counts wake_counts;

/* --- lanes without work --- */

/* After publishing, before looking at the idle bits. */
void wake_fence(void);
/* Wake the lowest idle lane: false when none is idle. */
bool wake_one(struct nest_map *map);
bool wake_any_idle(const struct nest_map *map);

/*
 * The sleeper: arm, look again at everything that might be waiting, wait only if nothing is,
 * disarm in any case, look again.  idle: may be chosen for new work.
 */
void wake_work_arm(struct nest_map *map, unsigned lane, bool idle);
void wake_work_wait(struct nest_map *map, unsigned lane, int wait_ms);
void wake_work_disarm(struct nest_map *map, unsigned lane);

/* --- lanes without a chunk --- */

void wake_chunk_arm(struct nest_map *map, unsigned lane);
/* 0, or -EINTR on a signal. */
int wake_chunk_wait(struct nest_map *map, unsigned lane);
void wake_chunk_disarm(struct nest_map *map, unsigned lane);
/* A chunk came back, or the request is over. */
void wake_starving(struct nest_map *map, unsigned lane);

/* --- regardless of bits --- */

/* Token and FUTEX_WAKE on both words of a lane, whatever its bits say. */
void wake_lane(struct nest_map *map, unsigned lane);
/* The same for every lane: some waker may have died between the bit and the token. */
void wake_every_lane(struct nest_map *map);
/* A lane that will not come for work again. */
void wake_forget(struct nest_map *map, unsigned lane);

/* --- routers --- */

/* News from this lane; writes the eventfd only when that router sleeps and nobody told it yet. */
void wake_router(struct nest_map *map, unsigned router, unsigned lane, int wakefd);
/* The undertaker's: the dead lane may have set the bit and not written. */
void wake_router_always(struct nest_map *map, unsigned router, unsigned lane, int wakefd);
/* The router: false when some lane has news. */
bool wake_router_sleep(struct nest_map *map, unsigned router);
/* Lanes with news. */
uint64_t wake_router_awake(struct nest_map *map, unsigned router);

/* Add one to an eventfd; a full one is as good. */
void wake_event(int fd);

#endif
