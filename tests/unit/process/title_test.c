/*
 * title_test.c - what others see in /proc, for short and long titles, and the environment after.
 */
#include "process/title.h"

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

#include "base/fd.h"

static void
shown(char ret_text[4096])
{
    char *text;
    size_t n;

    assert_int_equal(fd_read_path("/proc/self/cmdline", 1 << 20, &text, &n), 0);
    assert_true(n < 4096);
    memcpy(ret_text, text, n + 1);
    free(text);
}

static void
a_short_title_is_the_whole_command_line(void **state)
{
    char text[4096];

    (void)state;
    title_set("b: %d", 7);
    shown(text);
    assert_string_equal(text, "b: 7");
}

static void
a_long_title_reaches_over_the_environment(void **state)
{
    char name[301];
    char text[4096];

    (void)state;
    memset(name, 'x', 300);
    name[300] = '\0';
    title_set("brood: \"%s\" prototype", name);
    shown(text);
    assert_non_null(strstr(text, "brood: \"xxx"));
    assert_true(strlen(text) > 100);
    title_set("brood: main");
    shown(text);
    assert_string_equal(text, "brood: main");
}

static void
the_environment_is_what_it_was(void **state)
{
    (void)state;
    title_set("brood: router");
    assert_string_equal(getenv("TITLE_TEST"), "kept");
    assert_non_null(program_invocation_short_name);
    assert_string_equal(program_invocation_short_name, "process_title_test");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_title_is_the_whole_command_line),
        cmocka_unit_test(a_long_title_reaches_over_the_environment),
        cmocka_unit_test(the_environment_is_what_it_was),
    };
    char room[512];

    /* Once more, with an environment of known content and size. */
    if (getenv("TITLE_TEST") == NULL) {
        memset(room, 'r', sizeof(room) - 1);
        room[sizeof(room) - 1] = '\0';
        setenv("TITLE_TEST", "kept", 1);
        setenv("TITLE_ROOM", room, 1);
        execv("/proc/self/exe", argv);
    }
    (void)argc;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
