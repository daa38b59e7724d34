/*
 * lifecycle_test.c - the whole table of moves, asked one by one.
 */
#include "process/lifecycle.h"

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

/* Rows: from; columns: to, in the order of the enum. */
static const char *const allowed[PROC_STATES] = {
    [PROC_REQUESTED] = ".x...x", [PROC_FORKED] = "..xx.x",   [PROC_CREATED] = "...xxx",
    [PROC_READY] = "....xx",     [PROC_DRAINING] = ".....x", [PROC_GONE] = "......",
};

static void
every_move_is_as_the_table_says(void **state)
{
    (void)state;
    for (int from = 0; from < PROC_STATES; from++) {
        for (int to = 0; to < PROC_STATES; to++) {
            struct lifecycle l = {.state = (enum proc_state)from};
            bool may = allowed[from][to] == 'x';

            assert_int_equal(lifecycle_move(&l, (enum proc_state)to, "it"), may ? 0 : -EPROTO);
            assert_int_equal(l.state, may ? to : from);
        }
    }
}

static void
a_move_remembers_where_it_came_from_and_when(void **state)
{
    struct lifecycle l;

    (void)state;
    lifecycle_begin(&l);
    assert_int_equal(l.state, PROC_REQUESTED);
    assert_true(l.since_ms > 0);
    lifecycle_move(&l, PROC_FORKED, "it");
    lifecycle_move(&l, PROC_GONE, "it");
    assert_int_equal(l.was, PROC_FORKED);
}

static void
an_unknown_state_has_a_name_too(void **state)
{
    (void)state;
    assert_string_equal(proc_state_name(PROC_DRAINING), "DRAINING");
    assert_string_equal(proc_state_name(PROC_STATES), "?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_is_as_the_table_says),
        cmocka_unit_test(a_move_remembers_where_it_came_from_and_when),
        cmocka_unit_test(an_unknown_state_has_a_name_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
