/*
 * slice_test.c - comparing, cutting and reading numbers.
 */
#include "base/slice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
equal_means_the_same_bytes(void **state)
{
    (void)state;
    assert_true(slice_eq(SLICE("abc"), slice_make("abcd", 3)));
    assert_false(slice_eq(SLICE("abc"), SLICE("abC")));
    assert_false(slice_eq(SLICE("abc"), SLICE("ab")));
    assert_true(slice_eq(SLICE_NONE, SLICE("")));
}

static bool
same_but_for_case(int a, int b)
{
    bool letters = (a >= 'a' && a <= 'z') || (a >= 'A' && a <= 'Z');

    return a == b || (letters && (a ^ b) == 0x20);
}

static void
case_is_ignored_for_letters_only(void **state)
{
    (void)state;
    /* At each place of texts with and without whole words, all pairs of bytes. */
    for (size_t n = 1; n < 20; n += 6)
        for (size_t at = 0; at < n; at += 3)
            for (int a = 0; a < 256; a++)
                for (int b = 0; b < 256; b++) {
                    char left[20] = "abcdefghijklmnopqrs", right[20] = "ABCDEFGHIJKLMNOPQRS";

                    left[at] = (char)a;
                    right[at] = (char)b;
                    if (slice_ieq(slice_make(left, n), slice_make(right, n)) !=
                        same_but_for_case(a, b))
                        fail_msg("n %zu at %zu: %d %d", n, at, a, b);
                }
    assert_false(slice_ieq(SLICE("ab"), SLICE("abc")));
    assert_true(slice_ieq(SLICE_NONE, SLICE("")));
}

static void
starts_and_ends(void **state)
{
    (void)state;
    assert_true(slice_starts(SLICE("hello"), SLICE("he")));
    assert_true(slice_starts(SLICE("hello"), SLICE_NONE));
    assert_false(slice_starts(SLICE("he"), SLICE("hello")));
    assert_true(slice_ends(SLICE("hello"), SLICE("lo")));
    assert_true(slice_ends(SLICE("hello"), SLICE("")));
    assert_false(slice_ends(SLICE("hello"), SLICE("el")));
    assert_false(slice_ends(SLICE("lo"), SLICE("hello")));
    assert_true(slice_ends(SLICE_NONE, SLICE_NONE));
}

static void
order_is_that_of_bytes_then_length(void **state)
{
    (void)state;
    assert_true(slice_cmp(SLICE("a"), SLICE("b")) < 0);
    assert_true(slice_cmp(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_cmp(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_cmp(SLICE("\xff"), SLICE("a")) > 0);
    assert_true(slice_cmp(SLICE_NONE, SLICE("a")) < 0);
    assert_int_equal(slice_cmp(SLICE("ab"), SLICE("ab")), 0);
    assert_int_equal(slice_cmp(SLICE_NONE, SLICE("")), 0);
}

static void
find_sub_and_trim(void **state)
{
    struct slice s = SLICE("a,b,c");

    (void)state;
    assert_int_equal(slice_find(s, 0, ','), 1);
    assert_int_equal(slice_find(s, 2, ','), 3);
    assert_int_equal(slice_find(s, 4, ','), 5);
    assert_int_equal(slice_find(s, 99, ','), 5);
    assert_int_equal(slice_find(SLICE_NONE, 0, ','), 0);
    assert_true(slice_eq(slice_sub(s, 2, 3), SLICE("b")));
    assert_true(slice_eq(slice_sub(s, 2, 99), SLICE("b,c")));
    assert_int_equal(slice_sub(s, 4, 2).n, 0);
    assert_int_equal(slice_sub(s, 99, 99).n, 0);
    assert_int_equal(slice_sub(SLICE_NONE, 0, 4).n, 0);
    assert_true(slice_eq(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
    assert_int_equal(slice_trim(SLICE(" \t ")).n, 0);
    assert_true(slice_eq(slice_trim(SLICE("\na\r")), SLICE("\na\r")));
}

static void
split_into(const char *text, const char *const *expect, size_t n)
{
    struct slice rest = slice_cstr(text), piece;

    for (size_t i = 0; i < n; i++) {
        assert_true(slice_split(&rest, ',', &piece));
        assert_true(slice_eq(piece, slice_cstr(expect[i])));
    }
    assert_false(slice_split(&rest, ',', &piece));
    assert_false(slice_split(&rest, ',', &piece));
}

static void
split_yields_every_piece(void **state)
{
    (void)state;
    split_into("a,,b", (const char *[]){"a", "", "b"}, 3);
    split_into("", (const char *[]){""}, 1);
    split_into(",", (const char *[]){"", ""}, 2);
    split_into("abc", (const char *[]){"abc"}, 1);
    split_into("a,", (const char *[]){"a", ""}, 2);
}

static void
decimal_numbers(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_int_equal(slice_u64(SLICE("0"), &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(slice_u64(SLICE("00042"), &v), 0);
    assert_int_equal(v, 42);
    assert_int_equal(slice_u64(SLICE("18446744073709551615"), &v), 0);
    assert_true(v == UINT64_MAX);
    v = 7;
    assert_int_equal(slice_u64(SLICE("18446744073709551616"), &v), -ERANGE);
    assert_int_equal(slice_u64(SLICE("99999999999999999999999"), &v), -ERANGE);
    assert_int_equal(slice_u64(SLICE("99999999999999999999999x"), &v), -EINVAL);
    assert_int_equal(slice_u64(SLICE(""), &v), -EINVAL);
    assert_int_equal(slice_u64(SLICE("+1"), &v), -EINVAL);
    assert_int_equal(slice_u64(SLICE(" 1"), &v), -EINVAL);
    assert_int_equal(slice_u64(SLICE("1 "), &v), -EINVAL);
    assert_int_equal(slice_u64(SLICE("a"), &v), -EINVAL);
    assert_int_equal(v, 7);
}

static void
hexadecimal_numbers(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_int_equal(slice_hex64(SLICE("dEadBeef"), &v), 0);
    assert_int_equal(v, 0xdeadbeef);
    assert_int_equal(slice_hex64(SLICE("000000000ffffffffffffffff"), &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(slice_hex64(SLICE("10000000000000000"), &v), -ERANGE);
    assert_int_equal(slice_hex64(SLICE("0x1"), &v), -EINVAL);
    assert_int_equal(slice_hex64(SLICE("g"), &v), -EINVAL);
    assert_int_equal(slice_hex64(SLICE_NONE, &v), -EINVAL);
}

static void
hex_digits(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[2] = {(char)c, '\0'};
        char *end;
        long expect = strtol(text, &end, 16);
        bool is_digit = c != 0 && *end == '\0' && end != text;

        assert_int_equal(hex_value((char)c), is_digit ? expect : -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_means_the_same_bytes),
        cmocka_unit_test(case_is_ignored_for_letters_only),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(order_is_that_of_bytes_then_length),
        cmocka_unit_test(find_sub_and_trim),
        cmocka_unit_test(split_yields_every_piece),
        cmocka_unit_test(decimal_numbers),
        cmocka_unit_test(hexadecimal_numbers),
        cmocka_unit_test(hex_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
