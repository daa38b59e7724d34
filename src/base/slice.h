/*
 * slice.h - a pointer and a length: text that is not ours and has no NUL.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <string.h>

#include "base/attr.h"

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE     ((struct slice){NULL, 0})
#define SLICE_FMT      "%.*s"
#define SLICE_ARG(s)   (int)(s).n, (s).p

static inline struct slice
slice_make(const char *p, size_t n)
{
    return (struct slice){p, n};
}

static inline struct slice
slice_cstr(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Equal without regard to the case of ASCII letters. */
bool slice_ieq(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);

/* Total order by bytes, for sorting: <0, 0, >0. */
int slice_cmp(struct slice a, struct slice b);

/* Position of the first byte c at or after from, or s.n. */
size_t slice_find(struct slice s, size_t from, char c);

/* The part from..to (to is clamped to s.n). */
struct slice slice_sub(struct slice s, size_t from, size_t to);

/* Without leading and trailing spaces and TABs. */
struct slice slice_trim(struct slice s);

/*
 * slice_split - the piece of *rest before the next sep; *rest becomes what follows.
 * false when *rest was used up; "a,,b" yields "a", "", "b" and "" yields one "".
 * Start with *rest = the whole text; used up is marked by rest->p == NULL.
 */
bool slice_split(struct slice *rest, char sep, struct slice *ret_piece);

/* Decimal digits only, the whole slice.  0, -EINVAL (no digits, other bytes), -ERANGE. */
int slice_u64(struct slice s, uint64_t *ret_value);
/* Hexadecimal digits only. */
int slice_hex64(struct slice s, uint64_t *ret_value);

/* Value of a hexadecimal digit, or -1. */
int hex_value(char c);

static inline char
ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

/* The same for the eight bytes of a word, in any byte order. */
static inline uint64_t
ascii_lower8(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
    uint64_t low7 = word & ~high;
    uint64_t from_a = low7 + (0x80 - 'A') * ones; /* high bit: >= 'A' */
    uint64_t past_z = low7 + (0x7f - 'Z') * ones; /* high bit: > 'Z' */
    uint64_t upper = (from_a ^ past_z) & ~word & high;

    return word | upper >> 2; /* 0x80 >> 2 is the 0x20 between the cases */
}

#endif
