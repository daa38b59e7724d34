/*
 * main_quit.h - the end: of one child, and of all.
 */
#ifndef MAIN_MAIN_QUIT_H
#define MAIN_MAIN_QUIT_H

#include "main/main_state.h"

/* How long a process that was told to leave may take, before SIGKILL. */
#define MAIN_STOP_MS 5000

/* SIGKILL; death is seen as any other. */
void main_kill(struct main *m, struct process *p);
/*
 * Let one process finish and leave for good.  Ready: DRAIN, and SIGKILL when its time is up; in its
 * setup: SIGKILL, since there is nothing to finish; not forked: freed.
 */
void main_retire(struct main *m, struct process *p);
/* The same for one that was forked and comes back: when, is main_upgrade's to say. */
void main_pause(struct main *m, struct process *p);

/*
 * QUIT: after shutdown.delay role after role, in the order of br_role.leaves, at most
 * shutdown.timeout; called once more: main_stop.
 */
void main_drain(struct main *m);
/* TERM, INT: STOP to all, SIGKILL after MAIN_STOP_MS or when called once more. */
void main_stop(struct main *m);
/* A child is gone while we quit: the next role's turn, or the end. */
void main_quit_step(struct main *m);
/* timer_fn of main.patience. */
void main_out_of_patience(struct timer *t);

#endif
