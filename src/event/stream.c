/*
 * stream.c - a non-blocking socket in a loop, with an output queue of references.
 *
 *   first -> [ block: head bytes ] -> [ reference: chunk of a worker ] -> [ file ] <- last
 *            one sendmsg(2) for neighbours in memory, one sendfile(2) for a file
 *
 * Pieces come from a free list; a block is a piece with 4 KiB of its own behind it, so that an
 * answer with a small body is one block and one send(2).
 *
 * One recv a wake-up is enough when it did not fill the buffer: with EPOLLET a later byte is a new
 * edge (epoll(7), question 9).  Only after EPOLLRDHUP the end must be read out.
 *
 * Pipes and filters go another way (stream_aside.c).
 */
#include "event/stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "event/stream_piece.h"

#define BLOCK_BYTES   4096
#define BLOCKS_KEPT   64
#define PIECES_KEPT   256
#define SENDFILE_STEP (2u << 20) /* a fast reader of a big file must not hold the loop */

struct block {
    struct stream_piece piece;
    char room[];
};

struct piece_pool {
    struct stream_piece *free;
    unsigned n;
};

static _Thread_local struct piece_pool blocks;
static _Thread_local struct piece_pool pieces;

static void *
must_alloc(size_t n)
{
    void *p = malloc(n);

    if (p == NULL)
        abort();
    return p;
}

static struct stream_piece *
pool_take(struct piece_pool *pool, size_t size)
{
    struct stream_piece *piece = pool->free;

    if (piece == NULL)
        return must_alloc(size);
    pool->free = piece->next;
    pool->n--;
    return piece;
}

static void
pool_give(struct piece_pool *pool, struct stream_piece *piece, unsigned keep)
{
    if (pool->n >= keep) {
        free(piece);
        return;
    }
    piece->next = pool->free;
    pool->free = piece;
    pool->n++;
}

static void
pool_trim(struct piece_pool *pool)
{
    while (pool->free != NULL) {
        struct stream_piece *piece = pool->free;

        pool->free = piece->next;
        free(piece);
    }
    pool->n = 0;
}

void
stream_trim(void)
{
    pool_trim(&blocks);
    pool_trim(&pieces);
}

static void
enqueue(struct stream *s, struct stream_piece *piece)
{
    piece->next = NULL;
    if (s->last != NULL)
        s->last->next = piece;
    else
        s->first = piece;
    s->last = piece;
}

static void
piece_done(struct stream_piece *piece)
{
    switch (piece->kind) {
    case PIECE_BLOCK:
        pool_give(&blocks, piece, BLOCKS_KEPT);
        return;
    case PIECE_BIG:
        free(piece);
        return;
    case PIECE_FILE:
        fd_close(&piece->fd);
        break;
    case PIECE_REF:
        if (piece->release != NULL)
            piece->release(piece->arg, piece->given);
        break;
    }
    pool_give(&pieces, piece, PIECES_KEPT);
}

static void
drop_first(struct stream *s)
{
    struct stream_piece *piece = s->first;

    s->first = piece->next;
    if (s->first == NULL)
        s->last = NULL;
    s->foreign -= piece->kind == PIECE_REF || piece->kind == PIECE_FILE;
    piece_done(piece);
}

void
stream_drop(struct stream *s)
{
    while (s->first != NULL)
        drop_first(s);
    s->queued = 0;
}

static void
on_event(struct watch *w, uint32_t events)
{
    struct stream *s = container_of(w, struct stream, watch);

    if (events & s->wakes)
        s->readable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP))
        s->hangup = s->read_out = true;
    /*
     * EPOLLHUP of a socket: both halves are closed, or a reset came; nothing can be sent any more.
     * Of a pipe it is the end of what is read, and EPOLLERR says that nobody reads what we write.
     */
    if (events & (s->kind == STREAM_PIPE ? EPOLLERR : EPOLLERR | EPOLLHUP) && s->failed == 0)
        s->failed = s->kind == STREAM_PIPE ? -EPIPE : -ECONNRESET;
    s->fn(s);
}

void
stream_init(struct stream *s, struct loop *loop, int fd, stream_fn *fn)
{
    *s = (struct stream){
        .watch = {.fd = -1, .events = EPOLLIN | EPOLLRDHUP | EPOLLET},
        .fd = fd,
        .loop = loop,
        .fn = fn,
        .wakes = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
        .readable = true,
    };
}

