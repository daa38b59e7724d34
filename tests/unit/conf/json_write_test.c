/*
 * json_write_test.c - the control API's layout, byte by byte.
 */
#include "conf/json_write.h"

#include <errno.h>

#include "fixture.h"

static const char *
pretty(struct arena *a, const char *text)
{
    struct buf b;
    const char *out;

    buf_init(&b, SIZE_MAX);
    assert_int_equal(json_write(&b, tree_of(a, text)), 0);
    out = arena_cstr(a, buf_slice(&b));
    buf_done(&b);
    return out;
}

static void
the_example_of_the_specification(void **state)
{
    assert_string_equal(pretty(*state,
                               "{\"listeners\":{\"*:8080\":{\"pass\":\"routes\"}},\"routes\":[],"
                               "\"applications\":{}}"),
                        "{\r\n\t\"listeners\": {\r\n\t\t\"*:8080\": {\r\n\t\t\t\"pass\": "
                        "\"routes\"\r\n\t\t}\r\n\t},"
                        "\r\n\r\n\t\"routes\": [],\r\n\t\"applications\": {}\r\n}\r\n");
}

static void
scalars_and_empty_containers_are_one_line(void **state)
{
    assert_string_equal(pretty(*state, "404"), "404\r\n");
    assert_string_equal(pretty(*state, "null"), "null\r\n");
    assert_string_equal(pretty(*state, "true"), "true\r\n");
    assert_string_equal(pretty(*state, "\"x\""), "\"x\"\r\n");
    assert_string_equal(pretty(*state, "{}"), "{}\r\n");
    assert_string_equal(pretty(*state, "[ ]"), "[]\r\n");
}

static void
arrays_have_no_blank_lines(void **state)
{
    assert_string_equal(pretty(*state, "[[1],{\"a\":2},3]"),
                        "[\r\n\t[\r\n\t\t1\r\n\t],\r\n\t{\r\n\t\t\"a\": 2\r\n\t},\r\n\t3\r\n]\r\n");
}

static void
the_last_member_has_no_blank_line(void **state)
{
    assert_string_equal(pretty(*state, "{\"a\":{\"b\":1}}"),
                        "{\r\n\t\"a\": {\r\n\t\t\"b\": 1\r\n\t}\r\n}\r\n");
}

static void
only_what_must_be_is_escaped(void **state)
{
    assert_string_equal(
        text_of(*state, tree_of(*state, "\"\\\\ \\\" \\n \\r \\t \\b \\f \\/ \\u00e9 \\u0001 "
                                        "\\u001f \\u007f\"")),
        "\"\\\\ \\\" \\n \\r \\t \\b \\f / \xc3\xa9 \\u0001 \\u001F \x7f\"");
}

static void
a_nul_is_escaped(void **state)
{
    assert_string_equal(text_of(*state, tree_of(*state, "{\"\\u0000\":\"a\\u0000b\"}")),
                        "{\"\\u0000\":\"a\\u0000b\"}");
}

static void
numbers_print_as_written(void **state)
{
    assert_string_equal(text_of(*state, tree_of(*state, "[1.0, 1e2, -0, 0.50]")),
                        "[1.0,1e2,-0,0.50]");
}

static void
a_full_buffer_is_reported(void **state)
{
    struct buf b;

    buf_init(&b, 8);
    assert_int_equal(json_write_compact(&b, tree_of(*state, "[1,2,3,4,5,6]")), -EMSGSIZE);
    buf_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(the_example_of_the_specification),
        arena_test(scalars_and_empty_containers_are_one_line),
        arena_test(arrays_have_no_blank_lines),
        arena_test(the_last_member_has_no_blank_line),
        arena_test(only_what_must_be_is_escaped),
        arena_test(a_nul_is_escaped),
        arena_test(numbers_print_as_written),
        arena_test(a_full_buffer_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
