/*
 * discovery_role_test.c - the report, whole, for a directory with a good module and bad ones.
 */
#include "discovery/discovery_role.h"

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

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/dispatch.h"

static char *report;

static void
on_modules(struct task *task, struct channel *ch, struct message *m)
{
    size_t n;

    (void)task, (void)ch;
    assert_true(fd_is_sealed(m->fds[0]));
    assert_int_equal(fd_read_file(m->fds[0], 1 << 20, &report, &n), 0);
}

static const struct msg_handler main_messages[] = {{MSG_MODULES, on_modules}, {0}};
static const struct br_role main_role = {.id = ROLE_MAIN, .on_message = main_messages};
static const struct br_role discovery = {.id = ROLE_DISCOVERY};

/* Run its setup with main at the other end of the line; the report is then here. */
static void
discover(const char *dir)
{
    struct settings settings = {.modules_dir = dir};
    struct loop *loop = loop_new();
    struct task main = {.role = &main_role, .loop = loop, .settings = &settings};
    struct task child = {.role = &discovery, .loop = loop, .settings = &settings};
    struct peer up = {.role = ROLE_MAIN, .pid = getpid()};
    struct peer down = {.role = ROLE_DISCOVERY, .pid = getpid()};
    struct br_err err = BR_ERR_NONE;
    int fds[2];

    clock_update();
    log_set_level(LOG_ALERT);
    main.dispatch = dispatch_new(&main);
    child.dispatch = dispatch_new(&child);
    assert_int_equal(channel_pair(fds), 0);
    dispatch_add(main.dispatch, fds[0], &down);
    child.parent = dispatch_add(child.dispatch, fds[1], &up);
    assert_int_equal(discovery_setup(&child, NULL, &err), 0);
    loop_once(loop, 0);
    assert_non_null(report);
    dispatch_free(main.dispatch);
    dispatch_free(child.dispatch);
    loop_free(loop);
}

static int
forget(void **state)
{
    (void)state;
    free(report);
    report = NULL;
    return 0;
}

static void
what_is_found_is_reported_and_bad_modules_are_left_out(void **state)
{
    (void)state;
    discover(MODULES);
    assert_string_equal(
        report, "[{\"type\": \"good\", \"version\": \"2.0\", \"path\": \"" MODULES
                "/good.module.so\", \"interpreter\": \"/usr/bin/\\\"good\\\\\", \"lib\": \"\"}, "
                "{\"type\": \"good\", \"version\": \"1.0\", \"path\": \"" MODULES
                "/good.module.so\", \"interpreter\": \"\", \"lib\": \"/lib/good\\u000a\"}]");
}

static void
a_module_that_fails_costs_only_itself(void **state)
{
    (void)state;
    setenv("TEST_MODULE_FAILS", "1", 1);
    discover(MODULES);
    unsetenv("TEST_MODULE_FAILS");
    assert_string_equal(report, "[]");
}

static void
a_missing_directory_is_no_language(void **state)
{
    (void)state;
    discover("/no/such/dir");
    assert_string_equal(report, "[]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, forget)
        T(what_is_found_is_reported_and_bad_modules_are_left_out),
        T(a_module_that_fails_costs_only_itself),
        T(a_missing_directory_is_no_language),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
