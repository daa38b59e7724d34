/*
 * dispatch.c - lines by peer, handlers by message, answers by serial.
 *
 *   channel --checked message--> reply_to an awaited serial of this line?  its reply_fn
 *                                else the house's own handler (CHANNEL_OPEN, …), else the role's
 *
 * A line may be dropped from within any callback: it leaves the list at once if nobody walks it,
 * else when the last walk is over.
 *
 * A prototype runs what its user wrote, so its CHANNEL_OPEN and CHANNEL_CLOSE are believed for
 * workers of its own launch only: whoever could introduce a router would be sent the configuration.
 */
#include "ipc/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "process/logfile.h"

struct line {
    struct list link;
    struct dispatch *d;
    struct channel *ch;
    struct channel **slot; /* set to NULL when the line is dropped */
    bool dead;
};

struct await {
    struct await *next;
    struct dispatch *d;
    struct channel *ch;
    uint32_t serial;
    enum msg_type reply;
    struct timer deadline;
    reply_fn *fn;
    void *arg;
};

struct dispatch {
    struct task *task;
    struct list lines;
    struct await *awaits;
    uint32_t last_serial;
    unsigned walks;
};

struct dispatch *
dispatch_new(struct task *task)
{
    struct dispatch *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->task = task;
    list_init(&d->lines);
    return d;
}

static void
free_memory(void *arg)
{
    free(arg);
}

/* --- lines --- */

static struct line *
line_of(struct channel *ch)
{
    return channel_owner(ch);
}

static void
line_free(struct line *l)
{
    list_del(&l->link);
    loop_free_later(l->d->task->loop, free_memory, l);
}

static void
walk_begin(struct dispatch *d)
{
    d->walks++;
}

static void
walk_end(struct dispatch *d)
{
    struct line *l, *next;

    if (--d->walks > 0)
        return;
    list_foreach_safe (l, next, &d->lines, link)
        if (l->dead)
            line_free(l);
}

static void line_message(struct channel *ch, struct message *m);
static void line_gone(struct channel *ch);
static void line_refused(struct channel *ch, unsigned type, const struct message *m, int rc);

static const struct channel_ops line_ops = {
    .on_message = line_message,
    .on_gone = line_gone,
    .on_refused = line_refused,
};

struct channel *
dispatch_add(struct dispatch *d, int fd, const struct peer *peer)
{
    struct line *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        fd_close(&fd);
        return NULL;
    }
    l->d = d;
    l->ch = channel_new(d->task->loop, fd, d->task->role->id, peer, &line_ops, l);
    if (l->ch == NULL) {
        free(l);
        return NULL;
    }
    list_add_tail(&d->lines, &l->link);
    return l->ch;
}

void
dispatch_bind(struct channel *ch, struct channel **slot)
{
    line_of(ch)->slot = slot;
    *slot = ch;
}

static void
await_free(struct await *a)
{
    struct await **at = &a->d->awaits;

    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    loop_timer_cancel(a->d->task->loop, &a->deadline);
    free(a);
}

static void
await_end(struct await *a, struct message *m, int rc)
{
    struct task *task = a->d->task;
    reply_fn *fn = a->fn;
    void *arg = a->arg;

    await_free(a);
    fn(task, arg, m, rc);
}

static struct await *
await_on(const struct dispatch *d, const struct channel *ch)
{
    struct await *a = d->awaits;

    /* The analyzer takes it for possible that await_free leaves what it frees in the list. */
    while (a != NULL && a->ch != ch) /* NOLINT(clang-analyzer-unix.Malloc) */
        a = a->next;
    return a;
}

/* Each call may forget or add others, so begin anew after every one. */
static void
fail_awaits(struct dispatch *d, const struct channel *ch)
{
    struct await *a;

    while ((a = await_on(d, ch)) != NULL)
        await_end(a, NULL, -EPIPE);
}

