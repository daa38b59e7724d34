/*
 * scale.c - how many workers now: counts what there is, then asks each rule once.
 *
 * A busy worker that becomes idle tells nobody.  So while more than `spare` run, the plan asks to
 * be called again no later than the first of them could have been idle for long enough.
 */
#include "app/scale.h"

/* Between two looks when the timeout itself is shorter: a timeout of 0 must not become a spin. */
#define LOOK_LEAST_MS 100

struct counts {
    unsigned starting;
    unsigned running; /* idle or busy */
    unsigned idle;
    unsigned held;
    int oldest; /* the longest idle worker, or -1 */
};

static struct counts
count(const struct scale_view *view)
{
    struct counts c = {.oldest = -1};

    for (unsigned i = 0; i < view->n_workers; i++) {
        const struct scale_worker *w = &view->workers[i];

        switch (w->state) {
        case SCALE_STARTING:
            c.starting++;
            break;
        case SCALE_IDLE:
            c.running++;
            c.idle++;
            if (c.oldest < 0 || w->idle_since_ms <= view->workers[c.oldest].idle_since_ms)
                c.oldest = (int)i;
            break;
        case SCALE_BUSY:
            c.running++;
            c.held += br_max(w->held, 1u);
            break;
        case SCALE_DRAINING:
            break;
        }
    }
    return c;
}

static unsigned
over(unsigned a, unsigned b)
{
    return a > b ? a - b : 0;
}

static unsigned
wanted(const struct scale_rules *rules, const struct scale_view *view, const struct counts *c)
{
    unsigned processes = c->running + c->starting;
    unsigned active = c->held + view->waiting;
    unsigned spare = view->draining ? 0 : rules->spare;
    unsigned n = br_max(over(active, processes), over(spare, c->idle + c->starting));

    n = br_min(n, over(rules->max, processes));
    return br_min(n, over(br_max(spare, 1u), c->starting));
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < 0 ? b : br_min(a, b);
}

struct scale_plan
scale_decide(const struct scale_rules *rules, const struct scale_view *view)
{
    struct counts c = count(view);
    struct scale_plan plan = {.start = wanted(rules, view, &c), .retire = -1, .look_ms = -1};

    if (plan.start > 0 && view->now_ms < view->hold_until_ms) {
        plan.start = 0;
        plan.look_ms = view->hold_until_ms;
    }
    if (view->draining || c.running <= rules->spare)
        return plan;

    if (c.idle > rules->spare) {
        int64_t due = view->workers[c.oldest].idle_since_ms + rules->idle_timeout_ms;

        if (due <= view->now_ms) {
            plan.retire = c.oldest;
            due = view->now_ms;
        }
        plan.look_ms = sooner(plan.look_ms, due);
    } else {
        plan.look_ms =
            sooner(plan.look_ms, view->now_ms + br_max(rules->idle_timeout_ms, LOOK_LEAST_MS));
    }
    return plan;
}
