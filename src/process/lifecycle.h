/*
 * lifecycle.h - the states of a process, who may become what, the one setter.
 *
 *   REQUESTED -> FORKED -> CREATED -> READY -> DRAINING -> GONE
 *
 * FORKED may skip CREATED, CREATED may go to DRAINING when the need has passed, any state may go
 * straight to GONE.  A respawn is a new life, not a move: lifecycle_begin.
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
    enum proc_state was; /* the state before */
    int64_t since_ms;    /* when it came into this state */
};

/* A new life, REQUESTED from now on. */
void lifecycle_begin(struct lifecycle *l);

const char *proc_state_name(enum proc_state s);

/* Moves, stamps and logs at debug level.  0, or -EPROTO for an illegal move (nothing changed). */
int lifecycle_move(struct lifecycle *l, enum proc_state to, const char *who);

#endif
