/*
 * fields_test.c - finding fields, and the syntax of names, values and lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "http/fields.h"

static const struct field list[] = {
    {{"Host", 4}, {"a", 1}, NAME_HOST},     {{"X-Own", 5}, {"1", 1}, NAME_NONE},
    {{"ACCEPT", 6}, {"b", 1}, NAME_ACCEPT}, {{"accept", 6}, {"c", 1}, NAME_ACCEPT},
    {{"x-own", 5}, {"2", 1}, NAME_NONE},
};

static void
the_first_of_a_name_is_found(br_unused void **state)
{
    size_t n = array_len(list);

    assert_ptr_equal(fields_find(list, n, NAME_ACCEPT), &list[2]);
    assert_null(fields_find(list, n, NAME_COOKIE));
    assert_ptr_equal(fields_get(list, n, SLICE("Accept")), &list[2]);
    assert_ptr_equal(fields_get(list, n, SLICE("X-OWN")), &list[1]);
    assert_null(fields_get(list, n, SLICE("X-Owner")));
    assert_null(fields_get(list, n, SLICE("")));
    assert_null(fields_find(list, 0, NAME_HOST));
}

static void
names_are_tokens(br_unused void **state)
{
    assert_true(field_name_ok(SLICE("a-Z_09!#$%&'*+.^`|~")));
    assert_false(field_name_ok(SLICE("")));
    assert_false(field_name_ok(SLICE("a b")));
    assert_false(field_name_ok(SLICE("a:")));
    assert_false(field_name_ok(SLICE("\xe9")));
    assert_false(field_name_ok(slice_make("a\0b", 3)));
}

static void
values_have_no_controls(br_unused void **state)
{
    assert_true(field_value_ok(SLICE("")));
    assert_true(field_value_ok(SLICE_NONE));
    assert_true(field_value_ok(SLICE("a\tb \xff 0123456789")));
    assert_false(field_value_ok(SLICE("0123456789\n")));
    assert_false(field_value_ok(SLICE("\r")));
    assert_false(field_value_ok(SLICE("\x7f")));
    assert_false(field_value_ok(slice_make("\0", 1)));
}

static void
tokens_of_a_list(br_unused void **state)
{
    assert_true(field_has_token(SLICE("close"), SLICE("close")));
    assert_true(field_has_token(SLICE("a , CLOSE\t,b"), SLICE("close")));
    assert_true(field_has_token(SLICE(",,close"), SLICE("close")));
    assert_false(field_has_token(SLICE("closed"), SLICE("close")));
    assert_false(field_has_token(SLICE("not-close"), SLICE("close")));
    assert_false(field_has_token(SLICE("close x"), SLICE("close")));
    assert_false(field_has_token(SLICE(""), SLICE("close")));
    assert_false(field_has_token(SLICE_NONE, SLICE("close")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_a_name_is_found),
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(values_have_no_controls),
        cmocka_unit_test(tokens_of_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
