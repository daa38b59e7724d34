/*
 * lane.c - a worker's side of a nest: claim, chunk, publish, sleep.
 *
 *   claim:    ring of router r -> slot CLAIMED -> pass the wake on -> run the application
 *   answer:   chunk INUSE -> fill -> outbox entry, tail (the commit) -> dirty bit of r
 *   no work:  wake.c, until a router, the prototype or a death wakes us
 *   no chunk: wake.c, until the router gives one back or the request is over
 *
 * A lane belongs to one thread; lane_sleep alone may be called from another one, for event loops.
 * While there is work a lane makes no system call, except to wake a router that sleeps or one
 * more lane.  Killed at any instruction it wedges nothing: see undertaker.c.
 */
#include "nest/lane.h"

#include <errno.h>
#include <stdlib.h>

#include "nest/fault.h"
#include "nest/outbox.h"
#include "nest/port.h"
#include "nest/queue.h"
#include "nest/wake.h"

struct lane {
    struct nest_map *map;
    struct nest_lane *shared;
    unsigned index;
    unsigned claims;        /* not yet ended */
    unsigned turn;          /* the router to look at first */
    _Atomic(bool) draining; /* lane_sleep reads it, perhaps in another thread */
    uint64_t requests;
    uint64_t tail[NEST_ROUTERS];
    int wakefd[NEST_ROUTERS];
};

static void
show_idle(struct lane *lane)
{
    atomic_store_explicit(&lane->shared->busy_since_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->shared->idle_since_ms, nest_now_ms(), memory_order_relaxed);
}

static void
show_busy(struct lane *lane, const struct claim *c)
{
    struct nest_lane *s = lane->shared;

    atomic_store_explicit(&s->requests, ++lane->requests, memory_order_relaxed);
    atomic_store_explicit(&s->generation, c->generation, memory_order_relaxed);
    atomic_store_explicit(&s->slot, (uint32_t)c->router << 16 | c->slot, memory_order_relaxed);
    if (lane->claims == 1) {
        atomic_store_explicit(&s->idle_since_ms, 0, memory_order_relaxed);
        atomic_store_explicit(&s->busy_since_ms, nest_now_ms(), memory_order_relaxed);
    }
}

int
lane_open(struct nest *nest, unsigned index, const int *wakefds, unsigned n_routers,
          struct lane **ret_lane, struct br_err *err)
{
    uint64_t opened = nest_routers(nest->map);
    struct lane *lane;

    if (index >= NEST_LANES || n_routers > NEST_ROUTERS)
        return br_fail(err, -EINVAL, "no lane %u for %u routers in a nest", index, n_routers);
    lane = calloc(1, sizeof(*lane));
    if (lane == NULL)
        return br_fail(err, -ENOMEM, "cannot open lane %u", index);
    lane->map = nest->map;
    lane->shared = &nest->map->lane[index];
    lane->index = index;
    for (unsigned r = 0; r < NEST_ROUTERS; r++) {
        lane->wakefd[r] = r < n_routers ? wakefds[r] : -1;
        /* Nobody has published to a router that never was; to look would cost a page. */
        if ((opened & nest_bit(r)) != 0)
            lane->tail[r] =
                atomic_load_explicit(&lane->shared->outbox[r].tail, memory_order_relaxed);
    }
    atomic_store_explicit(&lane->shared->requests, 0, memory_order_relaxed);
    show_idle(lane);
    atomic_fetch_or_explicit(&nest->map->lanes, nest_bit(index), memory_order_seq_cst);
    atomic_store_explicit(&lane->shared->open, 1, memory_order_release);
    *ret_lane = lane;
    return 0;
}

static bool
work_waits(const struct lane *lane)
{
    for (uint64_t routers = nest_routers(lane->map); routers != 0;)
        if (queue_length(&lane->map->router[nest_next(&routers)]) != 0)
            return true;
    return false;
}

/* A wake that was meant for this lane, which takes no more work, goes to another. */
static void
hand_on(struct lane *lane)
{
    wake_forget(lane->map, lane->index);
    wake_fence();
    if (work_waits(lane))
        wake_one(lane->map);
}

void
lane_close(struct lane *lane)
{
    atomic_store_explicit(&lane->shared->open, 0, memory_order_release);
    hand_on(lane);
    free(lane);
}

void
lane_set_draining(struct lane *lane)
{
    lane->draining = true;
    hand_on(lane);
}

