/*
 * stream_piece.h - the output queue of a stream, for the files of stream alone.
 */
#ifndef EVENT_STREAM_PIECE_H
#define EVENT_STREAM_PIECE_H

#include <sys/uio.h>

#include "event/stream.h"

#define STREAM_BATCH 32 /* pieces of one system call */

enum piece_kind { PIECE_REF, PIECE_BLOCK, PIECE_BIG, PIECE_FILE };

struct stream_piece {
    struct stream_piece *next;
    enum piece_kind kind;
    int fd;
    const char *given; /* for release */
    const char *p;     /* what is left */
    uint64_t n;
    off_t offset;
    stream_release_fn *release;
    void *arg;
    char *end; /* of a block's room */
};

/* Neighbours in memory as one vector; stops at a file. */
unsigned stream_gather(const struct stream *s, struct iovec *iov, size_t *ret_total,
                       bool *ret_more);
/* Have EPOLLOUT from now on. */
void stream_want_output(struct stream *s);

/* What is no plain socket: one read and one write, as read(2) and write(2) do it. */
ssize_t stream_read_aside(struct stream *s, char *p, size_t n);
ssize_t stream_send_aside(struct stream *s, bool *ret_short);

#endif
