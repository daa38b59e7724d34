/*
 * routers.c - brings every router to the live generation, and through the change in progress.
 *
 *   new here --PREPARE(live)--> built --COMMIT--> serves live --PREPARE(next)--> built
 *                                 ^                   ^                            |
 *                                 +--- next is live --+-------- ABORT -------------+
 *
 * `advance` looks at one router and sends the one message that brings it nearer; every answer leads
 * back to it.  Whoever runs a change only says what is live and what is next, and asks whether all
 * are there.  A router that dies is simply gone; while there is none at all, a change waits.
 */
#include "controller/routers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/dispatch.h"

/* A router that takes longer to answer than this is counted as one that refuses. */
#define ROUTER_WAIT_MS 60000

struct router {
    struct list link;
    struct routers *routers;
    struct channel *channel;
    uint32_t asked;    /* generation of the question under way, 0: none */
    uint32_t prepared; /* generation built and not yet live, 0: none */
    uint32_t live;     /* generation that it serves, 0: none */
    uint32_t refused;  /* the last generation that it could not build */
    bool lost;         /* its line broke; routers_gone follows */
};

static void advance(struct router *r);

static void
text_done(struct routers_text *t)
{
    fd_close(&t->fd);
    t->number = 0;
}

void
routers_init(struct routers *rs, struct task *task, void (*on_move)(struct routers *rs))
{
    *rs = (struct routers){
        .task = task, .live.fd = -1, .next.fd = -1, .refusal = BR_ERR_NONE, .on_move = on_move};
    list_init(&rs->all);
}

static void
router_free(struct router *r)
{
    dispatch_forget(r->routers->task->dispatch, r);
    list_del(&r->link);
    free(r);
}

void
routers_done(struct routers *rs)
{
    struct router *r, *tmp;

    list_foreach_safe (r, tmp, &rs->all, link)
        router_free(r);
    text_done(&rs->live);
    text_done(&rs->next);
}

uint64_t
routers_bit(const struct channel *ch)
{
    uint32_t index = channel_peer(ch)->index;

    return index < ROUTERS_MAX ? UINT64_C(1) << index : 0;
}

static void
refuse(struct router *r, uint32_t number, int rc, const char *why)
{
    struct routers *rs = r->routers;
    uint32_t index = channel_peer(r->channel)->index;

    r->refused = number;
    if (number == rs->next.number) {
        if (rs->refusal.rc == 0)
            br_fail(&rs->refusal, -EBADMSG, "%s", why);
        rs->refusal.rc = rc;
    } else if (number == rs->live.number) {
        br_log(LOG_ALERT, "router %u cannot take over the live configuration: %s", index, why);
    }
}

static void
on_prepared(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct router *r = arg;
    struct routers *rs = r->routers;
    uint32_t number = r->asked;

    INJECT_OF(controller, prepare_answered, channel_peer(r->channel)->index);
    r->asked = 0;
    if (rc == -EPIPE) {
        r->lost = true;
        return;
    }
    if (rc < 0) {
        refuse(r, number, rc, "a router did not answer in time");
    } else if (m->type != MSG_CONF_PREPARED) {
        refuse(r, number, -EPROTO, "a router answers something else");
    } else {
        const struct msg_result *result = m->payload;

        if (result->rc < 0)
            refuse(r, number, result->rc, result->text);
        else if (number == rs->next.number || number == rs->live.number)
            r->prepared = number;
    }
    advance(r);
    rs->on_move(rs);
}

static void
on_live(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct router *r = arg;

    INJECT_OF(controller, live_heard, channel_peer(r->channel)->index);
    if (rc == -EPIPE) {
        r->asked = 0;
        r->lost = true;
        return;
    }
    if (rc < 0 || m->type != MSG_CONF_LIVE)
        refuse(r, r->asked, rc, "it did not say that it is live");
    else
        r->live = r->asked;
    r->asked = 0;
    advance(r);
    r->routers->on_move(r->routers);
}

/* A question that could not even be sent. */
static void
unsent(struct router *r, int rc)
{
    uint32_t number = r->asked;

    r->asked = 0;
    if (rc == -EPIPE)
        r->lost = true;
    else
        refuse(r, number, rc, "a router does not read its messages");
}

