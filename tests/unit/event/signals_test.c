/*
 * signals_test.c - one signal, several loops, several threads: each sees each.
 */
#include "event/signals.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

struct ear {
    struct signal_watch watch;
    int heard;
    int wants; /* stop the loop after so many, 0: never */
};

static void
on_signal(struct signal_watch *w, int signo)
{
    struct ear *ear = container_of(w, struct ear, watch);

    assert_int_equal(signo, w->signo);
    if (++ear->heard == ear->wants)
        loop_stop(w->loop);
}

static void
every_loop_sees_a_signal_and_loses_none(void **state)
{
    struct loop *a = loop_new(), *b = loop_new();
    struct ear in_a = {.wants = 0}, in_b = {.wants = 0}, other = {.wants = 0};

    (void)state;
    assert_int_equal(signal_watch(&in_a.watch, a, SIGUSR1, on_signal), 0);
    assert_int_equal(signal_watch(&in_b.watch, b, SIGUSR1, on_signal), 0);
    assert_int_equal(signal_watch(&other.watch, b, SIGUSR2, on_signal), 0);
    for (int i = 0; i < 3; i++)
        raise(SIGUSR1);
    raise(SIGUSR2);
    loop_once(a, 1000);
    loop_once(b, 1000);
    assert_int_equal(in_a.heard, 3);
    assert_int_equal(in_b.heard, 3);
    assert_int_equal(other.heard, 1);
    loop_free(a);
    loop_free(b);
}

static struct ear second;

static void
on_first(struct signal_watch *w, int signo)
{
    struct ear *ear = container_of(w, struct ear, watch);

    (void)signo;
    ear->heard++;
    signal_unwatch(&second.watch);
    signal_unwatch(w);
}

static void
a_watch_may_remove_itself_and_the_next_in_its_call(void **state)
{
    struct loop *loop = loop_new();
    struct ear first = {.wants = 0};
    int before = fd_count();

    (void)state;
    second.heard = 0;
    assert_int_equal(signal_watch(&first.watch, loop, SIGUSR1, on_first), 0);
    assert_int_equal(signal_watch(&second.watch, loop, SIGUSR1, on_signal), 0);
    raise(SIGUSR1);
    loop_once(loop, 1000);
    assert_int_equal(first.heard, 1);
    assert_int_equal(second.heard, 0);
    assert_int_equal(fd_count(), before);
    loop_free(loop);
}

static int own_handler_ran;

static void
own_handler(int signo)
{
    (void)signo;
    own_handler_ran++;
}

static void
the_last_watch_puts_the_handler_of_before_back(void **state)
{
    struct loop *loop = loop_new();
    struct ear ear = {.wants = 0};

    (void)state;
    signal(SIGUSR1, own_handler);
    assert_int_equal(signal_watch(&ear.watch, loop, SIGUSR1, on_signal), 0);
    raise(SIGUSR1);
    assert_int_equal(own_handler_ran, 0);
    signal_unwatch(&ear.watch);
    raise(SIGUSR1);
    assert_int_equal(own_handler_ran, 1);
    signal(SIGUSR1, SIG_DFL);
    loop_free(loop);
}

static void
what_cannot_be_caught_is_refused(void **state)
{
    struct loop *loop = loop_new();
    struct ear ear = {.wants = 0};
    int before = fd_count();

    (void)state;
    assert_int_equal(signal_watch(&ear.watch, loop, 0, on_signal), -EINVAL);
    assert_int_equal(signal_watch(&ear.watch, loop, NSIG, on_signal), -EINVAL);
    assert_int_equal(signal_watch(&ear.watch, loop, SIGKILL, on_signal), -EINVAL);
    assert_int_equal(fd_count(), before);
    loop_free(loop);
}

static void
more_loops_than_there_are_places_for_are_refused(void **state)
{
    struct loop *loops[SIGNALS_LOOPS + 1];
    struct ear ears[SIGNALS_LOOPS + 1];

    (void)state;
    for (unsigned i = 0; i <= SIGNALS_LOOPS; i++) {
        loops[i] = loop_new();
        ears[i] = (struct ear){.wants = 0};
        assert_int_equal(signal_watch(&ears[i].watch, loops[i], SIGUSR1, on_signal),
                         i < SIGNALS_LOOPS ? 0 : -ENOSPC);
    }
    for (unsigned i = 0; i <= SIGNALS_LOOPS; i++)
        loop_free(loops[i]);
}

