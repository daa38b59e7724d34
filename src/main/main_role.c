/*
 * main_role.c - main's life: start, signals, numbers, end.
 *
 *   STARTING: discovery -> MODULES -> controller, routers -> all ready, control socket listens
 *   RUNNING:  main_spawn forks and respawns, main_lines introduces, main_open opens and saves
 *   DRAINING, STOPPING: main_quit
 *
 * Nothing here knows HTTP, JSON, or what a role is for: rows of the role table and of the message
 * table say who is started, who is told what, and in which order they leave.
 */
#include "main/main_role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/status.h"
#include "main/main_after.h"
#include "main/main_cohort.h"
#include "main/main_given.h"
#include "main/main_heir.h"
#include "main/main_history.h"
#include "main/main_launch.h"
#include "main/main_lines.h"
#include "main/main_live.h"
#include "main/main_manager.h"
#include "main/main_open.h"
#include "main/main_quit.h"
#include "main/main_spawn.h"
#include "main/main_upgrade.h"
#include "main/main_state.h"
#include "process/logfile.h"
#include "process/title.h"

static const char *const phase_names[MAIN_PHASES] = {
    [MAIN_STARTING] = "STARTING", [MAIN_RUNNING] = "RUNNING",   [MAIN_DELAYING] = "DELAYING",
    [MAIN_DRAINING] = "DRAINING", [MAIN_STOPPING] = "STOPPING",
};

int
main_move(struct main *m, enum main_phase to)
{
    if (to <= m->phase)
        return -EPROTO;
    br_log(LOG_DEBUG, "main: %s -> %s", phase_names[m->phase], phase_names[to]);
    m->phase = to;
    if (to > MAIN_RUNNING)
        main_upgrade_cancel(m);
    return 0;
}

/* Tell the process that waits for our start, once. */
static void
tell_waiting(struct main *m, const char *text)
{
    if (m->own_settings.ready_fd < 0 || m->phase != MAIN_STARTING)
        return;
    fd_write_all(m->own_settings.ready_fd, text, strlen(text));
    fd_close(&m->own_settings.ready_fd);
}

void
main_check_running(struct main *m)
{
    struct process *p;

    if (m->phase != MAIN_STARTING || m->modules_fd < 0)
        return;
    list_foreach (p, &m->children.all, link)
        if (p->role->respawn == RESPAWN_ALWAYS && p->role->user != USER_CARD && !p->was_ready)
            return;
    if (main_heir_unproved(m)) {
        main_heir_prove(m);
        return;
    }
    if ((!m->control_given && m->task.settings->control != NULL) || !main_first_is_over(m))
        return;
    tell_waiting(m, "\n");
    main_move(m, MAIN_RUNNING);
    br_log(LOG_NOTICE, "brood is ready");
    main_manager_ready(m);
}

void
main_give_up(struct main *m, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    br_log(LOG_ALERT, "%s", text);
    tell_waiting(m, text);
    m->exit_code = 1;
    main_stop(m);
}

/* --- messages --- */

static void
on_modules(struct task *task, br_unused struct channel *ch, struct message *msg)
{
    struct main *m = main_of(task);

    if (m->modules_fd >= 0 || m->phase != MAIN_STARTING)
        return;
    m->modules_fd = fd_take(&msg->fds[0]);
    main_start_core(m);
}

/* Only bytes to us: the controller that comes after this one will know what to do with them. */
static void
on_running(struct task *task, br_unused struct channel *ch, struct message *msg)
{
    const struct msg_conf *conf = msg->payload;
    struct main *m = main_of(task);

    if (!fd_is_sealed(msg->fds[0])) {
        br_log(LOG_ALERT, "what runs is told in no sealed memory file");
        return;
    }
    fd_close(&m->running_fd);
    m->running_fd = fd_take(&msg->fds[0]);
    m->running = conf->generation;
    INJECT(main, running_taken);
}

static void
on_reloaded(struct task *task, br_unused struct channel *ch, struct message *msg)
{
    const struct msg_result *result = msg->payload;

    main_manager_reloaded(main_of(task), result->generation, result->rc, result->text);
}

static void
fill_status(const struct process *p, struct status_process *ret)
{
    *ret = (struct status_process){
        .pid = p->pid,
        .role = p->role->id,
        .index = p->index,
        .launch = p->launch,
        .state = p->life.state,
        .restarts = p->restarts.total,
        .age_ms = p->pid != 0 ? (uint64_t)br_max(clock_ms() - p->forked_ms, 0) : 0,
    };
}

