/*
 * deaths_test.c - kills in any order and state, back-off, the two ways to quit, no orphans, no
 * leaks.
 */
#include "toys.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <sys/resource.h>

/* Everybody is there, and knows whom it must. */
static bool
is_whole(const struct scene *s)
{
    return scene_children(s) == 4 && scene_routers(s) == 2 && scene_prototype(s);
}

static void
begin(struct scene *s)
{
    scene_begin(s);
    scene_wait_ready(s);
    assert_int_equal(scene_start(s, 7, "ready")->type, MSG_PROCESS_READY);
    wait_until(is_whole(s));
}

static void
whoever_is_killed_comes_back_and_is_introduced_anew(void **state)
{
    static const char *const titles[] = {"router", "controller", "\"toy\" prototype"};
    struct scene s = {0};
    int fds;

    (void)state;
    begin(&s);
    fds = scene_fds(&s);
    for (int round = 0; round < 9; round++) {
        pid_t victim = scene_pid(&s, titles[round % 3]);

        assert_true(victim > 0);
        assert_int_equal(kill(victim, SIGKILL), 0);
        wait_until(!scene_is_child(&s, victim) && is_whole(&s));
    }
    wait_until(scene_fds(&s) <= fds);
    assert_int_equal(scene_order(&s, ORDER_STATUS)->numbers, 4);
    scene_end(&s);
}

static void
all_may_be_killed_at_once(void **state)
{
    struct scene s = {0};
    int fds;

    (void)state;
    begin(&s);
    fds = scene_fds(&s);
    for (int round = 0; round < 3; round++) {
        pid_t a = scene_pid(&s, "router"), b = scene_pid(&s, "controller");
        pid_t c = scene_pid(&s, "\"toy\" prototype");

        kill(a, SIGKILL);
        kill(b, SIGKILL);
        kill(c, SIGKILL);
        wait_until(!scene_is_child(&s, a) && !scene_is_child(&s, b) && !scene_is_child(&s, c) &&
                   is_whole(&s));
    }
    wait_until(scene_fds(&s) <= fds);
    scene_end(&s);
}

static void
a_launch_that_worked_once_is_tried_again_with_a_new_instance(void **state)
{
    struct scene s = {0};

    (void)state;
    begin(&s);
    kill(scene_pid(&s, "\"toy\" prototype"), SIGKILL);
    wait_until(s.stage->last_instance == 2 && s.stage->introduced == 4);
    wait_until(s.stage->news_ready == 1 && s.stage->gone == 1);
    scene_end(&s);
}

static void
one_that_cannot_come_back_is_reported_and_backs_off(void **state)
{
    struct scene s = {0};
    int64_t since;

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    scene_start(&s, 8, "once");
    since = stage_now_ms();
    kill(scene_pid(&s, "\"toy\" prototype"), SIGKILL);
    wait_until(s.stage->news_failed >= 4);
    assert_true(stage_now_ms() - since >= 100 + 200 + 400);
    scene_order(&s, ORDER_STOP); /* while it waits for its next start, or is in it */
    wait_until(scene_order(&s, ORDER_STATUS)->numbers == 3);
    scene_end(&s);
}

static void
a_router_that_dies_again_and_again_is_not_spun(void **state)
{
    struct scene s = {0};
    int64_t end;

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    s.stage->router_dies = 1;
    s.stage->starts = 0;
    end = stage_now_ms() + 1000;
    kill(scene_pid(&s, "router"), SIGKILL);
    while (stage_now_ms() < end)
        stage_nap();
    assert_true(s.stage->starts >= 2);
    assert_true(s.stage->starts <= 6);
    s.stage->router_dies = 0;
    wait_until(scene_routers(&s) == 2);
    scene_end(&s);
}

