/*
 * loop_test.c - what holds a loop, what ends it, and what is left of it in a forked child.
 */
#include <brood/brood.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

static void
count(struct br_timer *timer, void *arg)
{
    int *left = arg;

    if (--*left == 0)
        br_timer_free(timer);
}

static void
a_loop_that_nothing_holds_returns_at_once(void **state)
{
    struct br_loop *loop = br_loop_new();

    (void)state;
    assert_int_equal(br_loop_run(loop), 0);
    br_loop_free(loop);
    br_loop_free(NULL);
}

static void
a_timer_fires_once_or_again_and_again(void **state)
{
    struct br_loop *loop = br_loop_new();
    int once = 2, often = 3;
    struct br_timer *t = br_timer_new(loop, count, &once);
    int64_t begin = br_loop_now_ms(loop);

    (void)state;
    br_timer_set(t, 5, 0);
    br_timer_set(br_timer_new(loop, count, &often), 10, 10);
    br_loop_run(loop);
    assert_int_equal(once, 1);
    assert_int_equal(often, 0);
    assert_true(br_loop_now_ms(loop) - begin >= 30);
    br_loop_free(loop);
}

static void
stop_the_loop(struct br_timer *timer, void *arg)
{
    (void)timer;
    br_loop_stop(arg);
}

static void
a_stopped_loop_returns_and_may_be_run_again(void **state)
{
    struct br_loop *loop = br_loop_new();
    struct br_timer *t = br_timer_new(loop, stop_the_loop, loop);

    (void)state;
    br_timer_set(t, 0, 1);
    assert_int_equal(br_loop_run(loop), 0);
    assert_int_equal(br_loop_run(loop), 0);
    br_loop_free(loop);
}

static void
what_is_unrefd_works_on_but_holds_nothing(void **state)
{
    struct br_loop *loop = br_loop_new();
    int ticks = 1000, last = 1;
    struct br_timer *background = br_timer_new(loop, count, &ticks);

    (void)state;
    br_timer_unref(background);
    br_timer_set(background, 1, 1);
    br_timer_set(br_timer_new(loop, count, &last), 30, 0);
    br_loop_run(loop);
    assert_int_equal(last, 0);
    assert_true(ticks < 1000 && ticks > 0);
    br_loop_free(loop);
}

static void
read_and_free(struct br_watch *watch, unsigned events, void *arg)
{
    *(unsigned *)arg = events;
    br_watch_free(watch);
}

static void
a_watch_tells_what_its_descriptor_can_do(void **state)
{
    struct br_loop *loop = br_loop_new();
    unsigned told = 0;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_non_null(br_watch_new(loop, fds[1], BR_WRITABLE, read_and_free, &told));
    br_loop_run(loop);
    assert_int_equal(told, BR_WRITABLE);
    assert_non_null(br_watch_new(loop, fds[0], BR_READABLE, read_and_free, &told));
    fd_close(&fds[1]);
    br_loop_run(loop);
    assert_int_equal(told, BR_HANGUP);
    fd_close(&fds[0]);
    assert_null(br_watch_new(loop, -1, BR_READABLE, read_and_free, &told));
    assert_int_equal(errno, EBADF);
    br_loop_free(loop);
}

static void
on_wake(struct br_wakeup *wakeup, void *arg)
{
    ++*(int *)arg;
    br_wakeup_free(wakeup);
}

static void *
wake_it(void *arg)
{
    br_wake(arg);
    return NULL;
}

static void
another_thread_wakes_the_loop(void **state)
{
    struct br_loop *loop = br_loop_new();
    int woken = 0;
    struct br_wakeup *wakeup = br_wakeup_new(loop, on_wake, &woken);
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wake_it, wakeup), 0);
    br_loop_run(loop);
    pthread_join(thread, NULL);
    assert_int_equal(woken, 1);
    br_loop_free(loop);
}

static void
on_any_signal(struct br_signal *sig, int signo, void *arg)
{
    *(int *)arg = signo;
    br_signal_free(sig);
}

