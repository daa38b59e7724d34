/*
 * spawn_test.c - programs with pipes, refused options, kills, and children that nobody waits for.
 */
#include <brood/brood.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

struct story {
    char text[256];
    size_t n;
    int status, signo, exits;
};

static void
on_exit_of(struct br_child *child, int status, int signo, void *arg)
{
    struct story *s = arg;

    (void)child;
    s->status = status;
    s->signo = signo;
    s->exits++;
}

static void
on_output(struct br_stream *stream, const char *p, ssize_t n, void *arg)
{
    struct story *s = arg;

    if (n <= 0) {
        br_stream_close(stream);
        return;
    }
    assert_true(s->n + (size_t)n < sizeof(s->text));
    memcpy(s->text + s->n, p, (size_t)n);
    s->n += (size_t)n;
}

static void
a_socket_pair_goes_both_ways_and_a_stream_may_be_inherited(void **state)
{
    const char *const argv[] = {"sh", "-c", "read x <&3; echo \"got $x\" >&3; echo more >&4", NULL};
    struct br_loop *loop = br_loop_new();
    struct br_spawn how = {.size = sizeof(how), .file = "sh", .argv = argv};
    struct story s = {.n = 0}, other = {.n = 0};
    struct br_stream *both, *reader, *writer;
    struct br_stdio stdio[5] = {{.kind = BR_STDIO_IGNORE}};
    struct br_error error;
    int before = fd_count(), ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    reader = br_stream_new(loop, ends[0]);
    writer = br_stream_new(loop, ends[1]);
    stdio[3] = (struct br_stdio){.kind = BR_STDIO_PIPE, .way = BR_PIPE_BOTH, .ret_stream = &both};
    stdio[4] = (struct br_stdio){.kind = BR_STDIO_STREAM, .stream = writer};
    how.stdio = stdio;
    how.n_stdio = 5;
    how.on_exit = on_exit_of;
    how.arg = &s;
    assert_int_equal(br_spawn(loop, &how, NULL, &error), 0);
    br_stream_close(writer);
    br_stream_read(reader, on_output, &other);
    br_stream_read(both, on_output, &s);
    assert_int_equal(br_stream_write(both, "this\n", 5), 0);
    br_loop_run(loop);
    assert_string_equal(s.text, "got this\n");
    assert_string_equal(other.text, "more\n");
    assert_int_equal(s.exits, 1);
    assert_int_equal(s.status, 0);
    assert_int_equal(fd_count(), before);
    br_loop_free(loop);
}

static void
a_kill_reaches_it_and_comes_back_as_the_signal(void **state)
{
    const char *const argv[] = {"sleep", "100", NULL};
    struct br_loop *loop = br_loop_new();
    struct br_spawn how = {.size = sizeof(how), .file = "sleep", .argv = argv};
    struct story s = {.n = 0};
    struct br_child *child;

    (void)state;
    how.on_exit = on_exit_of;
    how.arg = &s;
    assert_int_equal(br_spawn(loop, &how, &child, NULL), 0);
    assert_int_equal(br_child_kill(child, 9999), -EINVAL);
    assert_int_equal(br_child_kill(child, SIGTERM), 0);
    br_loop_run(loop);
    assert_int_equal(s.signo, SIGTERM);
    assert_int_equal(s.exits, 1);
    br_loop_free(loop);
}

static void
an_unrefd_child_does_not_hold_the_loop(void **state)
{
    const char *const argv[] = {"sleep", "100", NULL};
    struct br_loop *loop = br_loop_new();
    struct br_spawn how = {.size = sizeof(how), .file = "sleep", .argv = argv};
    struct br_child *child;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(br_spawn(loop, &how, &child, NULL), 0);
    pid = br_child_pid(child);
    br_child_unref(child);
    br_loop_run(loop);
    assert_int_equal(kill(pid, 0), 0);
    br_child_forget(child); /* ours again */
    br_loop_free(loop);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void
bad_options_are_refused_before_anything_happens(void **state)
{
    static const struct br_limit limit = {0, 1, 1};
    struct br_stdio no_place = {.kind = BR_STDIO_PIPE}, no_fd = {.kind = BR_STDIO_FD, .fd = -1};
    struct br_stdio closed = {.kind = BR_STDIO_FD, .fd = 9999};
    struct br_spawn cases[] = {
        {.size = 3, .file = "true"},
        {.size = sizeof(cases[0]) + 8, .file = "true"},
        {.size = sizeof(cases[0])},
        {.size = sizeof(cases[0]), .file = "true", .flags = 1u << 30},
        {.size = sizeof(cases[0]), .file = "true", .namespaces = 1u << 30},
        {.size = sizeof(cases[0]), .file = "true", .stdio = &no_place, .n_stdio = 1},
        {.size = sizeof(cases[0]), .file = "true", .limits = &limit, .n_limits = 1000},
        {.size = sizeof(cases[0]), .file = "true", .hostname = "x"},
        {.size = sizeof(cases[0]), .file = "true", .stdio = &no_fd, .n_stdio = 1},
        {.size = sizeof(cases[0]), .file = "true", .stdio = &closed, .n_stdio = 1},
    };
    unsigned n = sizeof(cases) / sizeof(cases[0]);
    struct br_loop *loop = br_loop_new();
    int before = fd_count();
    struct br_error error;

    (void)state;
    for (unsigned i = 0; i < n; i++) {
        int rc = br_spawn(loop, &cases[i], NULL, &error);

        assert_int_equal(rc, i < n - 2 ? -EINVAL : -EBADF);
        assert_int_equal(error.code, rc);
        assert_string_equal(error.step, i == n - 1 ? "descriptors" : "prepare");
        assert_true(strlen(error.text) > 10);
    }
    assert_int_equal(br_loop_run(loop), 0); /* nothing was left in it */
    br_loop_turn(loop, 0);
    assert_int_equal(fd_count(), before);
    br_loop_free(loop);
}

static void
an_older_and_shorter_struct_is_enough(void **state)
{
    struct br_loop *loop = br_loop_new();
    struct br_spawn how;
    struct story s = {.n = 0};

    (void)state;
    memset(&how, 0xff, sizeof(how)); /* what lies behind the caller's struct is not ours to read */
    how.size = offsetof(struct br_spawn, argv);
    how.file = "true";
    assert_int_equal(br_spawn(loop, &how, NULL, NULL), 0);
    br_loop_run(loop);
    assert_int_equal(s.exits, 0); /* nobody asked to be told */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD); /* but it was reaped */
    br_loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_pair_goes_both_ways_and_a_stream_may_be_inherited),
        cmocka_unit_test(a_kill_reaches_it_and_comes_back_as_the_signal),
        cmocka_unit_test(an_unrefd_child_does_not_hold_the_loop),
        cmocka_unit_test(bad_options_are_refused_before_anything_happens),
        cmocka_unit_test(an_older_and_shorter_struct_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
