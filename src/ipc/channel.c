/*
 * channel.c - one end of a SOCK_SEQPACKET pair.
 *
 *   [ head: type, serial, reply_to | payload ] + SCM_RIGHTS + SCM_CREDENTIALS (added by the kernel)
 *
 * How one datagram goes and comes is packet.c's; here it is a message of messages.def, checked, in
 * a queue when the kernel does not take it.
 */
#include "ipc/channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/packet_queue.h"

/* Messages delivered before the others of the loop have their turn. */
#define PUMP_BATCH 32

struct head {
    uint32_t type;
    uint32_t serial;
    uint32_t reply_to;
    uint32_t unused;
};

struct channel {
    struct watch watch;
    struct loop *loop;
    int fd;
    enum role_id self;
    struct peer peer;
    const struct channel_ops *ops;
    void *owner;
    struct packet_queue queue;
    unsigned busy; /* calls of deliver on the stack */
    bool gone;     /* on_gone was called, or will not be */
    bool freed;
};

int
channel_pair(int ret_fds[2])
{
    return packet_pair(ret_fds);
}

static void channel_event(struct watch *w, uint32_t events);

struct channel *
channel_new(struct loop *loop, int fd, enum role_id self, const struct peer *peer,
            const struct channel_ops *ops, void *owner)
{
    struct channel *ch = calloc(1, sizeof(*ch));
    int rc = ch == NULL ? -ENOMEM : 0;

    if (rc == 0 && loop != NULL)
        rc = loop_add(loop, &ch->watch, fd, EPOLLIN, channel_event);
    if (rc < 0) {
        free(ch);
        fd_close(&fd);
        errno = -rc;
        return NULL;
    }
    ch->loop = loop;
    ch->fd = fd;
    ch->self = self;
    ch->peer = *peer;
    ch->ops = ops;
    ch->owner = owner;
    packet_queue_init(&ch->queue, CHANNEL_QUEUE_MAX);
    return ch;
}

static void
free_memory(void *arg)
{
    free(arg);
}

void
channel_free(struct channel *ch)
{
    if (ch == NULL || ch->freed)
        return;
    ch->freed = true;
    ch->gone = true;
    packet_queue_done(&ch->queue);
    if (ch->loop != NULL)
        loop_del(ch->loop, &ch->watch);
    fd_close(&ch->fd);
    if (ch->loop != NULL)
        loop_free_later(ch->loop, free_memory, ch);
    else if (ch->busy == 0)
        free(ch);
}

void
channel_after_fork(struct channel *ch)
{
    packet_queue_done(&ch->queue);
    fd_close(&ch->fd);
    free(ch);
}

const struct peer *
channel_peer(const struct channel *ch)
{
    return &ch->peer;
}

struct peer *
channel_peer_edit(struct channel *ch)
{
    return &ch->peer;
}

void *
channel_owner(const struct channel *ch)
{
    return ch->owner;
}

int
channel_fd(const struct channel *ch)
{
    return ch->fd;
}

/* --- sending --- */

int
channel_send(struct channel *ch, enum msg_type type, const void *payload, int *fds, unsigned n_fds,
             uint32_t serial, uint32_t reply_to)
{
    static const char nothing[MSG_PAYLOAD_MAX];
    struct head head = {.type = type, .serial = serial, .reply_to = reply_to};
    struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)payload, msg_info[type].size}};
    int rc;

    assert(type > MSG_NONE && type < MSGS && n_fds <= MSG_FDS_MAX);
    assert(message_may(type, ch->self, ch->peer.role));
    if (payload == NULL)
        iov[1].iov_base = (void *)nothing;
    if (ch->gone) {
        packet_close_fds(fds, n_fds);
        return -EPIPE;
    }
    rc = packet_queue_send(&ch->queue, ch->fd, iov, 2, fds, n_fds);
    if (rc > 0 && ch->loop != NULL)
        loop_mod(ch->loop, &ch->watch, EPOLLIN | EPOLLOUT);
    return rc >= 0 ? 0 : rc == -ENOBUFS ? rc : -EPIPE;
}

/* Send what is queued, in order, as far as the kernel takes it.  0, -EAGAIN (some is left), -EPIPE.
 */
static int
flush(struct channel *ch)
{
    int rc = packet_queue_flush(&ch->queue, ch->fd);

    if (rc != -EAGAIN && ch->loop != NULL)
        loop_mod(ch->loop, &ch->watch, EPOLLIN);
    return rc == 0 || rc == -EAGAIN ? rc : -EPIPE;
}

int
channel_flush(struct channel *ch, int wait_ms)
{
    int64_t end_ms = clock_us() / 1000 + wait_ms;

    while (ch->queue.n > 0) {
        struct pollfd p = {.fd = ch->fd, .events = POLLOUT};
        int64_t left = end_ms - clock_us() / 1000;
        int rc = flush(ch);

        if (rc != -EAGAIN)
            return rc;
        if (left <= 0)
            return -ETIMEDOUT;
        poll(&p, 1, (int)left);
    }
    return ch->gone ? -EPIPE : 0;
}

