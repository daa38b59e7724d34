/*
 * channel.c - br_channel: ipc/packet in a loop, with a bounded queue.
 *
 *   send: nothing waits -> kernel;  the kernel is full, or something waits -> queue -> EPOLLOUT
 *   event: one message; where another waited behind it last time, up to BATCH
 *
 * A question-and-answer partner has one message at a time: looking for a second one would cost each
 * round a system call.
 */
#include <brood/channel.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "event/listener.h"
#include "ipc/packet_queue.h"
#include "lib/lib.h"

#define QUEUE_MAX 256
#define BATCH     32
#define SINGLES   16 /* turns with one read after a second one found nothing */

_Static_assert(BR_MESSAGE_FDS_MAX == PACKET_FDS_MAX, "the same limit inside and outside");
_Static_assert(BR_MESSAGE_MAX <= LOOP_ROOM, "a message fits into the loop's room");

struct br_channel {
    struct handle h;
    struct watch watch;
    int fd;
    br_message_fn *fn;
    void *arg;
    struct packet_queue queue;
    unsigned singles;
    bool gone;
};

/* The kernel's answer to a partner who is gone. */
static bool
is_gone(int rc)
{
    return rc == -EPIPE || rc == -ENOTCONN || rc == -ECONNREFUSED;
}

/* Send what is queued as far as the kernel takes it. */
static void
flush(struct br_channel *ch)
{
    if (packet_queue_flush(&ch->queue, ch->fd) != -EAGAIN)
        loop_mod(ch->h.loop->loop, &ch->watch, EPOLLIN);
}

static void
end(struct br_channel *ch)
{
    if (ch->gone)
        return;
    ch->gone = true;
    packet_queue_done(&ch->queue);
    loop_del(ch->h.loop->loop, &ch->watch);
    handle_hold(&ch->h, false);
    ch->fn(ch, NULL, ch->arg);
}

/* One message.  false: there was none, or none will come. */
static bool
deliver_one(struct br_channel *ch)
{
    char *room = loop_room(ch->h.loop);
    struct iovec iov = {room, BR_MESSAGE_MAX};
    struct br_message m;
    struct packet p;
    int rc = room != NULL ? packet_recv(ch->fd, &iov, 1, PACKET_FDS_MAX, &p) : 0;

    if (rc == 0)
        return false;
    if (rc < 0) {
        end(ch);
        return false;
    }
    if (p.damaged) {
        packet_close_fds(p.fds, p.n_fds);
        end(ch);
        return false;
    }
    m = (struct br_message){.p = room,
                            .n = p.n,
                            .n_fds = p.n_fds,
                            .fds = p.fds,
                            .pid = p.pid,
                            .uid = p.uid,
                            .gid = p.gid};
    ch->fn(ch, &m, ch->arg);
    packet_close_fds(p.fds, p.n_fds);
    return !ch->h.closed && !ch->gone;
}

