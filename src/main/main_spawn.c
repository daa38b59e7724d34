/*
 * main_spawn.c - births and rebirths.
 *
 *   core roles:  fork -> READY -> … -> dead -> back-off -> fork
 *   a launch:    PROCESS_START(card) -> instance 1 -> READY -> answer
 *                                            \-> failed before it was ever ready: answer, forgotten
 *                 dead after it was ready -> back-off -> instance 2, from the same card
 *
 * One struct process serves all starts of a core role or a launch, and the loop has room for what a
 * death leaves to do (loop_reserve): a rebirth needs no memory of main's own but for its line, and
 * waits when that cannot be had.  What cannot be forked for now (EAGAIN, EMFILE, ENOMEM) is tried
 * again with a back-off of its own, and told about once.
 */
#include "main/main_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/spawn.h"
#include "main/main_after.h"
#include "main/main_cohort.h"
#include "main/main_lines.h"
#include "main/main_live.h"
#include "main/main_manager.h"
#include "main/main_open.h"
#include "main/main_quit.h"
#include "main/main_upgrade.h"
#include "process/isolation.h"

/* While brood starts: a core role that dies so often in a row will not come up. */
#define QUICK_DEATHS_MAX 5
/* What one process may leave to do in one turn of the loop, and timers that it may need. */
#define ROOM_EACH 8
#define ROOM_MORE 64

static struct main *
main_of_process(struct process *p)
{
    return main_of(p->task);
}

/* --- what is said of a start --- */

static struct channel *
controller_line(struct main *m)
{
    return dispatch_find(m->task.dispatch, ROLE_CONTROLLER, 0);
}

/* The answer to the PROCESS_START that p came from, once. */
static void
answer(struct main *m, struct process *p, enum msg_type type, const void *payload)
{
    struct channel *ch = controller_line(m);
    struct message question = {.serial = p->asked};

    p->asked = 0;
    if (ch != NULL)
        dispatch_reply(ch, &question, type, payload, NULL, 0);
}

static struct msg_failed
failure(const struct process *p, int rc, const char *text)
{
    struct msg_failed failed = {.process = main_about(p, 0), .rc = rc};

    snprintf(failed.text, sizeof(failed.text), "%s", text);
    return failed;
}

/* p's start failed: who asked for it is told, or all who counted on it. */
static void
report_failure(struct main *m, struct process *p, int rc, const char *text)
{
    struct msg_failed failed = failure(p, rc, text);

    p->failed = true;
    if (p->restarts.in_vain == 0)
        br_log(LOG_ERROR, "%s failed: %s", process_name(p), failed.text);
    if (p->asked != 0)
        answer(m, p, MSG_PROCESS_FAILED, &failed);
    else if (p->launch != 0 && p->was_ready)
        main_tell_failed(m, &failed);
    main_cohort_failed(m, p, failed.text);
}

void
main_start_given_up(struct main *m, struct process *p, int rc, const char *text)
{
    struct msg_failed failed = failure(p, rc, text);

    if (p->asked == 0)
        return;
    p->failed = true;
    answer(m, p, MSG_PROCESS_FAILED, &failed);
}

/* --- starting --- */

static int
keep_copy(struct process *p, const char *name, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return copy < 0 ? -errno : process_keep(p, name, copy);
}

static int
keep_wakes(struct main *m, struct process *p)
{
    char name[24];
    int rc = 0;

    for (unsigned i = 0; i < MSG_ROUTERS_MAX && rc == 0; i++) {
        if (p->role->wakes == WAKES_NONE || (p->role->wakes == WAKES_OWN && i != p->index))
            continue;
        snprintf(name, sizeof(name), "wake%u", i);
        rc = keep_copy(p, name, m->wakefds[i]);
    }
    return rc;
}

/* The listening sockets that an application accepts from itself: "listen0", "listen1", … */
static int
keep_listeners(struct main *m, struct process *p)
{
    const char *address;
    unsigned pos = 0, n = 0;
    char name[24];
    int rc = 0;

    while (rc == 0 && p->card != NULL && (address = launch_next(p->card, "listen", &pos)) != NULL) {
        int fd = main_open_listener(m, address);

        snprintf(name, sizeof(name), "listen%u", n++);
        rc = fd < 0 ? fd : process_keep(p, name, fd);
    }
    return rc;
}

