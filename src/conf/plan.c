/*
 * plan.c - the difference of two generations, as steps.
 *
 * Listeners are the same when their address is, applications when their name, their
 * compact JSON text and the listeners that they accept from themselves are, the access log when its
 * path is.
 */
#include "conf/plan.h"

#include "conf/address.h"

struct planner {
    const struct generation *old; /* NULL: nothing runs */
    const struct generation *next;
    struct slice restart;
    struct plan *plan;
};

static struct plan_step *
add(struct planner *p, enum plan_verb verb)
{
    struct plan_step *step = &p->plan->steps[p->plan->n++];

    *step = (struct plan_step){.verb = verb};
    return step;
}

static const struct listener_conf *
old_listener(const struct planner *p, const struct listener_conf *l)
{
    return p->old == NULL ? NULL : generation_listener(p->old, slice_cstr(l->address));
}

static const struct app_conf *
old_app(const struct planner *p, const struct app_conf *app)
{
    return p->old == NULL ? NULL : generation_app(p->old, app->name);
}

static bool
must_start(const struct planner *p, const struct app_conf *app, const struct app_conf *was)
{
    return was == NULL || !app_conf_same(app, was) ||
           (p->restart.p != NULL && slice_eq(app->name, p->restart));
}

static const char *
old_log(const struct planner *p)
{
    return p->old == NULL ? NULL : p->old->access_log;
}

static bool
same_log(const struct planner *p)
{
    const char *old = old_log(p), *next = p->next->access_log;

    return old != NULL && next != NULL && strcmp(old, next) == 0;
}

static bool
overlaps_any(const struct listener_conf *l, const struct listener_conf *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (address_overlap(l->address, list[i].address))
            return true;
    return false;
}

/* With what listens already, or will when its turn comes. */
static bool
opens_beside(const struct planner *p, const struct listener_conf *l)
{
    return overlaps_any(l, p->next->listeners, p->next->n_listeners) ||
           (p->old != NULL && overlaps_any(l, p->old->listeners, p->old->n_listeners));
}

static void
add_what_may_fail(struct planner *p)
{
    const struct generation *next = p->next;

    for (size_t i = 0; i < next->n_listeners; i++) {
        const struct listener_conf *l = &next->listeners[i];
        struct plan_step *step;

        if (old_listener(p, l) != NULL)
            continue;
        step = add(p, PLAN_LISTENER_OPEN);
        step->listener = l;
        step->beside = opens_beside(p, l);
    }
    if (next->access_log != NULL && !same_log(p))
        add(p, PLAN_LOG_OPEN)->log = next->access_log;
    for (size_t i = 0; i < next->n_apps; i++) {
        const struct app_conf *app = &next->apps[i], *was = old_app(p, app);
        struct plan_step *step;

        if (!must_start(p, app, was))
            continue;
        step = add(p, PLAN_APP_START);
        step->app = app;
        step->was = was;
    }
}

static void
add_what_stays(struct planner *p)
{
    const struct generation *next = p->next;
    struct plan_step *step;

    for (size_t i = 0; i < next->n_listeners; i++) {
        const struct listener_conf *l = &next->listeners[i], *was = old_listener(p, l);

        if (was == NULL)
            continue;
        step = add(p, PLAN_LISTENER_KEEP);
        step->listener = l;
        step->relisten = l->backlog != was->backlog;
    }
    if (same_log(p))
        add(p, PLAN_LOG_KEEP)->log = next->access_log;
    for (size_t i = 0; i < next->n_apps; i++) {
        const struct app_conf *app = &next->apps[i], *was = old_app(p, app);

        if (must_start(p, app, was))
            continue;
        step = add(p, PLAN_APP_KEEP);
        step->app = app;
        step->was = was;
    }
}

static void
add_what_goes(struct planner *p)
{
    const struct generation *old = p->old, *next = p->next;

    if (old == NULL)
        return;
    for (size_t i = 0; i < old->n_listeners; i++) {
        const struct listener_conf *l = &old->listeners[i];
        struct plan_step *step;

        if (generation_listener(next, slice_cstr(l->address)) != NULL)
            continue;
        step = add(p, PLAN_LISTENER_CLOSE);
        step->listener = l;
        step->beside = overlaps_any(l, next->listeners, next->n_listeners);
    }
    if (old->access_log != NULL && !same_log(p))
        add(p, PLAN_LOG_CLOSE)->log = old->access_log;
    for (size_t i = 0; i < old->n_apps; i++) {
        const struct app_conf *was = &old->apps[i], *app = generation_app(next, was->name);

        if (app == NULL || must_start(p, app, was))
            add(p, PLAN_APP_STOP)->app = was;
    }
}

/* Each thing makes at most one step in each generation, and the log one more. */
static size_t
most_steps(const struct generation *old, const struct generation *next)
{
    size_t n = next->n_listeners + next->n_apps + 1;

    return old == NULL ? n : n + old->n_listeners + old->n_apps + 1;
}

void
plan_make(struct arena *a, const struct generation *old, const struct generation *next,
          struct slice restart, struct plan *ret_plan)
{
    struct planner p = {.old = old, .next = next, .restart = restart, .plan = ret_plan};

    ret_plan->n = 0;
    ret_plan->steps = arena_array(a, struct plan_step, most_steps(old, next));
    add_what_may_fail(&p);
    add_what_stays(&p);
    add_what_goes(&p);
}