void
dispatch_drop(struct dispatch *d, struct channel *ch)
{
    struct line *l = line_of(ch);
    struct task *task = d->task;

    if (l->dead)
        return;
    l->dead = true;
    if (l->slot != NULL)
        *l->slot = NULL;
    if (task->parent == ch)
        task->parent = NULL;
    fail_awaits(d, ch);
    if (task->role->on_peer_gone != NULL)
        task->role->on_peer_gone(task, ch);
    channel_free(ch);
    if (d->walks == 0)
        line_free(l);
}

static void
drop_all(struct dispatch *d, bool forked)
{
    struct line *l, *next;

    while (d->awaits != NULL) {
        struct await *a = d->awaits;

        d->awaits = a->next;
        if (!forked)
            loop_timer_cancel(d->task->loop, &a->deadline);
        free(a);
    }
    list_foreach_safe (l, next, &d->lines, link) {
        list_del(&l->link);
        if (forked && !l->dead)
            channel_after_fork(l->ch);
        else if (!l->dead)
            channel_free(l->ch);
        free(l);
    }
    free(d);
}

void
dispatch_free(struct dispatch *d)
{
    drop_all(d, false);
}

void
dispatch_after_fork(struct dispatch *d)
{
    drop_all(d, true);
}

static struct channel *
find(struct dispatch *d, bool (*fits)(const struct peer *peer, const struct peer *wanted),
     const struct peer *wanted)
{
    struct line *l;

    list_foreach (l, &d->lines, link)
        if (!l->dead && fits(channel_peer(l->ch), wanted))
            return l->ch;
    return NULL;
}

static bool
fits_index(const struct peer *peer, const struct peer *wanted)
{
    return peer->role == wanted->role && peer->index == wanted->index;
}

static bool
fits_pid(const struct peer *peer, const struct peer *wanted)
{
    return peer->pid == wanted->pid;
}

static bool
fits_launch(const struct peer *peer, const struct peer *wanted)
{
    return peer->role == wanted->role && peer->launch == wanted->launch &&
           peer->instance == wanted->instance;
}

static bool
fits_all(const struct peer *peer, const struct peer *wanted)
{
    return fits_launch(peer, wanted) && peer->pid == wanted->pid && peer->index == wanted->index;
}

struct channel *
dispatch_find(struct dispatch *d, enum role_id role, uint32_t index)
{
    return find(d, fits_index, &(struct peer){.role = role, .index = index});
}

struct channel *
dispatch_find_pid(struct dispatch *d, pid_t pid)
{
    return find(d, fits_pid, &(struct peer){.pid = pid});
}

struct channel *
dispatch_find_launch(struct dispatch *d, enum role_id role, uint32_t launch, uint32_t instance)
{
    return find(d, fits_launch,
                &(struct peer){.role = role, .launch = launch, .instance = instance});
}

unsigned
dispatch_each(struct dispatch *d, enum role_id role, void (*fn)(struct channel *ch, void *arg),
              void *arg)
{
    struct line *l;
    unsigned n = 0;

    walk_begin(d);
    list_foreach (l, &d->lines, link) {
        if (l->dead || channel_peer(l->ch)->role != role)
            continue;
        n++;
        fn(l->ch, arg);
    }
    walk_end(d);
    return n;
}

/* --- questions and answers --- */

int
dispatch_tell(struct channel *ch, enum msg_type type, const void *payload, int *fds, unsigned n_fds)
{
    return channel_send(ch, type, payload, fds, n_fds, 0, 0);
}

static void
await_late(struct timer *t)
{
    await_end(container_of(t, struct await, deadline), NULL, -ETIMEDOUT);
}

