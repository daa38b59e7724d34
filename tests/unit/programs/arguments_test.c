/*
 * arguments_test.c - both spellings of every option, defaults, and one line for each mistake.
 */
#include "programs/arguments.h"

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

#define WORDS_MAX 16

static struct arguments args;
static struct br_err err;

/* "brood" and the words of the line. */
static int
parse(const char *line)
{
    char copy[1024];
    char *argv[WORDS_MAX] = {copy};
    char *rest;
    int argc = 0;

    snprintf(copy, sizeof(copy), "brood %s", line);
    for (char *w = strtok_r(copy, " ", &rest); w != NULL && argc < WORDS_MAX - 1;
         w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    err = BR_ERR_NONE;
    return arguments_parse(argc, argv, &args, &err);
}

static int
forget(void **state)
{
    (void)state;
    arguments_done(&args);
    return 0;
}

static void
both_spellings_are_the_same(void **state)
{
    (void)state;
    assert_int_equal(parse("--pid /a --log=/b=c --statedir /s --tmpdir=/t --user u --group=g"), 0);
    assert_string_equal(args.settings.pid_path, "/a");
    assert_string_equal(args.settings.log_path, "/b=c");
    assert_string_equal(args.settings.state_dir, "/s");
    assert_string_equal(args.settings.tmp_dir, "/t");
    assert_string_equal(args.settings.user, "u");
    assert_string_equal(args.settings.group, "g");
    assert_string_equal(args.settings.title_args,
                        "brood --pid /a --log=/b=c --statedir /s --tmpdir=/t --user u --group=g");
}

static void
values_are_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("--control-mode 0660 --routers 3 --log-level=debug --no-daemon "
                           "--control 127.0.0.1:8000 --config /c"),
                     0);
    assert_int_equal(args.action, ACTION_RUN);
    assert_int_equal(args.settings.control_mode, 0660);
    assert_int_equal(args.settings.routers, 3);
    assert_int_equal(args.log_level, LOG_DEBUG);
    assert_true(args.settings.foreground);
    assert_string_equal(args.settings.control, "127.0.0.1:8000");
    assert_string_equal(args.settings.config_path, "/c");
    assert_null(args.settings.log_path); /* stderr */
}

static void
nothing_given_means_the_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(args.settings.control_mode, 0600);
    assert_false(args.settings.foreground);
    assert_int_equal(args.settings.ready_fd, -1);
    assert_true(args.settings.routers >= 1);
    assert_non_null(args.settings.log_path);
    assert_non_null(args.settings.modules_dir);
    assert_int_equal(strncmp(args.settings.control, "unix:/", 6), 0);
}

static void
names_of_an_older_tool_still_work(void **state)
{
    (void)state;
    assert_int_equal(parse("--modules /m --state=/s --tmp /t"), 0);
    assert_string_equal(args.settings.modules_dir, "/m");
    assert_string_equal(args.settings.state_dir, "/s");
    assert_string_equal(args.settings.tmp_dir, "/t");
}

static void
the_last_word_on_what_to_do_counts(void **state)
{
    (void)state;
    assert_int_equal(parse("--pid /a -h"), 0);
    assert_int_equal(args.action, ACTION_HELP);
    arguments_done(&args);
    assert_int_equal(parse("--version"), 0);
    assert_int_equal(args.action, ACTION_VERSION);
    arguments_done(&args);
    assert_int_equal(parse("--check /c"), 0);
    assert_int_equal(args.action, ACTION_CHECK);
    assert_string_equal(args.check_path, "/c");
}

static void
every_mistake_is_one_line_that_names_it(void **state)
{
    static const struct {
        const char *line;
        const char *named;
    } mistakes[] = {
        {"--nonsense", "--nonsense"},
        {"--pidx /a", "--pidx"},
        {"--pi /a", "--pi"},
        {"word", "word"},
        {"--pid", "--pid"},
        {"--pid=", "--pid"},
        {"--no-daemon=yes", "--no-daemon"},
        {"--control nonsense", "nonsense"},
        {"--control-mode 9", "9"},
        {"--control-mode 0x1ff", "0x1ff"},
        {"--control-mode 01000", "01000"},
        {"--control-mode -1", "-1"},
        {"--routers 0", "0"},
        {"--routers 1000", "1000"},
        {"--routers -1", "-1"},
        {"--routers 2x", "2x"},
        {"--log-level loud", "loud"},
        {"-x", "-x"},
    };

    (void)state;
    for (size_t i = 0; i < array_len(mistakes); i++) {
        if (parse(mistakes[i].line) != -EINVAL)
            fail_msg("accepted: %s", mistakes[i].line);
        if (strstr(err.text, mistakes[i].named) == NULL || strchr(err.text, '\n') != NULL)
            fail_msg("%s: \"%s\"", mistakes[i].line, err.text);
        arguments_done(&args);
    }
    parse("");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, forget)
        T(both_spellings_are_the_same),        T(values_are_understood),
        T(nothing_given_means_the_defaults),   T(names_of_an_older_tool_still_work),
        T(the_last_word_on_what_to_do_counts), T(every_mistake_is_one_line_that_names_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
