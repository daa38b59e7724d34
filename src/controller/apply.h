/*
 * apply.h - one change of the configuration at a time: validate, plan, prepare, commit, keep,
 * answer.
 */
#ifndef CONTROLLER_APPLY_H
#define CONTROLLER_APPLY_H

#include "base/list.h"
#include "event/timer.h"
#include "conf/plan.h"
#include "controller/deployment.h"
#include "controller/retire.h"
#include "controller/routers.h"

struct change;
struct message;

enum change_state {
    CHANGE_PARSED,    /* waits for its turn */
    CHANGE_VALID,     /* listeners open, applications start, routers build */
    CHANGE_PREPARED,  /* but for listeners beside others, nothing can refuse it any more */
    CHANGE_COMMITTED, /* every router serves it */
    CHANGE_SAVED,     /* and it is on disk */
    CHANGE_FAILED,    /* before it was committed: all is as before */
    CHANGE_STATES,
};

const char *change_state_name(enum change_state state);

enum change_outcome {
    CHANGE_APPLIED, /* live, and saved if it was to be */
    CHANGE_INVALID, /* fault says where and why */
    CHANGE_REFUSED, /* fault->err says which step failed, and why */
    CHANGE_PLANNED, /* of a dry run: it is valid, and c->plan is what it would do */
};

struct change_ops {
    /*
     * Its turn has come: the whole configuration that shall be, in the arena of c->next.  NULL:
     * there is nothing to apply, the caller has been answered, and the change is his again.
     */
    const struct json *(*propose)(struct change *c, const struct generation *live);
    /* Finished, unless propose gave NULL.  The change is then the caller's again. */
    void (*over)(struct change *c, enum change_outcome outcome, const struct conf_fault *fault);
};

/* Embedded by whoever wants the change. */
struct change {
    struct list link;
    const struct change_ops *ops;
    struct generation *next; /* made by change_init: parse into its arena */
    struct slice restart;    /* an application to start anew, or SLICE_NONE */
    bool keep;               /* write it to disk */
    bool dry_run;            /* validate and plan it, nothing else */
    struct plan plan;        /* of a dry run; to be looked at until `over` returns */
    bool leave_open;         /* if it fails, close no listener: it comes again */
    bool serve_unsaved;      /* a disk that cannot take the text is no reason to stop */
    /*
     * It describes what an earlier controller left running: the launch of each application by name.
     * Those that main still has go on.
     */
    const struct json *adopted;
    enum change_state state;
};

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
/* A change that was not submitted, or whose `over` was called. */
void change_done(struct change *c);

/* Queue it; `over` may be called before this returns. */
void apply_submit(struct apply *a, struct change *c);

/* What the role hears. */
void apply_router_came(struct apply *a, struct channel *ch);
void apply_router_gone(struct apply *a, struct channel *ch);
void apply_retired(struct apply *a, struct channel *router, uint32_t generation);
/* A launch that an earlier controller left behind: stopped with the next commit that does not name
 * it. */
void apply_adopt(struct apply *a, uint32_t launch);

#endif