/* --- receiving --- */

struct received {
    struct message m;
    unsigned type;
    size_t n; /* of the payload */
    bool damaged;
    bool crammed;
};

/* One datagram.  1, 0 (nothing waits), -EPIPE. */
static int
receive(int fd, struct received *r, char payload[MSG_PAYLOAD_MAX])
{
    struct head head = {0};
    struct iovec iov[2] = {{&head, sizeof(head)}, {payload, MSG_PAYLOAD_MAX}};
    struct packet p;
    int rc = packet_recv(fd, iov, 2, MSG_FDS_MAX, &p);

    if (rc <= 0)
        return rc;
    *r = (struct received){
        .damaged = p.damaged, .crammed = p.crammed, .type = MSG_NONE, .m.pid = p.pid};
    r->m.n_fds = p.n_fds;
    memcpy(r->m.fds, p.fds, p.n_fds * sizeof(int));
    if (p.n < sizeof(head))
        return 1; /* no type: it will be refused */
    r->type = head.type;
    r->n = p.n - sizeof(head);
    r->m.serial = head.serial;
    r->m.reply_to = head.reply_to;
    r->m.payload = payload;
    return 1;
}

/*
 * The peer's process and nobody who inherited its descriptor.  0 is a process outside of our pid
 * namespace, which a prototype in a namespace of its own sees of all but its children.
 */
static bool
from_peer(const struct channel *ch, pid_t pid)
{
    return pid == ch->peer.pid || pid == 0 || ch->peer.pid == 0;
}

static int
check(const struct channel *ch, struct received *r)
{
    if (!from_peer(ch, r->m.pid))
        return -EACCES;
    if (r->damaged)
        return r->crammed ? -EPROTO : -EMFILE;
    return message_check(r->type, ch->peer.role, ch->self, r->m.payload, r->n, r->m.n_fds);
}

/* One message, delivered or refused.  1, 0 (nothing waits), -EPIPE. */
static int
deliver_one(struct channel *ch)
{
    char payload[MSG_PAYLOAD_MAX] br_aligned(8);
    struct received r;
    int rc = receive(ch->fd, &r, payload);

    if (rc <= 0)
        return rc;
    rc = check(ch, &r);
    if (rc == 0) {
        r.m.type = (enum msg_type)r.type;
        ch->ops->on_message(ch, &r.m);
    } else if (ch->ops->on_refused != NULL) {
        ch->ops->on_refused(ch, r.type, &r.m, rc);
    }
    packet_close_fds(r.m.fds, r.m.n_fds);
    return 1;
}

static void
end(struct channel *ch)
{
    if (ch->gone)
        return;
    ch->gone = true;
    packet_queue_done(&ch->queue);
    if (ch->loop != NULL)
        loop_del(ch->loop, &ch->watch);
    ch->ops->on_gone(ch);
}

/* Up to most messages.  How many there were, or -EPIPE: then the channel's memory may be gone. */
static int
deliver(struct channel *ch, int most)
{
    int n = 0, rc = 1;

    ch->busy++;
    while (n < most && !ch->gone && rc > 0) {
        rc = deliver_one(ch);
        if (rc > 0)
            n++;
    }
    if (rc < 0)
        end(ch);
    ch->busy--;
    if (!ch->gone)
        return n;
    if (ch->freed && ch->loop == NULL && ch->busy == 0)
        free(ch);
    return -EPIPE;
}

static void
channel_event(struct watch *w, uint32_t events)
{
    struct channel *ch = container_of(w, struct channel, watch);

    if (events & EPOLLOUT)
        flush(ch);
    if (events & ~(uint32_t)EPOLLOUT)
        deliver(ch, PUMP_BATCH);
}

void
channel_pump(struct channel *ch)
{
    if (!ch->gone)
        deliver(ch, CHANNEL_QUEUE_MAX * 2);
}

int
channel_recv_wait(struct channel *ch, int wait_ms)
{
    int64_t end_ms = clock_us() / 1000 + wait_ms;

    for (;;) {
        struct pollfd p = {.fd = ch->fd, .events = POLLIN};
        int64_t left = wait_ms < 0 ? -1 : end_ms - clock_us() / 1000;
        int rc;

        if (ch->gone)
            return -EPIPE;
        if (ch->queue.n > 0 && flush(ch) == -EAGAIN)
            p.events |= POLLOUT;
        rc = deliver(ch, 1);
        if (rc != 0)
            return rc;
        if (wait_ms >= 0 && left <= 0)
            return 0;
        poll(&p, 1, (int)left);
    }
}
