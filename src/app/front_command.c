/*
 * front_command.c - n copies of a program that are kept running.
 *
 *   start --(start, fd, notify)--> ready --dies--> restart policy --> back-off --> start
 *                                                              `--> ended
 *
 * A launch that replaces another one stop-first only checks the program in its setup and starts it
 * when main says that the other is gone; else its setup is over when every copy is ready.
 */
#include "app/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "process/restart.h"

#define ENV_MAX 4

enum policy { POLICY_ALWAYS, POLICY_ON_FAILURE, POLICY_NEVER };

struct command;

struct copy {
    struct run run;
    struct command *command;
    struct ready ready;
    struct timer timer; /* the time to be ready is over, or: start again */
    struct restart_history deaths;
    enum status_run_state state;
    uint32_t restarts;
    int last_status; /* -1: none */
    bool late;       /* was not ready in time */
};

struct command {
    struct front *front;
    struct copy *copies;
    unsigned n;
    enum policy policy;
    enum ready_kind ready;
    int ready_number;
    int64_t ready_timeout_ms;
    bool setting_up;
    struct br_err *failure; /* while setting up */
};

static void start_or_wait(struct copy *c);

/* ---- ready ---- */

static void
on_copy_ready(struct ready *ready)
{
    struct copy *c = container_of(ready, struct copy, ready);
    struct front *f = c->command->front;

    ready_close(ready);
    loop_timer_cancel(f->task->loop, &c->timer);
    c->deaths.was_ready = true;
    if (!c->run.stopping)
        c->state = RUN_RUNNING;
    br_log(LOG_INFO, "\"%s\": process %d is ready", f->name, (int)c->run.pid);
}

/* While setting up it is the change that fails; later it ends as one that failed. */
static void
on_late(struct timer *t)
{
    struct copy *c = container_of(t, struct copy, timer);
    struct command *command = c->command;
    struct front *f = command->front;

    c->late = true;
    if (command->setting_up) {
        br_fail(command->failure, -EBADMSG, "\"%s\" was not ready in %lld ms", f->executable,
                (long long)command->ready_timeout_ms);
        return;
    }
    br_log(LOG_ERROR, "\"%s\": process %d was not ready in time", f->name, (int)c->run.pid);
    run_stop(&c->run, f->stop_grace_ms);
}

/* ---- death ---- */

static bool
comes_back(const struct copy *c, int status)
{
    switch (c->command->policy) {
    case POLICY_ALWAYS:
        return true;
    case POLICY_ON_FAILURE:
        return status != 0 || c->late;
    case POLICY_NEVER:
        break;
    }
    return false;
}

static void
on_again(struct timer *t)
{
    struct copy *c = container_of(t, struct copy, timer);

    c->restarts++;
    start_or_wait(c);
}

static void
wait_for(struct copy *c, int64_t delay_ms)
{
    c->state = RUN_WAITING;
    timer_init(&c->timer, on_again);
    loop_timer(c->command->front->task->loop, &c->timer, delay_ms);
}

static void
again_later(struct copy *c, int64_t lived_ms)
{
    int64_t delay_ms = restart_after(RESPAWN_ALWAYS, &c->deaths, lived_ms);

    if (delay_ms > 0)
        br_log(LOG_WARN, "\"%s\" starts again in %lld ms", c->command->front->name,
               (long long)delay_ms);
    wait_for(c, delay_ms);
}

static void
on_copy_end(struct run *r, int status)
{
    struct copy *c = container_of(r, struct copy, run);
    struct command *command = c->command;
    struct front *f = command->front;
    bool was_ready = c->state != RUN_STARTING;
    char text[64];

    br_log(status == 0 || r->asked ? LOG_NOTICE : LOG_ERROR, "\"%s\": process %d %s", f->name,
           (int)r->child.pid, run_status_text(status, text));
    ready_close(&c->ready);
    loop_timer_cancel(f->task->loop, &c->timer);
    c->last_status = status;
    c->state = RUN_ENDED;
    if (f->draining)
        return;
    if (command->setting_up && !was_ready)
        br_fail(command->failure, -EBADMSG, "\"%s\" %s before it was ready", f->executable, text);
    else if (comes_back(c, status))
        again_later(c, clock_ms() - r->since_ms);
}

/* ---- start ---- */

static int
copy_start(struct copy *c, struct br_err *err)
{
    struct command *command = c->command;
    struct front *f = command->front;
    struct program_fd fds[FRONT_LISTEN_MAX + 1];
    const char *env[ENV_MAX] = {NULL};
    struct activation act;
    struct run_start how = {.fds = fds, .env = env};
    br_cleanup(fd_closep) int told = -1;
    int rc;

    c->late = false;
    c->deaths.was_ready = false;
    rc = ready_open(&c->ready, f->task->loop, command->ready, on_copy_ready, &told, err);
    if (rc < 0)
        return rc;
    if (command->ready == READY_NOTIFY)
        env[0] = c->ready.env;
    if (told >= 0)
        fds[how.n_fds++] = (struct program_fd){told, command->ready_number};
    run_activate(f, &act, fds, env, &how);
    rc = run_start(f, &c->run, &how, on_copy_end, err);
    if (rc < 0) {
        ready_close(&c->ready);
        return rc;
    }
    c->state = command->ready == READY_START ? RUN_RUNNING : RUN_STARTING;
    timer_init(&c->timer, on_late);
    if (c->state == RUN_STARTING)
        loop_timer(f->task->loop, &c->timer, command->ready_timeout_ms);
    return 0;
}

