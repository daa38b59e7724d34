/*
 * expand.c - variables of the environment in a configuration file.
 *
 *   tree --walk, the option table in the other hand--> each string, each name: pieces --> one text
 *
 * The table is asked only whether an option takes strings at all; what it does not know is left to
 * the validation, which comes after.
 */
#include "conf/expand.h"

#include <stdlib.h>

#include "base/buf.h"
#include "conf/checks.h"
#include "conf/module.h"
#include "conf/options.h"
#include "conf/utf8.h"

#define OPEN     SLICE("${env:")
#define OR_ELSE  SLICE(":-")
#define TEXT_MAX (16u * 1024 * 1024)

/* One string on its way. */
struct text {
    struct check *check;
    const struct json *value; /* which it belongs to, for its place */
    bool is_name;             /* it is the name of value */
    struct buf out;
    unsigned variables;
};

static int
wrong(struct text *t, const char *what, struct slice name)
{
    struct check *c = t->check;
    const char *quoted = check_quote(c, name);

    if (t->is_name)
        return check_refuse_name(c, t->value, "%s %s.", what, quoted);
    return check_refuse(c, t->value, "%s %s.", what, quoted);
}

static bool
is_variable_name(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = ascii_lower(name.p[i]);

        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.n > 0;
}

static bool
is_utf8(struct slice text)
{
    const char *p = text.p, *end = text.p + text.n;

    while (p < end) {
        unsigned n = utf8_length(p, end);

        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

/* Where the one stands in the other at or after from, or s.n. */
static size_t
find(struct slice s, size_t from, struct slice what)
{
    while (from < s.n && !slice_starts(slice_sub(s, from, s.n), what))
        from++;
    return from;
}

/* inside: what stands between "${env:" and "}". */
static int
put_variable(struct text *t, struct slice inside)
{
    size_t end = find(inside, 0, OR_ELSE);
    struct slice name = slice_sub(inside, 0, end);
    const char *value;

    if (!is_variable_name(name))
        return wrong(t, "No environment variable can have the name", name);
    value = getenv(arena_cstr(t->check->arena, name));
    t->variables++;
    if (end < inside.n && (value == NULL || *value == '\0'))
        return buf_put(&t->out, slice_sub(inside, end + OR_ELSE.n, inside.n));
    if (value == NULL)
        return wrong(t, "There is no environment variable", name);
    if (!is_utf8(slice_cstr(value)))
        return wrong(t, "Not valid UTF-8: the environment variable", name);
    return buf_puts(&t->out, value);
}

static int
put_all(struct text *t, struct slice text)
{
    size_t at = 0, open;
    int rc = 0;

    while (rc == 0 && (open = find(text, at, OPEN)) < text.n) {
        size_t inside = open + OPEN.n, close = slice_find(text, inside, '}');

        if (open > at && text.p[open - 1] == '$') {
            buf_put(&t->out, slice_sub(text, at, open - 1));
            rc = buf_put(&t->out, OPEN);
            at = inside;
            continue;
        }
        buf_put(&t->out, slice_sub(text, at, open));
        if (close == text.n)
            return wrong(t, "There is no closing brace in", text);
        rc = put_variable(t, slice_sub(text, inside, close));
        at = close + 1;
    }
    return rc < 0 ? rc : buf_put(&t->out, slice_sub(text, at, text.n));
}

static bool
is_one_variable(struct slice text)
{
    return slice_starts(text, OPEN) && slice_find(text, 0, '}') + 1 == text.n;
}

/* *text becomes what it stands for.  false: it stays, and faults know why, if it is a fault. */
static bool
expand_text(struct check *c, const struct json *value, bool is_name, struct slice *text)
{
    struct text t = {.check = c, .value = value, .is_name = is_name};
    int rc;

    if (find(*text, 0, OPEN) == text->n)
        return false;
    buf_init(&t.out, TEXT_MAX);
    rc = put_all(&t, *text);
    if (rc == 0)
        *text = arena_dup(c->arena, buf_slice(&t.out));
    else if (c->fault->err.rc == 0)
        wrong(&t, "Far too long is what comes of", *text);
    if (rc < 0) {
        conf_faults_add(c->faults, c->fault);
        br_err_clear(&c->fault->err);
    }
    buf_done(&t.out);
    return rc == 0;
}

static bool
wants_no_string(const struct option *opt)
{
    return opt != NULL && (opt->types & (T_BOOL | T_INTEGER | T_NUMBER)) != 0 &&
           (opt->types & (T_STRING | T_STRINGS)) == 0;
}

/* Anything else than a number or a boolean stays a string: the validation has the words for it. */
static void
become_scalar(struct check *c, struct json *value)
{
    struct json *scalar = NULL;
    size_t offset;

    if (json_parse(c->arena, value->text, &scalar, &offset, NULL) < 0)
        return;
    if (scalar->type == JSON_NUMBER)
        value->text = scalar->text;
    else if (scalar->type == JSON_BOOL)
        value->truth = scalar->truth;
    else
        return;
    value->type = scalar->type;
}

static void expand_value(struct check *c, const struct option *opt, struct json *value);

static void
expand_string(struct check *c, const struct option *opt, struct json *value)
{
    bool whole = is_one_variable(value->text);

    if (expand_text(c, value, false, &value->text) && whole && wants_no_string(opt))
        become_scalar(c, value);
}

/* row: of each element, or NULL. */
static void
expand_elements(struct check *c, const struct option *row, struct json *array)
{
    struct check_frame frame = {.up = c->at};

    c->at = &frame;
    json_foreach(element, array)
    {
        expand_value(c, row, element);
        frame.index++;
    }
    c->at = frame.up;
}

/* Which options an application has depends on its language. */
static void
note_language(struct check *c, const struct option *opt, struct json *object)
{
    struct json *type = json_get(object, SLICE("type"));
    struct slice version;

    if (opt == option_find("applications/*") && type != NULL && type->type == JSON_STRING)
        module_type_split(type->text, &c->language, &version);
}

/* The parser compared the names as they were written. */
static void
check_twice(struct check *c, const struct json *object, const struct json *member)
{
    json_foreach(other, object)
    {
        if (other == member || !slice_eq(other->name, member->name))
            continue;
        check_refuse_name(c, member, "The object has the name %s twice.",
                          check_quote(c, member->name));
        conf_faults_add(c->faults, c->fault);
        br_err_clear(&c->fault->err);
        return;
    }
}

static void
expand_members(struct check *c, const struct option *opt, struct json *object)
{
    struct check_frame frame = {.up = c->at};

    c->at = &frame;
    json_foreach(member, object)
    {
        frame.name = member->name;
        if (expand_text(c, member, true, &member->name)) {
            frame.name = member->name;
            check_twice(c, object, member);
        }
        if (opt != NULL && opt->named_arrays && member->type == JSON_ARRAY)
            expand_elements(c, option_child(opt, SLICE("*"), c->language), member);
        else
            expand_value(c, opt != NULL ? option_child(opt, member->name, c->language) : NULL,
                         member);
    }
    c->at = frame.up;
}

static const struct option *
row_of_elements(const struct check *c, const struct option *opt)
{
    if (opt == NULL || (opt->types & T_OBJECTS) != 0)
        return opt;
    return option_child(opt, SLICE("*"), c->language);
}

static void
expand_value(struct check *c, const struct option *opt, struct json *value)
{
    struct slice language = c->language;

    switch (value->type) {
    case JSON_STRING:
        expand_string(c, opt, value);
        break;
    case JSON_ARRAY:
        expand_elements(c, row_of_elements(c, opt), value);
        break;
    case JSON_OBJECT:
        note_language(c, opt, value);
        expand_members(c, opt, value);
        c->language = language;
        break;
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_NUMBER:
        break;
    }
}

void
expand_environment(struct arena *a, struct json *conf, struct conf_faults *faults)
{
    struct conf_fault fault = {.offset = JSON_NOWHERE};
    struct check c = {.arena = a, .fault = &fault, .faults = faults};

    expand_value(&c, option_find(""), conf);
}
