/*
 * brood/channel.h - whole messages between processes: bytes, descriptors, and who sent them.
 *
 *   br_channel_send -> [ kernel ] or, when that is full, [ bounded queue ] -> kernel ->
 * br_message_fn
 *
 * A SOCK_SEQPACKET socket in a loop: a pair made before a fork or handed to a program, or a named
 * Unix socket.  In order, never blocking, nothing cut or joined.  See unix(7), cmsg(3).
 */
#ifndef BROOD_CHANNEL_H
#define BROOD_CHANNEL_H

#include <brood/stream.h>

BR_BEGIN

#define BR_MESSAGE_MAX     65536 /* bytes */
#define BR_MESSAGE_FDS_MAX 16

struct br_channel;

/* Valid during the call. */
struct br_message {
    const void *p;
    size_t n;
    unsigned n_fds;
    int *fds;  /* close-on-exec; closed after the call, but for those that you set to -1 */
    pid_t pid; /* the sender by the kernel's word; 0: outside of our pid namespace */
    uid_t uid;
    gid_t gid;
};

/* message NULL: the peer is gone, or sent what is no message; nothing comes after it. */
typedef void br_message_fn(struct br_channel *channel, struct br_message *message, void *arg);

/* Two connected ends, non-blocking and close-on-exec; both are yours.  0 or -errno. */
int br_channel_pair(int ret_fds[2]);

/*
 * fd: one end of a pair, or a connected SOCK_SEQPACKET socket; taken, also on failure.
 * NULL and errno.
 */
struct br_channel *br_channel_new(struct br_loop *loop, int fd, br_message_fn *fn, void *arg);
/*
 * br_channel_send - queue one message for the peer.
 *
 *   p, n   copied; n may be 0
 *   fds    any descriptors: sockets, pipes, files.  Taken: closed once sent, and on failure too
 *
 * 0, -EPIPE (the peer is gone), -ENOBUFS (256 messages wait already), -EMSGSIZE, -EBADF.
 */
int br_channel_send(struct br_channel *channel, const void *p, size_t n, const int *fds,
                    unsigned n_fds);
/* Messages that wait for the kernel to take them. */
unsigned br_channel_queued(const struct br_channel *channel);
int br_channel_fd(const struct br_channel *channel);
void br_channel_unref(struct br_channel *channel);
/* What still waits is lost. */
void br_channel_close(struct br_channel *channel);

/* --- named --- */

/* "unix:/path" or "unix:@abstract", as br_listen, for br_channel_accept.  0 and a descriptor. */
int br_channel_listen(const char *address, int *ret_fd, struct br_error *error);
/* fd as br_accept_fn (stream.h) gives it from such a socket.  As br_channel_new. */
struct br_channel *br_channel_accept(struct br_loop *loop, int fd, br_message_fn *fn, void *arg);
/* 0, or -errno: -ENOENT, -ECONNREFUSED (nobody listens), -EPROTOTYPE (no such socket), ... */
int br_channel_connect(struct br_loop *loop, const char *address, br_message_fn *fn, void *arg,
                       struct br_channel **ret_channel, struct br_error *error);

BR_END

#endif