static void
start_or_wait(struct copy *c)
{
    struct br_err err = BR_ERR_NONE;

    if (copy_start(c, &err) == 0) {
        c->deaths.in_vain = 0;
        return;
    }
    if (c->deaths.in_vain == 0)
        br_log(LOG_ERROR, "\"%s\": %s: tried again until it succeeds", c->command->front->name,
               err.text);
    wait_for(c, restart_in_vain(&c->deaths));
}

/* ---- setup ---- */

static enum policy
policy_of(const char *text)
{
    if (strcmp(text, "never") == 0)
        return POLICY_NEVER;
    return strcmp(text, "on-failure") == 0 ? POLICY_ON_FAILURE : POLICY_ALWAYS;
}

static int
command_new(struct front *f, struct command **ret_command, struct br_err *err)
{
    const struct launch *card = f->card;
    struct command *command = calloc(1, sizeof(*command));

    if (command == NULL)
        return br_fail(err, -ENOMEM, "cannot supervise a program");
    f->data = *ret_command = command;
    command->front = f;
    command->failure = err;
    command->n = (unsigned)br_max(launch_int(card, "max", 1), (int64_t)1);
    command->policy = policy_of(launch_get(card, "restart", "always"));
    command->ready = ready_parse(launch_get(card, "ready", "start"), &command->ready_number);
    command->ready_timeout_ms = launch_int(card, "ready_timeout_ms", 30000);
    command->copies = calloc(command->n, sizeof(*command->copies));
    if (command->copies == NULL)
        return br_fail(err, -ENOMEM, "cannot supervise %u copies", command->n);
    for (unsigned i = 0; i < command->n; i++) {
        command->copies[i].command = command;
        command->copies[i].ready.fd = -1;
        command->copies[i].last_status = -1;
        command->copies[i].state = RUN_WAITING;
        timer_init(&command->copies[i].timer, on_again);
    }
    return 0;
}

static bool
all_ready(const struct command *command)
{
    for (unsigned i = 0; i < command->n; i++) {
        if (command->copies[i].state == RUN_STARTING)
            return false;
    }
    return true;
}

/* Messages are heard meanwhile: who takes the change back ends this, too. */
static int
start_all(struct command *command, struct br_err *err)
{
    struct loop *loop = command->front->task->loop;
    int rc = 0;

    command->setting_up = true;
    for (unsigned i = 0; i < command->n && rc == 0; i++)
        rc = copy_start(&command->copies[i], err);
    while (rc == 0 && err->rc == 0 && !all_ready(command)) {
        rc = loop_once(loop, -1);
        if (loop_stopped(loop))
            rc = br_fail(err, -ECANCELED, "stopped before it was ready");
    }
    command->setting_up = false;
    output_flush(command->front);
    return rc < 0 ? rc : err->rc;
}

static int
command_open(struct front *f, struct br_err *err)
{
    struct command *command = NULL;
    int rc = command_new(f, &command, err);
    int last = STDERR_FILENO + (int)f->n_listen;

    if (rc == 0 && command->ready == READY_FD && command->ready_number <= last)
        rc =
            br_fail(err, -EBADMSG,
                    "descriptor %d is one of the listening sockets, 3 to %d: \"ready\" must name a "
                    "higher one",
                    command->ready_number, last);
    if (rc == 0)
        rc = run_check(f, err);
    if (rc < 0 || launch_int(f->card, "wait", 0) != 0)
        return rc;
    f->live = true;
    return start_all(command, err);
}

static void
command_live(struct front *f)
{
    struct command *command = f->data;

    for (unsigned i = 0; i < command->n; i++)
        start_or_wait(&command->copies[i]);
}

static void
command_drain(struct front *f)
{
    struct command *command = f->data;

    for (unsigned i = 0; i < command->n; i++) {
        struct copy *c = &command->copies[i];

        loop_timer_cancel(f->task->loop, &c->timer);
        if (c->run.pid == 0)
            c->state = RUN_ENDED;
    }
    runs_stop(f, f->stop_grace_ms);
}

static void
command_numbers(const struct front *f, struct status_front *ret_sums,
                struct status_program *ret_rows, uint32_t *ret_n)
{
    const struct command *command = f->data;
    uint32_t n = br_min(*ret_n, command->n);

    *ret_sums = (struct status_front){.last_status = -1};
    for (uint32_t i = 0; i < n; i++) {
        const struct copy *c = &command->copies[i];

        ret_rows[i] = (struct status_program){.state = c->state};
        if (c->run.pid != 0)
            run_number(&c->run, &ret_rows[i]);
        if (c->state == RUN_STARTING && !c->run.stopping)
            ret_rows[i].state = RUN_STARTING;
        ret_rows[i].restarts = c->restarts;
        ret_rows[i].last_status = c->last_status;
        ret_sums->started += c->restarts + (c->run.pid != 0 || c->last_status >= 0);
    }
    *ret_n = n;
}

const struct front_kind front_command = {
    .open = command_open,
    .live = command_live,
    .drain = command_drain,
    .numbers = command_numbers,
};
