/*
 * controller_role.c - the controller's life: boot, control socket, the messages that reach it.
 *
 *   MODULES, CONF_RUNNING, CONF_STORED --> what runs already? (STATUS of main) --> apply that, or
 *   the stored configuration
 *        --> whatever came of it --> OPEN(control) --> "controller started"
 *
 * Whoever can connect to the control socket gets an answer: it appears after the first
 * configuration is in force, which is the stored one, or the default one with one alert line saying
 * why.  A controller that died and came back goes on from what its predecessor left (boot.c).
 */
#include "controller/controller_role.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "conf/conf_store.h"
#include "conf/json.h"
#include "controller/access_files.h"
#include "controller/api.h"
#include "controller/api_history.h"
#include "controller/boot.h"
#include "controller/controller.h"
#include "controller/doors.h"
#include "controller/numbers.h"
#include "controller/parent.h"
#include "controller/prove.h"
#include "ipc/spawn.h"
#include "process/process.h"

#define CONTROL_BATCH        16
#define MODULES_BYTES_MAX    (1024u * 1024)
#define RUNNING_BYTES_MAX    (256u * 1024 * 1024) /* as deployment_seal makes it at most */
#define OPEN_WAIT_MS         30000
#define CONTROL_BODY_MAX     (64u * 1024 * 1024)
#define CONTROL_HEAD_WAIT_MS 300000
#define CONTROL_WAIT_MS      60000

static int
serve(struct controller *c, struct message *m, int rc, struct br_err *err)
{
    rc = parent_result(m, rc, err, "cannot open the control socket");
    if (rc < 0)
        return rc;
    c->listen_fd = fd_take(&m->fds[0]);
    rc = listener_start(&c->listener, c->task->loop, c->listen_fd, CONTROL_BATCH, doors_on_accept,
                        NULL);
    return rc < 0 ? br_fail(err, rc, "cannot listen on the control socket") : 0;
}

static void
on_control_open(struct task *task, void *arg, struct message *m, int rc)
{
    struct br_err err = BR_ERR_NONE;

    if (serve(arg, m, rc, &err) == 0) {
        br_log(LOG_NOTICE, "controller started");
        return;
    }
    br_log(LOG_ALERT, "%s", err.text);
    loop_stop(task->loop);
}

static void
open_control(struct controller *c)
{
    const struct msg_open question = {.kind = OPEN_CONTROL};
    int rc;

    c->booted = true;
    rc = parent_ask(c->task, MSG_OPEN, &question, NULL, 0, OPEN_WAIT_MS, on_control_open, c);
    if (rc < 0) {
        br_log(LOG_ALERT, "cannot ask for the control socket");
        loop_stop(c->task->loop);
    }
}

static void
on_certs_loaded(void *arg)
{
    boot_begin(arg);
}

/* A configuration may name certificates: they come first. */
static void
boot_when_told(struct controller *c)
{
    if (c->has_modules && c->has_stored)
        certs_load(&c->certs, on_certs_loaded, c);
}

static void
on_modules(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct controller *c = task->data;
    struct br_err err = BR_ERR_NONE;
    char *text;
    size_t n;
    int rc;

    if (c->has_modules)
        return; /* applications hold pointers into the list: it is fixed for our life */
    rc = fd_read_file(m->fds[0], MODULES_BYTES_MAX, &text, &n);
    if (rc == 0) {
        rc = module_list_parse(&c->modules_arena, slice_make(text, n), &c->modules, &err);
        free(text);
    } else {
        br_fail(&err, rc, "cannot read it");
    }
    if (rc < 0)
        br_log(LOG_ALERT, "list of language modules: %s", err.text);
    c->has_modules = true;
    boot_when_told(c);
}

static void
on_stored(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_stored *stored = m->payload;
    struct controller *c = task->data;
    char *text = NULL;
    size_t n = 0;
    int rc = stored->rc;

    if (rc == 0 && m->n_fds > 0)
        rc = fd_read_file(m->fds[0], CONF_STORE_BYTES_MAX, &text, &n);
    if (rc < 0)
        br_log(LOG_ALERT, "the previous configuration cannot be read: %s", strerror(-rc));
    free(c->stored);
    c->stored = text;
    c->stored_n = n;
    c->kept = *stored;
    c->kept.rc = rc;
    if (!c->has_stored) {
        c->has_stored = true;
        boot_when_told(c);
    } else if (text != NULL) {
        boot_stored(c); /* main read it again: a reload */
    } else {
        boot_tell_reloaded(c, stored->reload, br_min(rc, -1), "the file cannot be read");
    }
}

/* What the controller before us was about to make live, or had made. */
static void
on_running(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct controller *c = task->data;
    char *text = NULL;
    size_t n = 0;
    int rc = fd_read_file(m->fds[0], RUNNING_BYTES_MAX, &text, &n);

    if (rc < 0) {
        br_log(LOG_ALERT, "what runs cannot be read: %s", strerror(-rc));
        return;
    }
    free(c->running);
    c->running = text;
    c->running_n = n;
}

static void
on_retired(struct task *task, struct channel *ch, struct message *m)
{
    const struct msg_conf *conf = m->payload;
    struct controller *c = task->data;

    apply_retired(&c->apply, ch, conf->generation);
}

static void
on_leaving(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct controller *c = task->data;

    c->leaving = true;
}