static void
on_event(struct watch *w, uint32_t events)
{
    struct br_channel *ch = container_of(w, struct br_channel, watch);
    int most = ch->singles > 0 ? 1 : BATCH;
    int n = 0;

    if (events & EPOLLOUT)
        flush(ch);
    if ((events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    while (n < most && deliver_one(ch))
        n++;
    if (ch->h.closed || ch->gone)
        return;
    if (most == 1)
        ch->singles--;
    else if (n == 1)
        ch->singles = SINGLES;
}

static void
close_channel(struct handle *h)
{
    struct br_channel *ch = container_of(h, struct br_channel, h);

    packet_queue_done(&ch->queue);
    loop_del(h->loop->loop, &ch->watch);
    fd_close(&ch->fd);
}

API int
br_channel_pair(int ret_fds[2])
{
    return packet_pair(ret_fds);
}

API struct br_channel *
br_channel_new(struct br_loop *loop, int fd, br_message_fn *fn, void *arg)
{
    struct br_channel *ch = handle_new(loop, sizeof(*ch), close_channel);
    int rc;

    if (ch == NULL) {
        fd_close(&fd);
        errno = ENOMEM;
        return NULL;
    }
    ch->fd = fd;
    ch->fn = fn;
    ch->arg = arg;
    packet_queue_init(&ch->queue, QUEUE_MAX);
    rc = packet_prepare(fd);
    if (rc == 0)
        rc = fd_set_nonblock(fd, true);
    if (rc == 0)
        rc = loop_add(loop->loop, &ch->watch, fd, EPOLLIN, on_event);
    if (rc < 0)
        return handle_fail(&ch->h, rc);
    handle_hold(&ch->h, true);
    return ch;
}

static size_t
total(const struct iovec *iov, size_t n_iov)
{
    size_t n = 0;

    for (size_t i = 0; i < n_iov; i++)
        n += iov[i].iov_len;
    return n;
}

int
channel_send_parts(struct br_channel *ch, const struct iovec *iov, size_t n_iov, const int *fds,
                   unsigned n_fds)
{
    int taken[PACKET_FDS_MAX];
    int rc = 0;

    if (ch->gone || ch->h.closed)
        rc = -EPIPE;
    else if (n_fds > PACKET_FDS_MAX || total(iov, n_iov) > BR_MESSAGE_MAX)
        rc = -EMSGSIZE;
    if (rc < 0) {
        for (unsigned i = 0; i < n_fds; i++)
            close(fds[i]);
        return rc;
    }
    if (n_fds > 0)
        memcpy(taken, fds, n_fds * sizeof(int));
    rc = packet_queue_send(&ch->queue, ch->fd, iov, n_iov, taken, n_fds);
    if (rc > 0)
        loop_mod(ch->h.loop->loop, &ch->watch, EPOLLIN | EPOLLOUT);
    return rc >= 0 ? 0 : is_gone(rc) ? -EPIPE : rc;
}

API int
br_channel_send(struct br_channel *channel, const void *p, size_t n, const int *fds, unsigned n_fds)
{
    struct iovec iov = {(void *)p, n};

    return channel_send_parts(channel, &iov, 1, fds, n_fds);
}

API unsigned
br_channel_queued(const struct br_channel *channel)
{
    return channel->queue.n;
}

API int
br_channel_fd(const struct br_channel *channel)
{
    return channel->fd;
}

API void
br_channel_unref(struct br_channel *channel)
{
    handle_unref(&channel->h);
}

API void
br_channel_close(struct br_channel *channel)
{
    handle_free(channel != NULL ? &channel->h : NULL);
}

/* --- named --- */

API int
br_channel_listen(const char *address, int *ret_fd, struct br_error *error)
{
    struct br_err err = BR_ERR_NONE;
    int rc = listener_open_packets(address, -1, ret_fd, &err);

    return rc < 0 ? error_out(error, "listen", &err, rc) : 0;
}

API struct br_channel *
br_channel_accept(struct br_loop *loop, int fd, br_message_fn *fn, void *arg)
{
    return br_channel_new(loop, fd, fn, arg);
}

/* On this machine connect(2) to a listening Unix socket is done at once, or the backlog is full. */
API int
br_channel_connect(struct br_loop *loop, const char *address, br_message_fn *fn, void *arg,
                   struct br_channel **ret_channel, struct br_error *error)
{
    struct br_err err = BR_ERR_NONE;
    struct sockaddr_storage addr;
    struct br_channel *ch;
    socklen_t len;
    int fd, rc;

    rc = listener_parse(address, &addr, &len, &err);
    if (rc < 0)
        return error_out(error, "address", &err, rc);
    fd = socket(addr.ss_family, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, len) < 0) {
        rc = br_fail(&err, -errno, "cannot connect to \"%s\"", address);
        fd_close(&fd);
        return error_out(error, "connect", &err, rc);
    }
    ch = br_channel_new(loop, fd, fn, arg);
    if (ch == NULL) {
        rc = br_fail(&err, -errno, "no channel to \"%s\"", address);
        return error_out(error, "channel", &err, rc);
    }
    *ret_channel = ch;
    return 0;
}
