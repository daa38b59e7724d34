/*
 * cpus.h - lists of processors as taskset(1) writes them: "0-3,6".
 */
#ifndef CONF_CPUS_H
#define CONF_CPUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Into ret_mask, one bit each in `words` words, which begin as zeroes.  0, or -EINVAL: empty, no
 * such list, or a number that the mask has no bit for.
 */
int cpus_parse(struct slice text, uint64_t *ret_mask, size_t words);

#endif
