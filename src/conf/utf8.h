/*
 * utf8.h - well-formed UTF-8, one sequence at a time (RFC 3629, 4: no overlong forms, no
 * surrogates, nothing above U+10FFFF).
 */
#ifndef CONF_UTF8_H
#define CONF_UTF8_H

#include "base/attr.h"

/* Bytes of the sequence at p (1-4), or 0 when what stands there is none. */
unsigned utf8_length(const char *p, const char *end);

/* Are the n bytes at p such sequences and nothing else? */
bool utf8_is_valid(const char *p, size_t n);

/* At most `most` of the n bytes at p, without cutting a sequence: how many. */
size_t utf8_cut(const char *p, size_t n, size_t most);

/* Write a code point (not a surrogate, at most 0x10ffff); bytes written, at most 4. */
unsigned utf8_put(char *to, uint32_t code);

#endif
