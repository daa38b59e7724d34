/*
 * brood/stream.h - bytes through a pipe or a stream socket in a loop, and sockets that listen.
 *
 * Writing never blocks and never raises SIGPIPE: what the descriptor does not take waits in the
 * stream.  A stream holds its loop while it reads or has output left.  See pipe(7), socket(7).
 */
#ifndef BROOD_STREAM_H
#define BROOD_STREAM_H

#include <brood/loop.h>
#include <sys/socket.h>

BR_BEGIN

struct br_stream;

/* n > 0: bytes, valid during the call; 0: the other side has ended; -errno: it failed. */
typedef void br_read_fn(struct br_stream *stream, const char *p, ssize_t n, void *arg);
/* All output has gone to the kernel (rc 0), or is lost (rc -errno, -EPIPE: nobody reads). */
typedef void br_drained_fn(struct br_stream *stream, int rc, void *arg);

/*
 * fd: a pipe, FIFO, terminal or connected stream socket; taken, made non-blocking, and closed by
 * br_stream_close (on failure here too).  Whoever shares the open file gets the non-blocking mode
 * as well, fcntl(2).  NULL and errno (EPERM: a regular file).
 */
struct br_stream *br_stream_new(struct br_loop *loop, int fd);
/* fn gets all that comes in, until the end, a failure or br_stream_stop.  Once more: anew. */
void br_stream_read(struct br_stream *stream, br_read_fn *fn, void *arg);
void br_stream_stop(struct br_stream *stream);
/*
 * The bytes are copied.  0, -EPIPE or another -errno when the stream has failed; -ENOBUFS: more
 * than 64 MiB wait already, nothing was taken.
 */
int br_stream_write(struct br_stream *stream, const void *p, size_t n);
/* Bytes of output that wait. */
size_t br_stream_queued(const struct br_stream *stream);
/* Called each time the output becomes empty, never inside br_stream_write. */
void br_stream_on_drained(struct br_stream *stream, br_drained_fn *fn, void *arg);
/* No more output: once what waits has gone, a socket is shut down for writing, a pipe closed. */
void br_stream_end(struct br_stream *stream);
/* Still the stream's; for fstat, getpeername, setsockopt. */
int br_stream_fd(const struct br_stream *stream);
/* The descriptor becomes yours, still non-blocking; the stream is freed.  Output left is lost. */
int br_stream_detach(struct br_stream *stream);
void br_stream_unref(struct br_stream *stream);
/* Output that waits is lost: br_stream_on_drained tells when none is left. */
void br_stream_close(struct br_stream *stream);

/* Connect to "127.0.0.1:80", "[::1]:80", "unix:/path" or "unix:@abstract".  -errno: it failed. */
typedef void br_connected_fn(struct br_stream *stream, int rc, void *arg);
/* The stream exists at once; fn is called when it is connected, or has failed (then close it). */
int br_stream_connect(struct br_loop *loop, const char *address, br_connected_fn *fn, void *arg,
                      struct br_stream **ret_stream, struct br_error *error);

/* --- listening sockets --- */

struct br_listener;

/* fd is yours: non-blocking, close-on-exec. */
typedef void br_accept_fn(struct br_listener *listener, int fd, const struct sockaddr *from,
                          socklen_t length, void *arg);

/*
 * A listening stream socket, non-blocking, close-on-exec: "127.0.0.1:8080", "*:80", "[::1]:80",
 * "unix:/path", "unix:@abstract".  SO_REUSEADDR; a Unix socket that nobody serves any more is
 * replaced, mode 0666.   backlog: -1 for the system's limit.
 * 0 and a descriptor that is yours, or -errno: -EINVAL (no address), -EADDRINUSE, ...
 */
int br_listen(const char *address, int backlog, int *ret_fd, struct br_error *error);
/*
 * Accept in this loop.  fd stays yours and may be shared with other loops and processes: each
 * connection wakes one of them (EPOLLEXCLUSIVE).  Out of descriptors, it pauses for 100 ms.
 * NULL and errno.
 */
struct br_listener *br_listener_new(struct br_loop *loop, int fd, br_accept_fn *fn, void *arg);
void br_listener_unref(struct br_listener *listener);
/* The socket goes on listening until you close fd. */
void br_listener_free(struct br_listener *listener);

BR_END

#endif
