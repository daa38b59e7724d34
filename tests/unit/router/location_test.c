/*
 * location_test.c - percent-encoding for Location fields.
 */
#include "router/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
assert_text(struct slice got, const char *want)
{
    if (!slice_eq(got, slice_cstr(want)))
        fail_msg("\"" SLICE_FMT "\", not \"%s\"", SLICE_ARG(got), want);
}

static void
text_is_encoded_unless_it_is_already(void **state br_unused)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"/a/b?c=d#e", "/a/b?c=d#e"},
        {"https://[::1]:8/x;y=z,@!$&'()*+", "https://[::1]:8/x;y=z,@!$&'()*+"},
        {"/a b", "/a%20b"},
        {"/a%20b", "/a%20b"},
        {"/a%20b c", "/a%20b%20c"},
        {"/100%", "/100%25"},
        {"/100%zz%20", "/100%25zz%2520"},
        {"/%2", "/%252"},
        {"/\xc3\xa4", "/%C3%A4"},
        {"/a\r\nSet-Cookie: x=y", "/a%0D%0ASet-Cookie:%20x=y"},
        {"/\"<>\\^`{|}\x7f", "/%22%3C%3E%5C%5E%60%7B%7C%7D%7F"},
    };
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < array_len(rows); i++)
        assert_text(location_of_text(&a, slice_cstr(rows[i][0])), rows[i][1]);
    assert_text(location_of_text(&a, slice_make("/a\0b", 4)), "/a%00b");
    arena_done(&a);
}

static void
a_directory_gets_its_slash_and_keeps_its_query(void **state br_unused)
{
    struct arena a;

    arena_init(&a, 0);
    assert_text(location_of_directory(&a, SLICE("/a b"), SLICE(""), false), "/a%20b/");
    assert_text(location_of_directory(&a, SLICE("/a"), SLICE("x=%20&y"), true), "/a/?x=%20&y");
    assert_text(location_of_directory(&a, SLICE("/a"), SLICE(""), true), "/a/?");
    assert_text(location_of_directory(&a, SLICE("/a?b#c%41"), SLICE(""), false),
                "/a%3Fb%23c%2541/");
    arena_done(&a);
}

static void
a_full_arena_gives_nothing(void **state br_unused)
{
    struct arena a;

    arena_init(&a, 16);
    assert_int_equal(location_of_text(&a, SLICE("/a/longer/text/than/that")).n, 0);
    assert_int_equal(location_of_directory(&a, SLICE("/a/b/c/d/e/f"), SLICE(""), false).n, 0);
    arena_done(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_encoded_unless_it_is_already),
        cmocka_unit_test(a_directory_gets_its_slash_and_keeps_its_query),
        cmocka_unit_test(a_full_arena_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
