/*
 * stream_aside.c - what a stream reads and writes when it is no plain socket.
 *
 *   pipe     read(2), writev(2)
 *   filter   [ head | body | file ] --up to 16 KiB at a time--> filter --> its socket
 *
 * A filter has buffers of its own: it is read until it says -EAGAIN.  What it is given to write
 * counts as queued until all of that record is in the socket, so that water marks are exact.
 */
#include "event/stream_piece.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BYTES 16384 /* RFC 8446, 5.1: the most that a record of TLS holds */

/* The filter's results as those of a system call. */
static ssize_t
as_errno(ssize_t result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

ssize_t
stream_read_aside(struct stream *s, char *p, size_t n)
{
    ssize_t got;

    if (s->kind == STREAM_PIPE)
        return read(s->fd, p, n);
    got = s->filter->ops->read(s->filter, p, n);
    if (got == -EAGAIN && s->filter->wants_output)
        stream_want_output(s);
    return as_errno(got);
}

/*
 * writev(2) has no MSG_NOSIGNAL: block the signal, and take it away if this call has raised it
 * (it is this thread's, pipe(7)).  One that was pending before stays pending.
 */
static ssize_t
write_pipe(struct stream *s, bool *ret_short)
{
    struct timespec at_once = {0};
    struct iovec iov[STREAM_BATCH];
    sigset_t sigpipe, old, pending;
    size_t total;
    bool follows;
    unsigned n = stream_gather(s, iov, &total, &follows);
    ssize_t sent;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &old);
    sigpending(&pending);
    sent = writev(s->fd, iov, (int)n);
    if (sent < 0 && errno == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
        sigtimedwait(&sigpipe, NULL, &at_once);
        errno = EPIPE;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    *ret_short = sent >= 0 && (size_t)sent < total;
    return sent;
}

/* Bytes of a piece; of a file they are read again when the record has to wait. */
static ssize_t
copy_piece(const struct stream_piece *piece, char *to, size_t room)
{
    size_t n = (size_t)br_min(piece->n, (uint64_t)room);

    if (piece->kind == PIECE_FILE)
        return pread(piece->fd, to, n, piece->offset);
    memcpy(to, piece->p, n);
    return (ssize_t)n;
}

/* The next record: small neighbours share one. */
static ssize_t
write_record(struct stream *s)
{
    const struct stream_piece *piece = s->first;
    char record[RECORD_BYTES];
    ssize_t got = 1;
    size_t n = 0;

    if (piece->kind != PIECE_FILE && (piece == s->last || piece->n >= sizeof(record)))
        return s->filter->ops->write(s->filter, piece->p, br_min(piece->n, sizeof(record)));
    for (; piece != NULL && n < sizeof(record); piece = piece->next) {
        got = piece->n > 0 ? copy_piece(piece, record + n, sizeof(record) - n) : 0;
        if (piece->n > 0 && got <= 0)
            break;
        n += (size_t)got;
        if ((uint64_t)got < piece->n)
            break;
    }
    if (n == 0)
        return got < 0 ? -errno : -ENODATA; /* the file became shorter than it was when its length
                                               was announced */
    return s->filter->ops->write(s->filter, record, n);
}

ssize_t
stream_send_aside(struct stream *s, bool *ret_short)
{
    return s->kind == STREAM_PIPE ? write_pipe(s, ret_short) : as_errno(write_record(s));
}
