/*
 * slice.c - comparing, cutting and reading text that has no NUL.
 */
#include "base/slice.h"

#include <errno.h>

static uint64_t
load8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

bool
slice_ieq(struct slice a, struct slice b)
{
    size_t i = 0;

    if (a.n != b.n)
        return false;
    for (; i + 8 <= a.n; i += 8)
        if (ascii_lower8(load8(a.p + i)) != ascii_lower8(load8(b.p + i)))
            return false;
    /* The last, overlapping word instead of up to seven bytes. */
    if (a.n >= 8)
        return ascii_lower8(load8(a.p + a.n - 8)) == ascii_lower8(load8(b.p + a.n - 8));
    for (; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

bool
slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && slice_eq(slice_make(s.p, prefix.n), prefix);
}

bool
slice_ends(struct slice s, struct slice suffix)
{
    return s.n >= suffix.n && slice_eq(slice_sub(s, s.n - suffix.n, s.n), suffix);
}

int
slice_cmp(struct slice a, struct slice b)
{
    size_t n = br_min(a.n, b.n);
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

size_t
slice_find(struct slice s, size_t from, char c)
{
    const char *at;

    if (from >= s.n)
        return s.n;
    at = memchr(s.p + from, c, s.n - from);
    return at != NULL ? (size_t)(at - s.p) : s.n;
}

struct slice
slice_sub(struct slice s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return s.p != NULL ? slice_make(s.p + from, to - from) : s;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice
slice_trim(struct slice s)
{
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    return s;
}

bool
slice_split(struct slice *rest, char sep, struct slice *ret_piece)
{
    size_t at;

    if (rest->p == NULL)
        return false;
    at = slice_find(*rest, 0, sep);
    *ret_piece = slice_sub(*rest, 0, at);
    *rest = at < rest->n ? slice_sub(*rest, at + 1, rest->n) : SLICE_NONE;
    return true;
}

static int
parse_digits(struct slice s, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool too_big = false;

    if (s.n == 0)
        return -EINVAL;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_value(s.p[i]);

        if (digit < 0 || (unsigned)digit >= base)
            return -EINVAL;
        too_big |= __builtin_mul_overflow(value, (uint64_t)base, &value);
        too_big |= __builtin_add_overflow(value, (uint64_t)digit, &value);
    }
    if (too_big)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int
slice_u64(struct slice s, uint64_t *ret_value)
{
    return parse_digits(s, 10, ret_value);
}

int
slice_hex64(struct slice s, uint64_t *ret_value)
{
    return parse_digits(s, 16, ret_value);
}

int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
