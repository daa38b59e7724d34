/*
 * ask.c - one question to main about one step of a plan, and how it is taken back.
 *
 *   LISTENER_OPEN, LOG_OPEN   OPEN            taken back by CLOSE; beside another: twice
 *   LISTENER_KEEP (relisten)  OPEN            stays: it is live already
 *   LISTENER_CLOSE (beside)   OPEN, reserved  stays: nothing fails after it
 *   APP_START                 PROCESS_START   taken back by PROCESS_STOP
 */
#include "controller/ask.h"

#include <errno.h>
#include <stdio.h>

#include "base/inject.h"
#include "conf/plan.h"
#include "controller/deployment.h"
#include "controller/parent.h"

#define OPEN_WAIT_MS     30000
#define START_WAIT_MS    300000
#define DETAIL_BYTES_MAX 800 /* of what an application said when it failed: the end of it */

/* The thing of that step by its name; -ENAMETOOLONG: it has no place in the message. */
static int
name_opened(const struct plan_step *step, struct msg_open *ret)
{
    const char *name = step->listener != NULL ? step->listener->address : step->log;

    *ret = (struct msg_open){.kind = step->listener != NULL ? OPEN_LISTENER : OPEN_ACCESS_LOG,
                             .value = step->listener != NULL ? step->listener->backlog : 0};
    if ((size_t)snprintf(ret->name, sizeof(ret->name), "%s", name) >= sizeof(ret->name))
        return -ENAMETOOLONG;
    return 0;
}

static void
on_opened(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct ask *ask = arg;
    const struct plan_step *step = ask->step;

    INJECT(controller, open_answered);
    if (step->verb == PLAN_LISTENER_CLOSE)
        rc = 0; /* at worst it hears on until it is closed */
    else if (step->listener != NULL)
        rc = parent_result(m, rc, ask->err, "cannot open listener %s", step->listener->address);
    else
        rc = parent_result(m, rc, ask->err, "cannot open access log %s", step->log);
    ask->on_answer(ask, rc);
}

static int
ask_open(struct ask *ask)
{
    struct msg_open question;
    int rc = name_opened(ask->step, &question);

    question.reserve = ask->step->beside && !ask->late;
    if (rc == 0)
        rc = parent_ask(ask->task, MSG_OPEN, &question, NULL, 0, OPEN_WAIT_MS, on_opened, ask);
    INJECT(controller, open_asked);
    return rc < 0 ? br_fail(ask->err, rc, "cannot open \"%s\"", question.name) : 0;
}

/* The end of what it said, from the beginning of a line: there a traceback names its cause. */
static struct slice
last_lines(const char *text)
{
    struct slice said = slice_cstr(text);
    size_t line;

    while (said.n > 0 && (said.p[said.n - 1] == '\n' || said.p[said.n - 1] == ' '))
        said.n--;
    if (said.n <= DETAIL_BYTES_MAX)
        return said;
    said = slice_sub(said, said.n - DETAIL_BYTES_MAX, said.n);
    line = slice_find(said, 0, '\n');
    return line < said.n ? slice_sub(said, line + 1, said.n) : said;
}

static void
on_started(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct ask *ask = arg;
    struct slice name = ask->step->app->name;

    INJECT(controller, start_answered);
    if (rc < 0) {
        br_fail(ask->err, rc, "application \"" SLICE_FMT "\" did not get ready", SLICE_ARG(name));
    } else if (m->type == MSG_PROCESS_FAILED) {
        const struct msg_failed *failed = m->payload;
        struct slice why = last_lines(failed->text);

        rc = br_fail(ask->err, -EBADMSG, "cannot start application \"" SLICE_FMT "\": " SLICE_FMT,
                     SLICE_ARG(name), SLICE_ARG(why));
    }
    ask->on_answer(ask, rc);
}

static int
ask_start(struct ask *ask)
{
    const struct app_conf *app = ask->step->app;
    const struct msg_launch question = {.launch = ask->launch};
    bool replaces = ask->step->was != NULL || ask->takes_over;
    int card = launch_card(app, ask->launch, replaces, ask->task->settings);
    int rc = card;

    if (card >= 0)
        rc = parent_ask(ask->task, MSG_PROCESS_START, &question, &card, 1, START_WAIT_MS,
                        on_started, ask);
    INJECT(controller, start_asked);
    return rc < 0 ? br_fail(ask->err, rc, "cannot start application \"" SLICE_FMT "\"",
                            SLICE_ARG(app->name))
                  : 0;
}

int
ask_send(struct ask *ask)
{
    int rc = ask->step->verb == PLAN_APP_START ? ask_start(ask) : ask_open(ask);

    ask->sent |= rc == 0;
    return rc;
}

void
ask_close(struct task *task, const struct plan_step *step)
{
    struct msg_open order;

    name_opened(step, &order);
    parent_tell(task, MSG_CLOSE, &order, NULL, 0);
    INJECT(controller, close_told);
}

void
ask_take_back(const struct ask *ask, bool leave_open)
{
    const struct msg_launch order = {.launch = ask->launch};

    if (ask->step->verb == PLAN_APP_START)
        parent_tell(ask->task, MSG_PROCESS_STOP, &order, NULL, 0);
    else if (ask->step->verb != PLAN_LISTENER_KEEP && ask->step->verb != PLAN_LISTENER_CLOSE &&
             !leave_open)
        ask_close(ask->task, ask->step);
}
