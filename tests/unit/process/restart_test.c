/*
 * restart_test.c - policies, and how the wait grows.
 */
#include "process/restart.h"

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

static void
quick_deaths_wait_longer_and_longer(void **state)
{
    static const int64_t waits[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    struct restart_history h = {0};

    (void)state;
    for (size_t i = 0; i < array_len(waits); i++)
        assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 10), waits[i]);
    assert_int_equal(h.total, array_len(waits));
}

static void
a_steady_life_forgives_what_was_before(void **state)
{
    struct restart_history h = {0};

    (void)state;
    for (int i = 0; i < 5; i++)
        restart_after(RESPAWN_ALWAYS, &h, 10);
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, RESTART_STEADY_MS), 0);
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 10), 0);
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 10), 100);
}

static void
who_can_work_does_not_wait_long(void **state)
{
    struct restart_history h = {0};

    (void)state;
    for (int i = 0; i < 8; i++)
        restart_after(RESPAWN_ALWAYS, &h, 10);
    h.was_ready = true;
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 10), 100);
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 10), 100);
    h.was_ready = false;
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 10), 200);
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 10), 400);
}

static void
what_cannot_be_forked_is_tried_again_soon(void **state)
{
    static const int64_t waits[] = {100, 200, 400, 800, 1000, 1000};
    struct restart_history h = {.was_ready = true, .quick = 7};

    (void)state;
    for (size_t i = 0; i < array_len(waits); i++)
        assert_int_equal(restart_in_vain(&h), waits[i]);
    assert_int_equal(h.in_vain, array_len(waits));
    assert_int_equal(h.total, 0);
    assert_int_equal(h.quick, 7);
}

static void
the_wait_never_overflows(void **state)
{
    struct restart_history h = {.quick = UINT32_MAX - 1};

    (void)state;
    assert_int_equal(restart_after(RESPAWN_ALWAYS, &h, 0), RESTART_DELAY_MAX_MS);
}

static void
each_policy_has_its_way(void **state)
{
    struct restart_history h = {0};

    (void)state;
    assert_int_equal(restart_after(RESPAWN_NEVER, &h, 5000), -1);
    assert_int_equal(restart_after(RESPAWN_DETACHED, &h, 5000), -1);
    assert_int_equal(h.total, 0);
    assert_int_equal(restart_after(RESPAWN_ONCE, &h, 5000), 0);
    assert_int_equal(restart_after(RESPAWN_ONCE, &h, 5000), -1);
    assert_int_equal(restart_after(RESPAWN_JUST_SPAWNED, &h, 5000), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_deaths_wait_longer_and_longer),
        cmocka_unit_test(a_steady_life_forgives_what_was_before),
        cmocka_unit_test(who_can_work_does_not_wait_long),
        cmocka_unit_test(what_cannot_be_forked_is_tried_again_soon),
        cmocka_unit_test(the_wait_never_overflows),
        cmocka_unit_test(each_policy_has_its_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
