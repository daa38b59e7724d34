/*
 * ask.h - one question to main about one step of a plan, and how it is taken back.
 */
#ifndef CONTROLLER_ASK_H
#define CONTROLLER_ASK_H

#include "base/err.h"
#include "process/role.h"

struct plan_step;

struct ask {
    struct task *task;
    const struct plan_step *step;
    uint32_t launch;    /* of an application to start */
    bool takes_over;    /* an older main may run it still */
    struct br_err *err; /* where a failure says which step, and why */
    /* Called once for each that was sent, unless it is forgotten (dispatch_forget). */
    void (*on_answer)(struct ask *ask, int rc);
    void *owner;
    bool sent;
    bool late; /* of a listener beside another: reserved, and now to be listened on */
    bool runs; /* that launch is there already: nothing to ask */
};

/* OPEN a listener or a log, PROCESS_START an application.  0, or -errno and err says why. */
int ask_send(struct ask *ask);
/* Undo it, answered or not: the line keeps the order.  leave_open: but for listeners and logs. */
void ask_take_back(const struct ask *ask, bool leave_open);

/* CLOSE the listener or the log of that step. */
void ask_close(struct task *task, const struct plan_step *step);

#endif
