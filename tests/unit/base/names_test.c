/*
 * names_test.c - every known name is found in any case, and nothing else is.
 */
#include "base/names.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static enum field_name
find(const char *text)
{
    return field_name_find(text, strlen(text));
}

static void
each_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (int id = NAME_NONE + 1; id < NAMES; id++) {
        struct slice name = field_names[id];
        char text[64];

        assert_true(name.n < sizeof(text));
        assert_int_equal(field_name_find(name.p, name.n), id);
        for (size_t i = 0; i < name.n; i++)
            text[i] = (char)toupper(name.p[i]);
        assert_int_equal(field_name_find(text, name.n), id);
        for (size_t i = 0; i < name.n; i += 2)
            text[i] = name.p[i];
        assert_int_equal(field_name_find(text, name.n), id);
    }
}

static void
a_name_with_any_byte_changed_is_another(void **state)
{
    (void)state;
    for (int id = NAME_NONE + 1; id < NAMES; id++) {
        struct slice name = field_names[id];
        char text[64];

        memcpy(text, name.p, name.n);
        for (size_t i = 0; i < name.n; i++) {
            for (int c = 0; c < 256; c++) {
                text[i] = (char)c;
                if (tolower(c) == name.p[i])
                    assert_int_equal(field_name_find(text, name.n), id);
                else
                    assert_int_not_equal(field_name_find(text, name.n), id);
            }
            text[i] = name.p[i];
        }
    }
}

static void
cut_and_stretched_names_are_unknown(void **state)
{
    (void)state;
    for (size_t n = 0; n < 13; n++)
        assert_int_equal(field_name_find("cache-control", n), NAME_NONE);
    assert_int_equal(find("cache-control"), NAME_CACHE_CONTROL);
    assert_int_equal(find("cache-control2"), NAME_NONE);
    assert_int_equal(field_name_find(NULL, 0), NAME_NONE);
    assert_int_equal(field_name_find("x", 100000), NAME_NONE);
}

static void
short_names_are_found(void **state)
{
    (void)state;
    assert_int_equal(find("TE"), NAME_TE);
    assert_int_equal(find("Dnt"), NAME_DNT);
    assert_int_equal(find("via"), NAME_VIA);
    assert_int_equal(find("t"), NAME_NONE);
    assert_int_equal(find("ve"), NAME_NONE);
}

static void
nothing_is_read_past_the_name(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n++) {
        char *text = malloc(n); /* so that the sanitizer sees the end */

        memset(text, 'a', n);
        assert_int_equal(field_name_find(text, n), NAME_NONE);
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_is_found_in_any_case),
        cmocka_unit_test(a_name_with_any_byte_changed_is_another),
        cmocka_unit_test(cut_and_stretched_names_are_unknown),
        cmocka_unit_test(short_names_are_found),
        cmocka_unit_test(nothing_is_read_past_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
