/*
 * cpus.c - "0-3,6" to a mask: numbers and ranges between commas.
 */
#include "conf/cpus.h"

#include <errno.h>

static int
parse_range(struct slice text, uint64_t bits, uint64_t *ret_first, uint64_t *ret_last)
{
    size_t dash = slice_find(text, 0, '-');

    if (slice_u64(slice_sub(text, 0, dash), ret_first) < 0)
        return -EINVAL;
    *ret_last = *ret_first;
    if (dash < text.n && slice_u64(slice_sub(text, dash + 1, text.n), ret_last) < 0)
        return -EINVAL;
    return *ret_first <= *ret_last && *ret_last < bits ? 0 : -EINVAL;
}

int
cpus_parse(struct slice text, uint64_t *ret_mask, size_t words)
{
    size_t at = 0;

    while (at <= text.n) {
        size_t end = slice_find(text, at, ',');
        uint64_t first, last;

        if (parse_range(slice_sub(text, at, end), words * 64, &first, &last) < 0)
            return -EINVAL;
        for (uint64_t i = first; i <= last; i++)
            ret_mask[i / 64] |= UINT64_C(1) << (i % 64);
        at = end + 1;
    }
    return 0;
}
