/*
 * condition.h - what the conditional fields of a request make of its answer (RFC 9110, 13).
 */
#ifndef ROUTER_CONDITION_H
#define ROUTER_CONDITION_H

#include <time.h>

#include "base/slice.h"

/* Values of the request's fields; p is NULL where a field is absent, lists are joined by ", ". */
struct conditions {
    struct slice if_match;
    struct slice if_none_match;
    struct slice if_modified_since;
    struct slice if_unmodified_since;
    struct slice if_range;
};

/* What the representation would be sent with. */
struct validators {
    struct slice etag; /* with its quotes; strong */
    time_t modified;
};

/* 0: go on; 304; or 412.  For GET and HEAD. */
unsigned condition_check(const struct conditions *c, const struct validators *v);

/* May a Range field be obeyed, as far as If-Range is concerned? */
bool condition_range_holds(const struct conditions *c, const struct validators *v);

#endif
