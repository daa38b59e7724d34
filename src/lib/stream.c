/*
 * stream.c - br_stream: event/stream with a reading function and a word when the output is gone.
 *
 *   event -> what can be read goes to fn, READS times LOOP_ROOM bytes a turn -> output goes on ->
 * drained
 *
 * Descriptors that are no sockets use the pipe form of event/stream.
 */
#include <brood/stream.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "event/listener.h"
#include "event/stream.h"
#include "lib/lib.h"

#define READS      16
#define QUEUED_MAX (64u << 20)

struct br_stream {
    struct handle h;
    struct stream s;
    struct watch connecting; /* until it is connected */
    br_read_fn *read_fn;
    void *read_arg;
    br_drained_fn *drained_fn;
    void *drained_arg;
    br_connected_fn *connected_fn;
    void *connected_arg;
    bool over;   /* the end, or the failure, was told to read_fn */
    bool ending; /* br_stream_end was called */
    bool tell;   /* there was output since drained_fn was called last */
};

static void
update_hold(struct br_stream *stream)
{
    bool reads = stream->read_fn != NULL && !stream->over;

    handle_hold(&stream->h,
                reads || stream->s.queued > 0 || stream->tell || stream->connected_fn != NULL);
}

/* Once the output is gone.  A pipe has no half to shut: its descriptor is closed. */
static void
finish_output(struct br_stream *stream)
{
    if (!stream->ending || stream->s.queued > 0 || stream->s.fd < 0)
        return;
    stream->ending = false;
    if (stream->s.kind == STREAM_PIPE)
        stream_close(&stream->s, false);
    else
        stream_shutdown(&stream->s);
}

static void
read_all(struct br_stream *stream)
{
    char *room = loop_room(stream->h.loop);
    struct stream *s = &stream->s;

    for (int i = 0; i < READS && s->readable && stream->read_fn != NULL && !stream->over; i++) {
        ssize_t n = room != NULL ? stream_read(s, room, LOOP_ROOM) : -ENOMEM;

        if (n == -EAGAIN)
            break;
        stream->over = n <= 0;
        stream->read_fn(stream, room, n, stream->read_arg);
        if (stream->h.closed)
            return;
    }
    if (s->readable && stream->read_fn != NULL && !stream->over)
        stream_again(s);
}

static void
tell_drained(struct br_stream *stream)
{
    int rc = stream->s.failed;

    if (!stream->tell || stream->s.queued > 0)
        return;
    stream->tell = false;
    if (stream->drained_fn != NULL)
        stream->drained_fn(stream, rc, stream->drained_arg);
}

static void
on_change(struct stream *s)
{
    struct br_stream *stream = container_of(s, struct br_stream, s);

    read_all(stream);
    if (stream->h.closed)
        return;
    if (s->queued > 0)
        stream_flush(s, false);
    tell_drained(stream);
    if (stream->h.closed)
        return;
    finish_output(stream);
    update_hold(stream);
}

static void
close_stream(struct handle *h)
{
    struct br_stream *stream = container_of(h, struct br_stream, h);

    loop_del(h->loop->loop, &stream->connecting);
    stream_close(&stream->s, false);
}

/* Takes fd, also on failure. */
static struct br_stream *
make_stream(struct br_loop *loop, int fd)
{
    br_cleanup(fd_closep) int owned = fd;
    struct br_stream *stream;
    struct stat st;
    int rc = fstat(fd, &st) < 0 ? -errno : fd_set_nonblock(fd, true);

    if (rc < 0) {
        errno = -rc;
        return NULL;
    }
    stream = handle_new(loop, sizeof(*stream), close_stream);
    if (stream == NULL)
        return NULL;
    if (S_ISSOCK(st.st_mode))
        stream_init(&stream->s, loop->loop, fd_take(&owned), on_change);
    else
        stream_init_pipe(&stream->s, loop->loop, fd_take(&owned), on_change);
    return stream;
}

API struct br_stream *
br_stream_new(struct br_loop *loop, int fd)
{
    struct br_stream *stream = make_stream(loop, fd);
    int rc;

    if (stream == NULL)
        return NULL;
    rc = stream_watch(&stream->s);
    return rc < 0 ? handle_fail(&stream->h, rc) : stream;
}

API void
br_stream_read(struct br_stream *stream, br_read_fn *fn, void *arg)
{
    stream->read_fn = fn;
    stream->read_arg = arg;
    if (stream->s.fd >= 0 && stream->s.watched)
        stream_again(&stream->s); /* what has come already was told to nobody */
    update_hold(stream);
}

API void
br_stream_stop(struct br_stream *stream)
{
    stream->read_fn = NULL;
    update_hold(stream);
}

