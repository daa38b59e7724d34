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
 * From the commit on the routers are given the new generation whatever happens (routers.c); the old
 * launches end when nobody needs them any more (retire.c).
 */
#include "controller/apply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "conf/generation.h"
#include "conf/json.h"
#include "controller/ask.h"
#include "controller/parent.h"
#include "controller/wish.h"

#define ASKED_AT_ONCE   32 /* main's line holds no more than a few hundred */
#define SAVE_WAIT_MS    60000
#define ROUTERS_WAIT_MS 60000
#define HUSH_MS         20 /* a handshake's last packet comes in this time from a near network */
#define ARENA_BYTES_MAX (1024u * 1024 * 1024)

/* One step of a change: a beginning, or one question for each step of the plan that is wanted. */
struct apply_step {
    void (*begin)(struct apply *a);
    bool (*wanted)(const struct plan_step *step);
};

static void run(struct apply *a);

void
change_init(struct apply *a, struct change *c, const struct change_ops *ops)
{
    *c = (struct change){.ops = ops, .restart = SLICE_NONE, .keep = true, .state = CHANGE_PARSED};
    list_init(&c->link);
    c->next = generation_new(++a->last_generation, ARENA_BYTES_MAX);
}

static void
forget_current(struct apply *a)
{
    dispatch_forget(a->task->dispatch, a);
    loop_timer_cancel(a->task->loop, &a->hush);
    for (size_t i = 0; i < a->plan.n && a->asks != NULL; i++)
        dispatch_forget(a->task->dispatch, &a->asks[i]);
    deployment_done(&a->next);
    a->plan = (struct plan){NULL, 0};
    a->asks = NULL;
    a->current = NULL;
    a->pending = 0;
    a->for_routers = false;
    a->routers_asked = false;
}

static void
finish(struct apply *a, enum change_outcome outcome)
{
    struct change *c = a->current;
    struct conf_fault fault = a->fault;

    forget_current(a);
    c->ops->over(c, outcome, &fault);
}

static void
undo(struct apply *a)
{
    routers_abort(&a->routers);
    if (a->routers_asked)
        parent_tell(a->task, MSG_ROUTERS_DROP, NULL, NULL, 0);
    for (size_t i = 0; i < a->plan.n; i++)
        if (a->asks[i].sent)
            ask_take_back(&a->asks[i], a->current->leave_open);
}

/* A step before the commit failed; a->fault.err says why. */
static void
fail(struct apply *a)
{
    undo(a);
    change_move(a->current, CHANGE_FAILED);
    finish(a, CHANGE_REFUSED);
}

/*
 * A listener that overlaps another one listens right before the commit: from then on connections
 * that were the other's are its own, and nobody takes them until the routers have changed over.
 */
static bool
is_beside(const struct plan_step *step)
{
    return step->verb == PLAN_LISTENER_OPEN && step->beside;
}

/* The other way round: what would still come to a listener that goes shall find the one beside. */
static bool
is_hushed(const struct plan_step *step)
{
    return step->verb == PLAN_LISTENER_CLOSE && step->beside;
}

