/*
 * calendar.c - moments that come back, as sets of seconds, minutes, hours, days, months, weekdays.
 *
 *   next:  the largest unit that does not fit moves to its next beginning, and all is looked at
 *          anew: month, day, hour, minute, second
 *
 * Hours and less are counted in seconds since 1970, so that each step leads forward whatever the
 * clock on the wall does; only days and months are asked of mktime(3).
 */
#include "base/calendar.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define STEPS_MAX 20000 /* more than eight years of days and months: 29 February comes again */

struct part {
    const char *name;
    unsigned first;
    unsigned last;
};

static const struct part part_second = {"second", 0, 59};
static const struct part part_minute = {"minute", 0, 59};
static const struct part part_hour = {"hour", 0, 23};
static const struct part part_day = {"day", 1, 31};
static const struct part part_month = {"month", 1, 12};
static const struct part part_weekday = {"weekday", 0, 6};

static const struct {
    const char *word;
    const char *means;
} words[] = {
    {"minutely", "*:*:00"},     {"hourly", "*:00:00"},        {"daily", "00:00:00"},
    {"weekly", "Mon 00:00:00"}, {"monthly", "*-01 00:00:00"}, {"yearly", "01-01 00:00:00"},
};

static uint64_t
bits(unsigned from, unsigned to, unsigned step)
{
    uint64_t set = 0;

    for (unsigned i = from; i <= to; i += step)
        set |= UINT64_C(1) << i;
    return set;
}

static bool
parse_number(struct slice text, unsigned *ret)
{
    unsigned n = 0;

    if (text.n == 0 || text.n > 9)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!isdigit((unsigned char)text.p[i]))
            return false;
        n = n * 10 + (unsigned)(text.p[i] - '0');
    }
    *ret = n;
    return true;
}

static bool
parse_weekday(struct slice text, unsigned *ret)
{
    static const char names[] = "SunMonTueWedThuFriSat";

    for (unsigned day = 0; text.n == 3 && day < 7; day++) {
        if (strncasecmp(text.p, names + day * 3, 3) == 0) {
            *ret = day;
            return true;
        }
    }
    return false;
}

static bool
parse_value(const struct part *part, struct slice text, unsigned *ret)
{
    bool is_value = part == &part_weekday ? parse_weekday(text, ret) : parse_number(text, ret);

    return is_value && *ret >= part->first && *ret <= part->last;
}

/* "*", "7", "1..5", with "/STEP" behind it or not. */
static bool
parse_item(const struct part *part, struct slice text, uint64_t *set)
{
    size_t slash = slice_find(text, 0, '/');
    struct slice range = slice_sub(text, 0, slash);
    size_t dots = slice_find(range, 0, '.');
    unsigned from = part->first, to = part->last, step = 1;
    bool stepped = slash < text.n;

    if (stepped && (!parse_number(slice_sub(text, slash + 1, text.n), &step) || step == 0))
        return false;
    if (dots < range.n) {
        if (dots + 1 >= range.n || range.p[dots + 1] != '.' ||
            !parse_value(part, slice_sub(range, 0, dots), &from) ||
            !parse_value(part, slice_sub(range, dots + 2, range.n), &to))
            return false;
    } else if (!slice_eq(range, SLICE("*"))) {
        if (!parse_value(part, range, &from))
            return false;
        to = stepped ? part->last : from;
    }
    if (from <= to) {
        *set |= bits(from, to, step);
        return true;
    }
    if (part != &part_weekday || stepped)
        return false;
    *set |= bits(from, part->last, 1) | bits(part->first, to, 1); /* Sat..Mon */
    return true;
}

static int
parse_part(const struct part *part, struct slice text, uint64_t *ret_set, struct br_err *err)
{
    struct slice rest = text, item;

    *ret_set = 0;
    while (slice_split(&rest, ',', &item)) {
        if (!parse_item(part, item, ret_set))
            return br_fail(err, -EBADMSG, "\"" SLICE_FMT "\" is no %s.", SLICE_ARG(text),
                           part->name);
    }
    return 0;
}

