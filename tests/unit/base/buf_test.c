/*
 * buf_test.c - growing, the ceiling, and errors that stay until they are looked at.
 */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void
all_ways_of_appending_agree(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(buf_append(&b, "ab", 2), 0);
    assert_int_equal(buf_puts(&b, "cd"), 0);
    assert_int_equal(buf_putc(&b, 'e'), 0);
    assert_int_equal(buf_put(&b, SLICE("fg")), 0);
    assert_int_equal(buf_printf(&b, "%d", 12), 0);
    assert_true(slice_eq(buf_slice(&b), SLICE("abcdefg12")));
    buf_done(&b);
}

static void
the_empty_buffer_takes_nothing_well(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 0);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_int_equal(buf_put(&b, SLICE_NONE), 0);
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    buf_consume(&b, 0);
    assert_int_equal(buf_putc(&b, 'x'), -EMSGSIZE);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

static void
the_ceiling_can_be_reached_but_not_passed(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_putc(&b, 'x'), 0);
    assert_int_equal(b.room, 1000);
    assert_int_equal(buf_putc(&b, 'y'), -EMSGSIZE);
    assert_int_equal(b.n, 1000);
    assert_int_equal(b.p[999], 'x');
    buf_done(&b);
}

static void
an_error_stays_until_cleared(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    assert_int_equal(buf_puts(&b, "12345"), 0);
    assert_int_equal(buf_puts(&b, "6789"), -EMSGSIZE);
    assert_int_equal(buf_putc(&b, '6'), -EMSGSIZE);
    assert_int_equal(buf_printf(&b, "6"), -EMSGSIZE);
    assert_int_equal(b.error, -EMSGSIZE);
    assert_true(slice_eq(buf_slice(&b), SLICE("12345")));
    buf_clear(&b);
    assert_int_equal(b.error, 0);
    assert_int_equal(buf_puts(&b, "12345678"), 0);
    buf_done(&b);
}

static void
printf_fills_the_last_byte(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_printf(&b, "%s", "12345"), 0);
    assert_true(slice_eq(buf_slice(&b), SLICE("12345")));
    buf_clear(&b);
    assert_int_equal(buf_printf(&b, "%s", "123456"), -EMSGSIZE);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

static void
printf_grows_as_needed(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf_printf(&b, "%04d", i), 0);
    assert_int_equal(b.n, 20000);
    assert_memory_equal(b.p + 4 * 1234, "1234", 4);
    assert_memory_equal(b.p + 4 * 4999, "4999", 4);
    assert_int_equal(buf_printf(&b, "%0100000d", 7), 0);
    assert_int_equal(b.n, 120000);
    assert_int_equal(b.p[119999], '7');
    buf_done(&b);
}

static void
consume_drops_from_the_front(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(buf_puts(&b, "hello world"), 0);
    buf_consume(&b, 6);
    assert_true(slice_eq(buf_slice(&b), SLICE("world")));
    buf_consume(&b, 99);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

static void
a_size_near_the_end_of_size_t_is_refused(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_putc(&b, 'x'), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -EMSGSIZE);
    buf_clear(&b);
    assert_int_equal(buf_reserve(&b, SIZE_MAX / 2 + 1), -EMSGSIZE);
    buf_done(&b);
    assert_null(b.p);
    assert_int_equal(buf_putc(&b, 'x'), 0);
    buf_done(&b);
}

static void
reserve_makes_room_to_write_into(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    assert_int_equal(buf_reserve(&b, 3000), 0);
    memset(b.p, 'r', 3000);
    b.n = 3000;
    assert_int_equal(buf_putc(&b, 's'), 0);
    assert_int_equal(b.p[2999], 'r');
    buf_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_of_appending_agree),
        cmocka_unit_test(the_empty_buffer_takes_nothing_well),
        cmocka_unit_test(the_ceiling_can_be_reached_but_not_passed),
        cmocka_unit_test(an_error_stays_until_cleared),
        cmocka_unit_test(printf_fills_the_last_byte),
        cmocka_unit_test(printf_grows_as_needed),
        cmocka_unit_test(consume_drops_from_the_front),
        cmocka_unit_test(a_size_near_the_end_of_size_t_is_refused),
        cmocka_unit_test(reserve_makes_room_to_write_into),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
