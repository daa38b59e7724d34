/*
 * utf8_test.c - every code point, and the sequences that are none.
 */
#include "conf/utf8.h"

#include "fixture.h"

static bool
is_scalar(uint32_t code)
{
    return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* What is written is read with the same length, whole only, and not when it is a surrogate. */
static void
every_code_point_is_judged(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110000 + 1000; code++) {
        char text[4];
        unsigned n = utf8_put(text, code);

        assert_int_equal(utf8_length(text, text + n), is_scalar(code) ? n : 0);
        if (n > 1)
            assert_int_equal(utf8_length(text, text + n - 1), 0);
    }
}

static void
nothing_is_no_character(void **state)
{
    (void)state;
    assert_int_equal(utf8_length("", ""), 0);
}

/* Of all pairs of bytes only 128 x 256 that begin with ASCII and 30 x 64 two-byte forms are right.
 */
static void
two_bytes_are_right_in_one_way(void **state)
{
    unsigned ones = 0, twos = 0;

    (void)state;
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        char text[2] = {(char)(pair >> 8), (char)pair};
        unsigned n = utf8_length(text, text + 2);

        ones += n == 1;
        twos += n == 2;
    }
    assert_int_equal(ones, 128 * 256);
    assert_int_equal(twos, 30 * 64);
}

static void
a_cut_keeps_characters_whole(void **state)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac";

    (void)state;
    assert_int_equal(utf8_cut(text, 6, 6), 6);
    assert_int_equal(utf8_cut(text, 6, 5), 3);
    assert_int_equal(utf8_cut(text, 6, 2), 1);
    assert_int_equal(utf8_cut(text, 6, 0), 0);
    assert_int_equal(utf8_cut("a\xff", 2, 2), 1);
    assert_true(utf8_is_valid(text, 6));
    assert_false(utf8_is_valid(text, 5));
    assert_true(utf8_is_valid("", 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_is_judged),
        cmocka_unit_test(nothing_is_no_character),
        cmocka_unit_test(a_cut_keeps_characters_whole),
        cmocka_unit_test(two_bytes_are_right_in_one_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