/* MONTH-DAY, or *-MONTH-DAY. */
static int
parse_date(struct slice text, struct calendar *c, struct br_err *err)
{
    struct slice pieces[3] = {SLICE_NONE, SLICE_NONE, SLICE_NONE}, piece;
    size_t n = 0;
    int rc;

    while (n < array_len(pieces) && slice_split(&text, '-', &piece))
        pieces[n++] = piece;
    if (n < 2 || text.n > 0 || (n == 3 && !slice_eq(pieces[0], SLICE("*"))))
        return br_fail(err, -EBADMSG, "A date is \"MONTH-DAY\" or \"*-MONTH-DAY\".");
    rc = parse_part(&part_month, pieces[n - 2], &c->months, err);
    return rc < 0 ? rc : parse_part(&part_day, pieces[n - 1], &c->days, err);
}

static int
parse_time(struct slice text, struct calendar *c, struct br_err *err)
{
    struct slice pieces[3] = {SLICE_NONE, SLICE_NONE, SLICE("00")}, piece;
    size_t n = 0;
    int rc;

    while (n < array_len(pieces) && slice_split(&text, ':', &piece))
        pieces[n++] = piece;
    if (n < 2 || text.n > 0)
        return br_fail(err, -EBADMSG, "A time is \"HOUR:MINUTE\" or \"HOUR:MINUTE:SECOND\".");
    rc = parse_part(&part_hour, pieces[0], &c->hours, err);
    if (rc == 0)
        rc = parse_part(&part_minute, pieces[1], &c->minutes, err);
    return rc < 0 ? rc : parse_part(&part_second, pieces[2], &c->seconds, err);
}

static struct slice
next_token(struct slice *rest)
{
    struct slice token;

    while (slice_split(rest, ' ', &token)) {
        if (token.n > 0)
            return token;
    }
    return SLICE_NONE;
}

static struct slice
meaning(struct slice text)
{
    for (size_t i = 0; i < array_len(words); i++) {
        if (slice_eq(text, slice_cstr(words[i].word)))
            return slice_cstr(words[i].means);
    }
    return text;
}

int
calendar_parse(struct slice text, struct calendar *ret_calendar, struct br_err *err)
{
    struct calendar c = {
        .days = bits(1, 31, 1), .months = bits(1, 12, 1), .weekdays = bits(0, 6, 1)};
    struct slice rest = meaning(text);
    struct slice token = next_token(&rest);
    int rc = 0;

    if (token.n > 0 && isalpha((unsigned char)token.p[0])) {
        rc = parse_part(&part_weekday, token, &c.weekdays, err);
        token = next_token(&rest);
    }
    if (rc == 0 && slice_find(token, 0, '-') < token.n) {
        rc = parse_date(token, &c, err);
        token = next_token(&rest);
    }
    if (rc == 0)
        rc = parse_time(token, &c, err);
    if (rc == 0 && next_token(&rest).n > 0)
        rc = br_fail(err, -EBADMSG, "There is something behind the time.");
    if (rc == 0 && calendar_next(&c, 0) < 0)
        rc = br_fail(err, -EBADMSG, "There is no such day.");
    if (rc < 0)
        return rc;
    *ret_calendar = c;
    return 0;
}

static bool
has(uint64_t set, int n)
{
    return (set >> n & 1) != 0;
}

/* The day or month that begins after t, which is at tm. */
static time_t
next_day(time_t t, struct tm tm, bool of_month)
{
    time_t next;

    if (of_month) {
        tm.tm_mon++;
        tm.tm_mday = 1;
    } else {
        tm.tm_mday++;
    }
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    next = mktime(&tm);
    return next > t ? next : t + 3600;
}

int64_t
calendar_next(const struct calendar *c, int64_t after)
{
    time_t t = (time_t)after + 1;

    for (unsigned i = 0; i < STEPS_MAX; i++) {
        struct tm tm;

        if (localtime_r(&t, &tm) == NULL)
            return -1;
        if (!has(c->months, tm.tm_mon + 1))
            t = next_day(t, tm, true);
        else if (!has(c->days, tm.tm_mday) || !has(c->weekdays, tm.tm_wday))
            t = next_day(t, tm, false);
        else if (!has(c->hours, tm.tm_hour))
            t += 3600 - tm.tm_min * 60 - tm.tm_sec;
        else if (!has(c->minutes, tm.tm_min))
            t += 60 - tm.tm_sec;
        else if (!has(c->seconds, tm.tm_sec))
            t += 1;
        else
            return t;
    }
    return -1;
}
