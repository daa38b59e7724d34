/*
 * channel_test.c - order, bounds, descriptors, and everything a hostile peer may put on the line.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"

struct seen {
    unsigned messages;
    unsigned fds;
    unsigned refused;
    unsigned gone;
    int refused_rc;
    uint32_t last; /* generation of the last CONF_RETIRED */
    bool in_order;
    bool free_in_handler;
};

static void
on_message(struct channel *ch, struct message *m)
{
    struct seen *seen = channel_owner(ch);
    const struct msg_conf *conf = m->payload;

    if (m->type == MSG_CONF_RETIRED) {
        seen->in_order = seen->in_order && conf->generation == seen->last + 1;
        seen->last = conf->generation;
    }
    assert_int_equal(m->pid, getpid());
    seen->messages++;
    seen->fds += m->n_fds;
    if (seen->free_in_handler)
        channel_free(ch);
}

static void
on_gone(struct channel *ch)
{
    ((struct seen *)channel_owner(ch))->gone++;
}

static void
on_refused(struct channel *ch, unsigned type, const struct message *m, int rc)
{
    struct seen *seen = channel_owner(ch);

    (void)type, (void)m;
    seen->refused++;
    seen->refused_rc = rc;
}

static const struct channel_ops ops = {on_message, on_gone, on_refused};

/* A router's end, and the controller's with what it saw. */
struct pair {
    struct loop *loop;
    struct channel *router;
    struct channel *controller;
    struct seen seen;
    int fds_before;
};

static int
setup(void **state)
{
    static struct pair pair;
    struct pair *p = &pair;
    struct peer to_controller = {.role = ROLE_CONTROLLER, .pid = getpid()};
    struct peer to_router = {.role = ROLE_ROUTER, .pid = getpid()};
    int fds[2];

    *p = (struct pair){.seen = {.in_order = true}, .fds_before = fd_count()};
    p->loop = loop_new();
    if (p->loop == NULL || channel_pair(fds) < 0)
        return -1;
    p->router = channel_new(p->loop, fds[0], ROLE_ROUTER, &to_controller, &ops, &p->seen);
    p->controller = channel_new(p->loop, fds[1], ROLE_CONTROLLER, &to_router, &ops, &p->seen);
    *state = p;
    return p->router != NULL && p->controller != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    struct pair *p = *state;

    channel_free(p->router);
    channel_free(p->controller);
    loop_free(p->loop);
    return fd_count() == p->fds_before ? 0 : -1;
}

static int
say(struct channel *ch, uint32_t generation)
{
    struct msg_conf conf = {.generation = generation};

    return channel_send(ch, MSG_CONF_RETIRED, &conf, NULL, 0, 0, 0);
}

static void
what_does_not_fit_the_kernel_waits_in_order_and_has_a_bound(void **state)
{
    struct pair *p = *state;
    uint32_t sent = 0;
    int rc = 0;

    while (rc == 0 && sent < 100000) {
        rc = say(p->router, sent + 1);
        sent += rc == 0;
    }
    assert_int_equal(rc, -ENOBUFS);
    assert_true(sent > CHANNEL_QUEUE_MAX);
    while (p->seen.messages < sent)
        loop_once(p->loop, 0);
    assert_true(p->seen.in_order);
    assert_int_equal(p->seen.last, sent);
    assert_int_equal(say(p->router, sent + 1), 0);
    assert_int_equal(channel_flush(p->router, 0), 0);
}

static void
a_line_that_has_sent_all_does_not_wake_its_loop(void **state)
{
    struct pair *p = *state;
    uint32_t sent = 600;
    int64_t before;

    for (uint32_t i = 1; i <= sent; i++)
        if (say(p->router, i) < 0)
            sent = i - 1;
    assert_true(channel_flush(p->router, 0) == -ETIMEDOUT);
    while (p->seen.messages < sent)
        loop_once(p->loop, 0);
    assert_int_equal(channel_flush(p->router, 0), 0);
    loop_once(p->loop, 0);
    before = clock_us();
    loop_once(p->loop, 30);
    assert_true(clock_us() - before >= 25000);
}

