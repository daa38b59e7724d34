/*
 * clock.c - the cached clocks, and dates in the forms of HTTP and of the logs.
 *
 * The cached numbers may be read from any thread.  The texts are kept per thread, each with the
 * second it was made for.
 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t cached_ms;
static int64_t cached_wall;

static int64_t
read_clock_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

void
clock_update(void)
{
    __atomic_store_n(&cached_ms, clock_us() / 1000, __ATOMIC_RELAXED);
    __atomic_store_n(&cached_wall, read_clock_us(CLOCK_REALTIME_COARSE) / 1000000,
                     __ATOMIC_RELAXED);
}

int64_t
clock_ms(void)
{
    int64_t ms = __atomic_load_n(&cached_ms, __ATOMIC_RELAXED);

    if (br_likely(ms != 0))
        return ms;
    clock_update();
    return __atomic_load_n(&cached_ms, __ATOMIC_RELAXED);
}

time_t
clock_wall(void)
{
    clock_ms(); /* reads both clocks when nobody has yet */
    return __atomic_load_n(&cached_wall, __ATOMIC_RELAXED);
}

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const long_days[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void
clock_http_format(time_t t, char ret_text[CLOCK_HTTP_DATE_LEN + 1])
{
    char text[64];
    struct tm tm;

    gmtime_r(&t, &tm);
    snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(ret_text, text, CLOCK_HTTP_DATE_LEN); /* longer only after the year 9999 */
    ret_text[CLOCK_HTTP_DATE_LEN] = '\0';
}

const char *
clock_http_now(void)
{
    static _Thread_local char text[CLOCK_HTTP_DATE_LEN + 1];
    static _Thread_local time_t made = -1;
    time_t now = clock_wall();

    if (br_unlikely(made != now)) {
        clock_http_format(now, text);
        made = now;
    }
    return text;
}

const char *
clock_access_log_now(void)
{
    static _Thread_local char text[64];
    static _Thread_local time_t made = -1;
    time_t now = clock_wall();
    struct tm tm;
    long minutes;

    if (br_likely(made == now))
        return text;
    localtime_r(&now, &tm);
    minutes = tm.tm_gmtoff / 60;
    snprintf(text, sizeof(text), "%02d/%s/%04d:%02d:%02d:%02d %c%02ld%02ld", tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
             minutes < 0 ? '-' : '+', labs(minutes) / 60, labs(minutes) % 60);
    made = now;
    return text;
}

const char *
clock_error_log_now(void)
{
    static _Thread_local char text[64];
    static _Thread_local time_t made = -1;
    time_t now = (time_t)(read_clock_us(CLOCK_REALTIME_COARSE) / 1000000);
    struct tm tm;

    if (made == now)
        return text;
    localtime_r(&now, &tm);
    snprintf(text, sizeof(text), "%04d/%02d/%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    made = now;
    return text;
}

/* The part of a date that is still to be read. */
struct cursor {
    const char *p;
    const char *end;
};

static bool
take_text(struct cursor *c, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool
take_number(struct cursor *c, int digits, int *ret_value)
{
    int value = 0;

    if (c->end - c->p < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        if (c->p[i] < '0' || c->p[i] > '9')
            return false;
        value = value * 10 + (c->p[i] - '0');
    }
    c->p += digits;
    *ret_value = value;
    return true;
}

static bool
take_month(struct cursor *c, int *ret_month)
{
    for (int i = 0; i < 12; i++)
        if (take_text(c, months[i])) {
            *ret_month = i;
            return true;
        }
    return false;
}

static bool
take_time(struct cursor *c, struct tm *tm)
{
    return take_number(c, 2, &tm->tm_hour) && take_text(c, ":") && take_number(c, 2, &tm->tm_min) &&
           take_text(c, ":") && take_number(c, 2, &tm->tm_sec);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", after the name of the day. */
static bool
parse_fixdate(struct cursor c, struct tm *tm)
{
    bool ok = take_text(&c, ", ") && take_number(&c, 2, &tm->tm_mday) && take_text(&c, " ") &&
              take_month(&c, &tm->tm_mon) && take_text(&c, " ") &&
              take_number(&c, 4, &tm->tm_year) && take_text(&c, " ") && take_time(&c, tm) &&
              take_text(&c, " GMT") && c.p == c.end;

    tm->tm_year -= 1900;
    return ok;
}

/* RFC 9110, 5.6.7: two digits that seem more than 50 years ahead mean the past century. */
static int
full_year(int two_digits)
{
    time_t now = clock_wall();
    struct tm tm;
    int year;

    gmtime_r(&now, &tm);
    year = tm.tm_year - tm.tm_year % 100 + two_digits;
    return year > tm.tm_year + 50 ? year - 100 : year;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT", after the name of the day. */
static bool
parse_rfc850(struct cursor c, struct tm *tm)
{
    bool ok = take_text(&c, ", ") && take_number(&c, 2, &tm->tm_mday) && take_text(&c, "-") &&
              take_month(&c, &tm->tm_mon) && take_text(&c, "-") &&
              take_number(&c, 2, &tm->tm_year) && take_text(&c, " ") && take_time(&c, tm) &&
              take_text(&c, " GMT") && c.p == c.end;

    tm->tm_year = full_year(tm->tm_year);
    return ok;
}

/* "Sun Nov  6 08:49:37 1994", after the name of the day. */
static bool
parse_asctime(struct cursor c, struct tm *tm)
{
    bool ok = take_text(&c, " ") && take_month(&c, &tm->tm_mon) && take_text(&c, " ") &&
              (take_text(&c, " ") ? take_number(&c, 1, &tm->tm_mday)
                                  : take_number(&c, 2, &tm->tm_mday)) &&
              take_text(&c, " ") && take_time(&c, tm) && take_text(&c, " ") &&
              take_number(&c, 4, &tm->tm_year) && c.p == c.end;

    tm->tm_year -= 1900;
    return ok;
}

static bool
in_range(const struct tm *tm)
{
    static const int month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return tm->tm_mday >= 1 && tm->tm_mday <= month_days[tm->tm_mon] && tm->tm_hour <= 23 &&
           tm->tm_min <= 59 && tm->tm_sec <= 60;
}

int
clock_http_parse(const char *p, size_t n, time_t *ret_time)
{
    struct cursor c = {p, p + n};
    struct tm tm = {0};
    bool ok = false;

    for (int i = 0; i < 7 && !ok; i++) {
        struct cursor at = c;

        if (take_text(&at, long_days[i]))
            ok = parse_rfc850(at, &tm);
        else if (take_text(&at, days[i]))
            ok = parse_fixdate(at, &tm) || parse_asctime(at, &tm);
    }
    if (!ok || !in_range(&tm))
        return -EINVAL;
    *ret_time = timegm(&tm);
    return 0;
}
