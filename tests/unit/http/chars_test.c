/*
 * chars_test.c - the table of byte classes against each class spelled out, and the fast skipper
 * against the slow one.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/chars.h"

static bool
among(int c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static void
each_byte_is_in_its_classes(br_unused void **state)
{
    for (int c = 0; c < 256; c++) {
        bool ascii = c < 128, alnum = ascii && isalnum(c) != 0, visible = c > 0x20 && c < 0x7f;

        assert_int_equal(char_is((char)c, CHAR_PLAIN), alnum || c == '-');
        assert_int_equal(char_is((char)c, CHAR_TOKEN), alnum || among(c, "!#$%&'*+-.^_`|~"));
        assert_int_equal(char_is((char)c, CHAR_METHOD), (ascii && isupper(c)) || among(c, "_-"));
        assert_int_equal(char_is((char)c, CHAR_TARGET), visible);
        assert_int_equal(char_is((char)c, CHAR_VALUE), c == '\t' || (c >= 0x20 && c != 0x7f));
        assert_int_equal(char_is((char)c, CHAR_HOST), alnum || among(c, "-._~!$&'()*+;="));
        assert_int_equal(char_is((char)c, CHAR_PATH), visible && !among(c, "%/.?#"));
        assert_int_equal(char_is((char)c, CHAR_HEX), ascii && isxdigit(c) != 0);
    }
}

static void
the_fast_skipper_stops_at_the_first_bad_byte(br_unused void **state)
{
    char text[40];

    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < sizeof(text); at++)
            for (size_t other = 0; other < 3; other++) {
                const char *want;

                memset(text, other == 0 ? 'x' : other == 1 ? 0xff : '\t', sizeof(text));
                text[at] = (char)c;
                want = char_is((char)c, CHAR_VALUE) ? text + sizeof(text) : text + at;
                assert_ptr_equal(chars_skip_value(text, text + sizeof(text)), want);
            }
}

static void
the_fast_skipper_agrees_with_the_slow_one(br_unused void **state)
{
    unsigned char text[64];

    srandom(1);
    for (unsigned round = 0; round < 200000; round++) {
        const char *p = (const char *)text, *end = p + random() % 64, *at = p;

        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = (unsigned char)(random() % 4 ? 0x1d + random() % 5 : 0x7d + random() % 5);
        while (at < end && char_is(*at, CHAR_VALUE))
            at++;
        assert_ptr_equal(chars_skip_value(p, end), at);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_is_in_its_classes),
        cmocka_unit_test(the_fast_skipper_stops_at_the_first_bad_byte),
        cmocka_unit_test(the_fast_skipper_agrees_with_the_slow_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
