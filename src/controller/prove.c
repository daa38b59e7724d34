/*
 * prove.c - one request through each listener of each router, before anybody may depend on them.
 *
 *   PROVE --> boot fell back to something else?   no good
 *         --> until all routers are at the live generation
 *         --> for each router and listener: socketpair, one end PROBE to the router
 *                request --> answer --> end      PROVED when all are there, or PROBE_MS is over
 *
 * In an upgrade two mains listen on the same sockets, so a connection made from outside would be
 * answered by anybody.  The request lacks its Host field: RFC 9112, 3.2 makes every server
 * answer it with 400 itself, so a probe shows that listener, parser and writer work, and runs
 * nothing of an application, which has shown that it is ready by having been started.
 */
#include "controller/prove.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/generation.h"
#include "controller/controller.h"

#define PROBE_MS     5000
#define LOOK_MS      20 /* are the routers there? */
#define ROUTERS_MS   10000
#define ANSWER_BYTES 4096

static const char request[] = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

struct probe {
    struct list link;
    struct proof *proof;
    struct watch watch;
    int fd;
    uint32_t router;
    const char *address;
    char answer[ANSWER_BYTES];
    size_t n;
};

struct proof {
    struct controller *controller;
    struct channel *main;
    struct message question;
    struct list probes; /* not answered yet */
    struct timer timer;
    int64_t waited_ms; /* for routers */
    size_t answers;
};

static void
probe_free(struct probe *probe)
{
    loop_del(probe->proof->controller->task->loop, &probe->watch);
    fd_close(&probe->fd);
    list_del(&probe->link);
    loop_free_later(probe->proof->controller->task->loop, free, probe);
}

void
prove_done(struct controller *c)
{
    struct proof *proof = c->proof;
    struct probe *probe, *next;

    if (proof == NULL)
        return;
    c->proof = NULL;
    list_foreach_safe (probe, next, &proof->probes, link)
        probe_free(probe);
    loop_timer_cancel(c->task->loop, &proof->timer);
    loop_free_later(c->task->loop, free, proof);
}

static void
conclude(struct proof *proof, int rc, const char *text)
{
    struct msg_result result = {.rc = rc};

    snprintf(result.text, sizeof(result.text), "%s", text);
    dispatch_reply(proof->main, &proof->question, MSG_PROVED, &result, NULL, 0);
    prove_done(proof->controller);
}

static void
conclude_silent(struct probe *probe, const char *what)
{
    char text[sizeof(((struct msg_result *)NULL)->text)];

    snprintf(text, sizeof(text), "router %u %s at listener %s", probe->router, what,
             probe->address);
    conclude(probe->proof, -EPROTO, text);
}

static bool
is_answer(const struct probe *probe)
{
    static const char begin[] = "HTTP/1.1 ";

    return probe->n >= sizeof(begin) - 1 && memcmp(probe->answer, begin, sizeof(begin) - 1) == 0 &&
           memmem(probe->answer, probe->n, "\r\n\r\n", 4) != NULL;
}

/* A listener of a router: what an application accepts itself, no router can answer. */
static bool
is_routed(const struct listener_conf *listener)
{
    return !listener->tcp;
}

static unsigned
count_routed(const struct generation *live)
{
    unsigned n = 0;

    for (size_t i = 0; i < live->n_listeners; i++)
        n += is_routed(&live->listeners[i]);
    return n;
}

static void
conclude_answers(struct proof *proof)
{
    if (proof->answers < count_routed(proof->controller->apply.live.generation))
        conclude(proof, -EPROTO, "no router answers");
    else
        conclude(proof, 0, "");
}

/* The router closed: that was all.  One that says nothing has left, as those do that the
 * configuration's own routers replace. */
static void
answered(struct probe *probe)
{
    struct proof *proof = probe->proof;

    if (probe->n > 0 && !is_answer(probe)) {
        conclude_silent(probe, "gives no HTTP answer");
        return;
    }
    proof->answers += probe->n > 0;
    probe_free(probe);
    if (list_empty(&proof->probes))
        conclude_answers(proof);
}

