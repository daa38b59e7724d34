/*
 * front_role.c - the supervisor of an application that is a program: birth, messages, end.
 *
 *   setup: streams -> kind.open (check, or start and wait until ready) -> READY
 *   PROCESS_LIVE -> kind.live        DRAIN -> kind.drain, grace -> stop        STOP -> stop
 *
 * A change of the configuration fails as a whole when this setup does.  The programs die with the
 * supervisor (PR_SET_PDEATHSIG), so that the next one never finds its place taken.
 */
#include "app/front_role.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/app.h"
#include "app/front.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/dispatch.h"
#include "process/process.h"
#include "process/title.h"

#define STOP_MS      1000 /* STOP: for programs to leave in order */
#define ORPHANS_MS   1000
#define ROWS_MAX     1024 /* of the status */
#define LAST_WORD_MS 500  /* before the grace that main gives is over */

bool
front_is(const struct launch *card)
{
    return card != NULL && launch_get(card, "program", NULL) != NULL;
}

/* ---- setup ---- */

static int
signal_number(const char *name)
{
    for (int number = 1; number < NSIG; number++) {
        const char *word = sigabbrev_np(number);

        if (word != NULL && strcmp(word, name) == 0)
            return number;
    }
    return SIGTERM;
}

const char **
front_arguments(const struct launch *card)
{
    unsigned pos = 0, n = 1;
    const char **argv;

    while (launch_next(card, "argument", &pos) != NULL)
        n++;
    argv = calloc(n + 1, sizeof(*argv));
    if (argv == NULL)
        return NULL;
    argv[0] = launch_get(card, "executable", "");
    pos = 0;
    for (unsigned i = 1; i < n; i++)
        argv[i] = launch_next(card, "argument", &pos);
    return argv;
}

static const struct front_kind *
kind_of(const struct launch *card)
{
    if (strcmp(launch_get(card, "program", ""), "inetd") == 0)
        return &front_inetd;
    if (launch_int(card, "every_ms", 0) > 0 || launch_get(card, "calendar", NULL) != NULL)
        return &front_periodic;
    return &front_command;
}

static void
take_listeners(struct front *f, const struct process *process)
{
    char name[24];

    for (;; f->n_listen++) {
        int fd;

        snprintf(name, sizeof(name), "listen%u", f->n_listen);
        fd = process_kept(process, name);
        if (fd < 0 || f->n_listen == FRONT_LISTEN_MAX)
            return;
        f->listen[f->n_listen] = fd;
    }
}

static void
on_grace(struct timer *t)
{
    struct front *f = container_of(t, struct front, grace);

    if (f->n_runs > 0)
        br_log(LOG_WARN, "\"%s\": grace is over for %u programs", f->name, f->n_runs);
    runs_stop(f, br_min(f->stop_grace_ms, (int64_t)LAST_WORD_MS));
}

static bool
is_ours(const struct front *f, pid_t pid)
{
    const struct run *r;

    list_foreach (r, &f->runs, link) {
        if (r->pid == pid)
            return true;
    }
    return false;
}

/* As process 1 of a namespace: reap whose parents died there.  The dead of our own have an event.
 */
static void
on_orphans(struct timer *t)
{
    struct front *f = container_of(t, struct front, orphans);
    siginfo_t dead = {0};

    while (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 && dead.si_pid != 0 &&
           !is_ours(f, dead.si_pid)) {
        waitid(P_PID, (id_t)dead.si_pid, &dead, WEXITED | WNOHANG);
        dead.si_pid = 0;
    }
    loop_timer(f->task->loop, t, ORPHANS_MS);
}

