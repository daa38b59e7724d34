/*
 * listener.h - a listening socket in a loop: accepts, and backs off when descriptors run out.
 *
 * With several processes on one socket EPOLLEXCLUSIVE is used and one connection is taken per
 * event (batch 1), since accepting until EAGAIN hands the whole backlog to one of them.  On
 * EMFILE and ENFILE the listener pauses 100 ms and logs once; it never spins.
 */
#ifndef EVENT_LISTENER_H
#define EVENT_LISTENER_H

#include <sys/socket.h>

#include "base/err.h"
#include "event/loop.h"

struct listener;

/* fd is yours, non-blocking and close-on-exec. */
typedef void listener_fn(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len);
/* Descriptors ran out: close what can be spared.  May be NULL. */
typedef void listener_short_fn(struct listener *l);

struct listener {
    struct watch watch;
    struct timer retry;
    struct loop *loop;
    int fd;
    int batch;
    bool paused; /* by back-off */
    listener_fn *on_accept;
    listener_short_fn *on_short;
};

/* fd stays the caller's.  0 or -errno. */
int listener_start(struct listener *l, struct loop *loop, int fd, int batch, listener_fn *on_accept,
                   listener_short_fn *on_short);
void listener_stop(struct listener *l);
/* Accept all that wait in the kernel's queue now, in spite of batch. */
void listener_drain(struct listener *l);
/*
 * For a TCP socket about to be closed, whoever else has it: a client that asks to connect is not
 * heard, asks again a second later, and finds who listens then instead of a queue that nobody
 * empties.  Who is half connected already still comes.
 */
void listener_hush(int fd, bool on);

/*
 * Parse "127.0.0.1:80", "*:80", "[::1]:80", "unix:/path", "unix:@name".
 * 0, or -EINVAL with the sentence in err.  Pure: resolves nothing.
 */
int listener_parse(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len,
                   struct br_err *err);

/*
 * listener_reserve - as listener_open, but without listening: no connection comes yet.
 *
 * SO_REUSEPORT is on while it binds.  If it is on for sockets of ours that listen at an address
 * which overlaps, it does for them; nobody else is in the way, or it is -EADDRINUSE.
 */
int listener_reserve(const char *text, int *ret_fd, struct br_err *err);
/* SO_REUSEPORT of a TCP socket: for the moment in which one of ours binds or listens beside it. */
void listener_share_port(int fd, bool on);

/* A listening socket that somebody else opened gets what ours have: TCP_NODELAY. */
void listener_prepare(int fd);

/*
 * Open, bind and listen.  Stream socket, close-on-exec, non-blocking; IPv6 ones V6ONLY;
 * SO_REUSEADDR; TCP_NODELAY, which accepted sockets inherit; Unix ones: a stale file is replaced
 * after a refused connect, mode 0666 by the umask of the process, which changes for that moment.
 *   backlog   -1: the system's limit
 */
int listener_open(const char *text, int backlog, int *ret_fd, struct br_err *err);
/* The same, a SOCK_SEQPACKET socket: "unix:..." only. */
int listener_open_packets(const char *text, int backlog, int *ret_fd, struct br_err *err);

#endif
