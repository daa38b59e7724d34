/*
 * module_test.c - which language module does a `type` mean?
 */
#include "conf/module.h"

#include "fixture.h"

static void
types_are_split(void **state)
{
    static const struct {
        const char *type, *language, *version;
    } cases[] = {
        {"python", "python", ""},
        {"python 3", "python", "3"},
        {"python3", "python", "3"},
        {"python 3.11", "python", "3.11"},
        {"php8.2", "php", "8.2"},
        {"python  3", "python", "3"},
        {"wasm-wasi-component", "wasm-wasi-component", ""},
        {"python ", "python", ""},
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct slice language, version;

        assert_true(module_type_split(slice_cstr(cases[i].type), &language, &version));
        assert_slice_equal(language, cases[i].language);
        assert_slice_equal(version, cases[i].version);
    }
}

static void
what_is_no_type_is_not_split(void **state)
{
    static const char *const bad[] = {"",         "3",           " python", "3.11 python",
                                      "python x", "python three"};
    struct slice language, version;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        assert_false(module_type_split(slice_cstr(bad[i]), &language, &version));
}

static void
the_highest_version_that_fits_is_found(void **state)
{
    static const struct conf_module list[] = {
        {SLICE("python"), SLICE("3.9.2"), SLICE("a")},
        {SLICE("python"), SLICE("3.11.4"), SLICE("b")},
        {SLICE("python"), SLICE("3.1.4"), SLICE("c")},
        {SLICE("python"), SLICE("2.7"), SLICE("d")},
        {SLICE("php"), SLICE("8.2"), SLICE("e")},
        {SLICE("python"), SLICE("3.11.4rc1"), SLICE("f")},
    };
    static const struct {
        const char *version, *path;
    } cases[] = {
        {"", "f"},    {"3", "f"},    {"3.1", "c"},     {"3.11", "f"},    {"3.11.4", "f"},
        {"3.9", "a"}, {"2", "d"},    {"2.7", "d"},     {"3.", "f"},      {"3.11.4rc1", "f"},
        {"4", NULL},  {"3.2", NULL}, {"3.11.5", NULL}, {"3.9.20", NULL},
    };
    struct conf_modules modules = {list, array_len(list)};

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        const struct conf_module *m =
            module_find(&modules, SLICE("python"), slice_cstr(cases[i].version));

        if (cases[i].path == NULL) {
            assert_null(m);
            continue;
        }
        assert_non_null(m);
        assert_slice_equal(m->path, cases[i].path);
    }
    assert_null(module_find(&modules, SLICE("ruby"), SLICE("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_split),
        cmocka_unit_test(what_is_no_type_is_not_split),
        cmocka_unit_test(the_highest_version_that_fits_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
