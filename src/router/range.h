/*
 * range.h - which bytes a Range field asks for (RFC 9110, 14.1.2 and 14.2).
 */
#ifndef ROUTER_RANGE_H
#define ROUTER_RANGE_H

#include "base/slice.h"

#define RANGES_MAX 16

struct range {
    uint64_t at;
    uint64_t n; /* never 0 */
};

enum range_verdict {
    RANGE_WHOLE,         /* no range, not understood or not worth it: 200 and everything */
    RANGE_PARTS,         /* 206 */
    RANGE_UNSATISFIABLE, /* 416 */
};

/*
 * range_parse - the field's value against a representation of `size` bytes.
 *
 * Ranges come in the order asked for, each inside the representation, those that lie outside left
 * out.  A field that is malformed, asks for more than RANGES_MAX ranges, or for more bytes than
 * there are (so overlapping ones can never multiply the traffic) is ignored, as a server may.
 */
enum range_verdict range_parse(struct slice value, uint64_t size, struct range ret[RANGES_MAX],
                               unsigned *ret_n);

#endif
