/*
 * loop_child_test.c - children are reaped once, told once, and leave no descriptor.
 */
#include "event/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

struct kid {
    struct child child;
    struct loop *loop;
    int told;
    int status;
};

static int alive;

static void
on_death(struct child *c, int status)
{
    struct kid *k = container_of(c, struct kid, child);

    k->told++;
    k->status = status;
    assert_int_equal(c->pidfd, -1);
    if (--alive == 0)
        loop_stop(k->loop);
}

/* A child that does what body says. */
static void
start(struct kid *k, struct loop *loop, void (*body)(int arg), int arg)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        loop_after_fork(loop);
        body(arg);
        _exit(99);
    }
    *k = (struct kid){.loop = loop};
    assert_int_equal(
        loop_child(loop, &k->child, pid, (int)syscall(SYS_pidfd_open, pid, 0), on_death), 0);
    alive++;
}

static void
leave(int code)
{
    _exit(code);
}

static void
die_of(int number)
{
    struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    signal(number, SIG_DFL);
    raise(number);
}

static void
wait_for_ever(br_unused int arg)
{
    for (;;)
        pause();
}

static void
two_hundred_children_are_reaped_and_no_descriptor_is_left(void **state)
{
    enum { KIDS = 200 };
    static struct kid kids[KIDS];
    int before = fd_count();
    struct loop *loop = loop_new();

    (void)state;
    for (int i = 0; i < KIDS; i++)
        start(&kids[i], loop, leave, i);
    assert_int_equal(loop_run(loop), 0);
    for (int i = 0; i < KIDS; i++) {
        assert_int_equal(kids[i].told, 1);
        assert_true(WIFEXITED(kids[i].status));
        assert_int_equal(WEXITSTATUS(kids[i].status), i);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    loop_free(loop);
    assert_int_equal(fd_count(), before);
}

static void
a_signal_is_told_as_waitpid_would(void **state)
{
    struct loop *loop = loop_new();
    struct kid killed, terminated;

    (void)state;
    start(&killed, loop, wait_for_ever, 0);
    start(&terminated, loop, die_of, SIGTERM);
    assert_int_equal(kill(killed.child.pid, SIGKILL), 0);
    assert_int_equal(loop_run(loop), 0);
    assert_true(WIFSIGNALED(killed.status));
    assert_int_equal(WTERMSIG(killed.status), SIGKILL);
    assert_int_equal(WTERMSIG(terminated.status), SIGTERM);
    loop_free(loop);
}

static void
a_child_that_somebody_else_reaped_is_told_too(void **state)
{
    struct loop *loop = loop_new();
    struct kid k;

    (void)state;
    start(&k, loop, leave, 3);
    assert_int_equal(waitpid(k.child.pid, NULL, 0), k.child.pid);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(k.told, 1);
    assert_int_equal(WEXITSTATUS(k.status), 255);
    loop_free(loop);
}

static void
a_forgotten_child_is_not_told_and_holds_nothing(void **state)
{
    int before = fd_count();
    struct loop *loop = loop_new();
    struct kid k, zero = {0};
    pid_t pid;

    (void)state;
    start(&k, loop, wait_for_ever, 0);
    pid = k.child.pid;
    loop_child_forget(&k.child);
    loop_child_forget(&k.child);
    loop_child_forget(&zero.child);
    alive = 0;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(k.told, 0);
    loop_free(loop);
    assert_int_equal(fd_count(), before);
}

static void
a_refused_pidfd_is_closed(void **state)
{
    struct loop *loop = loop_new();
    int before = fd_count();
    struct kid k = {.loop = loop};

    (void)state;
    assert_int_equal(loop_child(loop, &k.child, 1, fd_memfd("file", 0), on_death), -EPERM);
    assert_int_equal(fd_count(), before);
    loop_child_forget(&k.child);
    loop_free(loop);
}

static void
a_loop_may_end_before_its_children(void **state)
{
    int before = fd_count();
    struct loop *loop = loop_new();
    struct kid k;
    pid_t pid;

    (void)state;
    start(&k, loop, wait_for_ever, 0);
    pid = k.child.pid;
    loop_free(loop);
    assert_int_equal(fd_count(), before);
    alive = 0;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
free_kid(struct child *c, br_unused int status)
{
    struct kid *k = container_of(c, struct kid, child);

    loop_stop(k->loop);
    free(k);
}

static void
the_object_may_be_freed_when_it_is_told(void **state)
{
    struct loop *loop = loop_new();
    struct kid *k = malloc(sizeof(*k));

    (void)state;
    start(k, loop, leave, 0);
    k->child.fn = free_kid;
    alive = 0;
    assert_int_equal(loop_run(loop), 0);
    loop_free(loop);
}

/* Leaves a child behind, which is dead or about to die. */
static void
leave_an_orphan(br_unused int arg)
{
    pid_t pid = fork();

    _exit(pid < 0 ? 98 : pid == 0 ? 0 : 5);
}

static void
whose_parents_died_are_reaped_and_our_own_are_told(void **state)
{
    enum { KIDS = 50 };
    static struct kid kids[KIDS];
    struct loop *loop = loop_new();
    siginfo_t left = {0};

    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int i = 0; i < KIDS; i++)
        start(&kids[i], loop, leave_an_orphan, 0);
    /* Until there is nobody left, alive or dead. */
    while (waitid(P_ALL, 0, &left, WEXITED | WNOWAIT) == 0)
        loop_reap(loop);
    assert_int_equal(errno, ECHILD);
    for (int i = 0; i < KIDS; i++) {
        assert_int_equal(kids[i].told, 1);
        assert_int_equal(WEXITSTATUS(kids[i].status), 5);
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_children_are_reaped_and_no_descriptor_is_left),
        cmocka_unit_test(a_signal_is_told_as_waitpid_would),
        cmocka_unit_test(a_child_that_somebody_else_reaped_is_told_too),
        cmocka_unit_test(a_forgotten_child_is_not_told_and_holds_nothing),
        cmocka_unit_test(a_refused_pidfd_is_closed),
        cmocka_unit_test(a_loop_may_end_before_its_children),
        cmocka_unit_test(the_object_may_be_freed_when_it_is_told),
        cmocka_unit_test(whose_parents_died_are_reaped_and_our_own_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
