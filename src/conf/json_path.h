/*
 * json_path.h - get, put, append and delete by path.
 *
 *   /config/routes/a%2Fb/0?x  --split-->  config | routes | a/b | 0
 *
 * A target is split at '/' before each piece is percent-decoded, so that %2F is part of a name.
 * Edits change the tree in place: work on a json_copy, the live tree has readers.
 */
#ifndef CONF_JSON_PATH_H
#define CONF_JSON_PATH_H

#include "conf/json.h"

#define JSON_SEGMENT_MAX 256 /* bytes of a decoded segment; longer ones are not found */

struct json_path {
    struct slice *segments; /* decoded */
    size_t n;
};

/*
 * json_path_split - a request target to segments.
 *
 * The query is dropped, "//" merged, "." and ".." resolved, a trailing '/' ignored.
 * 0, -EINVAL (no leading '/', above the root, bad percent-encoding), -ENOENT (a segment can name
 * nothing: too long, or not UTF-8), -ENOMEM (the arena's cap).
 */
int json_path_split(struct arena *a, struct slice target, struct json_path *ret_path);

/* The path without its first n segments. */
struct json_path json_path_from(struct json_path path, size_t n);

/*
 * As a JSON pointer (RFC 6901), "/routes/a~1b/0": "" is the root itself.  A NUL in a name, which
 * JSON allows, is written as U+FFFD.
 */
char *json_pointer(struct arena *a, struct json_path path);

/* What is there, or NULL. */
struct json *json_path_get(struct json *root, struct json_path path);

/*
 * json_path_put - replace, or create the last segment: a new member comes last, an array index
 * that equals the length appends.
 *
 *   value   becomes part of the tree
 *
 * 0, -ENOENT (no such parent, or no such place in it), -ELOOP (would nest deeper than
 * JSON_DEPTH_MAX).  Nothing is changed on failure.
 */
int json_path_put(struct arena *a, struct json **root, struct json_path path, struct json *value);

/* Append to the array there.  0, -ENOENT, -ENOTDIR (it is not an array), -ELOOP. */
int json_path_append(struct json *root, struct json_path path, struct json *value);

/* Remove; the root becomes {}.  0, -ENOENT. */
int json_path_delete(struct arena *a, struct json **root, struct json_path path);

#endif
