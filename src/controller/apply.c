/*
 * apply.c - one change of the configuration at a time, from a parsed text to live and saved.
 *
 *   PARSED --validate, plan--> VALID --open, start, save, prepare--> PREPARED --listen--+
 *      |                         |                                      |              |
 *      +--------> FAILED <-------+------------- undo, answer why -------+              v
 *                                                            SAVED <--keep-- COMMITTED
 *
 * A dry run is over once it is VALID: its answer is the plan.
 *
 * Each step sends its questions and returns; the answers come through the loop, and the last one
 * begins the next step.  Meanwhile everything else goes on; further changes wait in line.  Whatever
 * can fail comes before commit.  To undo is to take back all that was asked for, answered or not:
 * messages to main and to a router keep their order, so taking back arrives after the question.
 *
 * The steps are in apply_steps.c.  From the commit on the routers are given the new generation
 * whatever happens (routers.c); the old launches end when nobody needs them any more (retire.c).
 */
#include "controller/apply.h"

#include <errno.h>
#include <stdlib.h>

#include "base/inject.h"
#include "conf/generation.h"
#include "conf/json.h"
#include "controller/apply_steps.h"
#include "controller/ask.h"
#include "controller/parent.h"

#define ASKED_AT_ONCE   32 /* main's line holds no more than a few hundred */
#define UNDONE_WAIT_MS  60000
#define ARENA_BYTES_MAX (1024u * 1024 * 1024)

void
change_init(struct apply *a, struct change *c, const struct change_ops *ops)
{
    *c = (struct change){.ops = ops, .restart = SLICE_NONE, .keep = true, .state = CHANGE_PARSED};
    list_init(&c->link);
    c->next = generation_new(++a->last_generation, ARENA_BYTES_MAX);
}

/* Nothing that was asked is waited for any more. */
static void
forget_answers(struct apply *a)
{
    dispatch_forget(a->task->dispatch, a);
    loop_timer_cancel(a->task->loop, &a->hush);
    for (size_t i = 0; i < a->plan.n && a->asks != NULL; i++)
        dispatch_forget(a->task->dispatch, &a->asks[i]);
    a->pending = 0;
    a->for_routers = false;
}

static void
forget_current(struct apply *a)
{
    forget_answers(a);
    deployment_done(&a->next);
    a->plan = (struct plan){NULL, 0};
    a->asks = NULL;
    a->current = NULL;
}

void
apply_finish(struct apply *a, enum change_outcome outcome)
{
    struct change *c = a->current;
    struct conf_fault fault = a->fault;

    forget_current(a);
    c->ops->over(c, outcome, &fault);
}

/* Main took back what it was told to: whoever is answered now finds all as it was. */
static void
on_undone(struct task *task br_unused, void *arg, struct message *m br_unused, int rc br_unused)
{
    struct apply *a = arg;

    apply_finish(a, CHANGE_REFUSED);
    apply_run(a);
}

void
apply_fail(struct apply *a)
{
    routers_abort(&a->routers);
    for (size_t i = 0; i < a->plan.n; i++)
        if (a->asks[i].sent)
            ask_take_back(&a->asks[i], a->current->leave_open);
    forget_answers(a);
    change_move(a->current, CHANGE_FAILED);
    if (parent_ask(a->task, MSG_ROUTERS_DROP, NULL, NULL, 0, UNDONE_WAIT_MS, on_undone, a) < 0)
        apply_finish(a, CHANGE_REFUSED);
    else
        a->pending = 1;
}

/* Ask main about the steps of the plan that the step under way is for, some at a time. */
static void
ask_more(struct apply *a)
{
    while (a->asked < a->plan.n && a->pending < ASKED_AT_ONCE) {
        struct ask *ask = &a->asks[a->asked++];

        if (ask->runs || !a->doing->wanted(ask->step))
            continue;
        ask->late = a->doing->late;
        if (ask_send(ask) < 0) {
            apply_fail(a);
            return;
        }
        a->pending++;
    }
}

/* An answer came for the step under way. */
static void
answered(struct apply *a, int rc)
{
    a->pending--;
    if (rc < 0)
        apply_fail(a);
    else
        ask_more(a);
    apply_run(a);
}

static void
on_answer(struct ask *ask, int rc)
{
    answered(ask->owner, rc);
}

static void
begin_step(struct apply *a)
{
    a->doing = &apply_steps[a->step++];
    if (a->doing->begin != NULL) {
        a->asked = a->plan.n;
        a->doing->begin(a);
    } else {
        a->asked = 0;
        ask_more(a);
    }
}

static void
invalid(struct apply *a)
{
    change_move(a->current, CHANGE_FAILED);
    apply_finish(a, CHANGE_INVALID);
}

/* A dry run ends where something outside would begin to move. */
static void
planned(struct apply *a)
{
    change_move(a->current, CHANGE_VALID);
    a->current->plan = a->plan;
    apply_finish(a, CHANGE_PLANNED);
}

/* The launch of an earlier controller that this application shall keep; 0: none, or it is gone. */
static uint32_t
adopted_launch(const struct apply *a, struct slice name)
{
    const struct json *number =
        a->current->adopted != NULL ? json_get(a->current->adopted, name) : NULL;
    int64_t launch;

    if (number == NULL || json_integer(number, &launch) < 0)
        return 0;
    for (size_t i = 0; i < a->n_adopted; i++)
        if (a->adopted[i] == launch)
            return a->adopted[i];
    return 0;
}