static int
keep_all(struct main *m, struct process *p, struct br_err *err)
{
    int rc = keep_wakes(m, p);

    if (rc == 0)
        rc = keep_listeners(m, p);

    if (rc == 0 && p->card_fd >= 0)
        rc = keep_copy(p, "card", p->card_fd);
    return rc < 0 ? br_fail(err, rc, "cannot keep descriptors for it") : 0;
}

static void
start_again(struct timer *t)
{
    struct process *p = container_of(t, struct process, timer);

    main_start(main_of_process(p), p);
}

static void
start_later(struct main *m, struct process *p, int64_t delay_ms)
{
    uint32_t often = br_max(p->restarts.quick, p->restarts.in_vain);

    if (m->phase == MAIN_STARTING && p->launch == 0 && often > QUICK_DEATHS_MAX) {
        main_give_up(m, "%s does not come up", process_name(p));
        return;
    }
    lifecycle_begin(&p->life);
    if (main_upgrade_holds(m, p)) {
        main_upgrade_held(m, p);
        return;
    }
    timer_init(&p->timer, start_again);
    loop_timer(m->task.loop, &p->timer, delay_ms);
}

/* After a death: again later, or never. */
static void
retry(struct main *m, struct process *p, int64_t lived_ms)
{
    int64_t delay_ms = restart_after(p->role->respawn, &p->restarts, lived_ms);

    if (delay_ms < 0) {
        main_forget(m, p);
        return;
    }
    if (delay_ms > 0)
        br_log(LOG_WARN, "%s starts again in %d ms", process_name(p), (int)delay_ms);
    start_later(m, p, delay_ms);
}

/* After a start that could not even fork.  Said once, until one succeeds. */
static void
retry_in_vain(struct main *m, struct process *p)
{
    int64_t delay_ms = restart_in_vain(&p->restarts);

    if (p->restarts.in_vain == 1)
        br_log(LOG_WARN, "%s: its start is tried again until it succeeds", process_name(p));
    start_later(m, p, delay_ms);
}

void
main_start_held(struct main *m, struct process *p)
{
    timer_init(&p->timer, start_again);
    loop_timer(m->task.loop, &p->timer, 0);
}

static void
start_failed(struct main *m, struct process *p, const struct br_err *err)
{
    process_unkeep(p);
    report_failure(m, p, err->rc, err->text);
    if (p->no_respawn || (p->launch != 0 && !p->was_ready))
        main_forget(m, p);
    else if (p->role->respawn == RESPAWN_NEVER)
        main_give_up(m, "cannot start %s: %s", process_name(p), err->text);
    else
        retry_in_vain(m, p);
}

static void died(struct task *task, struct process *p, int status);

/*
 * One descriptor more than the fork needs is held meanwhile: else there could be enough for a
 * process, but not for the lines to its peers, and it would have been forked in vain.
 */
static int
fork_with_reserve(struct main *m, struct process *p, struct br_err *err)
{
    static const struct spawn_how how = {.on_death = died};
    br_cleanup(fd_closep) int reserve = fcntl(log_fd(), F_DUPFD_CLOEXEC, 0);

    if (reserve < 0)
        return br_fail(err, -errno, "no descriptors for a process");
    if (INJECT(main, fork) < 0)
        return br_fail(err, -errno, "cannot fork");
    return spawn(&m->task, p, &how, err);
}

void
main_start(struct main *m, struct process *p)
{
    struct br_err err = BR_ERR_NONE;
    int rc;

    p->task = &m->task;
    p->loop = m->task.loop;
    p->failed = p->unmet = false;
    p->instance++;
    if (p->cohort != 0) {
        p->data = main_cohort_how(m, p);
        p->creds = main_cohort_creds(m, p);
    }
    rc = keep_all(m, p, &err);
    if (p->instance == 1 && p->card != NULL && launch_get(p->card, "cgroup", NULL) != NULL)
        main_after_note(m);
    if (rc == 0)
        rc = fork_with_reserve(m, p, &err);
    if (rc < 0) {
        err.rc = rc;
        start_failed(m, p, &err);
        return;
    }
    if (p->restarts.in_vain > 0)
        br_log(LOG_NOTICE, "%s: started after %u tries in vain", process_name(p),
               p->restarts.in_vain);
    p->restarts.in_vain = 0;
    if (p->cohort != 0 && main_cohort_settle(m, p, &err) < 0) {
        report_failure(m, p, err.rc, err.text);
        main_kill(m, p);
    }
    process_unkeep_some(p, "listen"); /* else an address that is closed would still listen */
}

