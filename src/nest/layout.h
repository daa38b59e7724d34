/*
 * layout.h - what lies where in the mapping; for the files of this room only.
 *
 *   map       magic, version | idle | starving | routers, lanes, bell
 *   router r  dirty, orphans | head | tail | ring | slot words | slot data (256 x 64 KiB)
 *   lane l    work token | chunk token, notice | chunk words | what it does | outbox 0..15 | chunks
 *
 * Words that different processes write lie on different cache lines.  Every member that is
 * shared is atomic; the bytes of slots and chunks are plain and change hands by a slot's word or
 * an outbox's tail.  An area that nobody opened is never touched, so that it costs no memory
 * (a mere read of a hole in a memfd allocates the page).
 */
#ifndef NEST_LAYOUT_H
#define NEST_LAYOUT_H

#include "nest/nest.h"

#define NEST_MAGIC   UINT64_C(0x747365646f6f7262)
#define NEST_VERSION 1u
#define NEST_PAGE    4096

#define NEST_ALL_LANES   ((UINT64_C(1) << NEST_LANES) - 1)
#define NEST_ALL_ROUTERS ((UINT64_C(1) << NEST_ROUTERS) - 1)
#define NEST_SLEEP       (UINT64_C(1) << 63) /* in a dirty word: its router sleeps */

/*
 * Places in a ring.  A slot is not handed out again before the head has passed its old entry
 * (port.c), and is put back in the line at most twice: no slot has more than three entries.
 */
#define NEST_RING (4 * NEST_SLOTS)

/*
 * Places in an outbox.  Before the router takes them there are at most NEST_CHUNKS entries that
 * carry a chunk and NEST_SLOTS that only end an answer: it is never full.
 */
#define NEST_OUTBOX (2 * NEST_SLOTS)

#define NEST_REQUEUES 2 /* times that an orphaned slot may be put back in the line */

struct nest_slot {
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) word; /* slots.h */
    _Atomic(uint32_t) n;                              /* bytes of the request */
    _Atomic(uint32_t) entered; /* the generation whose lane has entered the application */
};

struct nest_router {
    br_aligned(NEST_PAGE) _Atomic(uint64_t) dirty; /* lanes with news, and NEST_SLEEP */
    _Atomic(uint32_t) orphans;                     /* the undertaker has marked slots */
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) head;
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) tail;
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) ring[NEST_RING];
    struct nest_slot slot[NEST_SLOTS];
    br_aligned(NEST_PAGE) char data[NEST_SLOTS][NEST_SLOT_BYTES];
};

struct nest_entry {
    _Atomic(uint64_t) what; /* outbox.h */
    _Atomic(uint64_t) n;
};

struct nest_outbox {
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) tail; /* the lane's; its store commits an answer */
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) head; /* the router's */
    br_aligned(BR_CACHE_LINE) struct nest_entry entry[NEST_OUTBOX];
};

struct nest_lane {
    br_aligned(NEST_PAGE) _Atomic(uint32_t) work_token; /* futex: 1 wakes a lane without work */
    br_aligned(BR_CACHE_LINE) _Atomic(uint32_t) chunk_token; /* futex: the same without a chunk */
    _Atomic(uint32_t) notice;
    br_aligned(BR_CACHE_LINE) _Atomic(uint32_t) chunk[NEST_CHUNKS]; /* outbox.h */
    br_aligned(BR_CACHE_LINE) _Atomic(uint32_t) open;
    _Atomic(uint32_t) generation; /* of the request that it took last */
    _Atomic(uint32_t) slot;
    _Atomic(int64_t) idle_since_ms;
    _Atomic(int64_t) busy_since_ms;
    _Atomic(uint64_t) requests;
    struct nest_outbox outbox[NEST_ROUTERS];
    br_aligned(NEST_PAGE) char data[NEST_CHUNKS][NEST_CHUNK_BYTES];
};

struct nest_map {
    br_aligned(NEST_PAGE) uint64_t magic;
    uint32_t version;
    uint32_t routers_max;
    uint64_t bytes;
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) idle;     /* lanes asleep for want of work */
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) starving; /* lanes asleep for want of a chunk */
    br_aligned(BR_CACHE_LINE) _Atomic(uint64_t) routers;  /* areas that were ever opened */
    _Atomic(uint64_t) lanes;
    _Atomic(uint32_t) bell_wanted;
    struct nest_router router[NEST_ROUTERS];
    struct nest_lane lane[NEST_LANES];
};

struct nest {
    struct nest_map *map;
};

/* Monotonic milliseconds to within a tick, without a system call. */
int64_t nest_now_ms(void);

static inline uint64_t
nest_bit(unsigned i)
{
    return UINT64_C(1) << i;
}

/* The areas in use, as bits that are safe to index with. */
static inline uint64_t
nest_routers(const struct nest_map *map)
{
    return atomic_load_explicit(&map->routers, memory_order_seq_cst) & NEST_ALL_ROUTERS;
}

static inline uint64_t
nest_lanes(const struct nest_map *map)
{
    return atomic_load_explicit(&map->lanes, memory_order_seq_cst) & NEST_ALL_LANES;
}

/* Take the lowest bit out of *bits, which is not 0. */
static inline unsigned
nest_next(uint64_t *bits)
{
    unsigned i = (unsigned)__builtin_ctzll(*bits);

    *bits &= *bits - 1;
    return i;
}

#endif