static void
without_descriptors_main_waits_and_goes_on(void **state)
{
    struct scene s = {0};
    struct rlimit old, tight;

    (void)state;
    begin(&s);
    assert_int_equal(prlimit(s.main, RLIMIT_NOFILE, NULL, &old), 0);
    tight = old;
    tight.rlim_cur = 5;
    assert_int_equal(prlimit(s.main, RLIMIT_NOFILE, &tight, NULL), 0);
    kill(scene_pid(&s, "router"), SIGKILL);
    wait_until(scene_routers(&s) == 1);
    assert_int_equal(prlimit(s.main, RLIMIT_NOFILE, &old, NULL), 0);
    wait_until(scene_routers(&s) == 2 && scene_children(&s) == 4);
    scene_end(&s);
}

static void
quit_drains_routers_first(void **state)
{
    struct scene s = {0};

    (void)state;
    begin(&s);
    s.stage->drain_ms = 100;
    kill(s.main, SIGQUIT);
    assert_int_equal(scene_exit_code(&s), 0);
    assert_int_equal(s.stage->router_left, 2);
    assert_int_equal(s.stage->prototype_left, 3);
    scene_clear(&s);
}

static void
draining_is_bounded(void **state)
{
    struct scene s = {.settings = {.grace_ms = 200}};

    (void)state;
    begin(&s);
    s.stage->drain_ms = 3600000;
    kill(s.main, SIGQUIT);
    assert_int_equal(scene_exit_code(&s), 0);
    assert_int_equal(s.stage->router_left, 0);
    scene_clear(&s);
}

static void
a_second_term_kills_who_is_deaf(void **state)
{
    struct scene s = {0};
    int64_t since = 0;

    (void)state;
    begin(&s);
    s.stage->deaf = 1;
    since = stage_now_ms();
    kill(s.main, SIGTERM);
    wait_until(scene_children(&s) == 1);
    kill(s.main, SIGTERM);
    assert_int_equal(scene_exit_code(&s), 0);
    assert_true(stage_now_ms() - since < 4000);
    scene_clear(&s);
}

static void
nobody_outlives_main(void **state)
{
    struct scene s = {0};
    pid_t pids[4];

    (void)state;
    begin(&s);
    pids[0] = scene_pid(&s, "router");
    pids[1] = scene_pid(&s, "controller");
    pids[2] = scene_pid(&s, "\"toy\" prototype");
    kill(s.main, SIGKILL);
    assert_int_equal(scene_exit_code(&s), 128 + SIGKILL);
    for (int i = 0; i < 3; i++)
        wait_until(kill(pids[i], 0) < 0 && errno == ESRCH);
    scene_clear(&s);
}

static void
main_may_be_told_to_leave_at_any_moment_of_its_start(void **state)
{
    (void)state;
    for (int wait_us = 0; wait_us < 40000; wait_us += 2000) {
        struct scene s = {0};

        scene_begin(&s);
        usleep((unsigned)wait_us); /* which moment it hits does not matter */
        kill(s.main, SIGQUIT);
        kill(s.main, SIGTERM);
        /* Before it listens to signals, they end it. */
        switch (scene_exit_code(&s)) {
        case 0:
        case 128 + SIGQUIT:
        case 128 + SIGTERM:
            break;
        default:
            fail_msg("main did not leave well");
        }
        scene_clear(&s);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        scene_test(whoever_is_killed_comes_back_and_is_introduced_anew),
        scene_test(all_may_be_killed_at_once),
        scene_test(a_launch_that_worked_once_is_tried_again_with_a_new_instance),
        scene_test(one_that_cannot_come_back_is_reported_and_backs_off),
        scene_test(a_router_that_dies_again_and_again_is_not_spun),
        scene_test(without_descriptors_main_waits_and_goes_on),
        scene_test(quit_drains_routers_first),
        scene_test(draining_is_bounded),
        scene_test(a_second_term_kills_who_is_deaf),
        scene_test(nobody_outlives_main),
        scene_test(main_may_be_told_to_leave_at_any_moment_of_its_start),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