static void
on_readable(struct watch *w, uint32_t events br_unused)
{
    struct probe *probe = container_of(w, struct probe, watch);
    char rest[ANSWER_BYTES];
    ssize_t n;

    for (;;) {
        size_t room = sizeof(probe->answer) - probe->n;

        n = room > 0 ? read(probe->fd, probe->answer + probe->n, room)
                     : read(probe->fd, rest, sizeof(rest));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        probe->n += room > 0 ? (size_t)n : 0;
    }
    if (n == 0 || errno != EAGAIN)
        answered(probe);
}

static int
send_probe(struct proof *proof, struct channel *router, const char *address)
{
    struct loop *loop = proof->controller->task->loop;
    struct msg_open order = {.kind = OPEN_LISTENER};
    struct probe *probe = calloc(1, sizeof(*probe));
    int ends[2];
    int rc;

    if (probe == NULL)
        abort();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        rc = -errno;
        free(probe);
        return rc;
    }
    probe->proof = proof;
    probe->fd = ends[0];
    probe->router = channel_peer(router)->index;
    probe->address = address;
    list_add_tail(&proof->probes, &probe->link);
    snprintf(order.name, sizeof(order.name), "%s", address);
    rc = loop_add(loop, &probe->watch, probe->fd, EPOLLIN, on_readable);
    if (rc == 0 && write(probe->fd, request, sizeof(request) - 1) != sizeof(request) - 1)
        rc = -EIO;
    if (rc < 0)
        fd_close(&ends[1]);
    else
        rc = dispatch_tell(router, MSG_PROBE, &order, &ends[1], 1);
    return rc;
}

struct round {
    struct proof *proof;
    int rc;
};

static void
probe_router(struct channel *router, void *arg)
{
    struct round *round = arg;
    const struct generation *live = round->proof->controller->apply.live.generation;

    for (size_t i = 0; i < live->n_listeners && round->rc == 0; i++)
        if (is_routed(&live->listeners[i]))
            round->rc = send_probe(round->proof, router, live->listeners[i].address);
}

static void
probe_all(struct proof *proof)
{
    struct task *task = proof->controller->task;
    struct round round = {.proof = proof};

    proof->waited_ms = -1;
    loop_timer(task->loop, &proof->timer, PROBE_MS);
    dispatch_each(task->dispatch, ROLE_ROUTER, probe_router, &round);
    if (round.rc < 0)
        conclude(proof, round.rc, "the routers cannot be asked");
    else if (list_empty(&proof->probes))
        conclude_answers(proof);
}

static void
on_time(struct timer *t)
{
    struct proof *proof = container_of(t, struct proof, timer);
    struct controller *c = proof->controller;

    if (proof->waited_ms < 0) {
        conclude_silent(container_of(proof->probes.next, struct probe, link),
                        "does not answer in time");
    } else if (routers_live(&c->apply.routers)) {
        probe_all(proof);
    } else if (proof->waited_ms > ROUTERS_MS) {
        conclude(proof, -ETIMEDOUT, "a router does not take over the configuration");
    } else {
        proof->waited_ms += LOOK_MS;
        loop_timer(c->task->loop, &proof->timer, LOOK_MS);
    }
}

void
prove_begin(struct controller *c, struct channel *main, const struct message *question)
{
    struct proof *proof = calloc(1, sizeof(*proof));

    if (proof == NULL)
        abort();
    prove_done(c);
    proof->controller = c;
    proof->main = main;
    proof->question.serial = question->serial;
    list_init(&proof->probes);
    timer_init(&proof->timer, on_time);
    c->proof = proof;
    if (c->unapplied[0] != '\0')
        conclude(proof, -EBADMSG, c->unapplied);
    else
        on_time(&proof->timer);
}