API int
br_stream_write(struct br_stream *stream, const void *p, size_t n)
{
    struct stream *s = &stream->s;

    if (s->failed != 0 || s->fd < 0 || stream->ending)
        return s->failed != 0 ? s->failed : -EPIPE;
    if (n == 0)
        return 0;
    if (n > QUEUED_MAX || s->queued > QUEUED_MAX - n)
        return -ENOBUFS;
    stream_copy(s, p, n);
    stream->tell = true;
    if (s->watched) {
        stream_flush(s, false);
        if (s->queued == 0)
            stream_again(s); /* for drained_fn, which is never called in here */
    }
    update_hold(stream);
    return s->failed;
}

API size_t
br_stream_queued(const struct br_stream *stream)
{
    return stream->s.queued;
}

API void
br_stream_on_drained(struct br_stream *stream, br_drained_fn *fn, void *arg)
{
    stream->drained_fn = fn;
    stream->drained_arg = arg;
}

API void
br_stream_end(struct br_stream *stream)
{
    stream->ending = true;
    if (stream->s.watched)
        finish_output(stream);
    update_hold(stream);
}

API int
br_stream_fd(const struct br_stream *stream)
{
    return stream->s.fd;
}

API int
br_stream_detach(struct br_stream *stream)
{
    struct stream *s = &stream->s;
    int fd = fd_take(&s->fd);

    if (s->watched)
        loop_del(s->loop, &s->watch);
    s->watched = false;
    handle_free(&stream->h);
    return fd;
}

API void
br_stream_unref(struct br_stream *stream)
{
    handle_unref(&stream->h);
}

API void
br_stream_close(struct br_stream *stream)
{
    handle_free(stream != NULL ? &stream->h : NULL);
}

/* --- connecting --- */

static void
on_connected(struct watch *w, br_unused uint32_t events)
{
    struct br_stream *stream = container_of(w, struct br_stream, connecting);
    br_connected_fn *fn = stream->connected_fn;
    socklen_t len = sizeof(int);
    int error = 0;
    int rc;

    rc = getsockopt(stream->s.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
    loop_del(stream->h.loop->loop, w);
    if (rc == 0)
        rc = stream_watch(&stream->s);
    stream->s.failed = rc;
    stream->connected_fn = NULL;
    update_hold(stream);
    fn(stream, rc, stream->connected_arg);
}

API int
br_stream_connect(struct br_loop *loop, const char *address, br_connected_fn *fn, void *arg,
                  struct br_stream **ret_stream, struct br_error *error)
{
    struct br_err err = BR_ERR_NONE;
    struct sockaddr_storage addr;
    struct br_stream *stream;
    socklen_t len;
    int rc = listener_parse(address, &addr, &len, &err);
    int fd;

    if (rc < 0)
        return error_out(error, "address", &err, rc);
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    stream = fd >= 0 ? make_stream(loop, fd) : NULL;
    if (stream == NULL) {
        br_fail(&err, -errno, "no socket for \"%s\"", address);
        return error_out(error, "socket", &err, err.rc);
    }
    if (connect(fd, (struct sockaddr *)&addr, len) < 0 && errno != EINPROGRESS) {
        rc = br_fail(&err, -errno, "cannot connect to \"%s\"", address);
    } else {
        rc = loop_add(loop->loop, &stream->connecting, fd, EPOLLOUT, on_connected);
        if (rc < 0)
            br_fail(&err, rc, "cannot watch the socket");
    }
    if (rc < 0) {
        handle_free(&stream->h);
        return error_out(error, "connect", &err, rc);
    }
    stream->connected_fn = fn;
    stream->connected_arg = arg;
    update_hold(stream);
    *ret_stream = stream;
    return 0;
}

/* --- listening sockets --- */

struct br_listener {
    struct handle h;
    struct listener listener;
    br_accept_fn *fn;
    void *arg;
};

static void
on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct br_listener *listener = container_of(l, struct br_listener, listener);

    listener->fn(listener, fd, addr, len, listener->arg);
}

static void
close_listener(struct handle *h)
{
    struct br_listener *listener = container_of(h, struct br_listener, h);

    listener_stop(&listener->listener);
}

API int
br_listen(const char *address, int backlog, int *ret_fd, struct br_error *error)
{
    struct br_err err = BR_ERR_NONE;
    int rc = listener_open(address, backlog, ret_fd, &err);

    return rc < 0 ? error_out(error, "listen", &err, rc) : 0;
}

API struct br_listener *
br_listener_new(struct br_loop *loop, int fd, br_accept_fn *fn, void *arg)
{
    struct br_listener *listener = handle_new(loop, sizeof(*listener), close_listener);
    int rc;

    if (listener == NULL)
        return NULL;
    listener->fn = fn;
    listener->arg = arg;
    rc = fd_set_nonblock(fd, true);
    if (rc == 0)
        rc = listener_start(&listener->listener, loop->loop, fd, 1, on_accept, NULL);
    if (rc < 0)
        return handle_fail(&listener->h, rc);
    handle_hold(&listener->h, true);
    return listener;
}

API void
br_listener_unref(struct br_listener *listener)
{
    handle_unref(&listener->h);
}

API void
br_listener_free(struct br_listener *listener)
{
    handle_free(listener != NULL ? &listener->h : NULL);
}
