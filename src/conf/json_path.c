/*
 * json_path.c - get, put, append and delete by path.
 *
 * An edit first finds the parent and the place, then everything that could refuse it, and only
 * then moves a link: a failed edit leaves no trace.
 */
#include "conf/json_path.h"

#include <errno.h>

#include "conf/percent.h"
#include "conf/utf8.h"

static int
add_segment(struct arena *a, struct json_path *path, struct slice raw)
{
    char *room = arena_alloc(a, raw.n + 1);
    long n;

    if (room == NULL)
        return -ENOMEM;
    n = percent_decode(raw, room);
    if (n < 0)
        return -EINVAL;
    if (n > JSON_SEGMENT_MAX || !utf8_is_valid(room, (size_t)n))
        return -ENOENT;
    path->segments[path->n++] = slice_make(room, (size_t)n);
    return 0;
}

static size_t
count_slashes(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '/';
    return n;
}

int
json_path_split(struct arena *a, struct slice target, struct json_path *ret_path)
{
    struct slice rest = slice_sub(target, 0, slice_find(target, 0, '?'));
    struct json_path path = {.n = 0};
    struct slice piece;
    int rc = 0;

    if (rest.n == 0 || rest.p[0] != '/')
        return -EINVAL;
    path.segments = arena_array(a, struct slice, count_slashes(rest));
    if (path.segments == NULL)
        return -ENOMEM;
    while (rc == 0 && slice_split(&rest, '/', &piece)) {
        if (piece.n == 0 || slice_eq(piece, SLICE(".")))
            continue;
        if (!slice_eq(piece, SLICE("..")))
            rc = add_segment(a, &path, piece);
        else if (path.n-- == 0)
            return -EINVAL;
    }
    if (rc == 0)
        *ret_path = path;
    return rc;
}

struct json_path
json_path_from(struct json_path path, size_t n)
{
    n = br_min(n, path.n);
    return (struct json_path){.segments = path.segments + n, .n = path.n - n};
}

/* RFC 6901, 3: "~" is written "~0", "/" is written "~1". */
static size_t
escape_byte(char c, char *to)
{
    const char *written = c == '~' ? "~0" : c == '/' ? "~1" : c == '\0' ? "\xef\xbf\xbd" : NULL;

    if (written == NULL) {
        *to = c;
        return 1;
    }
    memcpy(to, written, strlen(written));
    return strlen(written);
}

char *
json_pointer(struct arena *a, struct json_path path)
{
    size_t room = 1;
    char *text, *to;

    for (size_t i = 0; i < path.n; i++)
        room += 1 + 3 * path.segments[i].n;
    text = to = arena_alloc(a, room);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < path.n; i++) {
        *to++ = '/';
        for (size_t k = 0; k < path.segments[i].n; k++)
            to += escape_byte(path.segments[i].p[k], to);
    }
    *to = '\0';
    return text;
}

/* An index is decimal digits, without leading zeros: each element has one name. */
static bool
read_index(struct slice segment, size_t *ret_index)
{
    uint64_t index;

    if (segment.n > 1 && segment.p[0] == '0')
        return false;
    if (slice_u64(segment, &index) < 0 || index > SIZE_MAX)
        return false;
    *ret_index = (size_t)index;
    return true;
}

static struct json *
child_of(const struct json *parent, struct slice segment)
{
    size_t index;

    if (parent->type == JSON_OBJECT)
        return json_get(parent, segment);
    if (parent->type == JSON_ARRAY && read_index(segment, &index))
        return json_at(parent, index);
    return NULL;
}

struct json *
json_path_get(struct json *root, struct json_path path)
{
    struct json *value = root;

    for (size_t i = 0; i < path.n && value != NULL; i++)
        value = child_of(value, path.segments[i]);
    return value;
}

static struct json *
parent_of(struct json *root, struct json_path path)
{
    return json_path_get(root, (struct json_path){.segments = path.segments, .n = path.n - 1});
}

/* Does value fit below that many containers? */
static bool
nests_too_deep(const struct json *value, size_t above)
{
    return above > JSON_DEPTH_MAX || json_depth(value) > JSON_DEPTH_MAX - above;
}

/* What points at child: its sibling's next, or its parent's first. */
static struct json *
sibling_before(const struct json *parent, const struct json *child)
{
    struct json *before = NULL;

    for (struct json *c = parent->first; c != child; c = c->next)
        before = c;
    return before;
}

static void
unlink_child(struct json *parent, struct json *child)
{
    struct json *before = sibling_before(parent, child);

    if (before != NULL)
        before->next = child->next;
    else
        parent->first = child->next;
    if (parent->last == child)
        parent->last = before;
    parent->n--;
}

static void
replace_child(struct json *parent, struct json *child, struct json *value)
{
    struct json *before = sibling_before(parent, child);

    value->next = child->next;
    value->name = child->name;
    if (before != NULL)
        before->next = value;
    else
        parent->first = value;
    if (parent->last == child)
        parent->last = value;
}

/* May a new child of this name be made, as the last one? */
static bool
may_create(const struct json *parent, struct slice segment)
{
    size_t index;

    if (parent->type == JSON_OBJECT)
        return true;
    return parent->type == JSON_ARRAY && read_index(segment, &index) && index == parent->n;
}

static int
create_child(struct arena *a, struct json *parent, struct slice segment, struct json *value)
{
    if (parent->type == JSON_OBJECT) {
        struct slice name = arena_dup(a, segment);

        if (name.p == NULL)
            return -ENOMEM;
        json_add(parent, name, value);
    } else {
        value->name = SLICE_NONE;
        json_push(parent, value);
    }
    return 0;
}

int
json_path_put(struct arena *a, struct json **root, struct json_path path, struct json *value)
{
    struct json *parent, *child;

    if (path.n == 0) {
        if (nests_too_deep(value, 0))
            return -ELOOP;
        value->next = NULL;
        value->name = SLICE_NONE;
        *root = value;
        return 0;
    }
    parent = parent_of(*root, path);
    if (parent == NULL)
        return -ENOENT;
    child = child_of(parent, path.segments[path.n - 1]);
    if (child == NULL && !may_create(parent, path.segments[path.n - 1]))
        return -ENOENT;
    if (nests_too_deep(value, path.n))
        return -ELOOP;
    if (child == NULL)
        return create_child(a, parent, path.segments[path.n - 1], value);
    replace_child(parent, child, value);
    return 0;
}

int
json_path_append(struct json *root, struct json_path path, struct json *value)
{
    struct json *array = json_path_get(root, path);

    if (array == NULL)
        return -ENOENT;
    if (array->type != JSON_ARRAY)
        return -ENOTDIR;
    if (nests_too_deep(value, path.n + 1))
        return -ELOOP;
    value->name = SLICE_NONE;
    json_push(array, value);
    return 0;
}

int
json_path_delete(struct arena *a, struct json **root, struct json_path path)
{
    struct json *parent, *child;

    if (path.n == 0) {
        *root = json_new(a, JSON_OBJECT);
        return 0;
    }
    parent = parent_of(*root, path);
    child = parent == NULL ? NULL : child_of(parent, path.segments[path.n - 1]);
    if (child == NULL)
        return -ENOENT;
    unlink_child(parent, child);
    return 0;
}
