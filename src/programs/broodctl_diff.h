/*
 * broodctl_diff.h - two texts, line by line, as a unified diff.
 */
#ifndef PROGRAMS_BROODCTL_DIFF_H
#define PROGRAMS_BROODCTL_DIFF_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/json.h"

/*
 * diff_unified - append the differences, with three lines around each; nothing when there are none.
 *
 * The fewest changes are shown as long as there are at most some thousand; beyond that everything
 * between the first and the last difference is one change.  Whether there were differences.
 */
bool diff_unified(struct arena *a, struct slice old_text, struct slice new_text,
                  const char *old_name, const char *new_name, struct buf *ret);

/* The same of two trees in the API's layout, so that only differences of meaning show. */
bool diff_json(struct arena *a, const struct json *old_value, const struct json *new_value,
               const char *old_name, const char *new_name, struct buf *ret);

#endif
