/*
 * plan.h - the difference of two generations, as steps.
 *
 *   old  *:80  *:81   app a   app b
 *   new  *:80  *:82   app a'  app b        ->  KEEP *:80, OPEN *:82, START a', KEEP b,
 *                                              then CLOSE *:81, STOP a
 *
 * Steps that can fail (OPEN, START) come first, in the order of the configuration, then what
 * stays, then what goes.  Who carries a step out is the caller's business.
 */
#ifndef CONF_PLAN_H
#define CONF_PLAN_H

#include "conf/generation.h"

enum plan_verb {
    PLAN_LISTENER_OPEN,
    PLAN_LOG_OPEN,
    PLAN_APP_START, /* new, changed, or asked to restart; `was` drains after the commit */
    PLAN_LISTENER_KEEP,
    PLAN_LOG_KEEP,
    PLAN_APP_KEEP,
    PLAN_LISTENER_CLOSE,
    PLAN_LOG_CLOSE,
    PLAN_APP_STOP, /* removed, or replaced by a START */
};

struct plan_step {
    enum plan_verb verb;
    const struct listener_conf *listener; /* LISTENER_*: of the new one; CLOSE: of the old one */
    const struct app_conf *app;           /* APP_*: of the new one; STOP: of the old one */
    const struct app_conf *was;           /* APP_START, APP_KEEP: the old one, or NULL */
    const char *log;                      /* LOG_*: path */
    bool relisten; /* LISTENER_KEEP: the backlog is another: listen(2) again */
    /*
     * LISTENER_OPEN, LISTENER_CLOSE: it overlaps another one, as *:80 and 127.0.0.1:80 do.  To open
     * it, bind now and listen last, so that until then all connections go where they went; to close
     * it, let no connection begin some time before.
     */
    bool beside;
};

struct plan {
    struct plan_step *steps;
    size_t n;
};

/*
 * plan_make - steps from old (NULL: nothing runs) to next.
 *
 *   restart   name of an application to start anew though nothing changed, or SLICE_NONE
 */
void plan_make(struct arena *a, const struct generation *old, const struct generation *next,
               struct slice restart, struct plan *ret_plan);

#endif
