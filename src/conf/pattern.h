/*
 * pattern.h - the string patterns of match rules (routing, 3.1).
 *
 *   text   a*b   !p   ~regex   !~regex       one pattern
 *   ["a*", "!ab", "~c$"]                     a set: no negated one may hit, one of the others must
 *
 * In this room, because validation compiles them before a router matches with them.  Compiled once
 * for a generation; a match allocates nothing.  Not for several threads at once: a regular
 * expression owns its match data.
 */
#ifndef CONF_PATTERN_H
#define CONF_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

/* What is done to a pattern's literal text when it is read; regular expressions stay as written. */
enum pattern_text {
    PATTERN_VERBATIM,
    PATTERN_LOWER,   /* host */
    PATTERN_UPPER,   /* method */
    PATTERN_DECODED, /* uri: %XX; a decoded '*' is a literal star */
};

struct patterns;

/*
 * patterns_compile - a set from n texts; none matches everything.
 *
 *   a        owns the result, regular expressions included
 *   ret_bad  index of the text that is at fault, set with -EBADMSG
 *
 * 0, -EBADMSG with the sentence, -ENOMEM (the arena's cap).
 */
int patterns_compile(struct arena *a, const struct slice *texts, size_t n, enum pattern_text how,
                     struct patterns **ret_set, size_t *ret_bad, struct br_err *err);

/*
 * patterns_match - does the value, folded by the caller as the set was, belong to the set?
 * A regular expression that gives up (its match limit) counts against the request: it neither
 * hits nor, negated, holds.
 */
bool patterns_match(const struct patterns *set, struct slice value);

#endif
