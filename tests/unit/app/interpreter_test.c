/* Which interpreter is meant: by home, by the version in the type, by PATH. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/interpreter.h"

static const struct interpreter snake = {
    .type = "snake",
    .program = "snake3",
    .stem = "snake",
    .guest = "_snake.so",
    .ask = "version",
};

static char root[] = "/tmp/brood-interpreter-XXXXXX";

/* What the card says. */
static const char *home, *type;

static const char *
get(const struct module_setup *s br_unused, const char *key, const char *fallback)
{
    const char *value = strcmp(key, "home") == 0 ? home : strcmp(key, "type") == 0 ? type : NULL;

    return value ? value : fallback;
}

static const struct module_setup setup = {.get = get};

static void
put(const char *path, const char *text)
{
    char name[256];
    FILE *file;

    snprintf(name, sizeof(name), "%s/%s", root, path);
    file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(name, 0755), 0);
}

static const char *
at(const char *path)
{
    static char name[256];

    snprintf(name, sizeof(name), "%s/%s", root, path);
    return name;
}

static void
expect(const char *wanted_home, const char *wanted_type, const char *path)
{
    char found[MODULE_PATH_MAX];
    struct br_err err = BR_ERR_NONE;

    home = wanted_home;
    type = wanted_type;
    if (interpreter_find(&snake, &setup, found, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(found, at(path));
}

static void
expect_none(const char *wanted_home, const char *wanted_type, const char *words)
{
    char found[MODULE_PATH_MAX];
    struct br_err err = BR_ERR_NONE;

    home = wanted_home;
    type = wanted_type;
    assert_int_equal(interpreter_find(&snake, &setup, found, &err), -ENOENT);
    assert_non_null(strstr(err.text, words));
}

static void
the_plain_name_is_the_first_of_path(void **state)
{
    (void)state;
    expect(NULL, "snake", "a/snake3");
    expect(NULL, "snake 3", "a/snake3");
    expect(NULL, "snake3", "a/snake3");
}

static void
a_version_is_part_of_the_name(void **state)
{
    (void)state;
    expect(NULL, "snake 3.9", "b/snake3.9");
    expect(NULL, "snake3.9", "b/snake3.9");
    expect(NULL, "snake 3.9.18", "b/snake3.9");
    expect_none(NULL, "snake 3.8", "snake3.8");
}

static void
a_home_comes_first(void **state)
{
    char other[256], link[256];

    (void)state;
    snprintf(other, sizeof(other), "%s/home", root);
    expect(other, "snake 3.9", "home/bin/snake3");
    snprintf(link, sizeof(link), "%s/plain", root);
    expect(link, "snake", "plain/bin/snake");
    expect_none(root, "snake", "home");
    expect_none("/nonexistent", "snake", "/nonexistent");
}

static void
description_asks_each_version_once(void **state)
{
    struct module_list list = {.n = 0};
    struct br_err err = BR_ERR_NONE;

    (void)state;
    assert_int_equal(interpreter_describe(&snake, root, &list, &err), 0);
    assert_int_equal(list.n, 1); /* b/snake3.9 is a script like those of version managers */
    assert_string_equal(list.version[0].type, "snake");
    assert_string_equal(list.version[0].version, "3.11.2");
    assert_string_equal(list.version[0].interpreter, at("a/snake3"));
    assert_string_equal(list.version[0].lib, at("_snake.so"));
}

static int
make_places(void **state)
{
    static const char *const directories[] = {"a", "b", "home", "home/bin", "plain", "plain/bin"};
    char path[256];

    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    for (unsigned i = 0; i < array_len(directories); i++)
        mkdir(at(directories[i]), 0755);
    put("a/snake3", "#!/bin/sh\necho 3.11.2\n");
    put("b/snake3", "#!/bin/sh\necho 3.1.0\n");
    put("b/snake3.9", "#!/bin/sh\necho 3.9.18\n");
    put("home/bin/snake3", "");
    put("plain/bin/snake", "");
    snprintf(path, sizeof(path), "%s/a:%s/b", root, root);
    return setenv("PATH", path, 1);
}

static int
remove_places(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "/bin/rm -rf %s", root);
    return system(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_name_is_the_first_of_path),
        cmocka_unit_test(a_version_is_part_of_the_name),
        cmocka_unit_test(a_home_comes_first),
        cmocka_unit_test(description_asks_each_version_once),
    };

    return cmocka_run_group_tests(tests, make_places, remove_places);
}
