/*
 * api_test.c - the table of resources: which path and method reach a handler, and what the others
 * get.
 */
#include "controller/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;

static const struct api_resource *
find(const char *target, enum req_method method, const char **ret_other)
{
    struct json_path path;

    assert_int_equal(json_path_split(&arena, slice_cstr(target), &path), 0);
    return api_find(path, method, ret_other);
}

static const char *
path_of(const char *target, enum req_method method)
{
    const char *other;
    const struct api_resource *row = find(target, method, &other);

    return row == NULL ? NULL : row->path;
}

static const char *
refusal(const char *target, enum req_method method)
{
    const char *other;

    assert_null(find(target, method, &other));
    return other;
}

static void
every_resource_is_found(void **state)
{
    (void)state;
    assert_string_equal(path_of("/", METHOD_GET), "/");
    assert_string_equal(path_of("/config", METHOD_GET), "/config/**");
    assert_string_equal(path_of("/config/", METHOD_PUT), "/config/**");
    assert_string_equal(path_of("/config/routes/0", METHOD_DELETE), "/config/**");
    assert_string_equal(path_of("//config/./listeners", METHOD_POST), "/config/**");
    assert_string_equal(path_of("/status/requests/total?x", METHOD_GET), "/status/**");
    assert_string_equal(path_of("/certificates", METHOD_GET), "/certificates");
    assert_string_equal(path_of("/certificates/a/chain", METHOD_GET), "/certificates/**");
    assert_string_equal(path_of("/certificates/a", METHOD_PUT), "/certificates/**");
}

static void
an_application_is_restarted_by_get_and_post_whatever_its_name(void **state)
{
    static const char restart[] = "/control/applications/*/restart";

    (void)state;
    assert_string_equal(path_of("/control/applications/a/restart", METHOD_GET), restart);
    assert_string_equal(path_of("/control/applications/a%2Fb/restart", METHOD_POST), restart);
    assert_string_equal(refusal("/control/applications/a/restart", METHOD_PUT),
                        "Method isn't allowed.");
    assert_null(refusal("/control/applications/a/b/restart", METHOD_GET));
    assert_null(refusal("/control/applications/a", METHOD_GET));
    assert_null(refusal("/control", METHOD_GET));
}

static void
other_methods_get_the_title_of_their_resource(void **state)
{
    (void)state;
    assert_string_equal(refusal("/", METHOD_PUT), "Invalid method.");
    assert_string_equal(refusal("/status", METHOD_DELETE), "Invalid method.");
    assert_string_equal(refusal("/certificates", METHOD_POST), "Invalid method.");
    assert_string_equal(refusal("/config", METHOD_HEAD), "Method isn't allowed.");
    assert_string_equal(refusal("/config/routes", METHOD_OTHER), "Method isn't allowed.");
}

static void
what_is_not_there_has_no_title(void **state)
{
    (void)state;
    assert_null(refusal("/configs", METHOD_GET));
    assert_null(refusal("/js_modules", METHOD_GET));
    assert_null(refusal("/x/config", METHOD_PUT));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_resource_is_found),
        cmocka_unit_test(an_application_is_restarted_by_get_and_post_whatever_its_name),
        cmocka_unit_test(other_methods_get_the_title_of_their_resource),
        cmocka_unit_test(what_is_not_there_has_no_title),
    };
    int rc;

    arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_done(&arena);
    return rc;
}
