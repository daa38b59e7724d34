/*
 * values.h - from a validated JSON value to what a generation holds of it.
 */
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include "conf/generation.h"
#include "conf/json.h"

/* All in the arena.  Of a string or an array of strings: */
struct strings value_strings(struct arena *a, const struct json *value);
const struct patterns *value_patterns(struct arena *a, const struct json *value,
                                      enum pattern_text how);
struct templates value_templates(struct arena *a, const struct json *value);

int64_t value_integer(const struct json *value);
struct template *value_template(struct arena *a, struct slice text);
/* Of an object: "NAME=VALUE" of each member. */
struct strings value_environment(struct arena *a, const struct json *object);
/* Of an array of numbers. */
struct strings value_numbers(struct arena *a, const struct json *value);
/* Of uidmap and gidmap: "INSIDE OUTSIDE N". */
struct strings value_id_ranges(struct arena *a, const struct json *value);
/* Of rlimits: "NAME SOFT HARD". */
struct strings value_limits(struct arena *a, const struct json *value);
/* Of binds, three by three: source, target, "ro" or "rw". */
struct strings value_binds(struct arena *a, const struct json *value);
/* The built-in types, and what the option adds; value may be NULL. */
const struct mime *value_mime(struct arena *a, const struct json *value);

#endif
