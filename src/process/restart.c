/*
 * restart.c - if and when a dead process comes back.
 *
 *   lived >= STEADY: at once     was ready: 0, 100, 100 … ms     else: 0, 100, 200, 400 … ms
 */
#include "process/restart.h"

#define FIRST_DELAY_MS  100
#define READY_QUICK_MAX 2u /* such a death is never worse than the second one */

static bool
comes_back(enum respawn policy, const struct restart_history *h)
{
    switch (policy) {
    case RESPAWN_NEVER:
    case RESPAWN_DETACHED:
        return false;
    case RESPAWN_ONCE:
        return h->total == 0;
    case RESPAWN_ALWAYS:
    case RESPAWN_JUST_SPAWNED:
        return true;
    }
    return false;
}

/* FIRST_DELAY_MS, doubled that many times. */
static int64_t
doubled(uint32_t times, int64_t most)
{
    int64_t delay = FIRST_DELAY_MS;

    while (times-- > 0 && delay < most)
        delay *= 2;
    return br_min(delay, most);
}

int64_t
restart_in_vain(struct restart_history *h)
{
    return doubled(h->in_vain++, RESTART_VAIN_MAX_MS);
}

int64_t
restart_after(enum respawn policy, struct restart_history *h, int64_t lived_ms)
{
    if (!comes_back(policy, h))
        return -1;
    h->total++;
    if (lived_ms >= RESTART_STEADY_MS) {
        h->quick = 0;
        return 0;
    }
    h->quick++;
    if (h->was_ready)
        h->quick = br_min(h->quick, READY_QUICK_MAX);
    if (h->quick == 1)
        return 0;
    return doubled(h->quick - 2, RESTART_DELAY_MAX_MS);
}
