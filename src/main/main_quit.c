/*
 * main_quit.c - the end: of one child, and of all.
 *
 *   QUIT:  LEAVING to the controller -> shutdown.delay ->
 *          DRAIN to all with leaves = 1 (routers) -> gone -> leaves = 2 (prototypes) -> gone -> …
 *   TERM, or QUIT once more:
 *          STOP to all -> MAIN_STOP_MS -> SIGKILL to what is left -> gone
 *
 * main leaves only when its roster is empty, so that nobody ever runs without supervision; what
 * is left when the time for draining is over is stopped, what is left then is killed.
 */
#include "main/main_quit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/inject.h"
#include "base/log.h"
#include "ipc/messages.h"
#include "main/main_after.h"
#include "main/main_lines.h"
#include "main/main_manager.h"
#include "main/main_open.h"

/* Time for its last words beyond what it was granted. */
#define SLACK_MS 1000

void
main_kill(br_unused struct main *m, struct process *p)
{
    if (p->child.pidfd >= 0 &&
        syscall(SYS_pidfd_send_signal, p->child.pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        br_log(LOG_ALERT, "cannot kill process %d: %s", (int)p->pid, strerror(errno));
}

static void
overdue(struct timer *t)
{
    struct process *p = container_of(t, struct process, timer);

    br_log(LOG_ERROR, "%s (process %d) did not finish in time and is killed", process_name(p),
           (int)p->pid);
    main_kill(main_of(p->task), p);
}

static unsigned
grace_ms(const struct main *m)
{
    return m->cohort.how.timeout_ms;
}

/* Which of the listening sockets that it accepts from stay open, for others to accept from. */
static uint32_t
staying(struct main *m, const struct process *p)
{
    const char *address;
    unsigned pos = 0;
    uint32_t bits = 0;

    if (p->card == NULL || (m->phase > MAIN_RUNNING && m->upgrade.state != UPGRADE_DONE))
        return 0;
    for (unsigned i = 0; i < 32 && (address = launch_next(p->card, "listen", &pos)) != NULL; i++)
        bits |= main_listens(m, address) ? UINT32_C(1) << i : 0;
    return bits;
}

void
main_retire(struct main *m, struct process *p)
{
    struct msg_drain drain = {.grace_ms = grace_ms(m), .staying = staying(m, p)};

    p->no_respawn = true;
    switch (p->life.state) {
    case PROC_REQUESTED:
    case PROC_GONE:
        main_forget(m, p);
        break;
    case PROC_FORKED:
    case PROC_CREATED:
        main_kill(m, p);
        break;
    case PROC_READY:
        lifecycle_move(&p->life, PROC_DRAINING, process_name(p));
        main_tell(m, p, MSG_DRAIN, &drain, NULL, 0);
        timer_init(&p->timer, overdue);
        loop_timer(m->task.loop, &p->timer, (int64_t)grace_ms(m) + SLACK_MS);
        break;
    case PROC_DRAINING:
    case PROC_STATES:
        break;
    }
}

void
main_pause(struct main *m, struct process *p)
{
    main_retire(m, p);
    p->no_respawn = false;
}

/* The lowest br_role.leaves among those that are left. */
static unsigned
next_turn(const struct main *m)
{
    const struct process *p;
    unsigned turn = UINT32_MAX;

    list_foreach (p, &m->children.all, link)
        turn = br_min(turn, p->role->leaves);
    return turn;
}

void
main_quit_step(struct main *m)
{
    unsigned turn = next_turn(m);
    struct process *p, *next;

    if (m->phase == MAIN_DRAINING)
        list_foreach_safe (p, next, &m->children.all, link)
            if (p->role->leaves == turn)
                main_retire(m, p);
    if (list_empty(&m->children.all))
        loop_stop(m->task.loop);
}

/* Whoever asks if we are ready shall hear no. */
static void
tell_leaving(struct main *m)
{
    struct process *p;

    list_foreach (p, &m->children.all, link)
        if (p->life.state == PROC_READY && message_may(MSG_LEAVING, ROLE_MAIN, p->role->id))
            main_tell(m, p, MSG_LEAVING, NULL, NULL, 0);
}

static void
drain_now(struct main *m)
{
    main_move(m, MAIN_DRAINING);
    loop_timer(m->task.loop, &m->patience, grace_ms(m));
    main_quit_step(m);
    INJECT(main, quit_told);
}

void
main_drain(struct main *m)
{
    unsigned delay_ms = m->cohort.how.delay_ms;

    if (m->phase > MAIN_RUNNING) {
        main_stop(m);
        return;
    }
    INJECT(main, quit_asked);
    main_move(m, MAIN_DELAYING);
    main_manager_leaving(m, "Draining", (uint64_t)delay_ms + grace_ms(m) + SLACK_MS + MAIN_STOP_MS);
    tell_leaving(m);
    if (delay_ms == 0)
        drain_now(m);
    else
        loop_timer(m->task.loop, &m->patience, delay_ms);
}

static void
kill_all(struct main *m)
{
    struct process *p;

    list_foreach (p, &m->children.all, link)
        main_kill(m, p);
}

static void
stop_one(struct main *m, struct process *p)
{
    p->no_respawn = true;
    switch (p->life.state) {
    case PROC_REQUESTED:
    case PROC_GONE:
        main_forget(m, p);
        break;
    case PROC_FORKED:
    case PROC_CREATED:
        main_kill(m, p);
        break;
    case PROC_READY:
    case PROC_DRAINING:
        loop_timer_cancel(m->task.loop, &p->timer);
        main_tell(m, p, MSG_STOP, NULL, NULL, 0);
        break;
    case PROC_STATES:
        break;
    }
}

void
main_stop(struct main *m)
{
    struct process *p, *next;

    if (main_move(m, MAIN_STOPPING) < 0) {
        kill_all(m);
        return;
    }
    main_manager_leaving(m, "Stopping", MAIN_STOP_MS + SLACK_MS);
    loop_timer(m->task.loop, &m->patience, MAIN_STOP_MS);
    list_foreach_safe (p, next, &m->children.all, link)
        stop_one(m, p);
    INJECT(main, term_told);
    main_quit_step(m);
}

void
main_out_of_patience(struct timer *t)
{
    struct main *m = container_of(t, struct main, patience);

    if (m->phase == MAIN_DELAYING) {
        drain_now(m);
        return;
    }
    if (m->phase == MAIN_DRAINING) {
        br_log(LOG_ERROR, "not everybody finished in %u ms: stopping", grace_ms(m));
        main_stop(m);
        return;
    }
    br_log(LOG_ERROR, "%u processes did not leave in %d ms: killing them", m->children.n,
           MAIN_STOP_MS);
    kill_all(m);
}
