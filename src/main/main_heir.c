/*
 * main_heir.c - the next main, until it is one.
 *
 *   sockets of the old main taken over --> discovery, controller, routers as at any start, but that
 *   no router accepts --> the controller asks for the control socket, so it has booted
 *      --> PROVE to it: was the first choice applied, does each router answer through each listener
 *           |- yes: pid file, SERVE to the routers, control socket to the controller, and main.c
 *           |       says that we are ready
 *           `- no: we give up; the old main reads why, and serves on as if nothing had been
 *
 * What must not run twice begins when the old main is gone, of which its pidfd tells.
 *
 * Until the proof nothing outside of this tree of processes is changed: no file is removed, no
 * connection is accepted, no change of the configuration is heard.
 */
#include "main/main_heir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "main/main_after.h"
#include "main/main_lines.h"
#include "main/main_live.h"
#include "main/main_open.h"
#include "main/main_upgrade.h"
#include "process/pidfile.h"

#define PROVE_WAIT_MS 20000

static void
forget_old(struct main *m)
{
    int fd = m->old_main.fd;

    loop_del(m->task.loop, &m->old_main);
    m->old_main.fd = -1;
    fd_close(&fd);
    main_live_next(m);
}

static void
on_old_gone(struct watch *w, uint32_t events br_unused)
{
    forget_old(container_of(w, struct main, old_main));
}

/* Nobody waits for it when it cannot be watched. */
static void
watch_old(struct main *m)
{
    if (m->old_main.fd >= 0 &&
        loop_add(m->task.loop, &m->old_main, m->old_main.fd, EPOLLIN, on_old_gone) < 0)
        fd_close(&m->old_main.fd);
}

bool
main_heir_old_runs(const struct main *m)
{
    return m->old_main.fd >= 0;
}

int
main_heir_begin(struct main *m, struct estate *estate, struct br_err *err)
{
    int rc = 0;

    m->own_settings = *m->task.settings;
    m->task.settings = &m->own_settings;
    m->owns_paths = estate == NULL;
    m->own_settings.held = estate != NULL;
    if (estate == NULL)
        return 0;
    m->own_settings.initial_dir = NULL; /* the first start is long over */
    m->old_main.fd = (int)syscall(SYS_pidfd_open, estate->old, 0);
    m->control_fd = fd_take(&estate->control_fd);
    m->given_told = true; /* the old main has */
    for (size_t i = 0; i < estate->n && rc == 0; i++) {
        rc = main_open_adopt(m, &estate->listeners[i]);
        if (rc < 0)
            br_fail(err, rc, "cannot take over \"%s\"", estate->listeners[i].name);
        estate->listeners[i].fd = -1;
    }
    INJECT(heir, adopted);
    if (rc == 0)
        br_log(LOG_NOTICE, "upgrade: %zu listening sockets of process %d are taken over", estate->n,
               (int)estate->old);
    return rc;
}

bool
main_heir_unproved(const struct main *m)
{
    return m->task.settings->held;
}

static void
tell_all(struct main *m)
{
    struct process *p;

    list_foreach (p, &m->children.all, link) {
        if (p->channel != NULL && message_may(MSG_SERVE, ROLE_MAIN, p->role->id))
            main_tell(m, p, MSG_SERVE, NULL, NULL, 0);
        if (p->channel != NULL)
            main_upgrade_tell(m, p);
        main_live_tell(m, p);
    }
}

/* From here on the old main has nothing to say. */
static void
take_over(struct main *m, struct channel *controller)
{
    int rc;

    INJECT(heir, proved);
    rc = pidfile_claim(m->task.settings->pid_fd);
    if (rc < 0) {
        main_give_up(m, "cannot write the pid file: %s", strerror(-rc));
        return;
    }
    INJECT(heir, claimed);
    m->own_settings.held = false;
    m->owns_paths = true;
    m->groups_noted = true; /* by the old main; ours take their place */
    main_after_note(m);
    m->upgrade.state = UPGRADE_DONE;
    watch_old(m);
    tell_all(m);
    INJECT(heir, serves);
    main_open_answer_control(m, controller, &m->control_asked);
    main_check_running(m);
}

static void
on_proved(struct task *task, br_unused void *arg, struct message *msg, int rc)
{
    struct main *m = main_of(task);
    const struct msg_result *result = msg != NULL ? msg->payload : NULL;
    struct channel *controller = dispatch_find(task->dispatch, ROLE_CONTROLLER, 0);

    m->proof_asked = false;
    if (m->phase != MAIN_STARTING || rc == -EPIPE || controller == NULL) {
        m->control_asked.serial = 0; /* the controller that comes next will ask, and be asked */
        return;
    }
    if (rc < 0)
        main_give_up(m, "the controller could not say in time whether the routers answer");
    else if (result->rc < 0)
        main_give_up(m, "%s", result->text);
    else
        take_over(m, controller);
}

void
main_heir_prove(struct main *m)
{
    struct channel *controller = dispatch_find(m->task.dispatch, ROLE_CONTROLLER, 0);

    if (controller == NULL || m->control_asked.serial == 0 || m->proof_asked)
        return;
    INJECT(heir, proving);
    m->proof_asked = true;
    if (dispatch_ask(controller, MSG_PROVE, NULL, NULL, 0, PROVE_WAIT_MS, on_proved, m) < 0)
        main_give_up(m, "the controller cannot be asked whether the routers answer");
}
