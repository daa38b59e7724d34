/*
 * tls_accept.c - handshakes of a server, side by side in one loop.
 *
 *   HELLO      wait for one byte, and look at it with MSG_PEEK
 *   HANDSHAKE  steps of OpenSSL, each time the socket has something new
 *   GOODBYE    our alert is out, shutdown(2); read and forget, until the client closes
 *
 * RFC 8446, 5.1: a record that begins a connection has the type 22.  A capital letter there is the
 * method of a request.
 */
#include "tls/tls_accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tls/tls_stream.h"

#define GOODBYE_MS    1000
#define GOODBYE_BYTES (1u << 20) /* that are read in vain at most */

struct handshake {
    struct list link;
    struct watch watch;
    struct timer timer;
    struct tls_acceptor *acceptor;
    struct tls_stream *t; /* NULL: HELLO or GOODBYE */
    struct tls_peer peer;
    int fd;
    bool over; /* GOODBYE */
    unsigned forgotten;
};

/* Out of loop and list; its descriptor and its stream are given away or closed by then. */
static void
leave(struct handshake *h)
{
    struct loop *loop = h->acceptor->loop;

    if (h->watch.fn != NULL)
        loop_del(loop, &h->watch);
    loop_timer_cancel(loop, &h->timer);
    list_del(&h->link);
    if (h->t != NULL)
        tls_stream_free(h->t);
    fd_close(&h->fd);
    loop_free_later(loop, free, h);
}

static void
give_secured(struct handshake *h)
{
    struct tls_acceptor *a = h->acceptor;
    struct tls_stream *t = h->t;
    struct tls_peer peer = h->peer;
    int fd;

    h->t = NULL;
    if (h->watch.fn != NULL)
        loop_del(a->loop, &h->watch);
    fd = fd_take(&h->fd);
    leave(h);
    a->ops->on_secured(a, fd, t, &peer);
}

static void
give_plain(struct handshake *h)
{
    struct tls_acceptor *a = h->acceptor;
    struct tls_peer peer = h->peer;
    int fd;

    if (h->watch.fn != NULL)
        loop_del(a->loop, &h->watch);
    fd = fd_take(&h->fd);
    leave(h);
    a->ops->on_plain(a, fd, &peer);
}

static void
forget_rest(struct handshake *h)
{
    char rest[4096];
    ssize_t n;

    while ((n = recv(h->fd, rest, sizeof(rest), 0)) > 0 && h->forgotten < GOODBYE_BYTES)
        h->forgotten += (unsigned)n;
    if (n >= 0 || (errno != EAGAIN && errno != EINTR))
        leave(h);
}

static void
fail(struct handshake *h, const char *why)
{
    h->acceptor->ops->on_failed(h->acceptor, &h->peer, why);
    tls_stream_free(h->t);
    h->t = NULL;
    h->over = true;
    (void)shutdown(h->fd, SHUT_WR);
    loop_timer(h->acceptor->loop, &h->timer, GOODBYE_MS);
    forget_rest(h);
}

static void
shake(struct handshake *h)
{
    struct br_err err = BR_ERR_NONE;
    int rc = tls_stream_handshake(h->t, &err);

    if (rc == 0)
        give_secured(h);
    else if (rc != -EAGAIN)
        fail(h, err.text);
}

static void
hear_first_byte(struct handshake *h)
{
    char first;
    ssize_t n;

    do
        n = recv(h->fd, &first, 1, MSG_PEEK);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        leave(h); /* it came and went: a probe */
    } else if (first >= 'A' && first <= 'Z') {
        give_plain(h);
    } else {
        h->t = tls_stream_new(h->acceptor->context, h->fd);
        shake(h);
    }
}

static void
go_on(struct handshake *h)
{
    if (h->over)
        forget_rest(h);
    else if (h->t != NULL)
        shake(h);
    else
        hear_first_byte(h);
}

static void
on_event(struct watch *w, br_unused uint32_t events)
{
    go_on(container_of(w, struct handshake, watch));
}

static void
on_timer(struct timer *timer)
{
    struct handshake *h = container_of(timer, struct handshake, timer);

    if (!h->over)
        h->acceptor->ops->on_failed(h->acceptor, &h->peer, "no handshake came in time");
    leave(h);
}

void
tls_acceptor_init(struct tls_acceptor *a, struct loop *loop, const struct tls_context *context,
                  const struct tls_accept_ops *ops, int64_t timeout_ms)
{
    *a = (struct tls_acceptor){
        .loop = loop, .context = context, .ops = ops, .timeout_ms = timeout_ms};
    list_init(&a->conns);
}

void
tls_accept(struct tls_acceptor *a, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct handshake *h = calloc(1, sizeof(*h));

    if (h == NULL)
        abort();
    h->acceptor = a;
    h->fd = fd;
    h->peer.len = br_min(len, (socklen_t)sizeof(h->peer.addr));
    memcpy(&h->peer.addr, addr, h->peer.len);
    list_add_tail(&a->conns, &h->link);
    timer_init(&h->timer, on_timer);
    loop_timer(a->loop, &h->timer, a->timeout_ms);
    /* Edges of both kinds: whatever a step waits for comes. */
    if (loop_add(a->loop, &h->watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_event) < 0)
        leave(h);
}

void
tls_acceptor_done(struct tls_acceptor *a)
{
    while (!list_empty(&a->conns))
        leave(list_first(&a->conns, struct handshake, link));
}
