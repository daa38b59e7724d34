/*
 * json_test.c - the tree: what it keeps, where faults are, numbers, copies.
 *
 * Which texts are accepted at all is corpus_test.c.
 */
#include "conf/json.h"

#include <errno.h>

#include "fixture.h"

static void
members_keep_their_order_and_places(void **state)
{
    struct json *root = tree_of(*state, "{ \"b\" : 1,\n  \"a\": [true, null] }");
    struct json *b = root->first, *a = b->next;

    assert_int_equal(root->n, 2);
    assert_slice_equal(b->name, "b");
    assert_int_equal(b->name_offset, 2);
    assert_int_equal(b->offset, 8);
    assert_slice_equal(a->name, "a");
    assert_int_equal(a->type, JSON_ARRAY);
    assert_int_equal(a->offset, 18);
    assert_ptr_equal(json_at(a, 0), a->first);
    assert_true(json_at(a, 0)->truth);
    assert_int_equal(json_at(a, 1)->type, JSON_NULL);
    assert_null(json_at(a, 2));
    assert_ptr_equal(root->last, a);
}

static void
numbers_keep_their_text(void **state)
{
    struct json *root = tree_of(*state, "[1.0, 1e2, -0, 12.50E-1]");

    assert_slice_equal(json_at(root, 0)->text, "1.0");
    assert_slice_equal(json_at(root, 1)->text, "1e2");
    assert_slice_equal(json_at(root, 2)->text, "-0");
    assert_slice_equal(json_at(root, 3)->text, "12.50E-1");
}

static void
strings_are_decoded(void **state)
{
    struct json *root = tree_of(*state, "[\"\\u00e9\\n\\uD834\\uDD1E\\/\", \"a\\u0000b\"]");

    assert_slice_equal(json_at(root, 0)->text, "\xc3\xa9\n\xf0\x9d\x84\x9e/");
    assert_int_equal(json_at(root, 1)->text.n, 3);
    assert_memory_equal(json_at(root, 1)->text.p, "a\0b", 3);
}

static void
members_are_found_in_objects_only(void **state)
{
    struct json *root = tree_of(*state, "{\"a\":{\"b\":1},\"c\":[2]}");

    assert_non_null(json_get(json_get(root, SLICE("a")), SLICE("b")));
    assert_null(json_get(root, SLICE("b")));
    assert_null(json_get(json_get(root, SLICE("c")), SLICE("0")));
    assert_null(json_at(root, 0));
}

struct misplaced {
    const char *text;
    size_t offset;
    const char *says;
};

static void
a_fault_has_its_place_and_reason(void **state)
{
    static const struct misplaced cases[] = {
        {"", 0, "ends where a value"},
        {"{\"a\":1,\"a\":2}", 7, "twice"},
        {"[1,2", 4, "ends where ',' or ']'"},
        {"[1 2]", 3, "'2' where ',' or ']'"},
        {"{\"a\" 1}", 5, "':'"},
        {"{1:2}", 1, "name of a member"},
        {"[1] /* x", 4, "no end"},
        {"[-01]", 2, "leading zeros"},
        {"[1,123456789012345]", 3, "14 characters"},
        {"[1,1e19]", 3, "2^63"},
        {"\"a\tb\"", 2, "0x09"},
        {"\"ab\\q\"", 3, "escape"},
        {"\"\xff\"", 1, "0xFF"},
        {"\"x\\uD834\"", 2, "surrogate"},
        {"[true false]", 6, "'f'"},
        {"1 1", 2, "end of the text"},
        {"\xef\xbb\xbf[x]", 1, "'x' where a value"},
    };
    struct arena *a = *state;

    for (size_t i = 0; i < array_len(cases); i++) {
        struct br_err err = BR_ERR_NONE;
        struct json *root = NULL;
        size_t offset = 999;

        assert_int_equal(json_parse(a, slice_cstr(cases[i].text), &root, &offset, &err), -EBADMSG);
        assert_null(root);
        assert_int_equal(offset, cases[i].offset);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
    }
}