/* Ask main about the steps of the plan that the step under way is for, some at a time. */
static void
ask_more(struct apply *a)
{
    while (a->asked < a->plan.n && a->pending < ASKED_AT_ONCE) {
        struct ask *ask = &a->asks[a->asked++];

        if (ask->runs || !a->doing->wanted(ask->step))
            continue;
        ask->late = a->doing->wanted == is_beside;
        if (ask_send(ask) < 0) {
            fail(a);
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
        fail(a);
    else
        ask_more(a);
    run(a);
}

static void
on_answer(struct ask *ask, int rc)
{
    answered(ask->owner, rc);
}

static bool
is_open(const struct plan_step *step)
{
    return step->verb == PLAN_LISTENER_OPEN || step->verb == PLAN_LOG_OPEN ||
           (step->verb == PLAN_LISTENER_KEEP && step->relisten);
}

static bool
is_start(const struct plan_step *step)
{
    return step->verb == PLAN_APP_START;
}

/* What runs already is not stopped for the disk's sake. */
static void
cannot_save(struct apply *a)
{
    if (!a->current->serve_unsaved) {
        fail(a);
        return;
    }
    br_log(LOG_ALERT, "what is going to be live is not saved: %s", a->fault.err.text);
    br_err_clear(&a->fault.err);
    a->current->keep = false;
}

static void
on_saved(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct apply *a = arg;

    INJECT(controller, save_answered);
    a->pending--;
    if (parent_result(m, rc, &a->fault.err, "cannot save the configuration") < 0)
        cannot_save(a);
    run(a);
}

static void
begin_save(struct apply *a)
{
    const struct msg_open question = {.kind = OPEN_CONF};
    int fd;
    int rc;

    if (!a->current->keep)
        return;
    fd = rc = deployment_seal_conf(&a->next);
    if (fd >= 0)
        rc = parent_ask(a->task, MSG_SAVE, &question, &fd, 1, SAVE_WAIT_MS, on_saved, a);
    if (rc < 0) {
        br_fail(&a->fault.err, rc, "cannot save the configuration");
        cannot_save(a);
        return;
    }
    INJECT(controller, save_asked);
    a->pending++;
}

/* The routers moved: are they where the step under way wants them? */
static void
on_routers(struct routers *rs)
{
    struct apply *a = container_of(rs, struct apply, routers);

    if (!a->for_routers)
        return;
    if (a->current->state == CHANGE_VALID) {
        int rc = routers_prepared(rs, &a->fault.err);

        if (rc == 0)
            return;
        a->for_routers = false;
        if (rc > 0) {
            change_move(a->current, CHANGE_PREPARED);
        } else {
            br_fail(&a->fault.err, rc, "a router cannot build it");
            fail(a);
        }
    } else {
        if (!routers_live(rs))
            return;
        a->for_routers = false;
        change_move(a->current, CHANGE_COMMITTED);
    }
    run(a);
}

static void
on_routers_made(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct apply *a = arg;

    INJECT(controller, routers_answered);
    a->pending--;
    if (parent_result(m, rc, &a->fault.err, "cannot start routers with these settings") < 0)
        fail(a);
    run(a);
}

/* Routers with other settings come beside those that run; main knows if these are others. */
static void
begin_routers(struct apply *a)
{
    struct msg_routers question;
    int rc;

    wish_routers(a->next.generation, &question);
    rc = parent_ask(a->task, MSG_ROUTERS, &question, NULL, 0, ROUTERS_WAIT_MS, on_routers_made, a);
    INJECT(controller, routers_asked);
    if (rc < 0) {
        br_fail(&a->fault.err, rc, "cannot ask for routers with these settings");
        fail(a);
        return;
    }
    a->pending++;
    a->routers_asked = true;
}

/* All routers serve what is live: those from before the change may go, if there are others. */
static void
keep_routers(struct apply *a)
{
    parent_tell(a->task, MSG_ROUTERS_KEEP, NULL, NULL, 0);
    a->routers_asked = false;
}

static void
begin_prepare(struct apply *a)
{
    int fd = deployment_seal(&a->next);

    if (fd < 0) {
        br_fail(&a->fault.err, fd, "cannot pass the configuration to the routers");
        fail(a);
        return;
    }
    a->for_routers = true;
    routers_prepare(&a->routers, a->next.generation->number, fd);
    on_routers(&a->routers);
}

/* What an earlier controller left behind, but for what the live generation names. */
static void
retire_adopted(struct apply *a)
{
    for (size_t i = 0; i < a->n_adopted; i++)
        if (!deployment_names(&a->live, a->adopted[i]))
            retire_stop(&a->retire, a->adopted[i]);
    free(a->adopted);
    a->adopted = NULL;
    a->n_adopted = 0;
}

/* The applications that the plan stops, once nobody needs their launches. */
static void
retire_replaced(struct apply *a)
{
    uint32_t number = a->live.generation->number;
    uint64_t serving = routers_serving(&a->routers, number);

    for (size_t i = 0; i < a->plan.n; i++) {
        const struct plan_step *step = &a->plan.steps[i];

        if (step->verb == PLAN_APP_STOP)
            retire_later(&a->retire, deployment_launch(&a->live, step->app->name), number,
                         step->app->is_program ? 0 : serving);
    }
    generation_move(a->live.generation, GENERATION_RETIRING);
}

/*
 * The point of no return: a controller that comes after us goes on from here, wherever we were
 * when we died.  Without it (no descriptor, a line that broke) it would go on from the generation
 * before.
 */
static void
tell_running(struct apply *a)
{
    const struct msg_conf running = {.generation = a->next.generation->number};
    int fd = deployment_seal(&a->next);

    if (fd >= 0)
        parent_tell(a->task, MSG_CONF_RUNNING, &running, &fd, 1);
    else
        br_log(LOG_ALERT, "main cannot be told what runs: %s", strerror(-fd));
}

/*
 * Main lets go of what closes before the routers do: each takes what waits in the queue and lets go
 * too, so the last of them leaves no moment in which connections come and nobody will take them.
 */
static void
close_listeners(struct apply *a)
{
    for (size_t i = 0; i < a->plan.n; i++)
        if (a->plan.steps[i].verb == PLAN_LISTENER_CLOSE)
            ask_close(a->task, &a->plan.steps[i]);
}

static void
on_hushed(struct timer *t)
{
    struct apply *a = container_of(t, struct apply, hush);

    a->pending--;
    run(a);
}

/* Who was half connected when a listener was hushed comes in this time, and is served from it. */
static void
begin_hush(struct apply *a)
{
    for (size_t i = 0; i < a->plan.n; i++) {
        if (!is_hushed(&a->plan.steps[i]))
            continue;
        a->pending++;
        loop_timer(a->task->loop, &a->hush, HUSH_MS);
        return;
    }
}

static void
begin_commit(struct apply *a)
{
    tell_running(a);
    close_listeners(a);
    INJECT(controller, running_told);
    if (a->live.generation != NULL)
        retire_replaced(a);
    launches_tell_live(&a->next, a->task);
    generation_move(a->next.generation, GENERATION_LIVE);
    a->for_routers = true;
    routers_commit(&a->routers);
    on_routers(&a->routers);
}

static void
on_kept(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct apply *a = arg;

    INJECT(controller, keep_answered);
    a->pending--;
    parent_result(m, rc, &a->fault.err, "the configuration is live, but cannot be kept");
    run(a);
}

static void
begin_keep(struct apply *a)
{
    const struct msg_open question = {.kind = OPEN_CONF};
    int rc;

    keep_routers(a);
    if (!a->current->keep)
        return;
    rc = parent_ask(a->task, MSG_KEEP, &question, NULL, 0, SAVE_WAIT_MS, on_kept, a);
    if (rc < 0)
        br_fail(&a->fault.err, rc, "the configuration is live, but cannot be kept");
    else
        a->pending++;
    INJECT(controller, keep_asked);
}

static void
begin_end(struct apply *a)
{
    struct deployment old = a->live;
    bool kept = a->fault.err.rc == 0;

    for (size_t i = 0; i < a->plan.n; i++)
        if (a->plan.steps[i].verb == PLAN_LOG_CLOSE)
            ask_close(a->task, &a->plan.steps[i]);
    a->live = a->next;
    a->next = (struct deployment){.generation = NULL};
    retire_adopted(a);
    if (kept)
        change_move(a->current, CHANGE_SAVED);
    else
        br_log(LOG_ALERT, "%s", a->fault.err.text);
    finish(a, kept ? CHANGE_APPLIED : CHANGE_REFUSED);
    INJECT(controller, answered);
    deployment_done(&old); /* the plan names parts of it until here */
}

static const struct apply_step steps[] = {
    {.wanted = is_open},   {.wanted = is_start},     {.begin = begin_routers},
    {.begin = begin_save}, {.begin = begin_prepare}, {.wanted = is_beside},
    {.wanted = is_hushed}, {.begin = begin_hush},    {.begin = begin_commit},
    {.begin = begin_keep}, {.begin = begin_end},
};

static void
begin_step(struct apply *a)
{
    a->doing = &steps[a->step++];
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
    finish(a, CHANGE_INVALID);
}

/* A dry run ends where something outside would begin to move. */
static void
planned(struct apply *a)
{
    change_move(a->current, CHANGE_VALID);
    a->current->plan = a->plan;
    finish(a, CHANGE_PLANNED);
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

        a->asks[i] = (struct ask){.task = a->task,
                                  .step = step,
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

/* Go on as far as possible without waiting. */
static void
run(struct apply *a)
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
    run(a);
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
    fail(a);
    run(a);
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
    timer_init(&a->hush, on_hushed);
    routers_init(&a->routers, task, on_routers);
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
        finish(a, CHANGE_REFUSED);
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
