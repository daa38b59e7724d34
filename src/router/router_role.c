/*
 * router_role.c - setup, messages and the loop of a router.
 *
 *   epoll: clients, lines, wake eventfd
 *   after_wait   answers of applications out of the nests
 *   turn_end     requests of this turn: at most one wake for each nest; access log lines, one write
 *   before_wait  SLEEP into the nests that owe answers
 *
 * The eventfd is watched edge-triggered and never read: that it was written is all there is to
 * know. Without main a router has no purpose: when that line breaks it leaves.  One that cannot
 * take what it is given (a line, a nest) would let requests wait for ever, so it drains, and main
 * makes another.
 */
#include "router/router_role.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/dispatch.h"
#include "ipc/spawn.h"
#include "ipc/status.h"
#include "process/process.h"
#include "router/app_queue.h"
#include "router/install.h"
#include "router/listeners.h"
#include "router/router.h"
#include "router/session.h"
#include "router/settle.h"

#define LOG_WAIT_MS 10000

/* --- the loop's hooks --- */

static bool
before_wait(void *arg)
{
    return links_may_sleep(arg);
}

static void
on_log_opened(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct access_log *log = arg;
    const struct msg_result *result = m != NULL ? m->payload : NULL;

    if (rc == 0)
        rc = result->rc;
    if (rc == 0 && m->n_fds == 1)
        access_log_reopen(log, fd_take(&m->fds[0]));
    else
        br_log(LOG_ERROR, "access log \"%s\" stays as it is: %s", log->path,
               result != NULL ? result->text : strerror(-rc));
    access_log_unref(log);
}

static void
reopen_access_log(struct router *router, struct access_log *log)
{
    struct msg_open question = {.kind = OPEN_ACCESS_LOG};

    snprintf(question.name, sizeof(question.name), "%s", log->path);
    log->refs++;
    if (dispatch_ask(router->task->parent, MSG_OPEN, &question, NULL, 0, LOG_WAIT_MS, on_log_opened,
                     log) < 0)
        access_log_unref(log);
}

static void
reopen_access_logs(struct router *router)
{
    struct access_log *log, *tmp;

    list_foreach_safe (log, tmp, &router->logs, link)
        reopen_access_log(router, log);
}

/* The sockets stay open in main; who waits in their queues is another router's. */
static void
begin_drain(struct router *router, uint32_t grace_ms)
{
    if (router->draining)
        return;
    router->draining = true;
    listeners_stop(router);
    INJECT(router, drains);
    h1_server_drain(&router->server);
    loop_timer(router->task->loop, &router->grace, grace_ms);
}

/* After the events of each turn: what main asked for. */
static void
look_at_told(struct router *router)
{
    struct told told = router->told;

    router->told = (struct told){.quit = false};
    if (told.reopen)
        reopen_access_logs(router);
    if (told.terminate)
        loop_stop(router->task->loop);
    else if (told.quit)
        begin_drain(router, told.grace_ms);
}

/* Draining is over with the last connection. */
static void
leave_when_done(struct router *router)
{
    if (router->draining && list_empty(&router->server.conns))
        loop_stop(router->task->loop);
}

static void
after_wait(void *arg)
{
    links_collect(arg);
}

static void
turn_end(void *arg)
{
    struct router *router = arg;
    struct access_log *log;

    links_turn_end(router);
    list_foreach (log, &router->logs, link)
        access_log_flush(log);
    look_at_told(router);
    leave_when_done(router);
}

static void
on_wake(struct watch *w br_unused, uint32_t events br_unused)
{
}

static void
on_grace_over(struct timer *t)
{
    struct router *router = container_of(t, struct router, grace);

    br_log(LOG_WARN, "grace is over: %llu requests are cut",
           (unsigned long long)router->server.counters.active);
    h1_server_close(&router->server);
}

/* --- setup and loop --- */

int
router_setup(struct task *task, struct process *process, struct br_err *err)
{
    struct router *router = calloc(1, sizeof(*router));
    const struct loop_hooks hooks = {
        .arg = router, .before_wait = before_wait, .after_wait = after_wait, .turn_end = turn_end};
    const struct msg_routers *how = process->data;
    char name[24];
    int rc;

    if (router == NULL)
        return br_fail(err, -ENOMEM, "cannot set up the router");
    task->data = router;
    router->task = task;
    router->held = task->settings->held;
    list_init(&router->listeners);
    list_init(&router->queues);
    list_init(&router->active);
    list_init(&router->sent);
    list_init(&router->logs);
    timer_init(&router->grace, on_grace_over);
    h1_server_init(&router->server, task->loop, &session_ops);
    snprintf(name, sizeof(name), "wake%u", task->index);
    router->wake_fd = process_kept(process, name);
    rc = router->wake_fd < 0
             ? -EBADF
             : loop_add(task->loop, &router->wake, router->wake_fd, EPOLLIN | EPOLLET, on_wake);
    if (rc < 0)
        return br_fail(err, rc, "router %u has no eventfd to be woken by", task->index);
    loop_set_hooks(task->loop, &hooks);
    router->n_routers = how != NULL ? how->n : task->settings->routers;
    return how != NULL ? settle(how, process->nth, err) : 0;
}

void
router_done(struct task *task)
{
    struct router *router = task->data;

    h1_server_close(&router->server);
    install_abort(router);
    listeners_close(router);
    if (router->live != NULL)
        installed_unref(router->live); /* its log is written with it */
    app_queues_close(router);
    loop_timer_cancel(task->loop, &router->grace);
    loop_set_hooks(task->loop, &(struct loop_hooks){.arg = NULL});
    loop_del(task->loop, &router->wake);
    free(router);
    task->data = NULL;
}

