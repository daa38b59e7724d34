/*
 * err.h - 0 / -errno plus one sentence that grows on its way up.
 *
 * A function that fails returns -errno; one that knows more than the number also fills a
 * struct br_err.  The first call of br_fail writes "sentence: strerror"; each later one, by a
 * caller that adds its own view, puts "sentence: " in front of what is there.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/attr.h"

struct br_err {
    int rc;          /* the first -errno, 0 while nothing failed */
    char text[1024]; /* NUL-terminated, cut at the end when too long */
};

#define BR_ERR_NONE ((struct br_err){.rc = 0})

/*
 * br_fail - add a sentence, return rc.
 *
 *   err   may be NULL: only rc is passed on
 *   rc    negative errno; the text of strerror is added the first time, except for -EBADMSG,
 *         where the sentence alone says it all
 */
int br_fail(struct br_err *err, int rc, const char *fmt, ...) br_printf(3, 4);

void br_err_clear(struct br_err *err);

#endif