int
dispatch_ask(struct channel *ch, enum msg_type type, const void *payload, int *fds, unsigned n_fds,
             int wait_ms, reply_fn *fn, void *arg)
{
    struct dispatch *d = line_of(ch)->d;
    struct await *a = malloc(sizeof(*a));
    int rc;

    if (a == NULL) {
        for (unsigned i = 0; i < n_fds; i++)
            fd_close(&fds[i]);
        return -ENOBUFS;
    }
    if (++d->last_serial == 0)
        d->last_serial = 1;
    *a = (struct await){
        .d = d,
        .ch = ch,
        .serial = d->last_serial,
        .reply = msg_info[type].reply,
        .fn = fn,
        .arg = arg,
    };
    rc = channel_send(ch, type, payload, fds, n_fds, a->serial, 0);
    if (rc < 0) {
        free(a);
        return rc;
    }
    a->next = d->awaits;
    d->awaits = a;
    timer_init(&a->deadline, await_late);
    if (wait_ms >= 0)
        loop_timer(d->task->loop, &a->deadline, wait_ms);
    return 0;
}

void
dispatch_forget(struct dispatch *d, void *arg)
{
    struct await *a, *next;

    for (a = d->awaits; a != NULL; a = next) {
        next = a->next;
        if (a->arg == arg)
            await_free(a);
    }
}

int
dispatch_reply(struct channel *ch, const struct message *question, enum msg_type type,
               const void *payload, int *fds, unsigned n_fds)
{
    return channel_send(ch, type, payload, fds, n_fds, 0, question->serial);
}

/* Anything that was asked for may be refused by PROCESS_FAILED. */
static bool
take_answer(struct dispatch *d, struct channel *ch, struct message *m)
{
    struct await *a;

    for (a = d->awaits; a != NULL; a = a->next) {
        if (a->ch != ch || a->serial != m->reply_to)
            continue;
        if (m->type != a->reply && m->type != MSG_PROCESS_FAILED)
            return false;
        await_end(a, m, 0);
        return true;
    }
    return false;
}

/* --- what every role does with a message --- */

/* The parent introduces whom it likes; a prototype, to a router, its own workers. */
static bool
may_introduce(const struct task *task, const struct channel *ch, const struct peer *whom)
{
    const struct peer *by = channel_peer(ch);

    if (ch == task->parent)
        return true;
    return whom->role == ROLE_WORKER && whom->launch == by->launch &&
           whom->instance == by->instance;
}

static bool
introduced_peer(const struct task *task, const struct channel *ch, const struct message *m,
                struct peer *ret_peer)
{
    const struct msg_process *about = m->payload;
    struct peer peer = {
        .role = (enum role_id)about->role,
        .pid = about->pid,
        .index = about->index,
        .launch = about->launch,
        .instance = about->instance,
    };

    if (about->role >= ROLES || !roles_talk(task->role->id, peer.role) ||
        !may_introduce(task, ch, &peer))
        return false;
    *ret_peer = peer;
    return true;
}

static void
channel_opened(struct task *task, struct channel *ch, struct message *m)
{
    struct peer peer;
    struct channel *line;

    if (!introduced_peer(task, ch, m, &peer)) {
        br_log(LOG_ERROR, "process %d may not introduce process %d", (int)m->pid,
               ((struct msg_process *)m->payload)->pid);
        return;
    }
    line = dispatch_add(task->dispatch, fd_take(&m->fds[0]), &peer);
    if (line == NULL)
        br_log(LOG_ERROR, "no line to process %d: out of memory", (int)peer.pid);
    else if (task->role->on_peer != NULL)
        task->role->on_peer(task, line);
}

static void
channel_closed(struct task *task, struct channel *ch, struct message *m)
{
    struct peer peer;
    struct channel *line;

    if (!introduced_peer(task, ch, m, &peer))
        return;
    line = find(task->dispatch, fits_all, &peer);
    if (line == NULL || line == task->parent)
        return;
    channel_pump(line); /* what it said before it died */
    line = find(task->dispatch, fits_all, &peer);
    if (line != NULL)
        dispatch_drop(task->dispatch, line);
}

static void
log_reopened(br_unused struct task *task, br_unused struct channel *ch, struct message *m)
{
    int rc = logfile_adopt(m->fds[0]);

    if (rc < 0)
        br_log(LOG_ERROR, "cannot take the new error log: %s", strerror(-rc));
}

