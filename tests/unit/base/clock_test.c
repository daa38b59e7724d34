/*
 * clock_test.c - cached time and the forms of a date.
 */
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
the_cached_clock_stands_still_between_updates(void **state)
{
    int64_t before, until;

    (void)state;
    clock_update();
    before = clock_ms();
    until = clock_us() + 3000;
    while (clock_us() < until)
        ;
    assert_int_equal(clock_ms(), before);
    clock_update();
    assert_true(clock_ms() >= before + 2);
}

static void
the_wall_clock_is_the_wall_clock(void **state)
{
    (void)state;
    clock_update();
    assert_true(labs(clock_wall() - time(NULL)) <= 1);
}

static void
http_dates_are_written(void **state)
{
    char text[CLOCK_HTTP_DATE_LEN + 1];

    (void)state;
    clock_http_format(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    clock_http_format(0, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    clock_http_format(951782400, text);
    assert_string_equal(text, "Tue, 29 Feb 2000 00:00:00 GMT");
}

static void
http_now_is_the_cached_second(void **state)
{
    char text[CLOCK_HTTP_DATE_LEN + 1];

    (void)state;
    clock_update();
    clock_http_format(clock_wall(), text);
    assert_string_equal(clock_http_now(), text);
    assert_ptr_equal(clock_http_now(), clock_http_now());
}

static void
parse(const char *text, int expect_rc, time_t expect)
{
    time_t t = 12345;

    assert_int_equal(clock_http_parse(text, strlen(text), &t), expect_rc);
    assert_int_equal(t, expect_rc == 0 ? expect : 12345);
}

static void
the_three_forms_are_read(void **state)
{
    (void)state;
    parse("Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777);
    parse("Sunday, 06-Nov-94 08:49:37 GMT", 0, 784111777);
    parse("Sun Nov  6 08:49:37 1994", 0, 784111777);
    parse("Tue Feb 29 00:00:00 2000", 0, 951782400);
    parse("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0);
    parse("Sat, 31 Dec 2016 23:59:60 GMT", 0, 1483228800);
}

static void
two_digits_of_a_year_are_at_most_fifty_years_ahead(void **state)
{
    time_t now = time(NULL), t;
    char text[80];
    struct tm tm;

    (void)state;
    gmtime_r(&now, &tm);
    for (int ahead = -49; ahead <= 49; ahead++) {
        int year = tm.tm_year + 1900 + ahead;

        snprintf(text, sizeof(text), "Monday, 01-Jan-%02d 00:00:00 GMT", year % 100);
        assert_int_equal(clock_http_parse(text, strlen(text), &t), 0);
        gmtime_r(&t, &tm);
        assert_int_equal(tm.tm_year + 1900, year);
        gmtime_r(&now, &tm);
    }
}

static void
no_other_form_is_read(void **state)
{
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:61 GMT",
        "Sun, 32 Dec 1994 08:49:37 GMT",
        "Sun, 31 Jun 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        parse(bad[i], -EINVAL, 0);
}

static void
a_cut_date_is_never_read_past_its_end(void **state)
{
    static const char full[] = "Sun, 06 Nov 1994 08:49:37 GMT";

    (void)state;
    for (size_t n = 0; n < sizeof(full) - 1; n++) {
        char *copy = malloc(n + 1); /* so that the sanitizer sees the end */
        time_t t;

        memcpy(copy, full, n);
        copy = realloc(copy, n > 0 ? n : 1);
        assert_int_equal(clock_http_parse(copy, n, &t), -EINVAL);
        free(copy);
    }
}

static void
log_dates_are_local(void **state)
{
    char expect[64];
    time_t now;
    struct tm tm;

    (void)state;
    setenv("TZ", "XST-03:30", 1);
    tzset();
    clock_update();
    now = clock_wall();
    localtime_r(&now, &tm);
    strftime(expect, sizeof(expect), "%d/%b/%Y:%H:%M:%S +0330", &tm);
    assert_string_equal(clock_access_log_now(), expect);
    assert_int_equal(strlen(clock_error_log_now()), 19);
    assert_int_equal(clock_error_log_now()[4], '/');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cached_clock_stands_still_between_updates),
        cmocka_unit_test(the_wall_clock_is_the_wall_clock),
        cmocka_unit_test(http_dates_are_written),
        cmocka_unit_test(http_now_is_the_cached_second),
        cmocka_unit_test(the_three_forms_are_read),
        cmocka_unit_test(two_digits_of_a_year_are_at_most_fifty_years_ahead),
        cmocka_unit_test(no_other_form_is_read),
        cmocka_unit_test(a_cut_date_is_never_read_past_its_end),
        cmocka_unit_test(log_dates_are_local),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
