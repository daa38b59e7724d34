/*
 * log_test.c - the form of a line, levels, and what a stranger's text cannot do to it.
 */
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"

/* Lines go to a memfd. */
static int
start_log(void **state)
{
    int *fd = malloc(sizeof(*fd));

    *fd = fd_memfd("log", 0);
    log_to_fd(*fd);
    log_set_level(LOG_INFO);
    log_after_fork();
    *state = fd;
    return *fd >= 0 ? 0 : -1;
}

static int
end_log(void **state)
{
    log_to_fd(STDERR_FILENO);
    fd_close(*state);
    free(*state);
    return 0;
}

static char *
logged(void **state)
{
    static char text[1 << 16];
    ssize_t n = pread(**(int **)state, text, sizeof(text) - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

/* Of a line, what follows "date [level] pid#tid ". */
static const char *
message_of(const char *line)
{
    const char *at = strchr(line, '#');

    assert_non_null(at);
    at = strchr(at, ' ');
    assert_non_null(at);
    return at + 1;
}

static void
a_line_has_date_level_pid_and_tid(void **state)
{
    int year, month, day, hour, minute, second, pid, tid, end = 0;
    char level[16];

    br_log(LOG_NOTICE, "answer %d", 42);
    assert_int_equal(sscanf(logged(state), "%4d/%2d/%2d %2d:%2d:%2d [%15[a-z]] %d#%d answer 42%n",
                            &year, &month, &day, &hour, &minute, &second, level, &pid, &tid, &end),
                     9);
    assert_string_equal(level, "notice");
    assert_int_equal(pid, getpid());
    assert_int_equal(tid, gettid());
    assert_string_equal(logged(state) + end, "\n");
}

static void
a_line_of_a_connection_names_it(void **state)
{
    br_log_conn(LOG_INFO, 17, "closed");
    assert_string_equal(message_of(logged(state)), "*17 closed\n");
}

static void
levels_below_are_not_written(void **state)
{
    log_set_level(LOG_WARN);
    assert_true(log_would(LOG_WARN));
    assert_false(log_would(LOG_NOTICE));
    br_log(LOG_NOTICE, "no");
    br_log_conn(LOG_DEBUG, 1, "no");
    assert_string_equal(logged(state), "");
    br_log(LOG_ALERT, "yes");
    assert_non_null(strstr(logged(state), "[alert]"));
}

static void
levels_are_known_by_name(void **state)
{
    static const char *const names[] = {"alert", "error", "warn", "notice", "info", "debug"};
    enum log_level level = LOG_DEBUG;

    (void)state;
    for (unsigned i = 0; i < array_len(names); i++) {
        assert_int_equal(log_level_parse(names[i], &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("Alert", &level), -EINVAL);
    assert_int_equal(log_level_parse("", &level), -EINVAL);
}

static void
control_characters_cannot_make_a_line(void **state)
{
    br_log(LOG_ERROR, "%s", "a\nb\t\x1b[31m\x7f\xc3\xa9");
    assert_string_equal(message_of(logged(state)), "a\\x0ab\\x09\\x1b[31m\\x7f\xc3\xa9\n");
}

static void
a_long_line_is_cut(void **state)
{
    char text[5000];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    br_log(LOG_ERROR, "%s", text);
    assert_true(strlen(logged(state)) <= 2048);
    assert_true(strlen(logged(state)) > 1900);
    assert_int_equal(logged(state)[strlen(logged(state)) - 1], '\n');
    memset(text, '\n', sizeof(text) - 1);
    br_log(LOG_ERROR, "%s", text);
    assert_true(strlen(logged(state)) <= 2 * 2048);
}

static void
repeats_are_counted_and_told_before_the_next_line(void **state)
{
    const char *line;

    for (int i = 0; i < 1000; i++)
        br_log(LOG_WARN, "again");
    br_log(LOG_WARN, "else");
    line = logged(state);
    assert_string_equal(strndupa(message_of(line), 6), "again\n");
    line = strchr(line, '\n') + 1;
    assert_memory_equal(message_of(line), "the line before was repeated 999 times\n", 39);
    line = strchr(line, '\n') + 1;
    assert_string_equal(message_of(line), "else\n");
}

static void
a_repeat_after_a_second_is_written(void **state)
{
    int64_t until = clock_us() + 1050000;

    br_log(LOG_WARN, "again");
    while (clock_us() < until)
        usleep(10000);
    br_log(LOG_WARN, "again");
    assert_string_equal(message_of(strchr(logged(state), '\n')), "again\n");
}

static void
another_level_or_connection_is_no_repeat(void **state)
{
    int lines = 0;

    br_log(LOG_WARN, "again");
    br_log(LOG_ERROR, "again");
    br_log_conn(LOG_ERROR, 1, "again");
    br_log_conn(LOG_ERROR, 2, "again");
    for (const char *p = logged(state); (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    assert_int_equal(lines, 4);
}

static void
a_forked_child_has_its_own_pid_and_no_repeats(void **state)
{
    char expect[64];
    int status;
    pid_t pid;

    br_log(LOG_WARN, "again");
    br_log(LOG_WARN, "again");
    pid = fork();
    if (pid == 0) {
        log_after_fork();
        br_log(LOG_WARN, "again");
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(expect, sizeof(expect), " %d#%d again\n", pid, pid);
    assert_non_null(strstr(logged(state), expect));
    assert_null(strstr(logged(state), "repeated"));
}

static void
errno_is_left_alone(void **state)
{
    errno = EXDEV;
    br_log(LOG_ERROR, "x");
    assert_int_equal(errno, EXDEV);
    log_to_fd(-1);
    br_log(LOG_ERROR, "y");
    assert_int_equal(errno, EXDEV);
    assert_int_equal(log_fd(), -1);
    assert_null(strchr(message_of(logged(state)), 'y'));
}

#define with_log(test) cmocka_unit_test_setup_teardown(test, start_log, end_log)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_log(a_line_has_date_level_pid_and_tid),
        with_log(a_line_of_a_connection_names_it),
        with_log(levels_below_are_not_written),
        cmocka_unit_test(levels_are_known_by_name),
        with_log(control_characters_cannot_make_a_line),
        with_log(a_long_line_is_cut),
        with_log(repeats_are_counted_and_told_before_the_next_line),
        with_log(a_repeat_after_a_second_is_written),
        with_log(another_level_or_connection_is_no_repeat),
        with_log(a_forked_child_has_its_own_pid_and_no_repeats),
        with_log(errno_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
