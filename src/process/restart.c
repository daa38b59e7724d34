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

int64_t
restart_after(enum respawn policy, struct restart_history *h, int64_t lived_ms)
{
    int64_t delay = FIRST_DELAY_MS;

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
    for (uint32_t i = 2; i < h->quick && delay < RESTART_DELAY_MAX_MS; i++)
        delay *= 2;
    return delay < RESTART_DELAY_MAX_MS ? delay : RESTART_DELAY_MAX_MS;
}