struct process *
main_start_new(struct main *m, enum role_id role, uint32_t index)
{
    struct process *p;

    if (loop_reserve(m->task.loop, (m->children.n + 1) * ROOM_EACH + ROOM_MORE) < 0)
        return NULL;
    p = roster_new(&m->children, m->roles[role]);
    if (p != NULL)
        p->index = index;
    return p;
}

/* The lowest index that no router has, dead or alive. */
static uint32_t
free_index(struct main *m, enum role_id role)
{
    uint32_t index = 0;

    while (roster_find(&m->children, role, index) != NULL)
        index++;
    return index;
}

int
main_start_router(struct main *m, uint32_t cohort, uint32_t nth)
{
    struct process *p = main_start_new(m, ROLE_ROUTER, free_index(m, ROLE_ROUTER));

    if (p == NULL)
        return -ENOMEM;
    p->cohort = cohort;
    p->nth = nth;
    main_start(m, p);
    return 0;
}

void
main_start_discovery(struct main *m)
{
    struct process *p = main_start_new(m, ROLE_DISCOVERY, 0);

    if (p == NULL)
        main_give_up(m, "no memory to begin with");
    else
        main_start(m, p);
}

bool
main_first_is_over(struct main *m)
{
    struct process *p = roster_find(&m->children, ROLE_INITIAL, 0);
    struct br_err err = BR_ERR_NONE;

    if (m->first && p == NULL) {
        p = main_start_new(m, ROLE_INITIAL, 0);
        if (p != NULL)
            main_start(m, p);
        else
            main_give_up(m, "no memory for the first start");
        return false;
    }
    if (m->first && p->was_ready) {
        m->first = false;
        if (conf_store_end_first(&m->store, &err) < 0)
            br_log(LOG_ALERT, "%s: the next start will be a first one again", err.text);
    }
    return !m->first;
}

static void
start_first(struct main *m, enum role_id role, uint32_t nth)
{
    struct process *p = main_start_new(m, role, nth);

    if (p == NULL) {
        main_give_up(m, "no memory to begin with");
        return;
    }
    if (p->role->numbered) {
        p->cohort = m->cohort.number;
        p->nth = nth;
    }
    main_start(m, p);
}

void
main_start_core(struct main *m)
{
    for (enum role_id id = 0; id < ROLES; id++) {
        const struct br_role *role = m->roles[id];
        unsigned n;

        if (role == NULL || id == ROLE_MAIN || role->parent != ROLE_MAIN ||
            role->respawn != RESPAWN_ALWAYS || role->user == USER_CARD)
            continue;
        n = role->numbered ? m->cohort.how.n : 1;
        for (uint32_t i = 0; i < n && m->phase == MAIN_STARTING; i++)
            start_first(m, id, i);
    }
}

/* --- dying --- */

static void
log_death(struct process *p, int status)
{
    if (WIFSIGNALED(status))
        br_log(p->no_respawn ? LOG_NOTICE : LOG_ALERT, "%s: process %d exited on signal %d%s",
               process_name(p), (int)p->pid, WTERMSIG(status),
               WCOREDUMP(status) ? " (core dumped)" : "");
    else
        br_log(LOG_NOTICE, "%s: process %d exited with code %d", process_name(p), (int)p->pid,
               WEXITSTATUS(status));
}

