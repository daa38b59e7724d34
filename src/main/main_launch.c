/*
 * main_launch.c - what the controller wants of applications: PROCESS_START with a card,
 * PROCESS_STOP.
 */
#include "main/main_launch.h"

#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/inject.h"
#include "main/main_live.h"
#include "main/main_quit.h"
#include "main/main_spawn.h"

static void
refuse(struct channel *ch, const struct message *question, uint32_t launch, int rc,
       const char *text)
{
    struct msg_failed failed = {.process = {.launch = launch}, .rc = rc};

    snprintf(failed.text, sizeof(failed.text), "%s", text);
    dispatch_reply(ch, question, MSG_PROCESS_FAILED, &failed, NULL, 0);
}

/* The role that is started by cards. */
static const struct br_role *
card_role(const struct main *m)
{
    for (enum role_id id = 0; id < ROLES; id++)
        if (m->roles[id] != NULL && m->roles[id]->parent == ROLE_MAIN &&
            m->roles[id]->user == USER_CARD)
            return m->roles[id];
    return NULL;
}

/* May there be such a launch: 0, or why not. */
static int
check_launch(struct main *m, uint32_t launch, struct br_err *err)
{
    const struct br_role *role = card_role(m);

    if (m->phase > MAIN_RUNNING)
        return br_fail(err, -ESHUTDOWN, "brood is about to leave");
    if (launch == 0 || role == NULL)
        return br_fail(err, -EINVAL, "there is no launch %u", launch);
    if (roster_find_launch(&m->children, role->id, launch) != NULL)
        return br_fail(err, -EEXIST, "launch %u", launch);
    return 0;
}

/* The process that the question asks for, not started yet; NULL with the reason. */
static struct process *
accept_launch(struct main *m, uint32_t launch, struct message *question, struct br_err *err)
{
    struct launch *card = NULL;
    struct process *p = NULL;

    if (check_launch(m, launch, err) < 0 || launch_read(question->fds[0], &card, err) < 0)
        return NULL;
    p = main_start_new(m, card_role(m)->id, 0);
    if (p == NULL) {
        br_fail(err, -ENOMEM, "launch %u", launch);
        launch_free(card);
        return NULL;
    }
    p->card = card;
    p->card_fd = fd_take(&question->fds[0]);
    p->launch = launch;
    p->asked = question->serial;
    return p;
}

void
main_on_process_start(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_launch *order = msg->payload;
    struct main *m = main_of(task);
    struct br_err err = BR_ERR_NONE;
    struct process *p = accept_launch(m, order->launch, msg, &err);

    INJECT(main, start_asked);
    if (p == NULL)
        refuse(ch, msg, order->launch, err.rc, err.text);
    else
        main_start(m, p);
}

void
main_on_process_stop(struct task *task, br_unused struct channel *ch, struct message *msg)
{
    const struct msg_launch *order = msg->payload;
    struct main *m = main_of(task);
    const struct br_role *role = card_role(m);
    struct process *p =
        role != NULL ? roster_find_launch(&m->children, role->id, order->launch) : NULL;

    INJECT(main, stop_asked);
    if (p == NULL || order->launch == 0)
        return;
    main_start_given_up(m, p, -ECANCELED, "stopped before it was ready");
    main_retire(m, p);
    main_live_next(m);
}