static int
text_fd(void)
{
    return fd_memfd_sealed("test", "text", 4);
}

static void
descriptors_arrive_and_are_closed_after_the_handler(void **state)
{
    struct pair *p = *state;
    struct msg_conf conf = {.generation = 1};
    int before = fd_count();
    int fd = text_fd();

    assert_int_equal(channel_send(p->controller, MSG_CONF_PREPARE, &conf, &fd, 1, 5, 0), 0);
    assert_int_equal(fd, -1);
    loop_once(p->loop, 0);
    assert_int_equal(p->seen.fds, 1);
    assert_int_equal(fd_count(), before);
}

static void
queued_descriptors_are_not_lost_and_not_leaked(void **state)
{
    struct pair *p = *state;
    struct msg_conf conf = {.generation = 1};
    int before = fd_count();
    unsigned sent = 0;

    for (int i = 0; i < 2000; i++) {
        int fd = text_fd();

        sent += channel_send(p->controller, MSG_CONF_PREPARE, &conf, &fd, 1, 0, 0) == 0;
        assert_int_equal(fd, -1);
    }
    assert_true(sent > CHANNEL_QUEUE_MAX && sent < 2000);
    while (p->seen.messages < sent)
        loop_once(p->loop, 0);
    assert_int_equal(p->seen.fds, sent);
    assert_int_equal(fd_count(), before);
}

/* --- a hostile peer writes to the descriptor itself --- */

static void
raw(struct pair *p, const void *bytes, size_t n, const int *fds, unsigned n_fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 16)];
    } control = {0};
    struct iovec iov = {(void *)bytes, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > 0) {
        struct cmsghdr *c;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    assert_true(sendmsg(channel_fd(p->router), &msg, 0) >= 0);
    loop_once(p->loop, 0);
}

static void
refused_with(struct pair *p, int rc)
{
    assert_int_equal(p->seen.messages, 0);
    assert_int_equal(p->seen.refused, 1);
    assert_int_equal(p->seen.refused_rc, rc);
    assert_int_equal(p->seen.gone, 0);
    p->seen.refused = 0;
}

static void
nonsense_is_refused_and_the_line_lives(void **state)
{
    struct pair *p = *state;
    static const uint32_t unknown[5] = {99999};
    static const uint32_t mine[5] = {MSG_CONF_COMMIT};
    static char huge[MSG_PAYLOAD_MAX + 100] = {MSG_CONF_RETIRED};

    raw(p, "x", 1, NULL, 0);
    refused_with(p, -EPROTO);
    raw(p, unknown, sizeof(unknown), NULL, 0);
    refused_with(p, -EPROTO);
    raw(p, mine, sizeof(mine), NULL, 0); /* only a controller may say that */
    refused_with(p, -EPERM);
    raw(p, huge, sizeof(huge), NULL, 0);
    refused_with(p, -EPROTO);
    assert_int_equal(say(p->router, 1), 0);
    loop_once(p->loop, 0);
    assert_int_equal(p->seen.messages, 1);
}

static void
too_many_descriptors_are_refused_and_closed(void **state)
{
    struct pair *p = *state;
    static const uint32_t retired[5] = {MSG_CONF_RETIRED, 0, 0, 0, 1};
    int before, fds[16];

    for (unsigned i = 0; i < 16; i++)
        fds[i] = text_fd();
    before = fd_count();
    raw(p, "", 0, fds, 2); /* an empty message is not the end */
    refused_with(p, -EPROTO);
    raw(p, retired, sizeof(retired), fds, 1);
    refused_with(p, -EPROTO);
    raw(p, retired, sizeof(retired), fds, MSG_FDS_MAX);
    refused_with(p, -EPROTO);
    raw(p, retired, sizeof(retired), fds, 16);
    refused_with(p, -EPROTO);
    assert_int_equal(fd_count(), before);
    for (unsigned i = 0; i < 16; i++)
        fd_close(&fds[i]);
}

