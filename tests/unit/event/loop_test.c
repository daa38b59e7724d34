/*
 * loop_test.c - one turn after another: delivery, removal in the middle of it, hooks, frees,
 * signals.
 *
 * Forks are in loop_fork_test.c, children in loop_child_test.c.
 */
#include "event/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"

static int
make_loop(void **state)
{
    *state = loop_new();
    return *state != NULL ? 0 : -1;
}

static int
drop_loop(void **state)
{
    loop_free(*state);
    return 0;
}

/* A watched eventfd that says what happened to it. */
struct bell {
    struct watch watch;
    struct loop *loop;
    int fd;
    int rung;
    uint32_t events;
    struct bell *removes; /* when rung */
    struct bell *adds;
};

static void
on_bell(struct watch *w, uint32_t events)
{
    struct bell *b = container_of(w, struct bell, watch);

    b->rung++;
    b->events = events;
    if (b->removes != NULL)
        loop_del(b->loop, &b->removes->watch);
    if (b->adds != NULL)
        assert_int_equal(loop_add(b->loop, &b->adds->watch, b->adds->fd, EPOLLIN, on_bell), 0);
}

static void
bell_init(struct bell *b, struct loop *loop, unsigned value)
{
    *b = (struct bell){.loop = loop, .fd = eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC)};
    assert_true(b->fd >= 0);
    assert_int_equal(loop_add(loop, &b->watch, b->fd, EPOLLIN, on_bell), 0);
}

static void
bell_done(struct bell *b)
{
    loop_del(b->loop, &b->watch);
    fd_close(&b->fd);
}