static void
start_or_adopt(struct apply *a, struct ask *ask)
{
    uint32_t launch = adopted_launch(a, ask->step->app->name);

    ask->runs = launch != 0;
    ask->launch = ask->runs ? launch : ++a->last_launch;
}

/* The questions to come, and the launches that go on. */
static int
make_asks(struct apply *a)
{
    struct arena *arena = &a->next.generation->arena;

    a->asks = arena_array(arena, struct ask, a->plan.n + 1);
    if (a->asks == NULL)
        return br_fail(&a->fault.err, -ENOMEM, "the configuration is too large");
    for (size_t i = 0; i < a->plan.n; i++) {
        const struct plan_step *step = &a->plan.steps[i];

        a->asks[i] =
            (struct ask){.task = a->task,
                         .step = step,
                         .takes_over = a->task->settings->held && a->live.generation == NULL,
                         .err = &a->fault.err,
                         .on_answer = on_answer,
                         .owner = a};
        if (step->verb == PLAN_APP_START)
            start_or_adopt(a, &a->asks[i]);
        else if (step->verb == PLAN_APP_KEEP)
            a->asks[i].launch = deployment_launch(&a->live, step->app->name);
        if (a->asks[i].launch != 0)
            deployment_set_launch(&a->next, step->app->name, a->asks[i].launch);
    }
    return 0;
}

static void
begin_change(struct apply *a, struct change *c)
{
    const struct json *tree;
    int rc;

    list_del(&c->link);
    a->fault = (struct conf_fault){.err = BR_ERR_NONE, .offset = JSON_NOWHERE};
    a->step = 0;
    tree = c->ops->propose(c, a->live.generation);
    if (tree == NULL)
        return;
    a->current = c;
    rc = generation_fill(c->next, tree, a->modules, &a->fault);
    if (rc < 0) {
        invalid(a);
        return;
    }
    INJECT(controller, validated);
    plan_make(&c->next->arena, a->live.generation, c->next, c->restart, &a->plan);
    if (c->dry_run) {
        planned(a);
        return;
    }
    rc = deployment_init(&a->next, generation_ref(c->next));
    if (rc == 0)
        rc = make_asks(a);
    else
        br_fail(&a->fault.err, rc, "the configuration is too large");
    if (rc < 0) {
        invalid(a);
        return;
    }
    change_move(c, CHANGE_VALID);
    INJECT(controller, planned);
}

void
apply_run(struct apply *a)
{
    if (a->running)
        return; /* called back from below: the loop there goes on */
    a->running = true;
    for (;;) {
        if (a->current == NULL) {
            struct change *c = list_first(&a->queue, struct change, link);

            if (c == NULL)
                break;
            begin_change(a, c);
        } else if (a->pending == 0 && !a->for_routers) {
            begin_step(a);
        } else {
            break;
        }
    }
    a->running = false;
}

void
apply_submit(struct apply *a, struct change *c)
{
    list_add_tail(&a->queue, &c->link);
    apply_run(a);
}

int
apply_cancel(struct apply *a, const char *why)
{
    if (a->current == NULL)
        return -ENOENT;
    if (a->current->state != CHANGE_VALID)
        return -EBUSY;
    br_err_clear(&a->fault.err);
    br_fail(&a->fault.err, -EBADMSG, "%s", why);
    apply_fail(a);
    apply_run(a);
    return 0;
}

bool
apply_introduces(const struct apply *a, struct slice app)
{
    return a->current != NULL && a->current->state == CHANGE_VALID &&
           generation_app(a->next.generation, app) != NULL &&
           (a->live.generation == NULL || generation_app(a->live.generation, app) == NULL);
}

unsigned
apply_waiting(const struct apply *a)
{
    const struct change *c;
    unsigned n = 0;

    list_foreach (c, &a->queue, link)
        n++;
    return n;
}

void
apply_init(struct apply *a, struct task *task, const struct conf_modules *modules)
{
    *a = (struct apply){.task = task, .modules = modules, .fault.err = BR_ERR_NONE};
    list_init(&a->queue);
    retire_init(&a->retire, task);
    apply_steps_init(a);
}

void
apply_count_from(struct apply *a, uint32_t base)
{
    a->last_generation = base;
    a->last_launch = base;
}

void
apply_done(struct apply *a)
{
    struct change *c, *tmp;

    a->running = true; /* nothing new begins */
    br_err_clear(&a->fault.err);
    br_fail(&a->fault.err, -ECANCELED, "brood is stopping");
    if (a->current != NULL)
        apply_finish(a, CHANGE_REFUSED);
    list_foreach_safe (c, tmp, &a->queue, link) {
        list_del(&c->link);
        c->ops->over(c, CHANGE_REFUSED, &a->fault);
    }
    retire_done(&a->retire);
    free(a->adopted);
    routers_done(&a->routers);
    deployment_done(&a->live);
}

void
apply_router_came(struct apply *a, struct channel *ch)
{
    routers_add(&a->routers, ch);
}

void
apply_router_gone(struct apply *a, struct channel *ch)
{
    retire_lost(&a->retire, routers_bit(ch));
    routers_gone(&a->routers, ch);
}

void
apply_retired(struct apply *a, struct channel *router, uint32_t generation)
{
    retire_heard(&a->retire, routers_bit(router), generation);
}

void
apply_adopt(struct apply *a, uint32_t launch)
{
    uint32_t *more = realloc(a->adopted, (a->n_adopted + 1) * sizeof(*more));

    if (more == NULL)
        abort();
    a->adopted = more;
    a->adopted[a->n_adopted++] = launch;
}
