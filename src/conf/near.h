/*
 * near.h - "did you mean": the one of several names that is nearest to a mistyped one.
 */
#ifndef CONF_NEAR_H
#define CONF_NEAR_H

#include "base/slice.h"

struct near {
    struct slice wanted;
    struct slice best; /* SLICE_NONE: none is near */
    size_t least;      /* edits that best is away, or that are too many */
};

/* Offer each name there is, then look at best. */
struct near near_begin(struct slice wanted);
/* The name is not copied. */
void near_offer(struct near *near, struct slice name);

#endif
