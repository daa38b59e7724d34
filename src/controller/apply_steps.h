/*
 * apply_steps.h - between apply.c, which drives a change through its steps, and the steps.
 */
#ifndef CONTROLLER_APPLY_STEPS_H
#define CONTROLLER_APPLY_STEPS_H

#include "controller/change.h"

struct apply;
struct plan_step;

/* One step of a change: a beginning, or one question for each step of the plan that is wanted. */
struct apply_step {
    void (*begin)(struct apply *a);
    bool (*wanted)(const struct plan_step *step);
    bool late; /* what is asked for was reserved before */
};

/* The last of them finishes the change. */
extern const struct apply_step apply_steps[];

/* Who is heard while they run: the routers, and a timer. */
void apply_steps_init(struct apply *a);

/* A step before the commit failed: all is taken back.  a->fault.err says why. */
void apply_fail(struct apply *a);
/* The change is over, and its owner hears so. */
void apply_finish(struct apply *a, enum change_outcome outcome);
/* Go on as far as possible without waiting. */
void apply_run(struct apply *a);

#endif