static void
a_ready_descriptor_is_delivered_every_turn_until_it_is_read(void **state)
{
    struct loop *loop = *state;
    struct bell b;

    bell_init(&b, loop, 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(b.rung, 0);
    assert_int_equal(eventfd_write(b.fd, 1), 0);
    assert_int_equal(loop_once(loop, -1), 0);
    assert_int_equal(loop_once(loop, -1), 0);
    assert_int_equal(b.rung, 2);
    assert_int_equal(b.events, EPOLLIN);
    bell_done(&b);
}

static void
what_is_asked_for_can_change(void **state)
{
    struct loop *loop = *state;
    struct bell b;

    bell_init(&b, loop, 1);
    assert_int_equal(loop_mod(loop, &b.watch, 0), 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(b.rung, 0);
    assert_int_equal(loop_mod(loop, &b.watch, EPOLLIN | EPOLLOUT), 0);
    assert_int_equal(loop_mod(loop, &b.watch, EPOLLIN | EPOLLOUT), 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(b.events, EPOLLIN | EPOLLOUT);
    bell_done(&b);
}

static void
an_edge_is_told_again_when_asked_for_again(void **state)
{
    struct loop *loop = *state;
    struct bell b;

    bell_init(&b, loop, 1);
    assert_int_equal(loop_mod(loop, &b.watch, EPOLLIN | EPOLLET), 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(b.rung, 1);
    assert_int_equal(loop_mod(loop, &b.watch, EPOLLIN | EPOLLET), 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(b.rung, 2);
    bell_done(&b);
}

static void
what_the_kernel_refuses_is_returned(void **state)
{
    struct loop *loop = *state;
    br_cleanup(fd_closep) int file = fd_memfd("file", 0);
    struct watch w = {0};
    struct bell b;

    assert_int_equal(loop_add(loop, &w, file, EPOLLIN, on_bell), -EPERM);
    assert_int_equal(loop_add(loop, &w, -1, EPOLLIN, on_bell), -EBADF);
    bell_init(&b, loop, 0);
    assert_int_equal(loop_add(loop, &w, b.fd, EPOLLIN, on_bell), -EEXIST);
    bell_done(&b);
}

static void
removing_twice_or_never_added_is_harmless(void **state)
{
    struct loop *loop = *state;
    struct watch zero = {0};
    struct bell b;

    bell_init(&b, loop, 1);
    loop_del(loop, &zero);
    loop_del(loop, &b.watch);
    assert_int_equal(b.watch.fd, -1);
    loop_del(loop, &b.watch);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(b.rung, 0);
    bell_done(&b);
}

/* Two bells in one batch, in an order that is the kernel's: whoever comes first removes the other.
 */
static void
a_removed_watch_gets_no_more_of_the_batch(void **state)
{
    struct loop *loop = *state;
    struct bell a, b;

    bell_init(&a, loop, 1);
    bell_init(&b, loop, 1);
    a.removes = &b;
    b.removes = &a;
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(a.rung + b.rung, 1);
    bell_done(&a);
    bell_done(&b);
}

static void
a_watch_added_again_in_the_batch_waits_for_the_next(void **state)
{
    struct loop *loop = *state;
    struct bell a, b;

    bell_init(&a, loop, 1);
    bell_init(&b, loop, 1);
    a.removes = a.adds = &b;
    b.removes = b.adds = &a;
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(a.rung + b.rung, 1);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(a.rung + b.rung, 2);
    bell_done(&a);
    bell_done(&b);
}

static void
a_watch_may_remove_itself(void **state)
{
    struct loop *loop = *state;
    struct bell a;

    bell_init(&a, loop, 1);
    a.removes = &a;
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(a.rung, 1);
    bell_done(&a);
}

static void
more_than_a_batch_is_delivered_in_few_turns(void **state)
{
    enum { BELLS = 200 };
    static struct bell bells[BELLS];
    struct loop *loop = *state;
    int rung = 0;

    for (int i = 0; i < BELLS; i++) {
        bell_init(&bells[i], loop, 1);
        bells[i].removes = &bells[i];
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_once(loop, 0), 0);
    for (int i = 0; i < BELLS; i++) {
        rung += bells[i].rung;
        bell_done(&bells[i]);
    }
    assert_int_equal(rung, BELLS);
}

struct tick {
    struct timer timer;
    struct loop *loop;
    int n;
};

static void
on_tick(struct timer *t)
{
    struct tick *k = container_of(t, struct tick, timer);

    if (++k->n == 5)
        loop_stop(k->loop);
    else
        loop_timer(k->loop, t, 2);
}

static void
timers_keep_a_loop_going_until_it_is_stopped(void **state)
{
    struct tick k = {.loop = *state};
    int64_t started = clock_us();

    timer_init(&k.timer, on_tick);
    loop_timer(k.loop, &k.timer, 2);
    assert_int_equal(loop_run(k.loop), 0);
    assert_int_equal(k.n, 5);
    assert_true(clock_us() - started >= 9000);
    assert_false(loop_stopped(k.loop));
}

static void
a_timer_is_not_fired_early(void **state)
{
    struct loop *loop = *state;
    struct tick k = {.loop = loop};

    timer_init(&k.timer, on_tick);
    k.n = 4;
    for (int i = 0; i < 20; i++) {
        int64_t started = clock_us();

        clock_update();
        loop_timer(loop, &k.timer, 3);
        assert_int_equal(loop_run(loop), 0);
        assert_true(clock_us() - started >= 2000); /* of 3 ms, one may be past its beginning */
        k.n = 4;
    }
}

static void
a_stop_before_the_run_counts(void **state)
{
    struct loop *loop = *state;

    loop_stop(loop);
    assert_true(loop_stopped(loop));
    assert_int_equal(loop_run(loop), 0);
    assert_false(loop_stopped(loop));
}

static void
waiting_ends_at_the_shorter_of_both_times(void **state)
{
    struct loop *loop = *state;
    struct tick k = {.loop = loop};
    int64_t started = clock_us();

    timer_init(&k.timer, on_tick);
    clock_update();
    loop_timer(loop, &k.timer, 60000);
    assert_int_equal(loop_once(loop, 5), 0);
    assert_true(clock_us() - started < 30000000);
    assert_int_equal(k.n, 0);
    loop_timer(loop, &k.timer, 5);
    assert_int_equal(loop_once(loop, 60000), 0);
    assert_int_equal(k.n, 1);
    loop_timer_cancel(loop, &k.timer);
}

static char story[256];

static bool
say_before(void *arg)
{
    strcat(story, "b");
    return arg == NULL;
}

static void
say_after(br_unused void *arg)
{
    strcat(story, "a");
}

static void
say_end(br_unused void *arg)
{
    strcat(story, "e");
}

static void
say_event(br_unused struct watch *w, br_unused uint32_t events)
{
    strcat(story, "w");
}

static void
say_timer(br_unused struct timer *t)
{
    strcat(story, "t");
}

static void
say_free(br_unused void *arg)
{
    strcat(story, "f");
}

static void
a_turn_goes_in_the_order_that_is_promised(void **state)
{
    struct loop *loop = *state;
    struct bell b;
    struct timer t;

    story[0] = '\0';
    bell_init(&b, loop, 1);
    loop_del(loop, &b.watch);
    assert_int_equal(loop_add(loop, &b.watch, b.fd, EPOLLIN, say_event), 0);
    timer_init(&t, say_timer);
    loop_timer(loop, &t, 0);
    loop_free_later(loop, say_free, NULL);
    loop_set_hooks(loop, &(struct loop_hooks){.before_wait = say_before,
                                              .after_wait = say_after,
                                              .turn_end = say_end});
    assert_int_equal(loop_once(loop, 60000), 0);
    assert_string_equal(story, "bawtef");
    bell_done(&b);
}

static void
a_hook_can_forbid_to_block(void **state)
{
    struct loop *loop = *state;

    story[0] = '\0';
    loop_set_hooks(loop, &(struct loop_hooks){.arg = story, .before_wait = say_before});
    assert_int_equal(loop_once(loop, -1), 0);
    assert_string_equal(story, "b");
}

static int frees_left;

static void
free_one_more(void *arg)
{
    if (frees_left-- > 0)
        loop_free_later(arg, free_one_more, arg);
}

static void
a_free_may_add_frees_for_the_same_turn(void **state)
{
    struct loop *loop = *state;

    frees_left = 100;
    loop_free_later(loop, free_one_more, loop);
    assert_int_equal(loop_once(loop, -1), 0);
    assert_int_equal(frees_left, -1);
}

static void
what_is_still_to_be_freed_is_freed_with_the_loop(void **state)
{
    struct loop *loop = loop_new();

    (void)state;
    loop_free_later(loop, free, malloc(100));
    loop_free(loop);
    loop_free(NULL);
}

static int got_signals;
static pid_t signal_sender;

static void
on_signal(void *arg, const struct signalfd_siginfo *info)
{
    assert_true(info->ssi_signo == SIGUSR1 || info->ssi_signo == SIGUSR2);
    signal_sender = (pid_t)info->ssi_pid;
    got_signals++;
    if (info->ssi_signo == SIGUSR2)
        loop_stop(arg);
}

static void
signals_arrive_as_events(void **state)
{
    struct loop *loop = loop_new();
    sigset_t set, before, after;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(loop_signals(loop, &set, on_signal, loop), 0);
    assert_int_equal(loop_signals(loop, &set, on_signal, loop), -EBUSY);
    got_signals = 0;
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(got_signals, 2);
    assert_int_equal(signal_sender, getpid());
    loop_free(loop);
    sigprocmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < SIGRTMIN; number++)
        assert_int_equal(sigismember(&after, number), sigismember(&before, number));
}

static void
a_loop_without_descriptors_is_not_made(void **state)
{
    struct rlimit before, none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = 0;
    assert_null(loop_new());
    assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
a_loop_gives_back_its_descriptors(void **state)
{
    int before = fd_count();
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    for (int i = 0; i < 10; i++) {
        struct loop *loop = loop_new();

        assert_int_equal(loop_signals(loop, &set, on_signal, loop), 0);
        loop_free(loop);
    }
    assert_int_equal(fd_count(), before);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, make_loop, drop_loop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(a_ready_descriptor_is_delivered_every_turn_until_it_is_read),
        with_loop(what_is_asked_for_can_change),
        with_loop(an_edge_is_told_again_when_asked_for_again),
        with_loop(what_the_kernel_refuses_is_returned),
        with_loop(removing_twice_or_never_added_is_harmless),
        with_loop(a_removed_watch_gets_no_more_of_the_batch),
        with_loop(a_watch_added_again_in_the_batch_waits_for_the_next),
        with_loop(a_watch_may_remove_itself),
        with_loop(more_than_a_batch_is_delivered_in_few_turns),
        with_loop(timers_keep_a_loop_going_until_it_is_stopped),
        with_loop(a_timer_is_not_fired_early),
        with_loop(a_stop_before_the_run_counts),
        with_loop(waiting_ends_at_the_shorter_of_both_times),
        with_loop(a_turn_goes_in_the_order_that_is_promised),
        with_loop(a_hook_can_forbid_to_block),
        with_loop(a_free_may_add_frees_for_the_same_turn),
        cmocka_unit_test(what_is_still_to_be_freed_is_freed_with_the_loop),
        cmocka_unit_test(signals_arrive_as_events),
        cmocka_unit_test(a_loop_without_descriptors_is_not_made),
        cmocka_unit_test(a_loop_gives_back_its_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
