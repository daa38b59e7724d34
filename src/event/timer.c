/*
 * timer.c - a binary heap ordered by key_ms, which may lag behind due_ms.
 *
 *   timer_set later:    due_ms only                         one store
 *   timer_set sooner:   key_ms = due_ms, sift up
 *   at the top, late:   key_ms = due_ms, sift down          "settle": seen before it is believed
 *
 * Since no key is later than its due time, a settled top is the next to fire.
 */
#include "event/timer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define FIRST_ROOM 16
#define FAR_MS     1000 /* a top that is so far away need not be settled */

void
timers_init(struct timers *ts)
{
    *ts = (struct timers){0};
}

void
timers_done(struct timers *ts)
{
    for (uint32_t i = 0; i < ts->n; i++)
        ts->heap[i]->place = 0;
    free(ts->heap);
    timers_init(ts);
}

static void
put(struct timers *ts, uint32_t i, struct timer *t)
{
    ts->heap[i] = t;
    t->place = i + 1;
}

static void
sift_up(struct timers *ts, uint32_t i, struct timer *t)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;

        if (ts->heap[parent]->key_ms <= t->key_ms)
            break;
        put(ts, i, ts->heap[parent]);
        i = parent;
    }
    put(ts, i, t);
}

static void
sift_down(struct timers *ts, uint32_t i, struct timer *t)
{
    uint32_t child;

    while ((child = 2 * i + 1) < ts->n) {
        if (child + 1 < ts->n && ts->heap[child + 1]->key_ms < ts->heap[child]->key_ms)
            child++;
        if (t->key_ms <= ts->heap[child]->key_ms)
            break;
        put(ts, i, ts->heap[child]);
        i = child;
    }
    put(ts, i, t);
}

int
timers_reserve(struct timers *ts, uint32_t room)
{
    struct timer **heap;

    if (room <= ts->room)
        return 0;
    heap = reallocarray(ts->heap, room, sizeof(*heap));
    if (heap == NULL)
        return -ENOMEM;
    ts->heap = heap;
    ts->room = room;
    return 0;
}

static void
grow(struct timers *ts)
{
    if (timers_reserve(ts, br_max(ts->room * 2, (uint32_t)FIRST_ROOM)) < 0)
        abort();
}

void
timer_set(struct timers *ts, struct timer *t, int64_t due_ms)
{
    t->due_ms = due_ms;
    if (t->place == 0) {
        if (ts->n == ts->room)
            grow(ts);
        t->key_ms = due_ms;
        sift_up(ts, ts->n++, t);
    } else if (due_ms < t->key_ms) {
        t->key_ms = due_ms;
        sift_up(ts, t->place - 1, t);
    }
}

void
timer_cancel(struct timers *ts, struct timer *t)
{
    uint32_t i = t->place - 1;
    struct timer *last;

    if (t->place == 0)
        return;
    t->place = 0;
    last = ts->heap[--ts->n];
    if (last == t)
        return;
    /* The last one fills the gap, and belongs above or below it. */
    if (i > 0 && last->key_ms < ts->heap[(i - 1) / 2]->key_ms)
        sift_up(ts, i, last);
    else
        sift_down(ts, i, last);
}

/* The next to fire, or NULL: entries that were moved later go to their real place first. */
static struct timer *
settle(struct timers *ts)
{
    while (ts->n > 0) {
        struct timer *t = ts->heap[0];

        if (t->due_ms == t->key_ms)
            return t;
        t->key_ms = t->due_ms;
        sift_down(ts, 0, t);
    }
    return NULL;
}

int
timers_wait_ms(struct timers *ts, int64_t now_ms)
{
    struct timer *next = ts->n > 0 ? ts->heap[0] : NULL;

    /* Far away, a wake-up that may prove too early is cheaper than moving an entry each turn. */
    if (next != NULL && next->key_ms - now_ms > FAR_MS)
        return (int)br_min(next->key_ms - now_ms, (int64_t)INT_MAX);
    next = settle(ts);
    if (next == NULL)
        return -1;
    if (next->due_ms <= now_ms)
        return 0;
    return (int)br_min(next->due_ms - now_ms, (int64_t)INT_MAX);
}

void
timers_run(struct timers *ts, int64_t now_ms)
{
    /* At most as many as there are now: a timer that sets itself for "now" waits for its turn. */
    for (uint32_t left = ts->n; left > 0; left--) {
        struct timer *t = ts->n > 0 && ts->heap[0]->key_ms <= now_ms ? settle(ts) : NULL;

        if (t == NULL || t->due_ms > now_ms)
            return;
        timer_cancel(ts, t);
        t->fn(t);
    }
}