static void
descriptors_that_find_no_place_refuse_the_message(void **state)
{
    struct pair *p = *state;
    struct msg_conf conf = {.generation = 1};
    struct rlimit old, tight;
    int fd = text_fd();

    assert_int_equal(channel_send(p->controller, MSG_CONF_PREPARE, &conf, &fd, 1, 0, 0), 0);
    getrlimit(RLIMIT_NOFILE, &old);
    tight = old;
    tight.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &tight);
    loop_once(p->loop, 0);
    setrlimit(RLIMIT_NOFILE, &old);
    refused_with(p, -EMFILE);
}

static void
who_inherited_the_descriptor_is_not_the_peer(void **state)
{
    struct pair *p = *state;
    static const uint32_t retired[5] = {MSG_CONF_RETIRED, 0, 0, 0, 1};
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(write(channel_fd(p->router), retired, sizeof(retired)) < 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    loop_once(p->loop, 0);
    refused_with(p, -EACCES);
}

/* --- ends --- */

static void
last_words_are_heard_although_ours_were_not(void **state)
{
    struct pair *p = *state;
    struct msg_conf conf = {.generation = 1};

    /* The peer leaves with our message unread: its end resets the line. */
    channel_send(p->controller, MSG_CONF_COMMIT, &conf, NULL, 0, 0, 0);
    say(p->router, 1);
    say(p->router, 2);
    channel_free(p->router);
    p->router = NULL;
    loop_once(p->loop, 0);
    assert_int_equal(p->seen.messages, 2);
    assert_int_equal(p->seen.gone, 1);
    assert_int_equal(channel_send(p->controller, MSG_CONF_COMMIT, &conf, NULL, 0, 0, 0), -EPIPE);
}

static void
a_channel_may_be_freed_by_its_own_handler(void **state)
{
    struct pair *p = *state;

    p->seen.free_in_handler = true;
    say(p->router, 1);
    say(p->router, 2);
    loop_once(p->loop, 0);
    p->controller = NULL;
    assert_int_equal(p->seen.messages, 1);
    loop_once(p->loop, 0);
    assert_int_equal(p->seen.messages, 1);
}

static void
without_a_loop_one_waits_for_one_message(void **state)
{
    struct pair *p = *state;
    struct peer peer = {.role = ROLE_ROUTER, .pid = getpid()};
    struct peer other = {.role = ROLE_CONTROLLER, .pid = getpid()};
    struct seen seen = {.in_order = true};
    struct channel *a, *b;
    int fds[2];

    (void)p;
    assert_int_equal(channel_pair(fds), 0);
    a = channel_new(NULL, fds[0], ROLE_CONTROLLER, &peer, &ops, &seen);
    b = channel_new(NULL, fds[1], ROLE_ROUTER, &other, &ops, &seen);
    assert_int_equal(channel_recv_wait(a, 10), 0);
    say(b, 1);
    say(b, 2);
    assert_int_equal(channel_recv_wait(a, -1), 1);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(channel_recv_wait(a, 0), 1);
    assert_int_equal(channel_recv_wait(a, 0), 0);
    channel_free(b);
    assert_int_equal(channel_recv_wait(a, -1), -EPIPE);
    assert_int_equal(channel_recv_wait(a, -1), -EPIPE);
    assert_int_equal(seen.gone, 1);
    channel_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(what_does_not_fit_the_kernel_waits_in_order_and_has_a_bound),
        T(a_line_that_has_sent_all_does_not_wake_its_loop),
        T(descriptors_arrive_and_are_closed_after_the_handler),
        T(queued_descriptors_are_not_lost_and_not_leaked),
        T(nonsense_is_refused_and_the_line_lives),
        T(too_many_descriptors_are_refused_and_closed),
        T(descriptors_that_find_no_place_refuse_the_message),
        T(who_inherited_the_descriptor_is_not_the_peer),
        T(last_words_are_heard_although_ours_were_not),
        T(a_channel_may_be_freed_by_its_own_handler),
        T(without_a_loop_one_waits_for_one_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
