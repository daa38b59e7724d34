/*
 * retire.c - launches that no live generation names: kept until nobody needs them, then stopped.
 *
 *   commit of 8 --> launch 12 of generation 7 waits for routers {0, 1}
 *                     CONF_RETIRED(7) from 0, 1 dies --> PROCESS_STOP(12): its prototype drains
 *
 * A request whose head was complete before the commit may still be on its way to the old launch.
 * What a draining prototype holds it finishes; so the time limit costs at most a request that was
 * still sending its body.
 */
#include "controller/retire.h"

#include <stdlib.h>

#include "base/inject.h"
#include "controller/parent.h"
#include "event/loop.h"

struct retiree {
    struct list link;
    struct retire *retire;
    struct timer timer;
    uint32_t launch;
    uint32_t generation;
    uint64_t routers; /* those that may still have requests for it */
};

void
retire_init(struct retire *r, struct task *task)
{
    r->task = task;
    list_init(&r->all);
}

static void
retiree_free(struct retiree *e)
{
    loop_timer_cancel(e->retire->task->loop, &e->timer);
    list_del(&e->link);
    free(e);
}

void
retire_done(struct retire *r)
{
    struct retiree *e, *tmp;

    list_foreach_safe (e, tmp, &r->all, link)
        retiree_free(e);
}

void
retire_stop(struct retire *r, uint32_t launch)
{
    const struct msg_launch order = {.launch = launch};

    parent_tell(r->task, MSG_PROCESS_STOP, &order, NULL, 0);
    INJECT(controller, stop_told);
}

static void
stop_now(struct retiree *e)
{
    retire_stop(e->retire, e->launch);
    retiree_free(e);
}

static void
on_timer(struct timer *t)
{
    stop_now(container_of(t, struct retiree, timer));
}

void
retire_later(struct retire *r, uint32_t launch, uint32_t generation, uint64_t routers)
{
    struct retiree *e = calloc(1, sizeof(*e));

    if (e == NULL)
        abort();
    e->retire = r;
    e->launch = launch;
    e->generation = generation;
    e->routers = routers;
    timer_init(&e->timer, on_timer);
    list_add_tail(&r->all, &e->link);
    if (routers == 0)
        stop_now(e);
    else
        loop_timer(r->task->loop, &e->timer, RETIRE_WAIT_MS);
}

static void
forget_router(struct retiree *e, uint64_t router)
{
    e->routers &= ~router;
    if (e->routers == 0)
        stop_now(e);
}

void
retire_heard(struct retire *r, uint64_t router, uint32_t generation)
{
    struct retiree *e, *tmp;

    list_foreach_safe (e, tmp, &r->all, link) {
        if (e->generation == generation)
            forget_router(e, router);
    }
}

void
retire_lost(struct retire *r, uint64_t router)
{
    struct retiree *e, *tmp;

    list_foreach_safe (e, tmp, &r->all, link)
        forget_router(e, router);
}