static void
depth_is_refused_where_it_is_too_much(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 3];
    struct json *root = NULL;
    size_t offset = 0;

    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(json_parse(*state, slice_cstr(text), &root, &offset, NULL), -EBADMSG);
    assert_int_equal(offset, JSON_DEPTH_MAX);
    assert_int_equal(json_depth(tree_of(*state, "[[],{\"a\":[1]}]")), 3);
    assert_int_equal(json_depth(tree_of(*state, "1")), 0);
}

static void
lines_and_columns_count_characters(void **state)
{
    struct slice text = SLICE("{\r\n \"\xc3\xa9\xe2\x82\xac\": x}\n");
    struct json_place place = {0};

    (void)state;
    assert_true(json_locate(text, 0, &place));
    assert_int_equal(place.line, 1);
    assert_int_equal(place.column, 1);
    assert_true(json_locate(text, 12, &place)); /* x */
    assert_int_equal(place.line, 2);
    assert_int_equal(place.column, 7);
    assert_true(json_locate(text, text.n, &place));
    assert_int_equal(place.line, 3);
    assert_int_equal(place.column, 1);
    assert_false(json_locate(text, text.n + 1, &place));
}

static void
a_bom_is_not_counted(void **state)
{
    struct json_place place = {0};

    (void)state;
    assert_true(json_locate(SLICE("\xef\xbb\xbf[x"), 1, &place));
    assert_int_equal(place.column, 2);
}

static void
a_line_that_is_not_utf8_has_no_column(void **state)
{
    struct json_place place = {0};

    (void)state;
    assert_false(json_locate(SLICE("\"\xff\", x"), 4, &place));
    assert_true(json_locate(SLICE("\"\xff\",\n x"), 6, &place));
    assert_int_equal(place.line, 2);
    assert_int_equal(place.column, 2);
}

struct integer_case {
    const char *text;
    int rc;
    int64_t value;
};

static void
integers_are_exact(void **state)
{
    static const struct integer_case cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"-7", 0, -7},
        {"3.0", 0, 3},
        {"1e2", 0, 100},
        {"1.50e1", 0, 15},
        {"100e-2", 0, 1},
        {"0e-999999", 0, 0},
        {"0.0", 0, 0},
        {"9.22337203e18", 0, 9223372030000000000},
        {"-9.2233720e18", 0, -9223372000000000000},
        {"1.5", -EINVAL, 0},
        {"1e-1", -EINVAL, 0},
        {"1e-999999", -EINVAL, 0},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct json *value = tree_of(*state, cases[i].text);
        int64_t number = 0;

        assert_int_equal(json_integer(value, &number), cases[i].rc);
        assert_int_equal(number, cases[i].value);
        assert_int_equal(json_is_integer(value), cases[i].rc == 0);
    }
    assert_int_equal(json_integer(tree_of(*state, "\"1\""), &(int64_t){0}), -EINVAL);
}

/* The edges of int64_t are longer than a parsed number may be; trees we make have them. */
static void
the_largest_integers_survive(void **state)
{
    static const int64_t numbers[] = {INT64_MAX, INT64_MIN, 0, -1};

    for (size_t i = 0; i < array_len(numbers); i++) {
        int64_t number = 1;

        assert_int_equal(json_integer(json_new_int(*state, numbers[i]), &number), 0);
        assert_int_equal(number, numbers[i]);
    }
}

static void
fractions_are_scaled_away_from_zero(void **state)
{
    static const struct integer_case cases[] = {
        {"0", 0, 0},          {"0.1", 0, 100},      {"30", 0, 30000},    {"0.0001", 0, 1},
        {"1e-9999999", 0, 1}, {"1.0001", 0, 1001},  {"-0.0001", 0, -1},  {"-1.5", 0, -1500},
        {"2e3", 0, 2000000},  {"1e18", -ERANGE, 0}, {"1.2345", 0, 1235}, {"0.12345678901", 0, 124},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        int64_t number = 0;

        assert_int_equal(json_scaled(tree_of(*state, cases[i].text), 1000, &number), cases[i].rc);
        assert_int_equal(number, cases[i].value);
    }
    assert_int_equal(json_scaled(tree_of(*state, "true"), 1000, &(int64_t){0}), -EINVAL);
}

