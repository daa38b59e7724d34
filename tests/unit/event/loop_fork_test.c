/*
 * loop_fork_test.c - a child that inherits a loop, in the middle of a callback or not.
 *
 * A child checks with check(), which ends it with the line number; the parent expects 0.
 */
#include "event/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

#define check(is_true)                                                    \
    do {                                                                  \
        if (!(is_true)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #is_true); \
            _exit(1);                                                     \
        }                                                                 \
    } while (0)

static void
expect_success(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int rung;

static void
on_bell(struct watch *w, br_unused uint32_t events)
{
    eventfd_t value;

    rung++;
    eventfd_read(w->fd, &value);
}

static int
bell(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void
on_nothing(br_unused struct timer *t)
{
    rung += 1000;
}

static void
no_signal(br_unused void *arg, br_unused const struct signalfd_siginfo *info)
{
    rung += 1000;
}

static bool
no_hook(br_unused void *arg)
{
    rung += 1000;
    return true;
}

static void
the_child_has_an_empty_loop_and_the_parent_keeps_its_own(void **state)
{
    struct loop *loop = loop_new();
    struct watch w;
    struct timer t;
    int fd = bell();
    pid_t pid;

    (void)state;
    rung = 0;
    timer_init(&t, on_nothing);
    loop_timer(loop, &t, 0);
    assert_int_equal(loop_add(loop, &w, fd, EPOLLIN, on_bell), 0);
    loop_set_hooks(loop, &(struct loop_hooks){.before_wait = no_hook});
    assert_int_equal(eventfd_write(fd, 1), 0);

    pid = fork();
    if (pid == 0) {
        loop_after_fork(loop);
        check(!timer_is_set(&t));
        check(loop_once(loop, 0) == 0);
        check(rung == 0);
        loop_free(loop);
        _exit(0);
    }
    expect_success(pid);
    loop_set_hooks(loop, &(struct loop_hooks){0});
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(rung, 1001);
    loop_del(loop, &w);
    loop_free(loop);
    close(fd);
}

static void
the_child_can_fill_its_loop_again_without_the_parent_noticing(void **state)
{
    struct loop *loop = loop_new();
    struct watch w;
    int fd = bell();
    pid_t pid;

    (void)state;
    rung = 0;
    assert_int_equal(loop_add(loop, &w, fd, EPOLLIN, on_bell), 0);
    pid = fork();
    if (pid == 0) {
        struct watch own;

        loop_after_fork(loop);
        check(loop_add(loop, &own, fd, EPOLLIN, on_bell) == 0);
        /* A late removal of the inherited watch is not one of the child's own. */
        loop_del(loop, &w);
        check(w.fd == -1);
        check(eventfd_write(fd, 1) == 0);
        check(loop_once(loop, 0) == 0);
        check(rung == 1);
        loop_del(loop, &own);
        loop_free(loop);
        _exit(0);
    }
    expect_success(pid);
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(loop_once(loop, 0), 0);
    assert_int_equal(rung, 1);
    loop_del(loop, &w);
    loop_free(loop);
    close(fd);
}

static void
the_child_holds_none_of_the_loop_s_descriptors(void **state)
{
    int before = fd_count();
    struct loop *loop = loop_new();
    struct child kid;
    sigset_t set, mask;
    pid_t pid, idle;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    assert_int_equal(loop_signals(loop, &set, no_signal, NULL), 0);
    idle = fork();
    if (idle == 0) {
        pause();
        _exit(0);
    }
    assert_int_equal(loop_child(loop, &kid, idle, (int)syscall(SYS_pidfd_open, idle, 0), NULL), 0);

    pid = fork();
    if (pid == 0) {
        loop_after_fork(loop);
        check(fd_count() == before);
        sigprocmask(SIG_SETMASK, NULL, &mask);
        check(!sigismember(&mask, SIGUSR1));
        /* Of what was the parent's, nothing is closed a second time. */
        check(dup(STDERR_FILENO) >= 0);
        loop_child_forget(&kid);
        check(fd_count() == before + 1);
        loop_free(loop);
        _exit(0);
    }
    expect_success(pid);
    loop_child_forget(&kid);
    loop_free(loop);
    assert_int_equal(fd_count(), before);
    kill(idle, SIGKILL);
    waitpid(idle, NULL, 0);
}

static struct loop *inherited;
static struct watch forking[3];
static int child_status_fd;

/* The first to be delivered forks; the child runs its own loop right here, as roles do. */
static void
on_fork(struct watch *w, br_unused uint32_t events)
{
    static bool forked;
    int fd = w->fd;
    struct watch own;

    rung++;
    if (forked)
        return;
    forked = true;
    if (fork() != 0)
        return;
    loop_after_fork(inherited);
    check(loop_add(inherited, &own, fd, EPOLLIN, on_bell) == 0);
    check(loop_once(inherited, 0) == 0);
    check(rung == 2);
    loop_del(inherited, &own);
    check(eventfd_write(child_status_fd, 1) == 0);
    /* Back into the parent's delivery, which must find nothing. */
}

static void
a_fork_inside_a_callback_delivers_nothing_twice(void **state)
{
    pid_t parent = getpid();
    int fds[3], status;
    eventfd_t value;

    (void)state;
    inherited = loop_new();
    child_status_fd = bell();
    rung = 0;
    for (int i = 0; i < 3; i++) {
        fds[i] = bell();
        assert_int_equal(eventfd_write(fds[i], 1), 0);
        assert_int_equal(loop_add(inherited, &forking[i], fds[i], EPOLLIN, on_fork), 0);
    }
    loop_free_later(inherited, free, malloc(10));
    assert_int_equal(loop_once(inherited, 0), 0);
    if (getpid() != parent) {
        check(rung == 2);
        _exit(0);
    }
    assert_int_equal(rung, 3);
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
    assert_int_equal(eventfd_read(child_status_fd, &value), 0);
    for (int i = 0; i < 3; i++) {
        loop_del(inherited, &forking[i]);
        close(fds[i]);
    }
    close(child_status_fd);
    loop_free(inherited);
}

static void
on_timer_fork(br_unused struct timer *t)
{
    rung++;
    if (fork() == 0) {
        loop_after_fork(inherited);
        rung += 100;
    }
}

static void
a_fork_inside_a_timer_fires_nothing_twice(void **state)
{
    pid_t parent = getpid();
    struct timer first, second;
    int status;

    (void)state;
    inherited = loop_new();
    rung = 0;
    timer_init(&first, on_timer_fork);
    timer_init(&second, on_nothing);
    loop_timer(inherited, &first, -1);
    loop_timer(inherited, &second, 0);
    assert_int_equal(loop_once(inherited, 0), 0);
    if (getpid() != parent)
        _exit(rung == 101 ? 0 : 1);
    assert_int_equal(rung, 1001);
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
    loop_free(inherited);
}

static void
generations_of_forks_each_have_a_loop(void **state)
{
    struct loop *loop = loop_new();
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        for (int depth = 0; depth < 5; depth++) {
            struct watch w;
            int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
            int status;

            loop_after_fork(loop);
            rung = 0;
            check(loop_add(loop, &w, fd, EPOLLIN, on_bell) == 0);
            check(loop_once(loop, 0) == 0);
            check(rung == 1);
            pid = fork();
            if (pid != 0) {
                check(waitpid(pid, &status, 0) == pid && status == 0);
                _exit(0);
            }
            close(fd);
        }
        _exit(0);
    }
    expect_success(pid);
    loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_has_an_empty_loop_and_the_parent_keeps_its_own),
        cmocka_unit_test(the_child_can_fill_its_loop_again_without_the_parent_noticing),
        cmocka_unit_test(the_child_holds_none_of_the_loop_s_descriptors),
        cmocka_unit_test(a_fork_inside_a_callback_delivers_nothing_twice),
        cmocka_unit_test(a_fork_inside_a_timer_fires_nothing_twice),
        cmocka_unit_test(generations_of_forks_each_have_a_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
