/*
 * timer.h - timers in a heap; a timer belongs to one object and dies with it.
 *
 * Moving a timer *later* only stores the new time (the heap entry is corrected when it comes
 * up), so a deadline that is pushed back at every request costs one store.
 */
#ifndef EVENT_TIMER_H
#define EVENT_TIMER_H

#include "base/attr.h"

struct timer;
struct timers;

typedef void timer_fn(struct timer *t);

struct timer {
    int64_t due_ms; /* when it shall fire, monotonic */
    int64_t key_ms; /* its place in the heap: never later than due_ms */
    uint32_t place; /* index in the heap + 1; 0: not set */
    timer_fn *fn;
};

struct timers {
    struct timer **heap;
    uint32_t n;
    uint32_t room;
};

void timers_init(struct timers *ts);
void timers_done(struct timers *ts);
/* So many can be set without memory.  0 or -ENOMEM. */
int timers_reserve(struct timers *ts, uint32_t room);

static inline void
timer_init(struct timer *t, timer_fn *fn)
{
    *t = (struct timer){.fn = fn};
}

static inline bool
timer_is_set(const struct timer *t)
{
    return t->place != 0;
}

/* Fire once at due_ms (clock_ms() + delay).  Sets or moves. */
void timer_set(struct timers *ts, struct timer *t, int64_t due_ms);
void timer_cancel(struct timers *ts, struct timer *t);

/* Milliseconds until the first is due (0: now), or -1 when there is none. */
int timers_wait_ms(struct timers *ts, int64_t now_ms);
/* Fire all that are due. */
void timers_run(struct timers *ts, int64_t now_ms);

#endif
