/*
 * undertaker.c - the prototype's view of the lanes, and what it does when one has died.
 *
 * The order of nest_bury, after waitid(2) has made every store of the dead process visible:
 *
 *   1. chunks INUSE and not committed -> FREE
 *   2. slots CLAIMED or CANCELLED by it -> ORPHANED, orphan flag, dirty bit, eventfd:
 *      always, since the dead may have set the bit and not written
 *   3. its idle and starving bits cleared
 *   4. token and wake for *every* lane: the dead may have been a waker, half-way between the
 *      bit that it cleared and the token that it owed
 *
 * Marking is all that happens here.  What becomes of an orphan is decided by its router (port.c),
 * the only owner of the slot.
 */
#include "nest/lane.h"
#include "nest/outbox.h"
#include "nest/queue.h"
#include "nest/wake.h"

void
nest_lane_view(const struct nest *nest, unsigned lane, struct lane_view *ret)
{
    struct nest_map *map = nest->map;
    struct nest_lane *s;

    *ret = (struct lane_view){.open = false};
    if (lane >= NEST_LANES || (nest_lanes(map) & nest_bit(lane)) == 0)
        return;
    s = &map->lane[lane];
    ret->open = atomic_load_explicit(&s->open, memory_order_acquire) != 0;
    ret->idle = (atomic_load_explicit(&map->idle, memory_order_relaxed) & nest_bit(lane)) != 0;
    ret->busy_since_ms = atomic_load_explicit(&s->busy_since_ms, memory_order_relaxed);
    ret->idle_since_ms = atomic_load_explicit(&s->idle_since_ms, memory_order_relaxed);
    ret->busy = ret->busy_since_ms != 0;
    ret->requests = atomic_load_explicit(&s->requests, memory_order_relaxed);
    ret->slot = atomic_load_explicit(&s->slot, memory_order_relaxed);
    ret->generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
}

unsigned
nest_waiting(const struct nest *nest)
{
    unsigned n = 0;

    for (uint64_t routers = nest_routers(nest->map); routers != 0;)
        n += queue_length(&nest->map->router[nest_next(&routers)]);
    return n;
}

void
nest_notify(struct nest *nest, unsigned lane)
{
    if (lane >= NEST_LANES)
        return;
    atomic_store_explicit(&nest->map->lane[lane].notice, 1, memory_order_seq_cst);
    wake_lane(nest->map, lane);
}

static void
orphan_slots(struct nest_map *map, unsigned router, unsigned lane)
{
    bool any = false;

    for (unsigned i = 0; i < NEST_SLOTS; i++)
        any |= slot_orphan(&map->router[router].slot[i], lane);
    if (any)
        atomic_store_explicit(&map->router[router].orphans, 1, memory_order_release);
}

void
nest_bury(struct nest *nest, unsigned lane, const int *wakefds, unsigned n_routers)
{
    struct nest_map *map = nest->map;

    if (lane >= NEST_LANES || (nest_lanes(map) & nest_bit(lane)) == 0)
        return;
    atomic_store_explicit(&map->lane[lane].open, 0, memory_order_release);
    outbox_bury(&map->lane[lane]);
    for (uint64_t routers = nest_routers(map); routers != 0;) {
        unsigned r = nest_next(&routers);

        orphan_slots(map, r, lane);
        wake_router_always(map, r, lane, r < n_routers ? wakefds[r] : -1);
    }
    wake_forget(map, lane);
    atomic_store_explicit(&map->lane[lane].notice, 0, memory_order_relaxed);
    atomic_store_explicit(&map->lane[lane].busy_since_ms, 0, memory_order_relaxed);
    wake_every_lane(map);
}