static void
send_prepare(struct router *r, const struct routers_text *text)
{
    const struct msg_conf question = {.generation = text->number};
    int fd = fcntl(text->fd, F_DUPFD_CLOEXEC, 3);
    int rc;

    if (fd < 0) {
        refuse(r, text->number, -errno, "no descriptor left to hand over the configuration");
        return;
    }
    r->asked = text->number;
    rc = dispatch_ask(r->channel, MSG_CONF_PREPARE, &question, &fd, 1, ROUTER_WAIT_MS, on_prepared,
                      r);
    INJECT_OF(controller, prepare_asked, channel_peer(r->channel)->index);
    if (rc < 0)
        unsent(r, rc);
}

static void
send_commit(struct router *r)
{
    const struct msg_conf order = {.generation = r->prepared};

    int rc;

    r->asked = r->prepared;
    r->prepared = 0;
    rc = dispatch_ask(r->channel, MSG_CONF_COMMIT, &order, NULL, 0, ROUTER_WAIT_MS, on_live, r);
    INJECT_OF(controller, commit_sent, channel_peer(r->channel)->index);
    if (rc < 0)
        unsent(r, rc);
}

/* Is there something it has yet to do to serve the live generation? */
static bool
behind(const struct router *r)
{
    uint32_t live = r->routers->live.number;

    return live != 0 && r->live != live && r->refused != live;
}

static void
advance(struct router *r)
{
    const struct routers *rs = r->routers;
    uint32_t next = rs->next.number;

    if (r->asked != 0 || r->lost)
        return;
    if (behind(r)) {
        if (r->prepared == rs->live.number)
            send_commit(r);
        else
            send_prepare(r, &rs->live);
    } else if (next != 0 && r->prepared != next && r->refused != next) {
        send_prepare(r, &rs->next);
    }
}

static void
advance_all(struct routers *rs)
{
    struct router *r;

    list_foreach (r, &rs->all, link)
        advance(r);
}

void
routers_add(struct routers *rs, struct channel *ch)
{
    struct router *r = calloc(1, sizeof(*r));

    if (r == NULL)
        abort();
    r->routers = rs;
    r->channel = ch;
    list_add_tail(&rs->all, &r->link);
    advance(r);
    rs->on_move(rs);
}

void
routers_gone(struct routers *rs, struct channel *ch)
{
    struct router *r, *tmp;

    list_foreach_safe (r, tmp, &rs->all, link) {
        if (r->channel == ch)
            router_free(r);
    }
    rs->on_move(rs);
}

void
routers_prepare(struct routers *rs, uint32_t number, int fd)
{
    text_done(&rs->next);
    rs->next = (struct routers_text){number, fd};
    br_err_clear(&rs->refusal);
    advance_all(rs);
}

void
routers_abort(struct routers *rs)
{
    const struct msg_conf order = {.generation = rs->next.number};
    struct router *r;

    if (order.generation == 0)
        return;
    list_foreach (r, &rs->all, link) {
        if (r->lost || (r->prepared != order.generation && r->asked != order.generation))
            continue;
        r->prepared = 0;
        if (dispatch_tell(r->channel, MSG_CONF_ABORT, &order, NULL, 0) < 0)
            r->lost = true;
    }
    text_done(&rs->next);
}

void
routers_commit(struct routers *rs)
{
    text_done(&rs->live);
    rs->live = rs->next;
    rs->next = (struct routers_text){0, -1};
    advance_all(rs);
}

int
routers_prepared(const struct routers *rs, struct br_err *err)
{
    const struct router *r;
    unsigned built = 0;

    if (rs->refusal.rc < 0) {
        *err = rs->refusal;
        return err->rc;
    }
    list_foreach (r, &rs->all, link) {
        if (r->lost)
            continue;
        if (r->prepared != rs->next.number)
            return 0;
        built++;
    }
    return built > 0;
}

bool
routers_live(const struct routers *rs)
{
    const struct router *r;
    unsigned there = 0;

    list_foreach (r, &rs->all, link) {
        if (r->lost)
            continue;
        if (behind(r))
            return false;
        there++;
    }
    return there > 0;
}

uint64_t
routers_serving(const struct routers *rs, uint32_t number)
{
    const struct router *r;
    uint64_t bits = 0;

    list_foreach (r, &rs->all, link) {
        if (r->live == number)
            bits |= routers_bit(r->channel);
    }
    return bits;
}
