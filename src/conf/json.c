/*
 * json.c - the tree itself: finding, measuring, comparing, copying, making.
 *
 * Reading text is json_parse.c, writing it json_write.c, edits by path json_path.c.
 */
#include "conf/json.h"

#include <errno.h>

#include "conf/json_number.h"

static bool
is_container(const struct json *value)
{
    return value->type == JSON_ARRAY || value->type == JSON_OBJECT;
}

static bool
has_text(const struct json *value)
{
    return value->type == JSON_STRING || value->type == JSON_NUMBER;
}

struct json *
json_get(const struct json *object, struct slice name)
{
    if (object->type != JSON_OBJECT)
        return NULL;
    json_foreach(member, object)
    {
        if (slice_eq(member->name, name))
            return member;
    }
    return NULL;
}

struct json *
json_at(const struct json *array, size_t index)
{
    if (array->type != JSON_ARRAY || index >= array->n)
        return NULL;
    json_foreach(element, array)
    {
        if (index-- == 0)
            return element;
    }
    return NULL;
}

const char *
json_type_name(const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        return "a null";
    case JSON_BOOL:
        return "a boolean";
    case JSON_NUMBER:
        return json_is_integer(value) ? "an integer number" : "a fractional number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        return "an object";
    }
    return "nothing known";
}

bool
json_is_integer(const struct json *value)
{
    return value->type == JSON_NUMBER && json_number_is_integer(value->text);
}

int
json_integer(const struct json *value, int64_t *ret_value)
{
    return value->type == JSON_NUMBER ? json_number_integer(value->text, ret_value) : -EINVAL;
}

int
json_scaled(const struct json *value, int64_t factor, int64_t *ret_value)
{
    return value->type == JSON_NUMBER ? json_number_scaled(value->text, factor, ret_value)
                                      : -EINVAL;
}

static bool
equal_children(const struct json *a, const struct json *b)
{
    const struct json *y = b->first;

    if (a->n != b->n)
        return false;
    json_foreach(x, a)
    {
        if (!slice_eq(x->name, y->name) || !json_equal(x, y))
            return false;
        y = y->next;
    }
    return true;
}

bool
json_equal(const struct json *a, const struct json *b)
{
    if (a->type != b->type)
        return false;
    if (is_container(a))
        return equal_children(a, b);
    if (has_text(a))
        return slice_eq(a->text, b->text);
    return a->type == JSON_NULL || a->truth == b->truth;
}

unsigned
json_depth(const struct json *value)
{
    unsigned most = 0;

    if (!is_container(value))
        return 0;
    json_foreach(child, value) most = br_max(most, json_depth(child));
    return most + 1;
}

/* Room for all nodes and all bytes of a copy, taken from the arena at once. */
struct copier {
    struct json *nodes;
    char *bytes;
};

static void
measure(const struct json *value, size_t *nodes, size_t *bytes)
{
    *nodes += 1;
    *bytes += value->name.n + (has_text(value) ? value->text.n : 0);
    if (is_container(value)) {
        json_foreach(child, value) measure(child, nodes, bytes);
    }
}

static struct slice
copy_text(struct copier *to, struct slice text)
{
    char *p = to->bytes;

    if (text.p == NULL)
        return text;
    memcpy(p, text.p, text.n);
    to->bytes += text.n;
    return slice_make(p, text.n);
}

static struct json *
copy_node(struct copier *to, const struct json *src)
{
    struct json *copy = to->nodes++;

    copy->type = src->type;
    copy->name = copy_text(to, src->name);
    copy->offset = copy->name_offset = JSON_NOWHERE;
    if (has_text(src))
        copy->text = copy_text(to, src->text);
    else if (src->type == JSON_BOOL)
        copy->truth = src->truth;
    else if (is_container(src)) {
        json_foreach(child, src) json_push(copy, copy_node(to, child));
    }
    return copy;
}

struct json *
json_copy(struct arena *a, const struct json *src)
{
    size_t nodes = 0, bytes = 0;
    struct copier to;

    measure(src, &nodes, &bytes);
    to.nodes = arena_array(a, struct json, nodes);
    to.bytes = arena_alloc(a, bytes + 1);
    if (to.nodes == NULL || to.bytes == NULL)
        return NULL;
    return copy_node(&to, src);
}

struct json *
json_new(struct arena *a, enum json_type type)
{
    struct json *value = arena_new(a, struct json);

    value->type = type;
    value->offset = value->name_offset = JSON_NOWHERE;
    return value;
}

struct json *
json_new_bool(struct arena *a, bool truth)
{
    struct json *value = json_new(a, JSON_BOOL);

    value->truth = truth;
    return value;
}

struct json *
json_new_int(struct arena *a, int64_t number)
{
    struct json *value = json_new(a, JSON_NUMBER);

    value->text = slice_cstr(arena_printf(a, "%lld", (long long)number));
    return value;
}

struct json *
json_new_string(struct arena *a, struct slice text)
{
    struct json *value = json_new(a, JSON_STRING);

    value->text = text;
    return value;
}

struct json *
json_push(struct json *array, struct json *value)
{
    value->next = NULL;
    if (array->last != NULL)
        array->last->next = value;
    else
        array->first = value;
    array->last = value;
    array->n++;
    return value;
}

struct json *
json_add(struct json *object, struct slice name, struct json *value)
{
    value->name = name;
    return json_push(object, value);
}
