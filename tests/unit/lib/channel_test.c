/*
 * channel_test.c - messages, descriptors, senders, full queues, ends, names.
 */
#include <brood/brood.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

struct inbox {
    unsigned n;
    unsigned wanted; /* then the channel is closed */
    size_t bytes;
    char last[64];
    int kept; /* a descriptor that came */
    pid_t pid;
    bool ended;
};

static void
on_message(struct br_channel *channel, struct br_message *m, void *arg)
{
    struct inbox *in = arg;

    if (m == NULL) {
        in->ended = true;
        br_channel_close(channel);
        return;
    }
    in->n++;
    in->bytes += m->n;
    in->pid = m->pid;
    snprintf(in->last, sizeof(in->last), "%.*s", (int)(m->n < 60 ? m->n : 60), (const char *)m->p);
    if (m->n_fds > 0 && in->kept < 0) {
        in->kept = m->fds[0];
        m->fds[0] = -1;
    }
    if (in->n == in->wanted)
        br_channel_close(channel);
}

struct pair {
    struct br_loop *loop;
    struct br_channel *a, *b;
    struct inbox in_a, in_b;
};

static void
pair_open(struct pair *p)
{
    int ends[2];

    *p = (struct pair){.loop = br_loop_new(), .in_a.kept = -1, .in_b.kept = -1};
    assert_int_equal(br_channel_pair(ends), 0);
    p->a = br_channel_new(p->loop, ends[0], on_message, &p->in_a);
    p->b = br_channel_new(p->loop, ends[1], on_message, &p->in_b);
    assert_non_null(p->a);
    assert_non_null(p->b);
}

static void
messages_arrive_whole_in_order_and_with_their_sender(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p);
    p.in_b.wanted = 3;
    assert_int_equal(br_channel_send(p.a, "one", 3, NULL, 0), 0);
    assert_int_equal(br_channel_send(p.a, NULL, 0, NULL, 0), 0); /* an empty one is no end */
    assert_int_equal(br_channel_send(p.a, "three", 5, NULL, 0), 0);
    br_loop_run(p.loop);
    assert_int_equal(p.in_b.n, 3);
    assert_int_equal(p.in_b.bytes, 8);
    assert_string_equal(p.in_b.last, "three");
    assert_int_equal(p.in_b.pid, getpid());
    assert_true(p.in_a.ended); /* b was closed */
    br_loop_free(p.loop);
}

static void
descriptors_are_taken_sent_and_closed(void **state)
{
    int before = fd_count(), fds[2];
    struct pair p;
    char c = 0;

    (void)state;
    pair_open(&p);
    p.in_b.wanted = 1;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(br_channel_send(p.a, "fds", 3, fds, 2), 0); /* the read end, and one more */
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    br_loop_run(p.loop);
    assert_true(p.in_b.kept >= 0);
    assert_int_equal(fcntl(p.in_b.kept, F_GETFD), FD_CLOEXEC);
    assert_int_equal(read(p.in_b.kept, &c, 1), 0); /* nobody holds the other end any more */
    fd_close(&p.in_b.kept);
    br_loop_free(p.loop);
    assert_int_equal(fd_count(), before);
}

static void
a_full_kernel_fills_the_queue_and_a_full_queue_refuses(void **state)
{
    static char big[BR_MESSAGE_MAX];
    int before = fd_count();
    unsigned sent = 0;
    struct pair p;
    int rc;

    (void)state;
    pair_open(&p);
    for (;;) {
        int fd = dup(0);

        rc = br_channel_send(p.a, big, sizeof(big), &fd, 1);
        if (rc < 0)
            break;
        sent++;
    }
    assert_int_equal(rc, -ENOBUFS);
    assert_int_equal(br_channel_queued(p.a), 256);
    p.in_b.wanted = sent;
    while (p.in_b.n < sent) {
        assert_int_equal(br_loop_turn(p.loop, 1000), 0);
        fd_close(&p.in_b.kept);
    }
    assert_int_equal(p.in_b.bytes, (size_t)sent * sizeof(big));
    br_loop_free(p.loop);
    assert_int_equal(fd_count(), before);
}

static void
what_cannot_be_sent_is_refused_and_its_descriptors_closed(void **state)
{
    static char big[BR_MESSAGE_MAX + 1];
    int fds[BR_MESSAGE_FDS_MAX + 1];
    int before = fd_count();
    struct pair p;

    (void)state;
    pair_open(&p);
    fds[0] = dup(0);
    assert_int_equal(br_channel_send(p.a, big, sizeof(big), fds, 1), -EMSGSIZE);
    for (int i = 0; i <= BR_MESSAGE_FDS_MAX; i++)
        fds[i] = dup(0);
    assert_int_equal(br_channel_send(p.a, "x", 1, fds, BR_MESSAGE_FDS_MAX + 1), -EMSGSIZE);
    fds[0] = 9999;
    assert_int_equal(br_channel_send(p.a, "x", 1, fds, 1), -EBADF);
    br_channel_close(p.b);
    fds[0] = dup(0);
    assert_int_equal(br_channel_send(p.a, "x", 1, fds, 1), -EPIPE);
    br_loop_run(p.loop);
    assert_true(p.in_a.ended);
    br_loop_free(p.loop);
    assert_int_equal(fd_count(), before);
}

static void
on_client(struct br_listener *listener, int fd, const struct sockaddr *from, socklen_t length,
          void *arg)
{
    struct pair *p = arg;

    (void)from;
    (void)length;
    br_listener_free(listener);
    p->b = br_channel_accept(p->loop, fd, on_message, &p->in_b);
}

static void
a_named_channel_is_found_by_its_name(void **state)
{
    struct pair p = {.loop = br_loop_new(), .in_b = {.wanted = 1, .kept = -1}};
    struct br_error error;
    char address[64];
    int fd;

    (void)state;
    snprintf(address, sizeof(address), "unix:@brood-test-%d", (int)getpid());
    assert_int_equal(br_channel_connect(p.loop, address, on_message, &p.in_a, &p.a, &error),
                     -ECONNREFUSED);
    assert_string_equal(error.step, "connect");
    assert_int_equal(br_channel_listen(address, &fd, &error), 0);
    assert_non_null(br_listener_new(p.loop, fd, on_client, &p));
    assert_int_equal(br_channel_connect(p.loop, address, on_message, &p.in_a, &p.a, &error), 0);
    assert_int_equal(br_channel_send(p.a, "hello", 5, NULL, 0), 0);
    br_loop_run(p.loop);
    assert_string_equal(p.in_b.last, "hello");
    assert_int_equal(p.in_b.pid, getpid());
    fd_close(&fd);
    assert_int_equal(br_channel_connect(p.loop, "nonsense", on_message, &p.in_a, &p.a, &error),
                     -EINVAL);
    br_loop_free(p.loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_whole_in_order_and_with_their_sender),
        cmocka_unit_test(descriptors_are_taken_sent_and_closed),
        cmocka_unit_test(a_full_kernel_fills_the_queue_and_a_full_queue_refuses),
        cmocka_unit_test(what_cannot_be_sent_is_refused_and_its_descriptors_closed),
        cmocka_unit_test(a_named_channel_is_found_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
