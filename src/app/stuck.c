/*
 * stuck.c - a worker whose request takes too long: SIGTERM, and SIGKILL when its lane still holds
 * the same request after a grace.
 */
#include "app/prototype.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "nest/lane.h"

#define STUCK_GRACE_MS 5000 /* from SIGTERM to SIGKILL */

struct stuck {
    struct list link;
    struct timer timer;
    struct prototype *proto;
    pid_t pid;
    struct msg_lane at; /* slot with its router, as nest_lane_view says it */
};

static bool
still_stuck(const struct prototype *proto, const struct msg_lane *at)
{
    struct lane_view v;

    nest_lane_view(proto->app.nest, at->lane, &v);
    return v.busy && v.slot == at->slot && v.generation == at->generation;
}

static void
on_stuck_grace(struct timer *t)
{
    struct stuck *s = container_of(t, struct stuck, timer);
    struct process *p = roster_find_pid(&s->proto->workers, s->pid);

    if (p && still_stuck(s->proto, &s->at))
        syscall(SYS_pidfd_send_signal, p->child.pidfd, SIGKILL, NULL, 0);
    list_del(&s->link);
    free(s);
}

void
stuck_on_message(struct task *task, struct channel *ch, struct message *m)
{
    struct prototype *proto = task->data;
    const struct msg_lane *stuck = m->payload;
    struct msg_lane at = *stuck;
    struct process *p;
    struct stuck *s;

    if (at.lane >= NEST_LANES)
        return;
    at.slot |= channel_peer(ch)->index << 16;
    p = roster_find(&proto->workers, ROLE_WORKER, at.lane - at.lane % proto->app.threads);
    if (p == NULL || !still_stuck(proto, &at))
        return;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return;
    br_log(LOG_WARN, "process %d of \"%s\" ran over the time limit and is ended", (int)p->pid,
           proto->app.name);
    s->proto = proto;
    s->pid = p->pid;
    s->at = at;
    timer_init(&s->timer, on_stuck_grace);
    list_add_tail(&proto->stuck, &s->link);
    loop_timer(task->loop, &s->timer, STUCK_GRACE_MS);
    syscall(SYS_pidfd_send_signal, p->child.pidfd, SIGTERM, NULL, 0);
}

void
stuck_forget(struct prototype *proto, pid_t pid)
{
    struct stuck *s, *next;

    list_foreach_safe (s, next, &proto->stuck, link) {
        if (pid != 0 && s->pid != pid)
            continue;
        loop_timer_cancel(proto->task.loop, &s->timer);
        list_del(&s->link);
        free(s);
    }
}
