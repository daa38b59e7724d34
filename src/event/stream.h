/*
 * stream.h - a non-blocking socket in a loop: reads into the owner's memory, writes by reference.
 *
 *   stream_read(p, n)                 one recv(2); knows when another would only say EAGAIN
 *   stream_room/_commit, _ref, _file  -> [ bytes | reference | file ] --stream_flush--> socket
 *
 * Edge-triggered: the kernel speaks once, the stream remembers (readable, hangup).  Bytes given by
 * reference are not copied; their release function runs once they are sent or dropped.  Output that
 * the socket does not take waits, the stream asks for EPOLLOUT and flushes by itself.
 *
 * The memory of sent output is kept for the next, by each thread; stream_trim gives it back.
 *
 * sendfile(2) has no MSG_NOSIGNAL: a process that sends files ignores SIGPIPE.
 */
#ifndef EVENT_STREAM_H
#define EVENT_STREAM_H

#include <sys/types.h>

#include "event/loop.h"

struct stream;
struct stream_filter;
struct stream_piece;

/* Something changed: look at readable, hangup, failed and queued. */
typedef void stream_fn(struct stream *s);
typedef void stream_release_fn(void *arg, const char *p);

enum stream_kind { STREAM_SOCKET, STREAM_PIPE, STREAM_FILTERED };

struct stream {
    struct watch watch;
    struct loop *loop;
    int fd;
    stream_fn *fn;
    struct stream_piece *first; /* of the output */
    struct stream_piece *last;
    size_t queued;    /* bytes of output that wait */
    uint32_t foreign; /* pieces among them that point to memory or files of others */
    uint32_t wakes;   /* events after which a read may give something */
    int failed;       /* -errno of the first failure, sticky */
    bool watched;     /* in the loop */
    bool readable;    /* a read may give something */
    bool hangup;      /* the peer closed its sending half: read until 0 */
    bool ended;       /* a read gave 0 */
    bool nodelay;     /* TCP_NODELAY is set, or not to be had */
    bool sent;        /* something was sent already */
    bool read_out;    /* a read that did not fill its buffer does not mean that nothing is left */
    uint8_t kind;     /* enum stream_kind */
    struct stream_filter *filter; /* STREAM_FILTERED */
};

/*
 * What stands between a stream and its socket, such as TLS.  Results are those of recv(2) and
 * send(2), errors negative; -EAGAIN waits for the socket.
 */
struct stream_filter_ops {
    ssize_t (*read)(struct stream_filter *f, char *p, size_t n);
    /* After -EAGAIN it is called with the same bytes, perhaps more behind them. */
    ssize_t (*write)(struct stream_filter *f, const char *p, size_t n);
    /* No more output comes: tell the peer, and the socket. */
    void (*shutdown)(struct stream_filter *f);
    /* Free it; the socket is the stream's.  abrupt: the peer is told nothing. */
    void (*close)(struct stream_filter *f, bool abrupt);
};

/* Embedded in the filter. */
struct stream_filter {
    const struct stream_filter_ops *ops;
    bool wants_output; /* the last read failed because the socket took no output */
};

/* fd is non-blocking and is taken.  Not in the loop yet: read first, perhaps it is all there. */
void stream_init(struct stream *s, struct loop *loop, int fd, stream_fn *fn);
/* The same for one end of a pipe, or a terminal: read(2) and writev(2), never SIGPIPE; no files. */
void stream_init_pipe(struct stream *s, struct loop *loop, int fd, stream_fn *fn);
/* Everything goes through the filter, which is taken; right after stream_init. */
void stream_set_filter(struct stream *s, struct stream_filter *filter);
/* Into the loop, once.  0 or -errno. */
int stream_watch(struct stream *s);
/* Have fn called in the next turn, also when the kernel has nothing new. */
void stream_again(struct stream *s);
/* Out of the loop, close, drop the output.  reset: RST, so that the kernel keeps nothing. */
void stream_close(struct stream *s, bool reset);
/* Forget the output; release functions run. */
void stream_drop(struct stream *s);
/* No more output: shutdown(SHUT_WR). */
void stream_shutdown(struct stream *s);

/* >0, 0 at the end, -EAGAIN, or -errno (also kept in failed). */
ssize_t stream_read(struct stream *s, char *p, size_t n);

/* At least n bytes to be filled and committed; they follow what was queued before. */
char *stream_room(struct stream *s, size_t n);
void stream_commit(struct stream *s, size_t n);
/* Room left behind the last committed byte, 0 when the output ends in something else. */
size_t stream_room_left(const struct stream *s);
void stream_copy(struct stream *s, const char *p, size_t n);
/* By reference. release may be NULL: valid until the stream has sent it or is closed. */
void stream_ref(struct stream *s, const char *p, size_t n, stream_release_fn *release, void *arg);
/* fd is taken. */
void stream_file(struct stream *s, int fd, off_t offset, uint64_t n);

/*
 * stream_flush - write what the socket takes.
 *
 *   more   another flush follows soon: let the kernel wait for it
 *
 * Bytes written.  When queued is not 0 after it, the rest waits for the socket; a failure drops
 * everything and is kept in failed.
 */
uint64_t stream_flush(struct stream *s, bool more);

/* Give back the memory that this thread keeps for output: it will have no more streams. */
void stream_trim(void);

#endif
