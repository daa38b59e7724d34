/*
 * range.c - the Range field: "bytes=0-99,-5" against a size.
 *
 *   "first-last" | "first-" | "-suffix", separated by commas, blanks and empty elements tolerated
 *
 * Numbers that do not fit 64 bits are not errors: they lie behind every representation, so they
 * count as the largest there is.  Rules: RFC 9110, 14.1.1, 14.1.2, 14.2 and 17.15 (abuse by many
 * small or overlapping ranges).
 */
#include "router/range.h"

#include <errno.h>

enum element { ELEMENT_BAD, ELEMENT_OUTSIDE, ELEMENT_INSIDE };

/* Digits only; a value that does not fit is the largest one. */
static bool
position(struct slice text, uint64_t *ret_value)
{
    int rc = slice_u64(text, ret_value);

    if (rc == -ERANGE) {
        *ret_value = UINT64_MAX;
        return true;
    }
    return rc == 0;
}

static enum element
suffix(struct slice text, uint64_t size, struct range *ret)
{
    uint64_t n;

    if (!position(text, &n))
        return ELEMENT_BAD;
    if (n == 0 || size == 0)
        return ELEMENT_OUTSIDE;
    ret->n = br_min(n, size);
    ret->at = size - ret->n;
    return ELEMENT_INSIDE;
}

static enum element
element(struct slice text, uint64_t size, struct range *ret)
{
    size_t dash = slice_find(text, 0, '-');
    uint64_t first, last = UINT64_MAX;

    if (dash == text.n)
        return ELEMENT_BAD;
    if (dash == 0)
        return suffix(slice_sub(text, 1, text.n), size, ret);
    if (!position(slice_sub(text, 0, dash), &first))
        return ELEMENT_BAD;
    if (dash + 1 < text.n && !position(slice_sub(text, dash + 1, text.n), &last))
        return ELEMENT_BAD;
    if (last < first)
        return ELEMENT_BAD;
    if (first >= size)
        return ELEMENT_OUTSIDE;
    ret->at = first;
    ret->n = br_min(last, size - 1) - first + 1;
    return ELEMENT_INSIDE;
}

enum range_verdict
range_parse(struct slice value, uint64_t size, struct range ret[RANGES_MAX], unsigned *ret_n)
{
    static const struct slice unit = {"bytes=", 6};
    struct slice rest, piece;
    unsigned n = 0, seen = 0;
    uint64_t total = 0;

    if (value.n < unit.n || !slice_ieq(slice_sub(value, 0, unit.n), unit))
        return RANGE_WHOLE;
    rest = slice_sub(value, unit.n, value.n);
    while (slice_split(&rest, ',', &piece)) {
        struct range r;

        piece = slice_trim(piece);
        if (piece.n == 0)
            continue;
        if (++seen > RANGES_MAX)
            return RANGE_WHOLE;
        switch (element(piece, size, &r)) {
        case ELEMENT_BAD:
            return RANGE_WHOLE;
        case ELEMENT_OUTSIDE:
            break;
        case ELEMENT_INSIDE:
            ret[n++] = r;
            total += r.n; /* at most RANGES_MAX times a file size: no overflow */
            break;
        }
    }
    if (seen == 0)
        return RANGE_WHOLE;
    if (n == 0)
        return RANGE_UNSATISFIABLE;
    if (n > 1 && total > size)
        return RANGE_WHOLE;
    *ret_n = n;
    return RANGE_PARTS;
}
