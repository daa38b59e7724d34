/*
 * json.h - the accepted dialect of JSON as a tree in an arena.
 *
 *   object --first--> member --next--> member --next--> ...     each member carries its name
 *
 * Members keep their order, numbers keep their text, nodes keep the byte offset where they
 * stood.  The dialect is RFC 8259 plus comments and one trailing comma (control-api, 3); names
 * are unique, text is valid UTF-8, nesting has a limit.  Line and column are computed only when
 * somebody asks (json_locate).
 */
#ifndef CONF_JSON_H
#define CONF_JSON_H

#include "base/arena.h"
#include "base/err.h"

#define JSON_DEPTH_MAX  128        /* containers inside each other */
#define JSON_NUMBER_MAX 14         /* bytes of a number's text */
#define JSON_NOWHERE    UINT32_MAX /* offset of a node that came from no text */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    struct json *next; /* in the same container */
    struct slice name; /* of a member, decoded; else SLICE_NONE */
    union {
        struct slice text; /* STRING: decoded bytes; NUMBER: as written */
        struct {
            struct json *first;
            struct json *last;
        };
        bool truth; /* BOOL */
    };
    uint32_t n;           /* ARRAY, OBJECT: children */
    uint32_t offset;      /* of the value's first byte, or JSON_NOWHERE */
    uint32_t name_offset; /* of the name's opening quote, or JSON_NOWHERE */
    enum json_type type;
};

#define json_foreach(pos, container) \
    for (struct json *pos = (container)->first; pos != NULL; pos = pos->next)

/*
 * json_parse - one value, and nothing but white space and comments after it.
 *
 *   text        copied into the arena; offsets count from its first byte after a BOM
 *   ret_offset  where the fault is, set with -EBADMSG only
 *
 * Time and memory are linear in the text.  0, -EBADMSG (a sentence in err, without location),
 * -EFBIG (over 4 GiB), -ENOMEM (the arena's cap).
 */
int json_parse(struct arena *a, struct slice text, struct json **ret_root, size_t *ret_offset,
               struct br_err *err);

struct json_place {
    unsigned line;   /* from 1 */
    unsigned column; /* from 1, in characters */
};

/*
 * json_locate - line and column of an offset that json_parse or a node gave for this text.
 * false when the line is not valid UTF-8 up to there: then only the offset means something.
 */
bool json_locate(struct slice text, size_t offset, struct json_place *ret_place);

/* Member or element, NULL when there is none, or when this is no such container. */
struct json *json_get(const struct json *object, struct slice name);
struct json *json_at(const struct json *array, size_t index);

/* "a null", "an integer number", "a fractional number", … for messages. */
const char *json_type_name(const struct json *value);

/* A NUMBER whose fractional part is zero: 3, 3.0, 1e2. */
bool json_is_integer(const struct json *value);
/* 0, -EINVAL (no integer number), -ERANGE (2^63 itself). */
int json_integer(const struct json *value, int64_t *ret_value);
/*
 * The NUMBER times factor, rounded away from zero (so that 0.0001 s is not "no timeout").
 * 0, -EINVAL (no number), -ERANGE.
 */
int json_scaled(const struct json *value, int64_t factor, int64_t *ret_value);

/* Equal in type and value, member by member in order; numbers by their text. */
bool json_equal(const struct json *a, const struct json *b);

/*
 * json_copy - a deep copy that shares nothing with src and has no offsets.
 * NULL when the arena's cap would be passed.
 */
struct json *json_copy(struct arena *a, const struct json *src);

/* How many containers are inside each other: 0 for a scalar, 1 for {}. */
unsigned json_depth(const struct json *value);

/* Making trees: text and names are not copied.  All abort when memory is out (arena without cap).
 */
struct json *json_new(struct arena *a, enum json_type type);
struct json *json_new_bool(struct arena *a, bool truth);
struct json *json_new_int(struct arena *a, int64_t value);
struct json *json_new_string(struct arena *a, struct slice text);
/* value becomes the last child; it must not be in another tree.  Returns value. */
struct json *json_push(struct json *array, struct json *value);
struct json *json_add(struct json *object, struct slice name, struct json *value);

#endif