static void
types_have_names_for_messages(void **state)
{
    struct json *root = tree_of(*state, "[null,true,1e2,1.5,\"\",[],{}]");

    assert_string_equal(json_type_name(json_at(root, 0)), "a null");
    assert_string_equal(json_type_name(json_at(root, 1)), "a boolean");
    assert_string_equal(json_type_name(json_at(root, 2)), "an integer number");
    assert_string_equal(json_type_name(json_at(root, 3)), "a fractional number");
    assert_string_equal(json_type_name(json_at(root, 4)), "a string");
    assert_string_equal(json_type_name(json_at(root, 5)), "an array");
    assert_string_equal(json_type_name(json_at(root, 6)), "an object");
}

static void
a_copy_is_equal_and_on_its_own(void **state)
{
    struct arena other;
    struct json *root, *copy;

    arena_init(&other, 0);
    root = tree_of(&other, "{\"a\":[1,\"x\",{\"\":null}],\"b\":false}");
    copy = json_copy(*state, root);
    assert_true(json_equal(root, copy));
    assert_int_equal(copy->first->offset, JSON_NOWHERE);
    assert_int_equal(copy->first->name_offset, JSON_NOWHERE);
    arena_done(&other);
    assert_string_equal(text_of(*state, copy), "{\"a\":[1,\"x\",{\"\":null}],\"b\":false}");
}

static void
equality_sees_order_type_and_text(void **state)
{
    static const char *const texts[] = {"1",
                                        "1.0",
                                        "\"1\"",
                                        "true",
                                        "false",
                                        "null",
                                        "[]",
                                        "{}",
                                        "[1]",
                                        "[1,2]",
                                        "[2,1]",
                                        "{\"a\":1}",
                                        "{\"b\":1}",
                                        "{\"a\":2}",
                                        "{\"a\":1,\"b\":2}",
                                        "{\"b\":2,\"a\":1}"};

    for (size_t i = 0; i < array_len(texts); i++) {
        for (size_t k = 0; k < array_len(texts); k++)
            assert_int_equal(json_equal(tree_of(*state, texts[i]), tree_of(*state, texts[k])),
                             i == k);
    }
}

static void
trees_can_be_made(void **state)
{
    struct json *root = json_new(*state, JSON_OBJECT);
    struct json *list = json_add(root, SLICE("list"), json_new(*state, JSON_ARRAY));

    json_push(list, json_new_int(*state, -5));
    json_push(list, json_new_string(*state, SLICE("x\"y")));
    json_add(root, SLICE("on"), json_new_bool(*state, true));
    json_add(root, SLICE("no"), json_new(*state, JSON_NULL));
    assert_string_equal(text_of(*state, root),
                        "{\"list\":[-5,\"x\\\"y\"],\"on\":true,\"no\":null}");
}

static void
memory_has_a_cap(void **state)
{
    struct arena small;
    struct br_err err = BR_ERR_NONE;
    struct json *root = NULL;
    size_t offset;

    arena_init(&small, 1000);
    assert_int_equal(
        json_parse(&small, SLICE("[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]"), &root, &offset, &err),
        -ENOMEM);
    assert_non_null(strstr(err.text, "memory"));
    arena_done(&small);

    root = tree_of(*state, "[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]");
    arena_init(&small, 1000);
    assert_null(json_copy(&small, root));
    arena_done(&small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(members_keep_their_order_and_places),
        arena_test(numbers_keep_their_text),
        arena_test(strings_are_decoded),
        arena_test(members_are_found_in_objects_only),
        arena_test(a_fault_has_its_place_and_reason),
        arena_test(depth_is_refused_where_it_is_too_much),
        arena_test(lines_and_columns_count_characters),
        arena_test(a_bom_is_not_counted),
        arena_test(a_line_that_is_not_utf8_has_no_column),
        arena_test(integers_are_exact),
        arena_test(the_largest_integers_survive),
        arena_test(fractions_are_scaled_away_from_zero),
        arena_test(types_have_names_for_messages),
        arena_test(a_copy_is_equal_and_on_its_own),
        arena_test(equality_sees_order_type_and_text),
        arena_test(trees_can_be_made),
        arena_test(memory_has_a_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
