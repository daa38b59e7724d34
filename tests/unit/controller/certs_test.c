/*
 * certs_test.c - which bundles a configuration names.
 */
#include "controller/certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/json_path.h"

static bool
in_use(const char *conf, const char *name)
{
    struct arena a;
    struct json *tree;
    size_t offset;
    bool used;

    arena_init(&a, 0);
    assert_int_equal(json_parse(&a, slice_cstr(conf), &tree, &offset, NULL), 0);
    used = certs_in_use(tree, slice_cstr(name));
    arena_done(&a);
    return used;
}

static void
a_listener_may_name_one_or_several(void **state)
{
    const char *one =
        "{\"listeners\": {\"*:80\": {}, \"*:443\": {\"tls\": {\"certificate\": \"a\"}}}}";
    const char *several =
        "{\"listeners\": {\"*:443\": {\"tls\": {\"certificate\": [\"a\", \"b\"]}}}}";

    (void)state;
    assert_true(in_use(one, "a"));
    assert_false(in_use(one, "b"));
    assert_false(in_use(one, "A"));
    assert_true(in_use(several, "a"));
    assert_true(in_use(several, "b"));
    assert_false(in_use(several, "c"));
}

static void
nothing_else_names_a_bundle(void **state)
{
    (void)state;
    assert_false(certs_in_use(NULL, SLICE("a")));
    assert_false(in_use("{}", "a"));
    assert_false(in_use("{\"listeners\": {\"a\": {\"pass\": \"a\"}}}", "a"));
    assert_false(in_use("{\"listeners\": {\"*:443\": {\"tls\": {}}}}", "a"));
    assert_false(in_use("{\"routes\": [{\"tls\": {\"certificate\": \"a\"}}]}", "a"));
}

static void
days_are_counted_down_past_the_end(void **state)
{
    struct bundle_cert cert = {.until_s = 10 * 86400};
    struct bundle bundle = {.key = SLICE("ECDH"), .chain = &cert, .n = 1};
    static const struct {
        int64_t now_s;
        const char *days;
    } rows[] = {{0, "10"}, {1, "9"}, {10 * 86400, "0"}, {10 * 86400 + 1, "-1"}, {12 * 86400, "-2"}};
    struct slice segments[] = {SLICE("chain"), SLICE("0"), SLICE("validity"), SLICE("days_left")};
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < array_len(rows); i++) {
        const struct json *days = json_path_get(certs_describe(&a, &bundle, rows[i].now_s),
                                                (struct json_path){segments, 4});

        assert_non_null(days);
        assert_true(slice_eq(days->text, slice_cstr(rows[i].days)));
    }
    arena_done(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_may_name_one_or_several),
        cmocka_unit_test(nothing_else_names_a_bundle),
        cmocka_unit_test(days_are_counted_down_past_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
