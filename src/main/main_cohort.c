/*
 * main_cohort.c - routers with other settings: made beside those that run, which then drain and go.
 *
 *   ROUTERS -> next cohort forked -> all ready: DONE         -> KEEP: it is the cohort, the old
 *                      \-> one failed: DONE, why; dropped                 one drains
 *                                                            -> DROP: it drains
 *
 * The controller brings the new routers to the live configuration before it says KEEP, and both
 * cohorts accept from the same sockets until then, so that no connection waits for a router that is
 * not there.  A cohort is a number in struct process: the quit of one never touches another, and
 * each respawns its own dead until it is told to leave.  Both have indices of their own below
 * MSG_ROUTERS_MAX; eventfds for all of these are made when main starts, and applications inherit
 * them all.
 *
 * A priority below 0 needs privilege, so main sets it; the rest is the router's own setup
 * (router/settle.c).
 */
#include "main/main_cohort.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/inject.h"
#include "base/log.h"
#include "main/main_quit.h"
#include "main/main_spawn.h"

void
main_cohort_begin(struct main *m)
{
    m->cohort = (struct cohort){.number = 1,
                                .how = {.n = m->task.settings->routers,
                                        .rlimit_nofile = -1,
                                        .rlimit_core = -1,
                                        .timeout_ms = m->task.settings->grace_ms}};
    m->cohorts = 1;
}

static struct cohort *
cohort_of(struct main *m, const struct process *p)
{
    return p->cohort == m->next.number ? &m->next : &m->cohort;
}

struct msg_routers *
main_cohort_how(struct main *m, const struct process *p)
{
    return &cohort_of(m, p)->how;
}

const struct creds *
main_cohort_creds(struct main *m, const struct process *p)
{
    const struct cohort *c = cohort_of(m, p);

    return c->how.own_ids != 0 ? &c->creds : NULL;
}

_Static_assert(MSG_GROUPS_MAX <= CREDS_GROUPS_MAX, "they fit");

/* Numbers, which the controller has looked up: main asks nobody for names. */
static void
fill_creds(struct cohort *c)
{
    c->creds = (struct creds){.uid = c->how.uid, .gid = c->how.gid};
    c->creds.n_groups = br_min(c->how.n_groups, MSG_GROUPS_MAX);
    for (unsigned i = 0; i < c->creds.n_groups; i++)
        c->creds.groups[i] = c->how.groups[i];
    snprintf(c->creds.user, sizeof(c->creds.user), "%u", c->how.uid);
}

int
main_cohort_settle(struct main *m, const struct process *p, struct br_err *err)
{
    int priority = main_cohort_how(m, p)->priority;

    if (priority < 0 && setpriority(PRIO_PROCESS, (id_t)p->pid, priority) < 0 && errno != ESRCH)
        return br_fail(err, -errno, "cannot set a router's priority to %d", priority);
    return 0;
}

/* --- the change --- */

static void
answer(struct main *m, int rc, const char *text)
{
    struct channel *ch = dispatch_find(m->task.dispatch, ROLE_CONTROLLER, 0);
    struct message question = {.serial = m->next_asked};
    struct msg_result result = {.rc = rc};

    if (m->next_asked == 0)
        return;
    m->next_asked = 0;
    strncpy(result.text, text, sizeof(result.text) - 1);
    if (ch != NULL)
        dispatch_reply(ch, &question, MSG_DONE, &result, NULL, 0);
}

/* All routers of that cohort drain and go. */
static void
retire(struct main *m, uint32_t number, const struct process *but)
{
    struct process *p, *next;

    list_foreach_safe (p, next, &m->children.all, link)
        if (p->cohort == number && p != but)
            main_retire(m, p);
}

/* The next cohort shall not be: its routers go. */
static void
drop(struct main *m, struct process *but)
{
    uint32_t number = m->next.number;

    if (number == 0)
        return;
    m->next.number = 0;
    m->next_asked = 0;
    if (number != m->cohort.number)
        retire(m, number, but);
}

void
main_cohort_ready(struct main *m)
{
    struct process *p;

    if (m->next_asked == 0)
        return;
    list_foreach (p, &m->children.all, link)
        if (p->cohort == m->next.number && p->life.state != PROC_READY)
            return;
    answer(m, 0, "");
}

void
main_cohort_failed(struct main *m, struct process *p, const char *text)
{
    if (m->next_asked == 0 || p->cohort == 0 || p->cohort != m->next.number)
        return;
    answer(m, -ECHILD, text);
    p->no_respawn = true; /* who called is about to look at it */
    drop(m, p);
}

void
main_cohort_forget(struct main *m)
{
    drop(m, NULL);
}

/* Would routers be the same?  How brood leaves is nothing that they are made of. */
static bool
same_routers(const struct msg_routers *a, const struct msg_routers *b)
{
    struct msg_routers x = *a, y = *b;

    x.timeout_ms = y.timeout_ms = 0;
    x.delay_ms = y.delay_ms = 0;
    return memcmp(&x, &y, sizeof(x)) == 0;
}

static unsigned
free_indices(const struct main *m)
{
    const struct process *p;
    unsigned n = MSG_ROUTERS_MAX;

    list_foreach (p, &m->children.all, link)
        n -= p->role->numbered;
    return n;
}

static void
fork_next(struct main *m)
{
    unsigned n = m->next.how.n;

    for (unsigned i = 0; i < n && m->next_asked != 0; i++)
        if (main_start_router(m, m->next.number, i) < 0) {
            answer(m, -ENOMEM, "no memory for another router");
            drop(m, NULL);
        }
}

void
main_on_routers(struct task *task, struct channel *ch br_unused, struct message *msg)
{
    const struct msg_routers *order = msg->payload;
    struct main *m = main_of(task);
    unsigned room = free_indices(m);

    INJECT(main, routers_asked);
    drop(m, NULL);
    m->next = (struct cohort){.number = m->cohort.number, .how = *order};
    m->next_asked = msg->serial;
    if (m->next.how.n == 0)
        m->next.how.n = m->task.settings->routers;
    fill_creds(&m->next);
    if (m->phase > MAIN_RUNNING) {
        answer(m, -ESHUTDOWN, "brood is about to leave");
        drop(m, NULL);
    } else if (same_routers(&m->next.how, &m->cohort.how)) {
        answer(m, 0, "");
    } else if (m->next.how.n > room) {
        char text[160];

        snprintf(text, sizeof(text),
                 "%u routers have no place beside those that run or still drain: there are %u "
                 "places, %u are free",
                 m->next.how.n, MSG_ROUTERS_MAX, room);
        answer(m, -EBUSY, text);
        m->next.number = 0;
    } else {
        m->next.number = ++m->cohorts;
        fork_next(m);
    }
}

void
main_on_routers_keep(struct task *task, struct channel *ch br_unused, struct message *msg br_unused)
{
    struct main *m = main_of(task);
    uint32_t old = m->cohort.number;

    INJECT(main, routers_kept);
    if (m->next.number == 0 || m->next_asked != 0)
        return;
    m->cohort = m->next;
    m->next.number = 0;
    if (m->cohort.number == old)
        return;
    br_log(LOG_NOTICE, "%u routers take the place of those before", m->cohort.how.n);
    retire(m, old, NULL);
}

void
main_on_routers_drop(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_result result = {0};

    drop(main_of(task), NULL);
    dispatch_reply(ch, msg, MSG_DONE, &result, NULL, 0);
}