static int
status_fd(struct main *m)
{
    struct status_main head = {.n_processes = m->children.n};
    struct status_process row;
    struct process *p;
    struct buf b;
    int fd;

    buf_init(&b, sizeof(head) + m->children.n * sizeof(row));
    buf_append(&b, &head, sizeof(head));
    list_foreach (p, &m->children.all, link) {
        fill_status(p, &row);
        buf_append(&b, &row, sizeof(row));
    }
    fd = b.error != 0 ? b.error : fd_memfd_sealed("brood-status", b.p, b.n);
    buf_done(&b);
    return fd;
}

static void
on_status_ask(struct task *task, struct channel *ch, struct message *msg)
{
    int fd = status_fd(main_of(task));

    if (fd < 0) {
        br_log(LOG_ERROR, "cannot give the numbers of processes: %s", strerror(-fd));
        return; /* the asker has a deadline */
    }
    dispatch_reply(ch, msg, MSG_STATUS, NULL, &fd, 1);
}

const struct msg_handler main_messages[] = {
    {MSG_PROCESS_START, main_on_process_start},
    {MSG_PROCESS_LIVE, main_on_process_live},
    {MSG_PROCESS_STOP, main_on_process_stop},
    {MSG_PROCESS_CREATED, main_on_created},
    {MSG_PROCESS_READY, main_on_ready},
    {MSG_PROCESS_FAILED, main_on_failed},
    {MSG_MODULES, on_modules},
    {MSG_OPEN, main_on_open},
    {MSG_CLOSE, main_on_close},
    {MSG_SAVE, main_on_save},
    {MSG_KEEP, main_on_keep},
    {MSG_REMOVE, main_on_remove},
    {MSG_SET_ASIDE, main_on_set_aside},
    {MSG_HISTORY_ASK, main_on_history_ask},
    {MSG_CONF_RUNNING, on_running},
    {MSG_CONF_RELOADED, on_reloaded},
    {MSG_ROUTERS, main_on_routers},
    {MSG_ROUTERS_KEEP, main_on_routers_keep},
    {MSG_ROUTERS_DROP, main_on_routers_drop},
    {MSG_STATUS_ASK, on_status_ask},
    {0},
};

/* --- signals --- */

static void
reopen_logs(struct main *m)
{
    struct br_err err = BR_ERR_NONE;
    int fd = -1;
    int rc = 0;

    if (m->task.settings->log_path != NULL)
        rc = logfile_open(m->task.settings->log_path, &fd, &err);
    if (rc == 0 && fd >= 0)
        rc = logfile_adopt(fd);
    fd_close(&fd);
    if (rc < 0)
        br_log(LOG_ERROR, "logs stay as they are: %s", err.rc != 0 ? err.text : strerror(-rc));
    else
        main_tell_logs(m);
}

/* Whoever waits for the end of a reload shall not do so in vain. */
static void
reload(struct main *m)
{
    uint32_t number = m->phase == MAIN_RUNNING ? main_manager_reloading(m) : 0;

    if (m->task.settings->config_path == NULL) {
        br_log(LOG_NOTICE, "nothing to reload: the configuration did not come from a file");
        main_manager_reloaded(m, number, 0, "");
    } else if (!main_tell_stored(m, number)) {
        br_log(LOG_WARN, "no reload: the controller is not there now");
        main_manager_reloaded(m, number, -EAGAIN, "the controller was not there");
    }
}

/* What a signal asks for is done at the end of the turn: look_at_orders. */
static void
on_signal(void *arg, const struct signalfd_siginfo *info)
{
    struct main *m = arg;
    int sig = (int)info->ssi_signo;

    if (sig == SIGCHLD) {
        loop_reap(m->task.loop);
        return;
    }
    br_log(LOG_NOTICE, "signal %d (SIG%s) received from process %u", sig, sigabbrev_np(sig),
           info->ssi_pid);
    switch (sig) {
    case SIGTERM:
    case SIGINT:
        m->orders.terminate = true;
        break;
    case SIGQUIT:
        m->orders.quit = true;
        break;
    case SIGUSR1:
        m->orders.reopen = true;
        break;
    case SIGHUP:
        m->orders.reload = true;
        break;
    case SIGWINCH:
        m->orders.wind_down = true;
        break;
    case SIGUSR2:
        m->orders.upgrade = true;
        break;
    default:
        br_log(LOG_NOTICE, "signal %d means nothing to brood", sig);
    }
}

/* After the events of each turn: what signals asked for. */
static void
look_at_orders(void *arg)
{
    struct main *m = arg;
    struct orders orders = m->orders;

    m->orders = (struct orders){.terminate = false};
    if (orders.reopen)
        reopen_logs(m);
    if (orders.terminate)
        main_stop(m);
    else if (orders.quit)
        main_drain(m);
    else if (orders.reload)
        reload(m);
    if (orders.upgrade)
        main_upgrade(m);
    if (orders.wind_down)
        main_upgrade_wind_down(m);
}

