/*
 * restart.h - if and when a dead process comes back: a pure function of policy, history and clock.
 *
 * A process that lived for RESTART_STEADY_MS starts over with no delay.  One that dies sooner
 * waits 0, 100, 200, 400 … ms, at most RESTART_DELAY_MAX_MS; but not more than 100 ms if it had
 * come to READY: it can work, somebody waits for it, and being killed is not its fault.
 */
#ifndef PROCESS_RESTART_H
#define PROCESS_RESTART_H

#include "process/role.h"

#define RESTART_STEADY_MS    1000
#define RESTART_DELAY_MAX_MS 10000
#define RESTART_VAIN_MAX_MS  1000

struct restart_history {
    uint32_t total;   /* restarts ever */
    uint32_t quick;   /* deaths within RESTART_STEADY_MS, one after the other */
    uint32_t in_vain; /* starts that could not even be forked, one after the other */
    bool was_ready;   /* set by the caller: the life that ended had come to READY */
};

/* Milliseconds to wait before the next start, or -1: not again.  Updates the history. */
int64_t restart_after(enum respawn policy, struct restart_history *h, int64_t lived_ms);

/*
 * The same for what could not even be forked, since descriptors, memory or processes were short:
 * 100, 200, 400, 800, 1000, 1000 … ms.  Trying costs next to nothing, and whoever waits for it
 * shall not wait long when they are there again.
 */
int64_t restart_in_vain(struct restart_history *h);

#endif
