/*
 * lifecycle.c - the table of who may become what, and the one setter.
 */
#include "process/lifecycle.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"

#define TO(state) (1u << PROC_##state)

static const unsigned may_become[PROC_STATES] = {
    [PROC_REQUESTED] = TO(FORKED) | TO(GONE),
    [PROC_FORKED] = TO(CREATED) | TO(READY) | TO(GONE),
    [PROC_CREATED] = TO(READY) | TO(DRAINING) | TO(GONE),
    [PROC_READY] = TO(DRAINING) | TO(GONE),
    [PROC_DRAINING] = TO(GONE),
    [PROC_GONE] = 0,
};

static const char *const names[PROC_STATES] = {
    [PROC_REQUESTED] = "REQUESTED", [PROC_FORKED] = "FORKED",     [PROC_CREATED] = "CREATED",
    [PROC_READY] = "READY",         [PROC_DRAINING] = "DRAINING", [PROC_GONE] = "GONE",
};

const char *
proc_state_name(enum proc_state s)
{
    return (unsigned)s < PROC_STATES ? names[s] : "?";
}

void
lifecycle_begin(struct lifecycle *l)
{
    *l = (struct lifecycle){
        .state = PROC_REQUESTED, .was = PROC_REQUESTED, .since_ms = clock_us() / 1000};
}

int
lifecycle_move(struct lifecycle *l, enum proc_state to, const char *who)
{
    if (!(may_become[l->state] & (1u << to))) {
        br_log(LOG_DEBUG, "%s: illegal move from %s to %s", who, proc_state_name(l->state),
               proc_state_name(to));
        return -EPROTO;
    }
    br_log(LOG_DEBUG, "%s: %s -> %s", who, proc_state_name(l->state), proc_state_name(to));
    l->was = l->state;
    l->state = to;
    l->since_ms = clock_us() / 1000;
    return 0;
}
