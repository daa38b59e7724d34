/*
 * values.c - what a setter of options.def stores, made from a JSON value.
 *
 * The value was validated: nothing here can fail but for memory, which the arena does not survive.
 */
#include "conf/values.h"

#include <assert.h>
#include <string.h>

/* The texts of a string or an array of strings. */
static size_t
texts_of(struct arena *a, const struct json *value, struct slice **ret_texts)
{
    size_t n = value->type == JSON_ARRAY ? value->n : 1, i = 0;
    struct slice *texts = arena_array(a, struct slice, n);

    if (value->type == JSON_STRING)
        texts[0] = value->text;
    if (value->type == JSON_ARRAY) {
        json_foreach(element, value) texts[i++] = element->text;
    }
    *ret_texts = texts;
    return n;
}

struct strings
value_strings(struct arena *a, const struct json *value)
{
    struct strings to;
    struct slice *texts;

    to.n = texts_of(a, value, &texts);
    to.p = arena_array(a, const char *, to.n + 1);
    for (size_t i = 0; i < to.n; i++)
        to.p[i] = arena_cstr(a, texts[i]);
    return to;
}

struct strings
value_environment(struct arena *a, const struct json *object)
{
    struct strings to = {.p = arena_array(a, const char *, (size_t)object->n + 1)};

    json_foreach(member, object)
    {
        struct slice name = member->name, value = member->text;
        char *text = arena_alloc(a, name.n + value.n + 2);

        memcpy(text, name.p, name.n);
        text[name.n] = '=';
        memcpy(text + name.n + 1, value.p, value.n);
        text[name.n + 1 + value.n] = '\0';
        to.p[to.n++] = text;
    }
    return to;
}

int64_t
value_integer(const struct json *value)
{
    int64_t number = 0;

    json_integer(value, &number);
    return number;
}

/* Room for n texts; NULL behind the last. */
static struct strings
room_for(struct arena *a, size_t n)
{
    return (struct strings){.p = arena_array(a, const char *, n + 1)};
}

struct strings
value_numbers(struct arena *a, const struct json *value)
{
    struct strings to = room_for(a, value->n);

    json_foreach(number, value) to.p[to.n++] =
        arena_printf(a, "%lld", (long long)value_integer(number));
    return to;
}

static long long
member_integer(const struct json *object, const char *name)
{
    return (long long)value_integer(json_get(object, slice_cstr(name)));
}

struct strings
value_id_ranges(struct arena *a, const struct json *value)
{
    struct strings to = room_for(a, value->n);

    json_foreach(range, value) to.p[to.n++] =
        arena_printf(a, "%lld %lld %lld", member_integer(range, "container"),
                     member_integer(range, "host"), member_integer(range, "size"));
    return to;
}

struct strings
value_limits(struct arena *a, const struct json *value)
{
    struct strings to = room_for(a, value->n);

    json_foreach(limit, value)
    {
        bool both = limit->type != JSON_OBJECT;
        long long soft = both ? (long long)value_integer(limit) : member_integer(limit, "soft");
        long long hard = both ? soft : member_integer(limit, "hard");

        to.p[to.n++] = arena_printf(a, SLICE_FMT " %lld %lld", SLICE_ARG(limit->name), soft, hard);
    }
    return to;
}

struct strings
value_binds(struct arena *a, const struct json *value)
{
    struct strings to = room_for(a, 3 * value->n);

    json_foreach(bind, value)
    {
        const struct json *source = json_get(bind, SLICE("source"));
        const struct json *target = json_get(bind, SLICE("target"));
        const struct json *writable = json_get(bind, SLICE("writable"));

        to.p[to.n++] = arena_cstr(a, source->text);
        to.p[to.n++] = arena_cstr(a, target != NULL ? target->text : source->text);
        to.p[to.n++] = writable != NULL && writable->truth ? "rw" : "ro";
    }
    return to;
}

const struct patterns *
value_patterns(struct arena *a, const struct json *value, enum pattern_text how)
{
    struct patterns *set = NULL;
    struct slice *texts;
    size_t n = texts_of(a, value, &texts), bad;
    int rc = patterns_compile(a, texts, n, how, &set, &bad, NULL);

    assert(rc == 0);
    return rc == 0 ? set : NULL;
}

struct template *
value_template(struct arena *a, struct slice text)
{
    struct template *t = NULL;
    int rc = template_parse(a, text, &t, NULL);

    assert(rc == 0);
    return rc == 0 ? t : NULL;
}

struct templates
value_templates(struct arena *a, const struct json *value)
{
    struct templates to;
    struct slice *texts;

    to.n = texts_of(a, value, &texts);
    to.p = arena_array(a, struct template *, to.n);
    for (size_t i = 0; i < to.n; i++)
        to.p[i] = value_template(a, texts[i]);
    return to;
}

const struct mime *
value_mime(struct arena *a, const struct json *value)
{
    struct mime *mime = mime_new(a);
    struct slice *texts;

    if (value == NULL)
        return mime;
    json_foreach(member, value)
    {
        size_t n = texts_of(a, member, &texts);

        for (size_t i = 0; i < n; i++)
            mime_add(a, mime, member->name, texts[i]);
    }
    return mime;
}
