/*
 * apply.h - one change of the configuration at a time: validate, plan, prepare, commit, keep,
 * answer.
 */
#ifndef CONTROLLER_APPLY_H
#define CONTROLLER_APPLY_H

#include "base/list.h"
#include "event/timer.h"
#include "conf/plan.h"
#include "controller/change.h"
#include "controller/deployment.h"
#include "controller/retire.h"
#include "controller/routers.h"

struct message;

struct ask;
struct apply_step;

struct apply {
    struct task *task;
    const struct conf_modules *modules;
    struct routers routers;
    struct deployment live; /* generation NULL until the first change */
    uint32_t last_generation;
    uint32_t last_launch;
    struct list queue;
    struct retire retire;
    uint32_t *adopted; /* launches that an earlier controller left behind */
    size_t n_adopted;
    bool running;

    /* Of the change in progress, NULL when there is none. */
    struct change *current;
    struct deployment next;
    struct plan plan;
    struct ask *asks; /* one for each step of the plan */
    struct conf_fault fault;
    unsigned step; /* how many steps were begun */
    const struct apply_step *doing;
    size_t asked;      /* steps of the plan that it has looked at */
    unsigned pending;  /* answers that it still waits for */
    bool for_routers;  /* it waits for the routers */
    struct timer hush; /* it waits for who is half connected to a listener that goes */
};

void apply_init(struct apply *a, struct task *task, const struct conf_modules *modules);
/* Numbers of generations and launches begin after this: none of an earlier controller's is used
 * again. */
void apply_count_from(struct apply *a, uint32_t base);
/* For the end of the process: refuses what is under way, stops nothing outside. */
void apply_done(struct apply *a);

/* A change with an empty generation to parse into. */
void change_init(struct apply *a, struct change *c, const struct change_ops *ops);

/* Queue it; `over` may be called before this returns. */
void apply_submit(struct apply *a, struct change *c);

/*
 * apply_cancel - give up the change that is being prepared: what was begun for it is taken back,
 * and `over` says CHANGE_REFUSED with this reason.  0; -ENOENT: there is none; -EBUSY: it is past
 * the point up to which it can be given up.
 */
int apply_cancel(struct apply *a, const char *why);
/* Does the change that is being prepared start an application of this name, where there is none
 * yet? */
bool apply_introduces(const struct apply *a, struct slice app);
/* How many changes wait behind the one under way. */
unsigned apply_waiting(const struct apply *a);

/* What the role hears. */
void apply_router_came(struct apply *a, struct channel *ch);
void apply_router_gone(struct apply *a, struct channel *ch);
void apply_retired(struct apply *a, struct channel *router, uint32_t generation);
/* A launch that an earlier controller left behind: stopped with the next commit that does not name
 * it. */
void apply_adopt(struct apply *a, uint32_t launch);

#endif