static void
on_prove(struct task *task, struct channel *ch, struct message *m)
{
    INJECT(controller, prove_asked);
    prove_begin(task->data, ch, m);
}

static void
on_upgraded(struct task *task, struct channel *ch br_unused, struct message *m)
{
    const struct msg_result *result = m->payload;
    struct controller *c = task->data;

    c->upgraded.done = result->rc == 0;
    memcpy(c->upgraded.reason, result->text, sizeof(c->upgraded.reason));
}

/* What main says is done at the end of the turn: look_at_told. */
static void
on_leave(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct controller *c = task->data;

    INJECT(controller, leave_asked);
    c->told_to_leave = true;
}

/* After the events of each turn: what main asked for.  The error log is reopened by ipc/dispatch.
 */
static void
look_at_told(void *arg)
{
    struct controller *c = arg;

    if (c->told_to_leave)
        loop_stop(c->task->loop);
}

/* Told for everybody's sake; the controller learns what it needs from answers. */
static void
on_news(struct task *task br_unused, struct channel *ch br_unused, struct message *m br_unused)
{
}

const struct msg_handler controller_messages[] = {
    {MSG_MODULES, on_modules},
    {MSG_CONF_STORED, on_stored},
    {MSG_CONF_RETIRED, on_retired},
    {MSG_CONF_RUNNING, on_running},
    {MSG_LEAVING, on_leaving},
    {MSG_DRAIN, on_leave},
    {MSG_STOP, on_leave},
    {MSG_PROCESS_READY, on_news},
    {MSG_PROCESS_FAILED, on_news},
    {MSG_PROCESS_GONE, on_news},
    {MSG_PROVE, on_prove},
    {MSG_UPGRADED, on_upgraded},
    {0},
};

void
controller_on_peer(struct task *task, struct channel *ch)
{
    struct controller *c = task->data;

    if (channel_peer(ch)->role == ROLE_ROUTER)
        apply_router_came(&c->apply, ch);
}

void
controller_on_peer_gone(struct task *task, struct channel *ch)
{
    struct controller *c = task->data;

    if (channel_peer(ch)->role == ROLE_ROUTER)
        apply_router_gone(&c->apply, ch);
}

/* A router or an application that it cannot speak to: its successor begins with all of them. */
void
controller_on_lost(struct task *task)
{
    struct controller *c = task->data;
    struct br_err err = BR_ERR_NONE;

    if (c->told_to_leave)
        return;
    br_fail(&err, -EMFILE, "too many open files to take what it is given: it leaves");
    spawn_tell_failed(task, &err);
    c->told_to_leave = true;
}

/* The public port's defaults are for strangers; here an operator uploads what may be large. */
static struct http_limits
control_limits(const struct settings *settings)
{
    struct http_limits limits = http_limits_default;

    limits.header_read_timeout_ms = CONTROL_HEAD_WAIT_MS;
    limits.idle_timeout_ms = CONTROL_HEAD_WAIT_MS;
    limits.body_read_timeout_ms = CONTROL_WAIT_MS;
    limits.send_timeout_ms = CONTROL_WAIT_MS;
    limits.max_body_size = CONTROL_BODY_MAX;
    limits.body_buffer_size = CONTROL_BODY_MAX; /* never in a file: it is parsed as one text */
    limits.body_temp_path = settings->tmp_dir;
    limits.chunked_transform = true;
    limits.ignore_host = true;
    limits.server = SLICE("brood/" BROOD_VERSION);
    return limits;
}

static void
controller_free(struct controller *c)
{
    if (c->listen_fd >= 0)
        listener_stop(&c->listener);
    fd_close(&c->listen_fd);
    numbers_finish(&c->asking);
    api_history_finish(&c->lookups);
    certs_done(&c->certs);
    boot_done(c);
    prove_done(c);
    apply_done(&c->apply);
    doors_done(c);
    h1_server_close(&c->http);
    arena_done(&c->modules_arena);
    free(c->running);
    free(c->stored);
    free(c);
}

/* In main, which may read what the controller's user may not. */
int
controller_prefork(struct task *task, struct process *process, struct br_err *err)
{
    struct access_files files;
    int rc = access_files_open(task->settings, &files, err);

    return rc == 0 ? access_files_keep(&files, process) : rc;
}

int
controller_setup(struct task *task, struct process *process, struct br_err *err)
{
    struct controller *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return br_fail(err, -ENOMEM, "controller");
    c->task = task;
    c->listen_fd = -1;
    c->on_booted = open_control;
    c->limits = control_limits(task->settings);
    arena_init(&c->modules_arena, 0);
    list_init(&c->asking);
    list_init(&c->lookups);
    apply_init(&c->apply, task, &c->modules);
    certs_init(&c->certs, task);
    h1_server_init(&c->http, task->loop, &api_http_ops);
    task->data = c;
    loop_set_hooks(task->loop, &(struct loop_hooks){.arg = c, .turn_end = look_at_told});
    rc = doors_init(c, process, err);
    if (rc < 0) {
        loop_set_hooks(task->loop, &(struct loop_hooks){.arg = NULL});
        controller_free(c);
        task->data = NULL;
    }
    return rc;
}

int
controller_start(struct task *task, void *data br_unused)
{
    int rc = loop_run(task->loop);

    loop_set_hooks(task->loop, &(struct loop_hooks){.arg = NULL});
    controller_free(task->data);
    task->data = NULL;
    return rc < 0 ? 1 : 0;
}
