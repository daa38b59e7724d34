/*
 * wake.c - who sleeps, who must be woken: all fences and all waking system calls of the nest.
 *
 *   waker                          lane without work
 *   -----                          -----------------
 *   publish                        token = 0
 *   FENCE                          idle |= bit            (a full fence as well)
 *   bit = lowest of idle           look at all rings again
 *   idle &= ~bit  (who clears      nothing there: while (token == 0) FUTEX_WAIT
 *     it has to wake)              idle &= ~bit, look at all rings
 *   token = 1, FUTEX_WAKE
 *
 * Each side writes, fences, then reads what the other wrote: one of them sees the other.  Without
 * either fence or without the second look a wake-up is lost (docs/model/nest.pml finds it).  The
 * idle lanes are bits, not a counter, since a death makes a counter drift for ever.  Whoever
 * dies between clearing a bit and setting the token leaves a lane asleep that no bit shows: hence
 * wake_every_lane.  Lanes that wait for a chunk do the same with a word and a token of their own,
 * so that they are not taken for idle.
 *
 * A router sleeps in epoll_wait.  Its flag is the top bit of the word in which lanes leave their
 * bits, so the order of the changes of one word is enough, and no fence is needed:
 *
 *   lane: old = dirty |= bit; old == SLEEP: write(eventfd)     router: dirty 0 -> SLEEP, or busy
 *
 * See futex(2) (shared, not private: the mapping is between processes), eventfd(2).
 */
#include "nest/wake.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "nest/fault.h"

_Thread_local struct wake_counts wake_counts;

void
wake_fence(void)
{
#ifdef __SANITIZE_THREAD__
    /* ThreadSanitizer does not know fences: an atomic change has the same effect here. */
    static _Atomic(int) fence;

    atomic_fetch_add_explicit(&fence, 1, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static int
futex_wait(_Atomic(uint32_t) *token, int wait_ms)
{
    struct timespec ts = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};

    wake_counts.futex_waits++;
    if (syscall(SYS_futex, token, FUTEX_WAIT, 0, wait_ms < 0 ? NULL : &ts, NULL, 0) < 0)
        return -errno;
    return 0;
}

static void
give_token(_Atomic(uint32_t) *token)
{
    atomic_store_explicit(token, 1, memory_order_release);
    NEST_STEP(WAKER_TOKEN_SET);
    wake_counts.futex_wakes++;
    syscall(SYS_futex, token, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Take the old token back; acquires what its giver did before. */
static void
take_token(_Atomic(uint32_t) *token)
{
    atomic_exchange_explicit(token, 0, memory_order_acq_rel);
    NEST_STEP(LANE_TOKEN_CLEARED);
}

static bool
clear_bit(_Atomic(uint64_t) *word, uint64_t bit)
{
    return (atomic_fetch_and_explicit(word, ~bit, memory_order_seq_cst) & bit) != 0;
}

/* --- lanes without work --- */

bool
wake_any_idle(const struct nest_map *map)
{
    return (atomic_load_explicit(&map->idle, memory_order_relaxed) & NEST_ALL_LANES) != 0;
}

bool
wake_one(struct nest_map *map)
{
    /* A bit that somebody else clears first is his to wake: try the next, not for ever. */
    for (unsigned i = 0; i < NEST_LANES; i++) {
        uint64_t idle = atomic_load_explicit(&map->idle, memory_order_relaxed) & NEST_ALL_LANES;
        unsigned lane;

        if (idle == 0)
            return false;
        lane = nest_next(&idle);
        if (clear_bit(&map->idle, nest_bit(lane))) {
            NEST_STEP(WAKER_BIT_CLEARED);
            give_token(&map->lane[lane].work_token);
            return true;
        }
    }
    return false;
}

void
wake_work_arm(struct nest_map *map, unsigned lane, bool idle)
{
    take_token(&map->lane[lane].work_token);
    if (idle)
        atomic_fetch_or_explicit(&map->idle, nest_bit(lane), memory_order_seq_cst);
    wake_fence();
    NEST_STEP(LANE_IDLE_SET);
}

void
wake_work_wait(struct nest_map *map, unsigned lane, int wait_ms)
{
    _Atomic(uint32_t) *token = &map->lane[lane].work_token;

    if (atomic_load_explicit(token, memory_order_acquire) == 0)
        futex_wait(token, wait_ms);
    NEST_STEP(LANE_WOKEN);
}

void
wake_work_disarm(struct nest_map *map, unsigned lane)
{
    clear_bit(&map->idle, nest_bit(lane));
    wake_fence();
}

/* --- lanes without a chunk --- */

void
wake_chunk_arm(struct nest_map *map, unsigned lane)
{
    take_token(&map->lane[lane].chunk_token);
    atomic_fetch_or_explicit(&map->starving, nest_bit(lane), memory_order_seq_cst);
    wake_fence();
    NEST_STEP(LANE_STARVING_SET);
}

int
wake_chunk_wait(struct nest_map *map, unsigned lane)
{
    _Atomic(uint32_t) *token = &map->lane[lane].chunk_token;

    if (atomic_load_explicit(token, memory_order_acquire) == 0 && futex_wait(token, -1) == -EINTR)
        return -EINTR;
    return 0;
}

void
wake_chunk_disarm(struct nest_map *map, unsigned lane)
{
    clear_bit(&map->starving, nest_bit(lane));
}

void
wake_starving(struct nest_map *map, unsigned lane)
{
    wake_fence();
    if ((atomic_load_explicit(&map->starving, memory_order_relaxed) & nest_bit(lane)) == 0)
        return;
    if (clear_bit(&map->starving, nest_bit(lane))) {
        NEST_STEP(WAKER_BIT_CLEARED);
        give_token(&map->lane[lane].chunk_token);
    }
}

/* --- regardless of bits --- */

void
wake_lane(struct nest_map *map, unsigned lane)
{
    give_token(&map->lane[lane].work_token);
    give_token(&map->lane[lane].chunk_token);
}

void
wake_every_lane(struct nest_map *map)
{
    for (uint64_t lanes = nest_lanes(map); lanes != 0;)
        wake_lane(map, nest_next(&lanes));
}

void
wake_forget(struct nest_map *map, unsigned lane)
{
    clear_bit(&map->idle, nest_bit(lane));
    clear_bit(&map->starving, nest_bit(lane));
}

/* --- routers --- */

void
wake_event(int fd)
{
    uint64_t one = 1;

    if (fd < 0)
        return;
    wake_counts.event_writes++;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void
wake_router(struct nest_map *map, unsigned router, unsigned lane, int wakefd)
{
    uint64_t old =
        atomic_fetch_or_explicit(&map->router[router].dirty, nest_bit(lane), memory_order_acq_rel);

    NEST_STEP(LANE_DIRTY_SET);
    if (old == NEST_SLEEP)
        wake_event(wakefd);
}

void
wake_router_always(struct nest_map *map, unsigned router, unsigned lane, int wakefd)
{
    atomic_fetch_or_explicit(&map->router[router].dirty, nest_bit(lane), memory_order_acq_rel);
    wake_event(wakefd);
}

bool
wake_router_sleep(struct nest_map *map, unsigned router)
{
    uint64_t none = 0;

    return atomic_compare_exchange_strong_explicit(&map->router[router].dirty, &none, NEST_SLEEP,
                                                   memory_order_acq_rel, memory_order_relaxed) ||
           none == NEST_SLEEP;
}

uint64_t
wake_router_awake(struct nest_map *map, unsigned router)
{
    return atomic_exchange_explicit(&map->router[router].dirty, 0, memory_order_acq_rel) &
           NEST_ALL_LANES;
}
