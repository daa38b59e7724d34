/*
 * packet.c - one datagram with descriptors and credentials.
 *
 * A peer that exits with unread messages makes our next call fail once with ECONNRESET although
 * more waits to be read (unix(7) does not say so: the error is taken before the queue is looked
 * at), so that is never taken for the end; only an empty read is.
 *
 * Descriptors that find no place are dropped by the kernel with MSG_CTRUNC, which also happens when
 * our own table of descriptors is full: the message is damaged, as half of it is missing.
 */
#include "ipc/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
};

int
packet_prepare(int fd)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ? -errno : 0;
}

int
packet_pair(int ret_fds[2])
{
    br_cleanup(fd_closep) int a = -1;
    br_cleanup(fd_closep) int b = -1;
    int fds[2];
    int rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    a = fds[0];
    b = fds[1];
    rc = packet_prepare(a);
    if (rc == 0)
        rc = packet_prepare(b);
    if (rc < 0)
        return rc;
    ret_fds[0] = fd_take(&a);
    ret_fds[1] = fd_take(&b);
    return 0;
}

void
packet_close_fds(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fd_close(&fds[i]);
}

static void
put_fds(struct msghdr *msg, union control *control, const int *fds, unsigned n_fds)
{
    struct cmsghdr *c;

    if (n_fds == 0)
        return;
    memset(control, 0, sizeof(*control));
    msg->msg_control = control;
    msg->msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
    c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
}

int
packet_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds, unsigned n_fds)
{
    union control control;
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov};

    put_fds(&msg, &control, fds, n_fds);
    for (;;) {
        if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        switch (errno) {
        case EINTR:
        case ECONNRESET: /* an error of the past, see above: the next call tells */
            continue;
        case EAGAIN:
        case ENOBUFS:
        case ENOMEM:
        case ETOOMANYREFS: /* too many descriptors are under way already */
            return -EAGAIN;
        default:
            return -errno;
        }
    }
}

static void
take_fds(const struct cmsghdr *c, unsigned most, struct packet *p)
{
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[sizeof(union control) / sizeof(int)];

    memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    for (unsigned i = 0; i < n; i++) {
        if (p->n_fds < most) {
            p->fds[p->n_fds++] = fds[i];
        } else {
            packet_close_fds(&fds[i], 1);
            p->damaged = true;
        }
    }
}

static void
take_control(struct msghdr *msg, unsigned most_fds, struct packet *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        struct ucred cred;

        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS)
            take_fds(c, most_fds, p);
        if (c->cmsg_type != SCM_CREDENTIALS)
            continue;
        memcpy(&cred, CMSG_DATA(c), sizeof(cred));
        p->pid = cred.pid;
        p->uid = cred.uid;
        p->gid = cred.gid;
    }
}

int
packet_recv(int fd, const struct iovec *iov, size_t n_iov, unsigned most_fds,
            struct packet *ret_packet)
{
    union control control;
    struct msghdr msg = {
        .msg_iov = (struct iovec *)iov,
        .msg_iovlen = n_iov,
        .msg_control = &control,
        .msg_controllen = CMSG_SPACE(sizeof(int) * most_fds) + CMSG_SPACE(sizeof(struct ucred)),
    };
    ssize_t n;

    do
        n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0 && (errno == EAGAIN || errno == ENOMEM))
        return 0;
    /* The end has no credentials; an empty message has, and perhaps descriptors. */
    if (n < 0 || (n == 0 && msg.msg_controllen == 0))
        return -EPIPE;
    ret_packet->n = (size_t)n;
    ret_packet->damaged = (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0;
    ret_packet->pid = 0;
    ret_packet->uid = (uid_t)-1;
    ret_packet->gid = (gid_t)-1;
    ret_packet->n_fds = 0;
    take_control(&msg, most_fds, ret_packet);
    ret_packet->crammed = (msg.msg_flags & MSG_TRUNC) != 0 || ret_packet->n_fds == most_fds;
    return 1;
}
