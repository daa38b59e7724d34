/*
 * stream_test.c - reading to the end, writing in order, and who gets what back when.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "event/stream.h"

#define PIECE 65536

struct fixture {
    struct loop *loop;
    struct stream stream;
    int peer;
    unsigned events;
    unsigned released;
    char *got;
    size_t n;
};

static struct fixture *fx;

static void
on_stream(struct stream *s)
{
    fx->events++;
    (void)stream_flush(s, false);
}

static int
setup(void **state)
{
    int fds[2];

    fx = calloc(1, sizeof(*fx));
    fx->loop = loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    fx->peer = fds[1];
    fx->got = malloc(64 * PIECE);
    stream_init(&fx->stream, fx->loop, fds[0], on_stream);
    assert_int_equal(stream_watch(&fx->stream), 0);
    *state = fx;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    stream_close(&fx->stream, false);
    close(fx->peer);
    loop_free(fx->loop);
    free(fx->got);
    free(fx);
    return 0;
}

static void
release(void *arg, const char *p)
{
    assert_ptr_equal(arg, fx);
    assert_non_null(p);
    fx->released++;
}

/* What the peer can read now. */
static void
peer_reads(void)
{
    ssize_t n;

    while ((n = recv(fx->peer, fx->got + fx->n, 64 * PIECE - fx->n, 0)) > 0)
        fx->n += (size_t)n;
}

static void
peer_has(const char *text)
{
    peer_reads();
    assert_int_equal(fx->n, strlen(text));
    assert_memory_equal(fx->got, text, fx->n);
}

static void
a_short_read_means_that_nothing_is_left(void **state)
{
    struct stream *s = &fx->stream;
    char text[8];

    (void)state;
    assert_int_equal(send(fx->peer, "0123456789", 10, 0), 10);
    assert_int_equal(stream_read(s, text, 8), 8);
    assert_true(s->readable);
    assert_int_equal(stream_read(s, text, 8), 2);
    assert_false(s->readable);
    assert_int_equal(stream_read(s, text, 8), -EAGAIN);
    assert_int_equal(s->failed, 0);
}

static void
later_bytes_are_a_new_event(void **state)
{
    struct stream *s = &fx->stream;
    char text[8];

    (void)state;
    assert_int_equal(stream_read(s, text, 8), -EAGAIN);
    assert_int_equal(send(fx->peer, "x", 1, 0), 1);
    loop_once(fx->loop, 0);
    assert_int_equal(fx->events, 1);
    assert_true(s->readable);
    loop_once(fx->loop, 0);
    assert_int_equal(fx->events, 1); /* an edge is told once */
}

static void
after_a_hang_up_the_end_is_read(void **state)
{
    struct stream *s = &fx->stream;
    char text[8];

    (void)state;
    send(fx->peer, "x", 1, 0);
    shutdown(fx->peer, SHUT_WR);
    loop_once(fx->loop, 0);
    assert_true(s->hangup);
    assert_int_equal(stream_read(s, text, 8), 1);
    assert_true(s->readable);
    assert_int_equal(stream_read(s, text, 8), 0);
    assert_true(s->ended);
    assert_false(s->readable);
    stream_copy(s, "still", 5); /* the other half is open */
    assert_int_equal(stream_flush(s, false), 5);
    peer_has("still");
}

static void
pieces_of_all_kinds_keep_their_order(void **state)
{
    struct stream *s = &fx->stream;
    char *room;
    int fd = fd_memfd_sealed("file", "0123456789", 10);

    (void)state;
    stream_copy(s, "a", 1);
    room = stream_room(s, 10);
    memcpy(room, "bc", 2);
    stream_commit(s, 2);
    stream_ref(s, "def", 3, release, fx);
    stream_copy(s, "g", 1);
    stream_file(s, fd, 3, 4);
    stream_copy(s, "h", 1);
    assert_int_equal(s->queued, 12);
    assert_int_equal(s->foreign, 2);
    assert_int_equal(stream_flush(s, false), 12);
    assert_int_equal(s->queued, 0);
    assert_int_equal(s->foreign, 0);
    assert_int_equal(fx->released, 1);
    peer_has("abcdefg3456h");
}