static bool
claim_from(struct lane *lane, unsigned router, struct claim *ret_claim)
{
    struct nest_router *r = &lane->map->router[router];
    struct claim c = {.router = (uint16_t)router};

    if (!queue_claim(r, lane->index, &c.slot, &c.generation))
        return false;
    c.p = r->data[c.slot];
    c.n = slot_bytes(&r->slot[c.slot]);
    lane->claims++;
    show_busy(lane, &c);
    *ret_claim = c;
    return true;
}

bool
lane_claim(struct lane *lane, struct claim *ret_claim)
{
    uint64_t routers = nest_routers(lane->map);
    uint64_t later = routers & (nest_bit(lane->turn) - 1);
    uint64_t first = routers & ~later;

    if (lane->draining)
        return false;
    for (routers = first; routers != 0 || later != 0;) {
        unsigned r;

        if (routers == 0) {
            routers = later;
            later = 0;
        }
        r = nest_next(&routers);
        if (!claim_from(lane, r, ret_claim))
            continue;
        lane->turn = (r + 1) % NEST_ROUTERS;
        if (wake_any_idle(lane->map) && work_waits(lane))
            wake_one(lane->map);
        NEST_STEP(LANE_CLAIM_DONE);
        return true;
    }
    return false;
}

static struct nest_slot *
slot_of(const struct lane *lane, const struct claim *c)
{
    return &lane->map->router[c->router].slot[c->slot];
}

void
lane_entered(struct lane *lane, const struct claim *c)
{
    slot_enter(slot_of(lane, c), c->generation);
    NEST_STEP(LANE_ENTERED);
}

bool
lane_cancelled(const struct lane *lane, const struct claim *c)
{
    return slot_load(slot_of(lane, c)) != slot_word(c->generation, SLOT_CLAIMED, lane->index);
}

static bool
has_notice(const struct lane *lane)
{
    return atomic_load_explicit(&lane->shared->notice, memory_order_seq_cst) != 0;
}

bool
lane_notice(struct lane *lane)
{
    return has_notice(lane) &&
           atomic_exchange_explicit(&lane->shared->notice, 0, memory_order_acq_rel) != 0;
}

void
lane_sleep(struct lane *lane, int wait_ms)
{
    wake_work_arm(lane->map, lane->index, !lane->draining);
    if (!has_notice(lane) && (lane->draining || !work_waits(lane)))
        wake_work_wait(lane->map, lane->index, wait_ms);
    wake_work_disarm(lane->map, lane->index);
}

int
lane_chunk_try(struct lane *lane, const struct claim *c, char **ret_p)
{
    int chunk;

    if (lane_cancelled(lane, c))
        return -ECONNRESET;
    chunk = chunk_take(lane->shared, c->router);
    if (chunk >= 0)
        *ret_p = lane->shared->data[chunk];
    return chunk;
}

int
lane_chunk(struct lane *lane, const struct claim *c, char **ret_p)
{
    for (;;) {
        int rc = lane_chunk_try(lane, c, ret_p);

        if (rc != -EAGAIN)
            return rc;
        wake_chunk_arm(lane->map, lane->index);
        rc = lane_chunk_try(lane, c, ret_p);
        if (rc == -EAGAIN && has_notice(lane))
            rc = -EINTR;
        if (rc == -EAGAIN && wake_chunk_wait(lane->map, lane->index) == -EINTR)
            rc = -EINTR;
        wake_chunk_disarm(lane->map, lane->index);
        if (rc != -EAGAIN)
            return rc;
    }
}

void
lane_chunk_drop(struct lane *lane, int chunk)
{
    chunk_drop(lane->shared, (unsigned)chunk);
}

void
lane_publish(struct lane *lane, const struct claim *c, int chunk, uint32_t n, uint32_t flags)
{
    struct outbox_piece piece = {.generation = c->generation,
                                 .slot = c->slot,
                                 .chunk = chunk < 0 ? OUTBOX_NO_CHUNK : (uint32_t)chunk,
                                 .flags = flags,
                                 .n = n};
    uint64_t *tail = &lane->tail[c->router];

    if (flags & PIECE_ABORT)
        piece.flags |= PIECE_END;
    if (chunk < 0 && (piece.flags & PIECE_END) == 0)
        return;
    /* Only a scribbled head makes it full.  The undertaker answers for a worker that dies. */
    if (!outbox_room(&lane->shared->outbox[c->router], *tail))
        abort();
    outbox_put(&lane->shared->outbox[c->router], (*tail)++, &piece);
    if ((piece.flags & PIECE_END) != 0 && --lane->claims == 0)
        show_idle(lane);
    wake_router(lane->map, c->router, lane->index, lane->wakefd[c->router]);
    NEST_STEP(LANE_PUBLISHED);
}
