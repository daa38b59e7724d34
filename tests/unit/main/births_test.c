/*
 * births_test.c - main starts, introduces, answers PROCESS_START, and says why when it cannot.
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

static void
it_starts_and_everybody_knows_whom_it_must(void **state)
{
    struct scene s = {0};

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    wait_until(scene_routers(&s) == 2);
    assert_true(scene_pid(&s, "controller") > 0);
    assert_int_equal(scene_pid(&s, "discovery"), 0);
    assert_int_equal(scene_children(&s), 3);
    assert_int_equal(s.stage->stored, 1);
    scene_end(&s);
}

static void
a_launch_becomes_ready_and_routers_are_told(void **state)
{
    struct scene s = {0};
    const struct answer *a;

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    a = scene_start(&s, 7, "ready");
    assert_int_equal(a->type, MSG_PROCESS_READY);
    assert_int_equal(a->launch, 7);
    assert_int_equal(a->instance, 1);
    wait_until(scene_prototype(&s));
    assert_int_equal(s.stage->introduced, 2);
    assert_true(scene_pid(&s, "\"toy\" prototype") > 0);
    assert_int_equal(scene_order(&s, ORDER_STATUS)->numbers, 4);
    scene_end(&s);
}

static void
a_launch_that_fails_says_why_and_is_not_tried_again(void **state)
{
    static const struct {
        const char *what;
        const char *why;
    } ways[] = {
        {"fail", "no module named toy"},
        {"exit", "exited with code 3 before it was ready"},
        {"crash", "was killed by signal 9 (SIGKILL) before it was ready"},
    };
    struct scene s = {0};
    int fds;

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    wait_until(scene_children(&s) == 3);
    fds = scene_fds(&s);
    for (uint32_t i = 0; i < 3; i++) {
        const struct answer *a = scene_start(&s, 20 + i, ways[i].what);

        assert_int_equal(a->type, MSG_PROCESS_FAILED);
        assert_int_equal(a->launch, 20 + i);
        assert_true(a->rc < 0);
        if (strstr(a->text, ways[i].why) == NULL)
            fail_msg("\"%s\" does not say: %s", a->text, ways[i].why);
        wait_until(scene_children(&s) == 3);
    }
    wait_until(scene_fds(&s) <= fds);
    assert_int_equal(scene_order(&s, ORDER_STATUS)->numbers, 3);
    scene_end(&s);
}

static void
a_number_is_given_to_one_launch_only(void **state)
{
    struct scene s = {0};
    const struct answer *a;

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    assert_int_equal(scene_start(&s, 7, "ready")->type, MSG_PROCESS_READY);
    a = scene_start(&s, 7, "ready");
    assert_int_equal(a->type, MSG_PROCESS_FAILED);
    assert_int_equal(a->rc, -EEXIST);
    assert_int_equal(scene_start(&s, 0, "ready")->rc, -EINVAL);
    scene_end(&s);
}

static void
one_that_hangs_in_its_setup_can_be_given_up(void **state)
{
    struct scene s = {0};

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    s.stage->launch = 9;
    strcpy(s.stage->what, "hang");
    s.stage->order = ORDER_START;
    wait_until(s.stage->last_instance == 1);
    scene_order(&s, ORDER_STOP);
    wait_until(s.stage->answer.here);
    assert_int_equal(s.stage->answer.type, MSG_PROCESS_FAILED);
    assert_int_equal(s.stage->answer.rc, -ECANCELED);
    wait_until(scene_children(&s) == 3);
    scene_end(&s);
}

static void
a_stopped_launch_drains_and_stays_away(void **state)
{
    struct scene s = {0};
    int fds;

    (void)state;
    scene_begin(&s);
    scene_wait_ready(&s);
    wait_until(scene_children(&s) == 3);
    fds = scene_fds(&s);
    scene_start(&s, 7, "ready");
    scene_order(&s, ORDER_STOP);
    wait_until(scene_children(&s) == 3);
    assert_true(s.stage->prototype_left > 0);
    wait_until(!scene_prototype(&s) && s.stage->gone == 1);
    wait_until(scene_fds(&s) <= fds);
    scene_end(&s);
}

static void
a_core_role_that_refuses_ends_the_start_with_its_words(void **state)
{
    struct scene s = {0};
    char text[2048];

    (void)state;
    scene_prepare(&s);
    s.stage->controller_fails = 1;
    scene_begin(&s);
    scene_word(&s, text, sizeof(text));
    assert_non_null(strstr(text, "the toy controller does not like it here"));
    assert_int_equal(scene_exit_code(&s), 1);
    scene_clear(&s);
}

static void
a_core_role_that_dies_at_once_again_and_again_ends_the_start(void **state)
{
    struct scene s = {0};
    char text[2048];

    (void)state;
    scene_prepare(&s);
    s.stage->router_dies = 1;
    scene_begin(&s);
    scene_word(&s, text, sizeof(text));
    assert_non_null(strstr(text, "does not come up"));
    assert_int_equal(scene_exit_code(&s), 1);
    assert_true(s.stage->starts <= 12);
    scene_clear(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(it_starts_and_everybody_knows_whom_it_must),
        scene_test(a_launch_becomes_ready_and_routers_are_told),
        scene_test(a_launch_that_fails_says_why_and_is_not_tried_again),
        scene_test(a_number_is_given_to_one_launch_only),
        scene_test(one_that_hangs_in_its_setup_can_be_given_up),
        scene_test(a_stopped_launch_drains_and_stays_away),
        scene_test(a_core_role_that_refuses_ends_the_start_with_its_words),
        scene_test(a_core_role_that_dies_at_once_again_and_again_ends_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
