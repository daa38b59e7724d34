/*
 * check_test.c - --check says where and why, in a form that editors understand.
 */
#include "programs/check.h"

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

#include <fcntl.h>

#include "base/fd.h"

static char path[] = "/tmp/brood-check-XXXXXX";

/* The exit code for that text; what it printed on stderr. */
static int
check(const char *text, char *ret_said, size_t room)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    int saved = dup(STDERR_FILENO);
    int said = fd_memfd("said", 0);
    ssize_t n;
    int code;

    fd_write_all(fd, text, strlen(text));
    fd_close(&fd);
    dup2(said, STDERR_FILENO);
    code = check_config(path, NULL, NULL, CHECK_FILE, NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = pread(said, ret_said, room - 1, 0);
    ret_said[n > 0 ? n : 0] = '\0';
    close(said);
    return code;
}

static void
a_good_one_is_silent(void **state)
{
    char said[512];

    (void)state;
    assert_int_equal(check("{\"listeners\": {}, /* none */ }", said, sizeof(said)), 0);
    assert_string_equal(said, "");
}

static void
a_bad_one_has_a_place(void **state)
{
    char said[512], wanted[64];

    (void)state;
    assert_int_equal(check("{\n  \"listeners\": {],\n}\n", said, sizeof(said)), 1);
    snprintf(wanted, sizeof(wanted), "%s:2:17: ", path);
    assert_int_equal(strncmp(said, wanted, strlen(wanted)), 0);
    assert_int_equal(
        check("{\"listeners\": {\"*:1\": {\"pass\": \"routes/x\"}}}", said, sizeof(said)), 1);
    snprintf(wanted, sizeof(wanted), "%s:1:", path);
    assert_int_equal(strncmp(said, wanted, strlen(wanted)), 0);
}

static void
what_cannot_be_read_is_named(void **state)
{
    (void)state;
    assert_int_equal(check_config("/no/such/file", NULL, NULL, CHECK_FILE, NULL), 1);
}

static int
make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_is_silent),
        cmocka_unit_test(a_bad_one_has_a_place),
        cmocka_unit_test(what_cannot_be_read_is_named),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