/* It died in its setup and did not say why. */
static void
report_silent_death(struct main *m, struct process *p, int status)
{
    char text[160];

    if (WIFSIGNALED(status))
        snprintf(text, sizeof(text),
                 "process %d was killed by signal %d (SIG%s) before it was ready", (int)p->pid,
                 WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(text, sizeof(text), "process %d exited with code %d before it was ready",
                 (int)p->pid, WEXITSTATUS(status));
    report_failure(m, p, -ECHILD, text);
}

/* Nobody is left to hear how those starts went. */
static void
drop_questions(struct main *m)
{
    struct process *p, *next;

    main_cohort_forget(m);
    main_manager_reloaded(m, 0, -EPIPE, "the controller ended");
    list_foreach_safe (p, next, &m->children.all, link) {
        if (p->asked == 0)
            continue;
        p->asked = 0;
        main_retire(m, p);
    }
}

/* A launch that never worked is not tried again: its configuration is refused. */
static bool
comes_back(const struct main *m, const struct process *p)
{
    return m->phase <= MAIN_DELAYING && !p->no_respawn && (p->launch == 0 || p->was_ready);
}

static void
died(struct task *task, struct process *p, int status)
{
    struct main *m = main_of(task);
    bool was_serving = p->life.was == PROC_READY || p->life.was == PROC_DRAINING;
    int64_t lived_ms = clock_ms() - p->forked_ms;

    loop_timer_cancel(task->loop, &p->timer);
    p->restarts.was_ready = was_serving && !p->unmet && !p->failed;
    log_death(p, status);
    if (was_serving)
        main_announce_death(m, p, status);
    else if (!p->failed)
        report_silent_death(m, p, status);
    if (message_may(MSG_PROCESS_START, p->role->id, ROLE_MAIN))
        drop_questions(m);
    p->pid = 0;
    process_unkeep(p);
    if (!comes_back(m, p)) {
        main_forget(m, p);
        if (m->phase > MAIN_DELAYING)
            main_quit_step(m);
        else
            main_live_next(m);
        return;
    }
    if (p->role->respawn == RESPAWN_NEVER && (m->modules_fd < 0 || !p->was_ready))
        main_give_up(m, "%s ended without a report", process_name(p));
    else
        retry(m, p, lived_ms);
}

/* --- messages --- */

/* The child at the other end. */
static struct process *
sender(struct main *m, struct channel *ch)
{
    return roster_find_pid(&m->children, channel_peer(ch)->pid);
}

void
main_on_created(struct task *task, struct channel *ch, struct message *msg)
{
    struct main *m = main_of(task);
    struct process *p = sender(m, ch);
    struct br_err err = BR_ERR_NONE;

    INJECT(main, created);
    if (p == NULL || lifecycle_move(&p->life, PROC_CREATED, process_name(p)) < 0)
        return;
    if (p->card == NULL || isolation_outside(p->card, p->pid, &err) == 0) {
        dispatch_reply(ch, msg, MSG_PROCESS_GO, NULL, NULL, 0);
        return;
    }
    report_failure(m, p, err.rc, err.text);
    main_kill(m, p);
}

void
main_on_ready(struct task *task, struct channel *ch, br_unused struct message *msg)
{
    struct main *m = main_of(task);
    struct process *p = sender(m, ch);
    struct msg_process about;
    struct process *controller;

    if (p == NULL || p->no_respawn || lifecycle_move(&p->life, PROC_READY, process_name(p)) < 0)
        return;
    br_log(LOG_INFO, "%s is ready: process %d", process_name(p), (int)p->pid);
    p->was_ready = true;
    main_introduce(m, p);
    INJECT(main, started);
    about = main_about(p, 0);
    controller = roster_find(&m->children, ROLE_CONTROLLER, 0);
    main_live_tell(m, p);
    if (p->asked != 0)
        answer(m, p, MSG_PROCESS_READY, &about);
    else if (p->launch != 0 && controller != NULL)
        main_tell(m, controller, MSG_PROCESS_READY, &about, NULL, 0);
    main_cohort_ready(m);
    main_check_running(m);
}

void
main_on_failed(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_failed *failed = msg->payload;
    struct main *m = main_of(task);
    struct process *p = sender(m, ch);

    if (p == NULL || p->failed)
        return;
    report_failure(m, p, failed->rc, failed->text);
    if (m->phase == MAIN_STARTING && p->launch == 0)
        main_give_up(m, "%s failed: %s", process_name(p), failed->text);
}
