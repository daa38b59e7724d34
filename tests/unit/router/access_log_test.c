/*
 * access_log_test.c - escaping, and lines that arrive whole or not at all.
 *
 * Whole lines of real requests are compared in service_test.c.
 */
#include "router/access_log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

static void
assert_escaped(struct slice value, const char *want)
{
    struct buf b;

    buf_init(&b, 4096);
    access_log_escape(&b, value);
    if (!slice_eq(buf_slice(&b), slice_cstr(want)))
        fail_msg("\"" SLICE_FMT "\", not \"%s\"", SLICE_ARG(buf_slice(&b)), want);
    buf_done(&b);
}

static void
what_could_forge_a_line_is_escaped(void **state br_unused)
{
    assert_escaped(SLICE("GET / HTTP/1.1"), "GET / HTTP/1.1");
    assert_escaped(SLICE("a\"b"), "a\\x22b");
    assert_escaped(SLICE("\\"), "\\x5C");
    assert_escaped(SLICE("a\r\nb"), "a\\x0D\\x0Ab");
    assert_escaped(SLICE("\x1b[2J"), "\\x1B[2J");
    assert_escaped(SLICE("\x7f\t"), "\\x7F\\x09");
    assert_escaped(slice_make("a\0b", 3), "a\\x00b");
    assert_escaped(SLICE("\xc3\xa4"), "\xc3\xa4"); /* text of other languages stays readable */
    assert_escaped(SLICE("\"\"\""), "\\x22\\x22\\x22");
}

static void
nothing_is_a_dash(void **state br_unused)
{
    assert_escaped(SLICE(""), "-");
    assert_escaped(SLICE_NONE, "-");
}

static void
lines_are_written_by_flush_and_by_the_last_reference(void **state br_unused)
{
    struct access_log *log;
    char text[64];
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    log = access_log_new("/some/where", fds[1]);
    buf_puts(&log->lines, "one\n");
    assert_int_equal(read(fds[0], text, sizeof(text)), -1);
    access_log_flush(log);
    assert_int_equal(read(fds[0], text, sizeof(text)), 4);
    buf_puts(&log->lines, "two\nthree\n");
    access_log_unref(log);
    assert_int_equal(read(fds[0], text, sizeof(text)), 10);
    assert_memory_equal(text, "two\nthree\n", 10);
    assert_int_equal(read(fds[0], text, sizeof(text)), 0);
    close(fds[0]);
}

static void
what_cannot_be_written_is_counted_not_kept(void **state br_unused)
{
    struct access_log *log;
    char text[64];
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int fds[2];

    log_to_fd(quiet);
    log = access_log_new("/some/where", full);
    buf_puts(&log->lines, "one\ntwo\n");
    access_log_flush(log);
    assert_int_equal(log->lost, 2);
    buf_puts(&log->lines, "three\n");
    access_log_flush(log);
    assert_int_equal(log->lost, 3);

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    access_log_reopen(log, fds[1]);
    buf_puts(&log->lines, "four\n");
    access_log_flush(log);
    assert_int_equal(log->lost, 0);
    assert_int_equal(read(fds[0], text, sizeof(text)), 5);
    access_log_unref(log);
    log_to_fd(STDERR_FILENO);
    close(quiet);
    close(fds[0]);
}

static void
logs_are_found_by_path(void **state br_unused)
{
    struct access_log *a = access_log_new("/a", -1), *b = access_log_new("/b", -1);
    struct list logs;

    list_init(&logs);
    list_add_tail(&logs, &a->link);
    list_add_tail(&logs, &b->link);
    assert_ptr_equal(access_log_find(&logs, "/a"), a);
    assert_ptr_equal(access_log_find(&logs, "/b"), b);
    access_log_unref(a);
    assert_null(access_log_find(&logs, "/a"));
    access_log_unref(b);
    assert_true(list_empty(&logs));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_forge_a_line_is_escaped),
        cmocka_unit_test(nothing_is_a_dash),
        cmocka_unit_test(lines_are_written_by_flush_and_by_the_last_reference),
        cmocka_unit_test(what_cannot_be_written_is_counted_not_kept),
        cmocka_unit_test(logs_are_found_by_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