static int
take_signals(struct main *m)
{
    static const int ours[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < array_len(ours); i++)
        sigaddset(&set, ours[i]);
    if (getpid() == 1)
        sigaddset(&set, SIGCHLD); /* of those whose parents died; our children have pidfds */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would take the children's status away */
    return loop_signals(m->task.loop, &set, on_signal, m);
}

/* --- start and end --- */

static int
make_wakefds(struct main *m)
{
    for (unsigned i = 0; i < MSG_ROUTERS_MAX; i++) {
        m->wakefds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (m->wakefds[i] < 0)
            return -errno;
    }
    return 0;
}

/* Noted on disk, so that a first start that fails half-way is repeated as a whole. */
static int
look_whether_first(struct main *m, struct br_err *err)
{
    int rc = conf_store_is_first(&m->store, err);

    m->first = rc > 0;
    if (rc == 0)
        br_log(LOG_NOTICE, "\"%s\" is left alone: there is a state already",
               m->task.settings->initial_dir);
    return rc > 0 ? conf_store_begin_first(&m->store, err) : rc;
}

static int
main_open_all(struct main *m, struct br_err *err)
{
    int rc;

    m->task.loop = loop_new();
    if (m->task.loop == NULL)
        return br_fail(err, -errno, "no event loop");
    m->task.dispatch = dispatch_new(&m->task);
    if (m->task.dispatch == NULL)
        return br_fail(err, -ENOMEM, "dispatch");
    loop_set_hooks(m->task.loop, &(struct loop_hooks){.arg = m, .turn_end = look_at_orders});
    rc = take_signals(m);
    if (rc == 0)
        rc = make_wakefds(m);
    if (rc < 0)
        return br_fail(err, rc, "cannot prepare main");
    if (m->task.settings->state_dir == NULL)
        return 0;
    rc = conf_store_open(&m->store, m->task.settings->state_dir, err);
    if (rc > 0)
        br_log(LOG_WARN, "state directory \"%s\" was open to other users",
               m->task.settings->state_dir);
    if (rc >= 0 && m->task.settings->initial_dir != NULL)
        rc = look_whether_first(m, err);
    if (rc >= 0)
        main_history_mend(m);
    return br_min(rc, 0);
}

static void
main_close_all(struct main *m)
{
    struct process *p, *next;

    main_upgrade_done(m);
    main_manager_done(m);
    list_foreach_safe (p, next, &m->children.all, link)
        roster_free(&m->children, p);
    main_after_done(m);
    main_open_done(m);
    if (m->store.dir >= 0)
        conf_store_close(&m->store);
    fd_close(&m->modules_fd);
    fd_close(&m->running_fd);
    for (unsigned i = 0; i < MSG_ROUTERS_MAX; i++)
        fd_close(&m->wakefds[i]);
    if (m->task.loop != NULL)
        loop_timer_cancel(m->task.loop, &m->patience);
    if (m->task.dispatch != NULL)
        dispatch_free(m->task.dispatch);
    loop_free(m->task.loop);
}

static void
set_title(const struct settings *settings)
{
    if (settings->title_args != NULL)
        title_set("brood: main [%s]", settings->title_args);
    else
        title_set("brood: main");
}

int
main_run(const struct settings *settings, const struct br_role *const roles[ROLES],
         struct estate *estate)
{
    struct main m = {
        .old_main.fd = -1,
        .task = {.role = roles[ROLE_MAIN], .settings = settings},
        .roles = roles,
        .phase = MAIN_STARTING,
        .modules_fd = -1,
        .running_fd = -1,
        .store = {.dir = -1},
        .control_fd = -1,
    };
    struct br_err err = BR_ERR_NONE;

    m.task.data = &m;
    roster_init(&m.children);
    list_init(&m.opened);
    list_init(&m.remains);
    timer_init(&m.patience, main_out_of_patience);
    main_manager_init(&m);
    main_cohort_begin(&m);
    for (unsigned i = 0; i < MSG_ROUTERS_MAX; i++)
        m.wakefds[i] = -1;
    clock_update();
    set_title(settings);
    main_upgrade_init(&m);
    if (main_heir_begin(&m, estate, &err) < 0 || main_open_all(&m, &err) < 0) {
        br_log(LOG_ALERT, "%s", err.text);
        tell_waiting(&m, err.text);
        m.exit_code = 1;
    } else {
        main_manager_begin(&m);
        main_given_begin(&m);
        main_after_sweep(&m);
        main_start_discovery(&m);
        if (!loop_stopped(m.task.loop))
            loop_run(m.task.loop);
    }
    main_close_all(&m);
    br_log(LOG_NOTICE, "brood exits with code %d", m.exit_code);
    return m.exit_code;
}