#define ROUNDS 200

static void *
listen_in_thread(void *arg)
{
    struct loop *loop = loop_new();
    struct ear ear = {.wants = ROUNDS};
    pthread_barrier_t *ready = arg;

    signal_watch(&ear.watch, loop, SIGUSR1, on_signal);
    pthread_barrier_wait(ready);
    loop_run(loop);
    signal_unwatch(&ear.watch);
    loop_free(loop);
    return (void *)(intptr_t)ear.heard;
}

static void
two_threads_hear_each_signal_that_a_third_raises(void **state)
{
    pthread_t threads[2];
    pthread_barrier_t ready;

    (void)state;
    pthread_barrier_init(&ready, NULL, 3);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, listen_in_thread, &ready);
    pthread_barrier_wait(&ready);
    for (int i = 0; i < ROUNDS; i++)
        raise(SIGUSR1); /* to this thread: handled before the next is raised */
    for (unsigned i = 0; i < 2; i++) {
        void *heard;

        pthread_join(threads[i], &heard);
        assert_int_equal((intptr_t)heard, ROUNDS);
    }
    pthread_barrier_destroy(&ready);
}

static void *
come_and_go(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct loop *loop = loop_new();
        struct ear ear = {.wants = 0};

        signal_watch(&ear.watch, loop, SIGUSR1, on_signal);
        loop_once(loop, 0);
        loop_free(loop);
    }
    __atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void
loops_come_and_go_under_a_storm_of_signals(void **state)
{
    struct loop *loop = loop_new();
    struct ear ear = {.wants = 0};
    int before = fd_count(), over = 0, raised = 0;
    pthread_t thread;

    (void)state;
    assert_int_equal(signal_watch(&ear.watch, loop, SIGUSR1, on_signal), 0);
    pthread_create(&thread, NULL, come_and_go, &over);
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        raise(SIGUSR1);
        raised++;
    }
    pthread_join(thread, NULL);
    loop_once(loop, 1000);
    assert_int_equal(ear.heard, raised);
    signal_unwatch(&ear.watch);
    assert_int_equal(fd_count(), before);
    loop_free(loop);
}

/* Exit code: 0 when all is well in the child. */
static int
in_child(struct loop *loop, struct ear *ear)
{
    sigset_t none;

    loop_after_fork(loop);
    signal_unwatch(&ear->watch); /* nothing: it went with the fork */
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    raise(SIGUSR1); /* as before the first watch: own_handler */
    if (own_handler_ran != 1)
        return 1;
    if (signal_watch(&ear->watch, loop, SIGUSR1, on_signal) < 0)
        return 2;
    raise(SIGUSR1);
    loop_once(loop, 1000);
    return ear->heard == 1 ? 0 : 3;
}

static void
a_child_starts_without_watches_and_does_not_wake_its_parent(void **state)
{
    struct loop *loop = loop_new();
    struct ear ear = {.wants = 0};
    sigset_t all, old;
    int status;
    pid_t pid;

    (void)state;
    own_handler_ran = 0;
    signal(SIGUSR1, own_handler);
    assert_int_equal(signal_watch(&ear.watch, loop, SIGUSR1, on_signal), 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid = fork();
    if (pid == 0)
        _exit(in_child(loop, &ear));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    loop_once(loop, 0);
    assert_int_equal(ear.heard, 0);
    loop_free(loop);
    signal(SIGUSR1, SIG_DFL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_loop_sees_a_signal_and_loses_none),
        cmocka_unit_test(a_watch_may_remove_itself_and_the_next_in_its_call),
        cmocka_unit_test(the_last_watch_puts_the_handler_of_before_back),
        cmocka_unit_test(what_cannot_be_caught_is_refused),
        cmocka_unit_test(more_loops_than_there_are_places_for_are_refused),
        cmocka_unit_test(two_threads_hear_each_signal_that_a_third_raises),
        cmocka_unit_test(loops_come_and_go_under_a_storm_of_signals),
        cmocka_unit_test(a_child_starts_without_watches_and_does_not_wake_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
