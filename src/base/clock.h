/*
 * clock.h - monotonic time, its coarse cached copy, and the dates that HTTP and logs print.
 *
 * The loop calls clock_update once a turn; everything that only needs the turn's time reads
 * the cached value, which costs nothing.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <time.h>

#include "base/attr.h"

/* Monotonic microseconds, read now. */
int64_t clock_us(void);

/* Read both clocks into the cache. */
void clock_update(void);

/* Cached monotonic milliseconds, and cached seconds since 1970. */
int64_t clock_ms(void);
time_t clock_wall(void);

#define CLOCK_HTTP_DATE_LEN 29

/* IMF-fixdate (RFC 9110, 5.6.7) of t; 29 bytes and a NUL. */
void clock_http_format(time_t t, char ret_text[CLOCK_HTTP_DATE_LEN + 1]);

/* The same for the cached wall time; the text is made once a second and stays ours. */
const char *clock_http_now(void);

/* Parse the three date forms of RFC 9110, 5.6.7.  0, or -EINVAL. */
int clock_http_parse(const char *p, size_t n, time_t *ret_time);

/* "31/Dec/1986:19:40:00 +0300", local time, made once a second. */
const char *clock_access_log_now(void);

/* "2026/11/23 07:32:23", local time, made once a second. */
const char *clock_error_log_now(void);

#endif
