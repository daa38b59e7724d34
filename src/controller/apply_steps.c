/*
 * apply_steps.c - the steps of a change, in their order.
 *
 * Those before the commit can fail, and then all is taken back (apply.c); from begin_commit on
 * nothing can.
 */
#include "controller/apply_steps.h"

#include <stdlib.h>
#include <string.h>

#include "base/inject.h"
#include "base/log.h"
#include "conf/generation.h"
#include "controller/apply.h"
#include "controller/ask.h"
#include "controller/parent.h"
#include "controller/wish.h"

#define SAVE_WAIT_MS    60000
#define ROUTERS_WAIT_MS 60000
#define HUSH_MS         20 /* a handshake's last packet comes in this time from a near network */

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

/* What runs already is not stopped for the disk's sake. */
static void
cannot_save(struct apply *a)
{
    if (!a->current->serve_unsaved) {
        apply_fail(a);
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
    apply_run(a);
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
            apply_fail(a);
        }
    } else {
        if (!routers_live(rs))
            return;
        a->for_routers = false;
        change_move(a->current, CHANGE_COMMITTED);
    }
    apply_run(a);
}

static void
on_routers_made(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct apply *a = arg;

    INJECT(controller, routers_answered);
    a->pending--;
    if (parent_result(m, rc, &a->fault.err, "cannot start routers with these settings") < 0)
        apply_fail(a);
    apply_run(a);
}

/* Routers with other settings come beside those that run; main knows if these are others. */
static void
begin_routers(struct apply *a)
{
    struct msg_routers question;
    int rc;

    rc = wish_routers(a->next.generation, a->task->settings, &question, &a->fault.err);
    if (rc < 0) {
        apply_fail(a);
        return;
    }
    rc = parent_ask(a->task, MSG_ROUTERS, &question, NULL, 0, ROUTERS_WAIT_MS, on_routers_made, a);
    INJECT(controller, routers_asked);
    if (rc < 0) {
        br_fail(&a->fault.err, rc, "cannot ask for routers with these settings");
        apply_fail(a);
        return;
    }
    a->pending++;
}

static void
begin_prepare(struct apply *a)
{
    int fd = deployment_seal(&a->next);

    if (fd < 0) {
        br_fail(&a->fault.err, fd, "cannot pass the configuration to the routers");
        apply_fail(a);
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
                         app_conf_accepts(step->app) ? 0 : serving);
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
    apply_run(a);
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
    apply_run(a);
}

static void
begin_keep(struct apply *a)
{
    const struct msg_open question = {.kind = OPEN_CONF};
    int rc;

    /* All routers serve what is live: those from before the change may go, if there are others. */
    parent_tell(a->task, MSG_ROUTERS_KEEP, NULL, NULL, 0);
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
    apply_finish(a, kept ? CHANGE_APPLIED : CHANGE_REFUSED);
    INJECT(controller, answered);
    deployment_done(&old); /* the plan names parts of it until here */
}

const struct apply_step apply_steps[] = {
    {.wanted = is_open},   {.wanted = is_start},     {.begin = begin_routers},
    {.begin = begin_save}, {.begin = begin_prepare}, {.wanted = is_beside, .late = true},
    {.wanted = is_hushed}, {.begin = begin_hush},    {.begin = begin_commit},
    {.begin = begin_keep}, {.begin = begin_end},
};

void
apply_steps_init(struct apply *a)
{
    timer_init(&a->hush, on_hushed);
    routers_init(&a->routers, a->task, on_routers);
}
