/*
 * module_load_test.c - what is loaded, and what is refused with which words.
 */
#include "abi/module_load.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void
a_module_is_loaded_by_its_name_and_describes(void **state)
{
    const struct br_module *module = NULL;
    struct module_list list = {.n = 0};

    (void)state;
    assert_int_equal(module_load(MODULES, "good.module.so", &module, NULL), 0);
    assert_string_equal(module->name, "good");
    assert_int_equal(module->describe(MODULES, &list, NULL), 0);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.version[0].version, "2.0");
}

static void
the_directory_of_a_path_is_not_believed(void **state)
{
    const struct br_module *module = NULL;

    (void)state;
    assert_int_equal(module_load(MODULES, "/etc/evil/good.module.so", &module, NULL), 0);
    assert_int_equal(module_load(MODULES, "../good.module.so", &module, NULL), 0);
    assert_int_equal(module_load("/", "good.module.so", &module, NULL), -ENOENT);
    assert_int_equal(module_load(MODULES, "", &module, NULL), -ENOENT);
    assert_int_equal(module_load(MODULES, "dir/", &module, NULL), -ENOENT);
}

static void
what_is_none_of_ours_is_refused_with_its_name(void **state)
{
    static const struct {
        const char *file;
        int rc;
    } others[] = {
        {"old.module.so", -ESTALE}, {"none.module.so", -ENOEXEC}, {"no-such.module.so", -ENOENT}};
    const struct br_module *module = NULL;

    (void)state;
    for (size_t i = 0; i < array_len(others); i++) {
        struct br_err err = BR_ERR_NONE;

        assert_int_equal(module_load(MODULES, others[i].file, &module, &err), others[i].rc);
        assert_non_null(strstr(err.text, others[i].file));
    }
    assert_null(module);
}

static int
note(void *arg, const char *file)
{
    char *names = arg;

    strcat(strcat(names, file), " ");
    return strcmp(file, "none.module.so") == 0 ? 7 : 0;
}

static void
a_directory_is_walked_in_order_until_told_to_stop(void **state)
{
    char names[256] = "";
    struct br_err err = BR_ERR_NONE;

    (void)state;
    assert_int_equal(module_each(MODULES, note, names, NULL), 7);
    assert_string_equal(names, "good.module.so none.module.so ");
    assert_int_equal(module_each("/no/such/dir", note, names, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/no/such/dir"));
}

static void
a_list_has_an_end_and_texts_are_cut(void **state)
{
    struct module_list list = {.n = 0};
    char longer[MODULE_TYPE_MAX * 2];

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    for (int i = 0; i < MODULE_VERSIONS_MAX; i++)
        assert_int_equal(module_list_add(&list, longer, NULL, "", ""), 0);
    assert_int_equal(module_list_add(&list, "a", "1", "", ""), -ENOSPC);
    assert_int_equal(strlen(list.version[0].type), MODULE_TYPE_MAX - 1);
    assert_string_equal(list.version[0].version, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_module_is_loaded_by_its_name_and_describes),
        cmocka_unit_test(the_directory_of_a_path_is_not_believed),
        cmocka_unit_test(what_is_none_of_ours_is_refused_with_its_name),
        cmocka_unit_test(a_directory_is_walked_in_order_until_told_to_stop),
        cmocka_unit_test(a_list_has_an_end_and_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
