/*
 * utf8.c - well-formed UTF-8, one sequence at a time.
 *
 * The table of RFC 3629, 4: after the first byte only the second one may be narrower than
 * 80..BF, and that is what shuts out overlong forms, surrogates and what lies above U+10FFFF.
 */
#include "conf/utf8.h"

static bool
is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of a sequence by its first one, and the range of its second one. */
static unsigned
shape(unsigned char first, unsigned char *ret_low, unsigned char *ret_high)
{
    *ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    if (first >= 0xf0 && first <= 0xf4)
        return 4;
    return 0;
}

unsigned
utf8_length(const char *p, const char *end)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned char low, high;
    unsigned n;

    if (p >= end)
        return 0;
    if (u[0] < 0x80)
        return 1;
    n = shape(u[0], &low, &high);
    if (n == 0 || (size_t)(end - p) < n || u[1] < low || u[1] > high)
        return 0;
    for (unsigned i = 2; i < n; i++) {
        if (!is_tail(u[i]))
            return 0;
    }
    return n;
}

bool
utf8_is_valid(const char *p, size_t n)
{
    return utf8_cut(p, n, n) == n;
}

size_t
utf8_cut(const char *p, size_t n, size_t most)
{
    size_t at = 0;

    while (at < n) {
        unsigned length = utf8_length(p + at, p + n);

        if (length == 0 || at + length > most)
            break;
        at += length;
    }
    return at;
}

unsigned
utf8_put(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}
