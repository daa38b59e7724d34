/*
 * main_after.h - what an application that is gone for good leaves on the machine.
 */
#ifndef MAIN_MAIN_AFTER_H
#define MAIN_MAIN_AFTER_H

#include "main/main_state.h"

/* Forget a child that will not be started again, and take away what isolation made for it. */
void main_forget(struct main *m, struct process *p);
/* On disk: which control groups there are, for the next main if we are killed. */
void main_after_note(struct main *m);
/* At the start: remove those that a main that was killed has left. */
void main_after_sweep(struct main *m);
/* One last try for all that is left; main is about to leave. */
void main_after_done(struct main *m);

#endif