static void
a_large_room_is_one_piece(void **state)
{
    struct stream *s = &fx->stream;
    char *room = stream_room(s, 20000);

    (void)state;
    memset(room, 'r', 20000);
    stream_commit(s, 20000);
    stream_copy(s, "x", 1);
    assert_int_equal(stream_flush(s, false), 20001);
    peer_reads();
    assert_int_equal(fx->n, 20001);
    assert_int_equal(fx->got[20000], 'x');
}

static void
what_the_socket_does_not_take_follows_by_itself(void **state)
{
    struct stream *s = &fx->stream;
    char *piece = malloc(PIECE);

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        memset(piece, 'a' + (int)i % 26, PIECE);
        stream_copy(s, piece, PIECE / 2);
        stream_ref(s, piece, 0, release, fx);
    }
    assert_int_equal(fx->released, 30); /* empty ones at once */
    memset(piece, 'z', PIECE);
    stream_ref(s, piece, PIECE, release, fx);
    stream_flush(s, false);
    assert_true(s->queued > 0);
    while (s->queued > 0) {
        peer_reads();
        loop_once(fx->loop, 0);
    }
    peer_reads();
    assert_int_equal(fx->released, 31);
    assert_int_equal(fx->n, 30 * PIECE / 2 + PIECE);
    for (size_t i = 0; i < 30 * PIECE / 2; i++)
        assert_int_equal(fx->got[i], 'a' + (int)(i / (PIECE / 2)) % 26);
    assert_int_equal(fx->got[fx->n - 1], 'z');
    free(piece);
}

static void
closing_releases_what_was_not_sent(void **state)
{
    struct stream *s = &fx->stream;
    int before = fd_count();

    (void)state;
    stream_ref(s, "x", 1, release, fx);
    stream_file(s, fd_memfd_sealed("file", "y", 1), 0, 1);
    stream_close(s, false);
    assert_int_equal(fx->released, 1);
    assert_int_equal(fd_count(), before - 1);
}

static void
a_failure_drops_the_output_and_stays(void **state)
{
    struct stream *s = &fx->stream;

    (void)state;
    close(fx->peer);
    fx->peer = -1;
    stream_ref(s, "x", 1, release, fx);
    assert_int_equal(stream_flush(s, false), 0);
    assert_int_equal(s->failed, -EPIPE);
    assert_int_equal(fx->released, 1);
    stream_ref(s, "y", 1, release, fx);
    stream_copy(s, "z", 1);
    assert_int_equal(fx->released, 2);
    stream_flush(s, false);
    assert_int_equal(s->queued, 0);
}

static void
a_file_that_ends_early_is_a_failure(void **state)
{
    struct stream *s = &fx->stream;

    (void)state;
    stream_file(s, fd_memfd_sealed("file", "y", 1), 0, 5);
    assert_int_equal(stream_flush(s, false), 1);
    assert_int_equal(s->failed, -ENODATA);
    assert_int_equal(s->queued, 0);
}

static void
asking_again_is_an_event_each_time(void **state)
{
    (void)state;
    loop_once(fx->loop, 0);
    assert_int_equal(fx->events, 0);
    for (unsigned i = 1; i <= 3; i++) {
        stream_again(&fx->stream);
        loop_once(fx->loop, 0);
        assert_int_equal(fx->events, i);
        loop_once(fx->loop, 0);
        assert_int_equal(fx->events, i);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_short_read_means_that_nothing_is_left),
        TEST(later_bytes_are_a_new_event),
        TEST(after_a_hang_up_the_end_is_read),
        TEST(pieces_of_all_kinds_keep_their_order),
        TEST(a_large_room_is_one_piece),
        TEST(what_the_socket_does_not_take_follows_by_itself),
        TEST(closing_releases_what_was_not_sent),
        TEST(a_failure_drops_the_output_and_stays),
        TEST(a_file_that_ends_early_is_a_failure),
        TEST(asking_again_is_an_event_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
