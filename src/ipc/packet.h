/*
 * packet.h - one datagram of a SOCK_SEQPACKET socket: bytes, descriptors, who sent it.
 *
 * What the kernel does with them, in one place; no queue (packet_queue.h), no loop, no meaning
 * (channel.h, and the library's channels, have those).  See unix(7), sendmsg(2), cmsg(3).
 */
#ifndef IPC_PACKET_H
#define IPC_PACKET_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/attr.h"

#define PACKET_FDS_MAX 16

struct packet {
    size_t n;     /* bytes */
    bool damaged; /* longer than the room for it, or descriptors are lost */
    bool crammed; /* with damaged: more was sent than the caller has room for */
    pid_t pid;    /* of the sender, by the kernel's word */
    uid_t uid;
    gid_t gid;
    unsigned n_fds;
    int fds[PACKET_FDS_MAX]; /* the caller's, close-on-exec */
};

/* Non-blocking, close-on-exec pair that tells credentials.  0 or -errno. */
int packet_pair(int ret_fds[2]);
/* Have credentials told on this socket.  0 or -errno. */
int packet_prepare(int fd);

/* To the kernel; the descriptors stay the caller's.  0, -EAGAIN (later), or another -errno (never).
 */
int packet_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds, unsigned n_fds);

/*
 * packet_recv - one datagram, never blocks.
 *
 *   most_fds   at most PACKET_FDS_MAX; a message with more is damaged
 *
 * 1, 0 (nothing waits), -EPIPE (the end).
 */
int packet_recv(int fd, const struct iovec *iov, size_t n_iov, unsigned most_fds,
                struct packet *ret_packet);

void packet_close_fds(int *fds, unsigned n);

#endif
