/*
 * calendar_test.c - which moments a text means, and which texts mean none.
 */
#include "base/calendar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

/* "2026-11-24 22:10:00" in the zone of the test. */
static int64_t
moment(const char *text)
{
    struct tm tm = {.tm_isdst = -1};

    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
    return mktime(&tm);
}

static void
expect_next(const char *calendar, const char *after, const char *next)
{
    struct br_err err = BR_ERR_NONE;
    struct calendar c;
    char got[32];
    time_t t;

    if (calendar_parse(slice_cstr(calendar), &c, &err) < 0)
        fail_msg("%s: %s", calendar, err.text);
    t = (time_t)calendar_next(&c, moment(after));
    strftime(got, sizeof(got), "%Y-%m-%d %H:%M:%S", localtime(&t));
    if (strcmp(got, next) != 0)
        fail_msg("%s after %s is %s, not %s", calendar, after, got, next);
}

static void
each_form_has_its_next_moment(void **state)
{
    (void)state;
    expect_next("minutely", "2026-11-24 22:10:00", "2026-11-24 22:11:00");
    expect_next("hourly", "2026-11-24 22:10:00", "2026-11-24 23:00:00");
    expect_next("daily", "2026-11-24 22:10:00", "2026-11-25 00:00:00");
    expect_next("weekly", "2026-11-24 22:10:00", "2026-11-30 00:00:00");
    expect_next("monthly", "2026-11-24 22:10:00", "2026-12-01 00:00:00");
    expect_next("yearly", "2026-11-24 22:10:00", "2027-01-01 00:00:00");
    expect_next("03:00", "2026-11-24 03:00:00", "2026-11-25 03:00:00");
    expect_next("03:00", "2026-11-24 02:59:59", "2026-11-24 03:00:00");
    expect_next("*-*-* 03:00", "2026-11-24 22:10:00", "2026-11-25 03:00:00");
    expect_next("*-*-1,15 12:30:10", "2026-11-24 22:10:00", "2026-12-01 12:30:10");
    expect_next("Mon..Fri 09:00", "2026-11-27 10:00:00", "2026-11-30 09:00:00");
    expect_next("Sat..Mon *:00", "2026-11-24 22:10:00", "2026-11-28 00:00:00");
    expect_next("*:0/15", "2026-11-24 22:10:00", "2026-11-24 22:15:00");
    expect_next("*:*:*/20", "2026-11-24 22:10:41", "2026-11-24 22:11:00");
    expect_next("02-29 00:00", "2026-11-24 22:10:00", "2028-02-29 00:00:00");
    expect_next("Sun 12-25 08:00", "2026-11-24 22:10:00", "2033-12-25 08:00:00");
}

static void
summer_time_leaves_out_and_repeats(void **state)
{
    struct calendar c;
    int64_t first, second;

    (void)state;
    expect_next("02:30", "2026-03-28 12:00:00", "2026-03-30 02:30:00");
    assert_int_equal(calendar_parse(SLICE("02:30"), &c, NULL), 0);
    first = calendar_next(&c, moment("2026-10-25 00:00:00"));
    second = calendar_next(&c, first);
    assert_int_equal(second - first, 3600);
}

static void
what_is_no_calendar_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "now",
        "25:00",
        "12",
        "12:60",
        "*:*:60",
        "0-1 00:00",
        "13-01 00:00",
        "02-30 00:00",
        "Foo 00:00",
        "00:00 00:00",
        "*:1..",
        "*:5..1",
        "*:*/0",
        "2026-01-01 00:00",
        "*-*-*-* 00:00",
        "00:00:00:00",
        "*:,1",
        "*:1.5",
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct br_err err = BR_ERR_NONE;
        struct calendar c;

        if (calendar_parse(slice_cstr(bad[i]), &c, &err) != -EBADMSG || err.text[0] == '\0')
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_has_its_next_moment),
        cmocka_unit_test(summer_time_leaves_out_and_repeats),
        cmocka_unit_test(what_is_no_calendar_is_refused),
    };

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