int
front_setup(struct task *task, struct process *process, struct br_err *err)
{
    const struct launch *card = process->card;
    struct front *f = calloc(1, sizeof(*f));
    int rc;

    if (f == NULL)
        return br_fail(err, -ENOMEM, "cannot supervise a program");
    *f = (struct front){.task = task,
                        .card = card,
                        .name = launch_get(card, "name", ""),
                        .kind = kind_of(card),
                        .executable = launch_get(card, "executable", ""),
                        .argv = front_arguments(card),
                        .stop_signal = signal_number(launch_get(card, "stop_signal", "TERM")),
                        .stop_grace_ms = launch_int(card, "stop_grace_ms", 10000)};
    task->data = f;
    list_init(&f->runs);
    timer_init(&f->grace, on_grace);
    timer_init(&f->orphans, on_orphans);
    if (getpid() == 1)
        loop_timer(task->loop, &f->orphans, ORPHANS_MS);
    if (f->argv == NULL)
        return br_fail(err, -ENOMEM, "cannot supervise a program");
    signal(SIGPIPE, SIG_IGN);
    title_set("brood: \"%s\" supervisor", f->name);
    take_listeners(f, process);
    rc = output_open(f, err);
    return rc < 0 ? rc : f->kind->open(f, err);
}

int
front_start(struct task *task, void *data)
{
    struct front *f = data;
    int rc = loop_run(task->loop);

    output_flush(f);
    return rc < 0 ? 1 : 0;
}

void
front_settle(struct front *f)
{
    if (f->draining && f->n_runs == 0)
        loop_stop(f->task->loop);
}

/* ---- messages ---- */

/*
 * Any prototype hears these while it waits for the outside work, when there is no supervisor yet
 * (task->data NULL), and perhaps never will be: what is asked for then is seen to by setup, or by
 * main, which kills what is not ready.
 */

static void
drain(struct front *f)
{
    if (f->draining)
        return;
    f->draining = true;
    f->kind->drain(f);
}

static void
on_live(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct front *f = task->data;

    if (f == NULL || f->live || f->draining)
        return;
    f->live = true;
    f->kind->live(f);
}

static void
on_drain(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_drain *order = m->payload;
    struct front *f = task->data;

    if (f == NULL)
        return;
    f->staying = order->staying;
    drain(f);
    loop_timer(task->loop, &f->grace, order->grace_ms);
    front_settle(f);
}

static void
on_stop(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct front *f = task->data;

    if (f == NULL)
        return;
    drain(f);
    runs_stop(f, STOP_MS);
    front_settle(f);
}

static void
on_log_reopen(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct front *f = task->data;

    if (f != NULL)
        app_streams(f->card, log_fd());
}

static void
on_status_ask(struct task *task, struct channel *ch, struct message *m)
{
    const struct msg_none none = {0};
    struct front *f = task->data;
    struct {
        struct status_prototype head;
        struct status_front sums;
        struct status_program rows[ROWS_MAX];
    } *status = calloc(1, sizeof(*status));
    uint32_t n = ROWS_MAX;
    int fd;

    if (f == NULL || status == NULL) {
        free(status);
        return;
    }
    f->kind->numbers(f, &status->sums, status->rows, &n);
    status->head = (struct status_prototype){.launch = task->launch,
                                             .instance = task->instance,
                                             .n_workers = n,
                                             .pid = getpid(),
                                             .filters = task->filters};
    fd = fd_memfd_sealed("status", status, offsetof(__typeof__(*status), rows[n]));
    free(status);
    if (fd >= 0)
        dispatch_reply(ch, m, MSG_STATUS, &none, &fd, 1);
}

const struct msg_handler front_messages[] = {
    {MSG_PROCESS_LIVE, on_live},     {MSG_DRAIN, on_drain},           {MSG_STOP, on_stop},
    {MSG_LOG_REOPEN, on_log_reopen}, {MSG_STATUS_ASK, on_status_ask}, {MSG_NONE, NULL},
};

void
front_on_peer_gone(struct task *task, struct channel *ch)
{
    if (ch == task->parent)
        _exit(1); /* main is gone; the programs follow by PDEATHSIG */
}