int
router_start(struct task *task, void *data br_unused)
{
    int rc = loop_run(task->loop);

    if (rc < 0)
        br_log(LOG_ALERT, "the router's loop failed: %s", strerror(-rc));
    router_done(task);
    return rc < 0 ? 1 : 0;
}

void
router_on_peer_gone(struct task *task, struct channel *ch)
{
    /* What a controller was about to do is undone; the next one starts anew. */
    if (channel_peer(ch)->role == ROLE_CONTROLLER)
        install_abort(task->data);
}

static void
cannot_go_on(struct router *router, struct br_err *err)
{
    if (router->draining || router->told.quit)
        return;
    spawn_tell_failed(router->task, err);
    router->told.quit = true;
    router->told.grace_ms = router->task->settings->grace_ms;
}

void
router_on_lost(struct task *task)
{
    struct br_err err = BR_ERR_NONE;

    br_fail(&err, -EMFILE, "too many open files to take what it is given: it drains");
    cannot_go_on(task->data, &err);
}

/* --- messages --- */

static void
on_prepare(struct task *task, struct channel *ch, struct message *m)
{
    install_prepare(task->data, ch, m);
}

static void
on_commit(struct task *task, struct channel *ch, struct message *m)
{
    install_commit(task->data, ch, m);
}

static void
on_abort(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    install_abort(task->data);
}

static void
on_nest_open(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_nest *nest = m->payload;
    struct br_err err = BR_ERR_NONE;
    int rc = app_queue_open(task->data, nest, fd_take(&m->fds[0]), fd_take(&m->fds[1]), &err);

    INJECT(router, nest_open);
    if (rc == 0)
        return;
    err.rc = rc;
    app_queue_failed(task->data, nest->launch);
    cannot_go_on(task->data, &err);
}

static void
on_process_gone(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_process *p = m->payload;

    if (p->role == ROLE_PROTOTYPE)
        app_queue_gone(task->data, p->launch, p->instance);
}

static void
on_process_failed(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_failed *failed = m->payload;

    if (failed->process.role == ROLE_PROTOTYPE)
        app_queue_failed(task->data, failed->process.launch);
}

static void
on_body_ask(struct task *task, struct channel *ch, struct message *m)
{
    const struct msg_slot *ask = m->payload;
    const struct peer *worker = channel_peer(ch);
    struct app_link *at = app_queue_link(task->data, worker->launch, worker->instance);
    struct msg_slot answer = {.slot = ask->slot, .generation = ask->generation};
    int fd = at != NULL ? link_body(at, ask->slot, ask->generation, &answer.size) : -ENOENT;

    if (fd < 0 && fd != -ENOENT)
        br_log(LOG_ERROR, "cannot pass a request body on: %s", strerror(-fd));
    dispatch_reply(ch, m, MSG_BODY_FILE, &answer, &fd, fd >= 0);
    INJECT(router, body_sent);
}

static size_t
status_size(const struct router *router)
{
    const struct app_queue *q;
    size_t n = sizeof(struct status_router);

    list_foreach (q, &router->queues, link)
        n += sizeof(struct status_app);
    return n;
}

static void
fill_status(const struct router *router, struct status_router *s)
{
    const struct http_counters *c = &router->server.counters;
    struct status_app *app = (struct status_app *)(s + 1);
    const struct app_queue *q;

    *s = (struct status_router){
        .accepted = c->accepted,
        .active = c->active,
        .idle = c->idle,
        .closed = c->closed,
        .requests = c->requests,
        .generation = router->live != NULL ? router->live->conf->number : 0,
    };
    list_foreach (q, &router->queues, link) {
        app_queue_status(q, app++);
        s->n_apps++;
    }
}

static void
on_status_ask(struct task *task, struct channel *ch, struct message *m)
{
    const struct msg_none none = {0};
    struct router *router = task->data;
    size_t n = status_size(router);
    struct status_router *s = malloc(n);
    int fd;

    if (s == NULL)
        abort();
    fill_status(router, s);
    fd = fd_memfd_sealed("brood-status", s, n);
    free(s);
    if (fd < 0)
        br_log(LOG_ERROR, "cannot answer with the status: %s", strerror(-fd));
    else
        dispatch_reply(ch, m, MSG_STATUS, &none, &fd, 1);
}

/* What main says is done at the end of the turn: look_at_told. */
static void
on_drain(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_drain *drain = m->payload;
    struct router *router = task->data;

    router->told.quit = true;
    router->told.grace_ms = drain->grace_ms;
}

static void
on_stop(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct router *router = task->data;

    router->told.terminate = true;
}

static void
on_log_reopen(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct router *router = task->data;

    router->told.reopen = true;
}

static void
on_serve(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    listeners_serve(task->data);
}

static void
on_probe(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_open *probe = m->payload;

    listeners_probe(task->data, probe->name, fd_take(&m->fds[0]));
}

const struct msg_handler router_messages[] = {
    {MSG_CONF_PREPARE, on_prepare},
    {MSG_CONF_COMMIT, on_commit},
    {MSG_CONF_ABORT, on_abort},
    {MSG_NEST_OPEN, on_nest_open},
    {MSG_PROCESS_GONE, on_process_gone},
    {MSG_PROCESS_FAILED, on_process_failed},
    {MSG_BODY_ASK, on_body_ask},
    {MSG_LOG_REOPEN, on_log_reopen},
    {MSG_STATUS_ASK, on_status_ask},
    {MSG_DRAIN, on_drain},
    {MSG_STOP, on_stop},
    {MSG_SERVE, on_serve},
    {MSG_PROBE, on_probe},
    {MSG_NONE, NULL},
};