static void
signals_are_watched_and_bad_ones_refused(void **state)
{
    struct br_loop *loop = br_loop_new();
    int seen = 0;

    (void)state;
    assert_non_null(br_signal_new(loop, SIGUSR1, on_any_signal, &seen));
    raise(SIGUSR1);
    br_loop_run(loop);
    assert_int_equal(seen, SIGUSR1);
    assert_null(br_signal_new(loop, SIGSTOP, on_any_signal, &seen));
    assert_int_equal(errno, EINVAL);
    br_loop_free(loop);
}

static void
on_child_exit(struct br_child *child, int status, int signo, void *arg)
{
    (void)child;
    *(int *)arg = signo != 0 ? 1000 + signo : status;
}

struct fork_story {
    struct br_loop *loop;
    int status;
    int fds_before;
    bool in_child;
};

/* The child goes on here, and returns from the br_loop_run below. */
static void
fork_in_callback(struct br_timer *timer, void *arg)
{
    struct fork_story *story = arg;
    pid_t pid = br_loop_fork(story->loop);

    (void)timer;
    assert_true(pid >= 0);
    if (pid == 0)
        story->in_child = true;
    else
        assert_non_null(br_child_watch(story->loop, pid, on_child_exit, &story->status));
}

/* The exit code of the child: 0 when all is as it should be. */
static int
live_as_child(struct fork_story *story)
{
    int fired = 1, seen = 0;

    if (fd_count() > story->fds_before) /* nothing of the parent's loop is open */
        return 10;
    br_timer_set(br_timer_new(story->loop, count, &fired), 1, 0);
    br_signal_new(story->loop, SIGUSR2, on_any_signal, &seen);
    raise(SIGUSR2);
    if (br_loop_run(story->loop) != 0)
        return 11;
    br_loop_free(story->loop);
    return fired == 0 && seen == SIGUSR2 ? 0 : 12;
}

static void
a_forked_child_has_an_empty_loop_that_works(void **state)
{
    struct fork_story story = {.fds_before = fd_count()};
    int ticks = 5, seen = 0;

    (void)state;
    story.status = -1;
    story.loop = br_loop_new();
    assert_non_null(br_signal_new(story.loop, SIGUSR1, on_any_signal, &seen));
    br_timer_set(br_timer_new(story.loop, count, &ticks), 1, 1);
    br_timer_set(br_timer_new(story.loop, fork_in_callback, &story), 2, 0);
    raise(SIGUSR1);
    br_loop_run(story.loop);
    if (story.in_child)
        _exit(live_as_child(&story));
    assert_int_equal(story.status, 0);
    assert_int_equal(seen, SIGUSR1);
    assert_int_equal(ticks, 0);
    br_loop_free(story.loop);
}

static void
a_freed_loop_leaves_no_descriptor(void **state)
{
    int before = fd_count(), n = 1;
    struct br_loop *loop = br_loop_new();
    int ends[2];

    (void)state;
    assert_int_equal(br_channel_pair(ends), 0);
    br_signal_new(loop, SIGUSR1, on_any_signal, &n);
    br_wakeup_new(loop, on_wake, &n);
    br_timer_set(br_timer_new(loop, count, &n), 1000, 0);
    assert_non_null(br_stream_new(loop, ends[0]));
    assert_non_null(br_stream_new(loop, ends[1]));
    br_loop_free(loop);
    assert_int_equal(fd_count(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_nothing_holds_returns_at_once),
        cmocka_unit_test(a_timer_fires_once_or_again_and_again),
        cmocka_unit_test(a_stopped_loop_returns_and_may_be_run_again),
        cmocka_unit_test(what_is_unrefd_works_on_but_holds_nothing),
        cmocka_unit_test(a_watch_tells_what_its_descriptor_can_do),
        cmocka_unit_test(another_thread_wakes_the_loop),
        cmocka_unit_test(signals_are_watched_and_bad_ones_refused),
        cmocka_unit_test(a_forked_child_has_an_empty_loop_that_works),
        cmocka_unit_test(a_freed_loop_leaves_no_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