void
stream_init_pipe(struct stream *s, struct loop *loop, int fd, stream_fn *fn)
{
    stream_init(s, loop, fd, fn);
    s->kind = STREAM_PIPE;
}

void
stream_set_filter(struct stream *s, struct stream_filter *filter)
{
    s->kind = STREAM_FILTERED;
    s->filter = filter;
    s->wakes |= EPOLLOUT; /* what it reads may have to be answered first */
    s->read_out = true;
}

int
stream_watch(struct stream *s)
{
    uint32_t events = s->watch.events;
    int rc;

    if (s->queued != 0 || (s->filter != NULL && s->filter->wants_output))
        events |= EPOLLOUT;
    rc = loop_add(s->loop, &s->watch, s->fd, events, on_event);
    s->watched = rc == 0;
    return rc;
}

void
stream_again(struct stream *s)
{
    /* An edge-triggered registration that is made anew is examined afresh: an idle socket is
     * writable. */
    s->watch.events |= EPOLLOUT;
    if (s->watched)
        (void)loop_mod(s->loop, &s->watch, s->watch.events);
}

void
stream_want_output(struct stream *s)
{
    if (s->watched && !(s->watch.events & EPOLLOUT))
        (void)loop_mod(s->loop, &s->watch, s->watch.events | EPOLLOUT);
}

void
stream_close(struct stream *s, bool reset)
{
    int fd = fd_take(&s->fd);

    stream_drop(s);
    if (fd < 0)
        return;
    if (s->watched)
        loop_del(s->loop, &s->watch);
    s->watched = false;
    if (s->filter != NULL)
        s->filter->ops->close(s->filter, reset || s->failed != 0);
    s->filter = NULL;
    if (reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};

        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    fd_close(&fd);
}

void
stream_shutdown(struct stream *s)
{
    if (s->filter != NULL)
        s->filter->ops->shutdown(s->filter);
    else
        (void)shutdown(s->fd, SHUT_WR);
}

ssize_t
stream_read(struct stream *s, char *p, size_t n)
{
    ssize_t got;

    do
        got =
            br_likely(s->kind == STREAM_SOCKET) ? recv(s->fd, p, n, 0) : stream_read_aside(s, p, n);
    while (got < 0 && errno == EINTR);

    if (got > 0) {
        s->readable = (size_t)got == n || s->read_out;
        return got;
    }
    s->readable = false;
    if (got == 0) {
        s->ended = true;
        return 0;
    }
    if (errno == EAGAIN)
        return -EAGAIN;
    if (s->failed == 0)
        s->failed = -errno;
    return s->failed;
}

static char *
block_end(const struct stream_piece *piece)
{
    return (char *)piece->p + piece->n;
}

char *
stream_room(struct stream *s, size_t n)
{
    struct stream_piece *piece = s->last;
    bool big = n > BLOCK_BYTES - sizeof(struct block);
    struct block *b;

    if (stream_room_left(s) >= n && piece != NULL)
        return block_end(piece);
    piece = big ? must_alloc(sizeof(*b) + n) : pool_take(&blocks, BLOCK_BYTES);
    b = container_of(piece, struct block, piece);
    piece->kind = big ? PIECE_BIG : PIECE_BLOCK;
    piece->p = b->room;
    piece->n = 0;
    piece->end = big ? b->room + n : (char *)b + BLOCK_BYTES;
    enqueue(s, piece);
    return b->room;
}

size_t
stream_room_left(const struct stream *s)
{
    const struct stream_piece *piece = s->last;

    if (piece == NULL || (piece->kind != PIECE_BLOCK && piece->kind != PIECE_BIG))
        return 0;
    return (size_t)(piece->end - block_end(piece));
}

void
stream_commit(struct stream *s, size_t n)
{
    assert(n <= stream_room_left(s));
    s->last->n += n;
    s->queued += n;
}

void
stream_copy(struct stream *s, const char *p, size_t n)
{
    if (n == 0)
        return;
    memcpy(stream_room(s, n), p, n);
    stream_commit(s, n);
}

void
stream_ref(struct stream *s, const char *p, size_t n, stream_release_fn *release, void *arg)
{
    struct stream_piece *piece;

    if (n == 0 || s->failed != 0) {
        if (release != NULL)
            release(arg, p);
        return;
    }
    piece = pool_take(&pieces, sizeof(*piece));
    piece->kind = PIECE_REF;
    piece->given = piece->p = p;
    piece->n = n;
    piece->release = release;
    piece->arg = arg;
    s->queued += n;
    s->foreign++;
    enqueue(s, piece);
}

