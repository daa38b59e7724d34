/*
 * calendar.h - moments that come back: "hourly", "Mon..Fri *-*-* 03:00", and when the next one is.
 *
 *   WORD                                       minutely hourly daily weekly monthly yearly
 *   [WEEKDAYS] [[*-]MONTH-DAY] HOUR:MINUTE[:SECOND]
 *
 * A part is "*", a number, a range "1..5", each with a step behind it ("*" "/5", "0/15") or not, or
 * a list of such with commas; weekdays are Mon to Sun.  A subset of systemd.time(7).
 *
 * Local time.  What the change to summer time leaves out is left out; what it repeats comes twice.
 */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include "base/err.h"
#include "base/slice.h"

/* A set of numbers each: bit n. */
struct calendar {
    uint64_t seconds;
    uint64_t minutes;
    uint64_t hours;
    uint64_t days;     /* 1..31 */
    uint64_t months;   /* 1..12 */
    uint64_t weekdays; /* 0: Sunday */
};

/* 0, or -EBADMSG with the sentence (err may be NULL). */
int calendar_parse(struct slice text, struct calendar *ret_calendar, struct br_err *err);

/* The first moment after that one, in seconds since 1970; -1: there is none in the next years. */
int64_t calendar_next(const struct calendar *c, int64_t after);

#endif
