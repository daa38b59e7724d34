/*
 * main_live.c - telling launches that what they are for has been committed.
 *
 *   controller: PROCESS_LIVE(12, alone) --> launch 9 of that application runs: wait
 *                                           9 is reaped: PROCESS_LIVE -> each instance of 12
 *
 * Remembered with the launch, so that an instance that comes after a death is told as well.  In an
 * upgrade nobody is told before this main has proved itself: what accepts then would be lost with
 * it.  Who shall be alone waits for the end of the old main, too.
 */
#include "main/main_live.h"

#include <string.h>

#include "main/main_heir.h"
#include "main/main_lines.h"

/* A launch of the same application that came before this one may still be there. */
static bool
older_runs(struct main *m, const struct process *p)
{
    const char *name = launch_get(p->card, "name", "");
    const struct process *q;

    if (main_heir_old_runs(m))
        return true;
    list_foreach (q, &m->children.all, link) {
        if (q->role == p->role && q->launch < p->launch && q->card != NULL &&
            strcmp(launch_get(q->card, "name", ""), name) == 0)
            return true;
    }
    return false;
}

void
main_live_tell(struct main *m, struct process *p)
{
    const struct msg_live live = {.launch = p->launch, .alone = p->alone};

    if (p->live && p->life.state == PROC_READY && !main_heir_unproved(m) &&
        !(p->alone && older_runs(m, p)))
        main_tell(m, p, MSG_PROCESS_LIVE, &live, NULL, 0);
}

void
main_live_next(struct main *m)
{
    struct process *p;

    list_foreach (p, &m->children.all, link)
        if (p->alone)
            main_live_tell(m, p);
}

void
main_on_process_live(struct task *task, br_unused struct channel *ch, struct message *msg)
{
    const struct msg_live *order = msg->payload;
    struct main *m = main_of(task);
    struct process *p;

    list_foreach (p, &m->children.all, link) {
        if (order->launch == 0 || p->launch != order->launch || p->card == NULL || p->live)
            continue;
        p->live = true;
        p->alone = order->alone != 0;
        main_live_tell(m, p);
    }
}