void
stream_file(struct stream *s, int fd, off_t offset, uint64_t n)
{
    struct stream_piece *piece;

    if (n == 0 || s->failed != 0) {
        fd_close(&fd);
        return;
    }
    piece = pool_take(&pieces, sizeof(*piece));
    piece->kind = PIECE_FILE;
    piece->fd = fd;
    piece->offset = offset;
    piece->n = n;
    s->queued += n;
    s->foreign++;
    enqueue(s, piece);
}

unsigned
stream_gather(const struct stream *s, struct iovec *iov, size_t *ret_total, bool *ret_more)
{
    const struct stream_piece *piece = s->first;
    unsigned n = 0;
    size_t total = 0;

    for (; piece != NULL && piece->kind != PIECE_FILE && n < STREAM_BATCH; piece = piece->next) {
        if (piece->n == 0)
            continue;
        iov[n++] = (struct iovec){.iov_base = (void *)piece->p, .iov_len = piece->n};
        total += piece->n;
    }
    *ret_total = total;
    *ret_more = piece != NULL;
    return n;
}

static void
consume(struct stream *s, uint64_t n)
{
    s->queued -= n;
    while (s->first != NULL && n >= s->first->n) {
        n -= s->first->n;
        drop_first(s);
    }
    if (n > 0) {
        s->first->p += n;
        s->first->offset += (off_t)n;
        s->first->n -= n;
    }
}

/* The usual answer: one piece of memory. */
static ssize_t
send_only_piece(struct stream *s, bool more, bool *ret_short)
{
    const struct stream_piece *piece = s->first;
    ssize_t sent = send(s->fd, piece->p, piece->n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));

    *ret_short = sent >= 0 && (uint64_t)sent < piece->n;
    return sent;
}

static ssize_t
send_vector(struct stream *s, bool more, bool *ret_short)
{
    struct iovec iov[STREAM_BATCH];
    struct msghdr msg = {.msg_iov = iov};
    bool follows;
    size_t total;
    ssize_t sent;
    int flags;

    msg.msg_iovlen = stream_gather(s, iov, &total, &follows);
    flags = MSG_NOSIGNAL | (more || follows ? MSG_MORE : 0);
    sent = sendmsg(s->fd, &msg, flags);
    *ret_short = sent >= 0 && (size_t)sent < total;
    return sent;
}

static ssize_t
send_file(struct stream *s)
{
    const struct stream_piece *piece = s->first;
    off_t offset = piece->offset;
    ssize_t sent = sendfile(s->fd, piece->fd, &offset, br_min(piece->n, SENDFILE_STEP));

    if (sent == 0) { /* the file became shorter than it was when its length was announced */
        errno = ENODATA;
        return -1;
    }
    return sent;
}

static ssize_t
send_first(struct stream *s, bool more, bool *ret_short)
{
    if (br_unlikely(s->kind != STREAM_SOCKET))
        return stream_send_aside(s, ret_short);
    if (s->first->kind == PIECE_FILE)
        return send_file(s);
    if (br_likely(s->first == s->last))
        return send_only_piece(s, more, ret_short);
    return send_vector(s, more, ret_short);
}

/* Nagle would hold back a second small write until the first is acknowledged. */
static void
send_without_delay(struct stream *s)
{
    int on = 1;

    s->nodelay = true;
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

uint64_t
stream_flush(struct stream *s, bool more)
{
    uint64_t total = 0;
    bool is_short = false;

    if (s->failed != 0)
        stream_drop(s);
    if (s->queued != 0 && s->sent && !s->nodelay && s->kind != STREAM_PIPE)
        send_without_delay(s);
    while (s->queued != 0 && !is_short && total < SENDFILE_STEP) {
        ssize_t sent = send_first(s, more, &is_short);

        if (sent < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN)
                break;
            if (s->failed == 0)
                s->failed = -errno;
            break;
        }
        s->sent = true;
        total += (uint64_t)sent;
        consume(s, (uint64_t)sent);
    }
    if (s->failed != 0)
        stream_drop(s);
    else if (s->queued == 0)
        stream_drop(s); /* a block that was reserved and not used */
    else if (total >= SENDFILE_STEP && !is_short)
        stream_again(s);
    else
        stream_want_output(s);
    return total;
}
