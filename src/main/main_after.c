/*
 * main_after.c - the last step of an application's life: its cgroup goes.
 *
 * A prototype that was killed is reaped before the workers that die with it, and a group with
 * processes in it cannot be removed: so it is tried again, a few times.
 */
#include "main/main_after.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "process/isolation.h"

#define AGAIN_MS  50
#define TRIES_MAX 100

struct remains {
    struct list link;
    struct timer timer;
    struct main *main;
    struct launch *card;
    unsigned tries;
};

static void
drop(struct remains *r)
{
    loop_timer_cancel(r->main->task.loop, &r->timer);
    list_del(&r->link);
    launch_free(r->card);
    free(r);
}

static void
try_again(struct timer *t)
{
    struct remains *r = container_of(t, struct remains, timer);

    if (isolation_after(r->card) == 0) {
        drop(r);
    } else if (++r->tries < TRIES_MAX) {
        loop_timer(r->main->task.loop, &r->timer, AGAIN_MS);
    } else {
        br_log(LOG_WARN, "\"%s\": its cgroup stays: there are processes in it",
               launch_get(r->card, "name", ""));
        drop(r);
    }
}

void
main_forget(struct main *m, struct process *p)
{
    struct remains *r;

    if (p->card != NULL && isolation_after(p->card) == -EBUSY) {
        r = calloc(1, sizeof(*r));
        if (r != NULL) {
            *r = (struct remains){.main = m, .card = p->card};
            p->card = NULL;
            list_add_tail(&m->remains, &r->link);
            timer_init(&r->timer, try_again);
            loop_timer(m->task.loop, &r->timer, AGAIN_MS);
        }
    }
    roster_free(&m->children, p);
}

void
main_after_done(struct main *m)
{
    struct remains *r, *next;

    list_foreach_safe (r, next, &m->remains, link) {
        isolation_after(r->card);
        drop(r);
    }
}