static void
leave(struct task *task, br_unused struct channel *ch, br_unused struct message *m)
{
    loop_stop(task->loop);
}

/* Run before the role's handler, or instead of one that is missing. */
static const struct house_handler {
    enum msg_type type;
    bool always;
    msg_fn *fn;
} house_handlers[] = {
    {MSG_CHANNEL_OPEN, true, channel_opened},
    {MSG_CHANNEL_CLOSE, true, channel_closed},
    {MSG_LOG_REOPEN, true, log_reopened},
    {MSG_DRAIN, false, leave},
    {MSG_STOP, false, leave},
};

static const struct house_handler *
house_handler(enum msg_type type)
{
    for (size_t i = 0; i < array_len(house_handlers); i++)
        if (house_handlers[i].type == type)
            return &house_handlers[i];
    return NULL;
}

static msg_fn *
role_handler(const struct br_role *role, enum msg_type type)
{
    for (const struct msg_handler *h = role->on_message; h != NULL && h->type != MSG_NONE; h++)
        if (h->type == type)
            return h->fn;
    return NULL;
}

bool
dispatch_handles(const struct br_role *role, enum msg_type type)
{
    return house_handler(type) != NULL || role_handler(role, type) != NULL;
}

static void
line_message(struct channel *ch, struct message *m)
{
    struct dispatch *d = line_of(ch)->d;
    struct task *task = d->task;
    const struct house_handler *house = house_handler(m->type);
    msg_fn *fn = role_handler(task->role, m->type);

    if (m->reply_to != 0 && take_answer(d, ch, m))
        return;
    if (house != NULL && (house->always || fn == NULL))
        house->fn(task, ch, m);
    if (fn != NULL)
        fn(task, ch, m);
    else if (house == NULL)
        br_log(LOG_DEBUG, "%s from process %d: nobody waits for it", msg_info[m->type].name,
               (int)m->pid);
}

static void
line_gone(struct channel *ch)
{
    struct dispatch *d = line_of(ch)->d;
    struct task *task = d->task;

    if (ch == task->parent)
        loop_stop(task->loop);
    dispatch_drop(d, ch);
}

/*
 * What came with descriptors that we had no room for: who waits shall not wait for ever, and what
 * is told once and for all is not told again.
 */
static void
handle_lost(struct channel *ch, unsigned type, const struct message *m)
{
    struct dispatch *d = line_of(ch)->d;
    const struct br_role *role = d->task->role;
    struct msg_failed failed = {.rc = -EMFILE, .text = "too many open files to take what was sent"};
    struct await *a;

    if (type >= MSGS || !message_may((enum msg_type)type, channel_peer(ch)->role, role->id))
        return;
    if (m->serial == 0 && m->reply_to == 0 && role->on_lost != NULL)
        role->on_lost(d->task);
    if (m->serial != 0 && message_may(MSG_PROCESS_FAILED, role->id, channel_peer(ch)->role))
        dispatch_reply(ch, m, MSG_PROCESS_FAILED, &failed, NULL, 0);
    for (a = d->awaits; a != NULL; a = a->next) {
        if (a->ch == ch && a->serial == m->reply_to) {
            await_end(a, NULL, -EMFILE);
            return;
        }
    }
}

static const char *
refusal_text(int rc)
{
    switch (rc) {
    case -EPERM:
        return "its role may not say that";
    case -EACCES:
        return "sent by another process";
    case -EMFILE:
        return "its descriptors were lost, there is no room for them";
    default:
        return "wrong shape";
    }
}

static void
line_refused(struct channel *ch, unsigned type, const struct message *m, int rc)
{
    const char *name = type < MSGS ? msg_info[type].name : "unknown message";

    br_log(LOG_ERROR, "%s from process %d on the line of process %d refused: %s", name, (int)m->pid,
           (int)channel_peer(ch)->pid, refusal_text(rc));
    if (rc == -EMFILE)
        handle_lost(ch, type, m);
}
