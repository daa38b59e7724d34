/*
 * change.h - one change of the configuration as somebody asks for it: what it is, and how far.
 */
#ifndef CONTROLLER_CHANGE_H
#define CONTROLLER_CHANGE_H

#include "base/list.h"
#include "base/slice.h"
#include "conf/plan.h"

struct change;
struct conf_fault;
struct generation;
struct json;

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

/* The one setter of state: refuses what is no legal move, and logs. */
void change_move(struct change *c, enum change_state to);

/* A change that was not submitted, or whose `over` was called. */
void change_done(struct change *c);

#endif
