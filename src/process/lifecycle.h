/*
 * lifecycle.h - the states of a process, who may become what, the one setter.
 */
#ifndef PROCESS_LIFECYCLE_H
#define PROCESS_LIFECYCLE_H

#include "base/attr.h"

enum proc_state {
    PROC_REQUESTED, /* wanted, not forked yet */
    PROC_FORKED,    /* runs its setup */
    PROC_CREATED,   /* waits for the parent's outside work */
    PROC_READY,     /* serves */
    PROC_DRAINING,  /* finishes what it holds */
    PROC_GONE,      /* reaped */
    PROC_STATES,
};

struct lifecycle {
    enum proc_state state;
    int64_t since_ms; /* when it came into this state */
};

const char *proc_state_name(enum proc_state s);

/* Moves, stamps and logs at debug level.  0, or -EPROTO for an illegal move (nothing changed). */
int lifecycle_move(struct lifecycle *l, enum proc_state to, const char *who);

#endif
