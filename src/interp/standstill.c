/*
 * standstill.c - ask /proc until a process has stopped.
 */
#include "interp/standstill.h"

#include "interp/procstat.h"

#define LOOK_MS    5
#define LOOKS_MOST 400

static void
look(struct timer *t)
{
    struct standstill *st = container_of(t, struct standstill, timer);

    if (procstat_state(st->pid) == 'T')
        st->stopped(st);
    else if (++st->looks < LOOKS_MOST)
        loop_timer(st->loop, &st->timer, LOOK_MS);
}

void
standstill_watch(struct standstill *st, struct loop *loop, pid_t pid,
                 void (*stopped)(struct standstill *st))
{
    standstill_done(st);
    *st = (struct standstill){.loop = loop, .pid = pid, .stopped = stopped};
    timer_init(&st->timer, look);
    loop_timer(loop, &st->timer, LOOK_MS);
}

void
standstill_done(struct standstill *st)
{
    if (st->loop != NULL)
        loop_timer_cancel(st->loop, &st->timer);
}
