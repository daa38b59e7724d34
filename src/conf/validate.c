/*
 * validate.c - the walk over a tree with the option table in the other hand.
 *
 *   value: absent? -> type -> range, words -> begin -> each member (known? name? value) -> what is
 *   missing or too much -> check
 *
 * Where the walk stands is a list of frames on the stack, from which a fault gets its path.  What
 * is said of a single option is in options.def and checks.c.  Names that others refer to are
 * collected before the walk, so that a reference can be checked where it stands.
 */
#include "conf/validate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "conf/checks.h"
#include "conf/options.h"

static int check_value(struct check *c, const struct option *opt, const struct json *value);

/* Whole tokens only: a part of one would name something else. */
static void
set_path(struct conf_fault *fault, const char *path)
{
    size_t n = strlen(path);

    while (n >= sizeof fault->path) {
        n--;
        while (n > 0 && path[n] != '/')
            n--;
    }
    memcpy(fault->path, path, n);
    fault->path[n] = '\0';
    fault->has_path = true;
}

int
conf_fault_set(struct conf_fault *fault, int rc, uint32_t offset, const char *path, const char *fmt,
               ...)
{
    char text[sizeof fault->err.text];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (path != NULL)
        set_path(fault, path);
    fault->offset = offset;
    return br_fail(&fault->err, rc, "%s", text);
}

void
conf_faults_add(struct conf_faults *faults, const struct conf_fault *fault)
{
    faults->n++;
    faults->on_fault(faults, fault);
}

/* A fault ends the walk, unless all of them are wanted. */
static int
go_on(struct check *c, int rc)
{
    if (rc == 0 || c->faults == NULL)
        return rc;
    conf_faults_add(c->faults, c->fault);
    br_err_clear(&c->fault->err);
    return 0;
}

static unsigned
types_of(const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        return T_NULL;
    case JSON_BOOL:
        return T_BOOL;
    case JSON_NUMBER:
        return json_is_integer(value) ? T_INTEGER | T_NUMBER : T_NUMBER;
    case JSON_STRING:
        return T_STRING | T_STRINGS;
    case JSON_ARRAY:
        return T_ARRAY | T_STRINGS | T_TEXTS | T_OBJECTS;
    case JSON_OBJECT:
        return T_OBJECT;
    }
    return 0;
}

/* Known, but this build cannot do it: its value is not judged. */
static int
check_present(struct check *c, const struct option *opt, const struct json *value)
{
    if (opt->absent == NULL)
        return 0;
    return check_refuse(c, value, "The option %s is known, but this build has no %s.",
                        check_subject(c), opt->absent);
}

static int
check_json_type(struct check *c, const struct option *opt, const struct json *value)
{
    char wanted[128];

    if (types_of(value) & opt->types)
        return 0;
    option_types_text(opt, wanted, sizeof wanted);
    return check_refuse(c, value, "The value of %s must be %s, but is %s.", check_subject(c),
                        wanted, json_type_name(value));
}

/* A number that may have a fraction is one of seconds: compare thousandths. */
static bool
is_in_range(const struct option *opt, const struct json *value)
{
    bool thousandths = (opt->types & T_NUMBER) != 0;
    int64_t number;
    int rc = thousandths ? json_scaled(value, 1000, &number) : json_integer(value, &number);

    if (rc < 0)
        return false;
    return thousandths ? number >= opt->min * 1000 && number <= opt->max * 1000
                       : number >= opt->min && number <= opt->max;
}

static int
check_range(struct check *c, const struct option *opt, const struct json *value)
{
    if (value->type != JSON_NUMBER || is_in_range(opt, value))
        return 0;
    return check_refuse(
        c, value, "The value of %s must be from %lld to %lld, but is " SLICE_FMT ".",
        check_subject(c), (long long)opt->min, (long long)opt->max, SLICE_ARG(value->text));
}

/* "wsgi" or "asgi" */
static const char *
list_words(struct check *c, const char *words)
{
    const char *text = "";
    struct slice w;

    while ((w = option_next_word(&words)).p != NULL)
        text = arena_printf(c->arena, "%s%s\"" SLICE_FMT "\"", text,
                            *text == '\0'    ? ""
                            : *words == '\0' ? " or "
                                             : ", ",
                            SLICE_ARG(w));
    return text;
}

static int
check_words(struct check *c, const struct option *opt, const struct json *value)
{
    if (opt->words == NULL || value->type != JSON_STRING ||
        option_has_word(opt->words, value->text))
        return 0;
    return check_refuse(c, value, "The value of %s must be %s, but is %s.", check_subject(c),
                        list_words(c, opt->words), check_quote(c, value->text));
}

static int
unknown_option(struct check *c, const struct option *opt, const struct json *member)
{
    const struct option *near = option_near(opt, member->name, c->language);

    if (near != NULL)
        return check_refuse_name(c, member, "Unknown option %s; did you mean \"%s\"?",
                                 check_subject(c), option_name(near));
    return check_refuse_name(c, member, "Unknown option %s.", check_subject(c));
}

/* The walk stands at the member. */
static int
check_member(struct check *c, const struct option *opt, const struct json *member)
{
    const struct option *child = option_child(opt, member->name, c->language);
    int rc = 0;

    if (child == NULL)
        return unknown_option(c, opt, member);
    if (child->name_check != NULL)
        rc = child->name_check(c, member);
    return rc < 0 ? rc : check_value(c, child, member);
}

/* The elements of an array, each of which is as the row says; NULL: strings. */
static int
check_elements(struct check *c, const struct option *row, const struct json *array)
{
    struct check_frame frame = {.up = c->at};
    int rc = 0;

    c->at = &frame;
    json_foreach(element, array)
    {
        if (row != NULL)
            rc = check_value(c, row, element);
        else if (element->type != JSON_STRING)
            rc = check_refuse(c, element, "The value of %s must be a string, but is %s.",
                              check_subject(c), json_type_name(element));
        rc = go_on(c, rc);
        if (rc < 0)
            break;
        frame.index++;
    }
    c->at = frame.up;
    return rc;
}

static int
check_named_array(struct check *c, const struct option *opt, const struct json *member)
{
    if (member->type != JSON_ARRAY)
        return check_refuse(c, member, "The value of %s must be an array, but is %s.",
                            check_subject(c), json_type_name(member));
    return check_elements(c, option_child(opt, SLICE("*"), c->language), member);
}

static int
check_members(struct check *c, const struct option *opt, const struct json *object)
{
    struct check_frame frame = {.up = c->at};
    int rc = 0;

    c->at = &frame;
    json_foreach(member, object)
    {
        frame.name = member->name;
        rc = opt->named_arrays ? check_named_array(c, opt, member) : check_member(c, opt, member);
        rc = go_on(c, rc);
        if (rc < 0)
            break;
    }
    c->at = frame.up;
    return rc;
}

static bool
has_member(const struct json *object, const char *name)
{
    return name != NULL && json_get(object, slice_cstr(name)) != NULL;
}

/* What one member asks of those beside it, whether it is there or not. */
static int
check_company(struct check *c, const struct option *opt, const struct json *object)
{
    const char *name = option_name(opt);
    const struct json *member = json_get(object, slice_cstr(name));

    if (member == NULL && opt->required && !has_member(object, opt->unless))
        return check_refuse(c, object, "The option \"%s\" of %s is missing.", name,
                            check_subject(c));
    if (member == NULL)
        return 0;
    if (opt->with != NULL && !has_member(object, opt->with))
        return check_refuse_member(c, member, "The option \"%s\" is allowed only with \"%s\".",
                                   name, opt->with);
    if (has_member(object, opt->unless))
        return check_refuse_member(c, member, "The option \"%s\" is not allowed with \"%s\".", name,
                                   opt->unless);
    return 0;
}

static int
check_one_of(struct check *c, const struct option *opt, const struct json *object)
{
    static const char *const counts[] = {"none", "one", "two", "three"};
    const char *words = opt->one_of;
    struct slice w;
    unsigned n = 0;

    if (words == NULL)
        return 0;
    while ((w = option_next_word(&words)).p != NULL)
        n += json_get(object, w) != NULL;
    if (n == 1)
        return 0;
    return check_refuse(c, object, "%s must have exactly one of %s; this one has %s.",
                        check_subject(c), list_words(c, opt->one_of),
                        n < array_len(counts) ? counts[n] : "more");
}

static int
check_beside(struct check *c, const struct option *opt, const struct json *object)
{
    int rc = go_on(c, check_one_of(c, option_model(opt), object));

    for (const struct option *o = NULL; rc == 0 && (o = option_next_child(opt, o)) != NULL;) {
        if (option_is_of(o, c->language))
            rc = go_on(c, check_company(c, o, object));
    }
    return rc;
}

/* Each element is as the option's own object. */
static int
check_objects(struct check *c, const struct option *opt, const struct json *array)
{
    struct check_frame frame = {.up = c->at};
    int rc = 0;

    c->at = &frame;
    json_foreach(element, array)
    {
        if (element->type != JSON_OBJECT)
            rc = check_refuse(c, element, "The value of %s must be an object, but is %s.",
                              check_subject(c), json_type_name(element));
        else
            rc = check_members(c, opt, element);
        rc = go_on(c, rc);
        if (rc < 0)
            break;
        frame.index++;
    }
    c->at = frame.up;
    return rc;
}

static int
check_array(struct check *c, const struct option *opt, const struct json *array)
{
    if (opt->types & (T_STRINGS | T_TEXTS))
        return check_elements(c, NULL, array);
    if (opt->types & T_OBJECTS)
        return check_objects(c, opt, array);
    return check_elements(c, option_child(opt, SLICE("*"), c->language), array);
}

static int
check_inside(struct check *c, const struct option *opt, const struct json *value)
{
    int rc = 0;

    if (value->type == JSON_ARRAY)
        return check_array(c, opt, value);
    if (value->type != JSON_OBJECT)
        return 0;
    rc = check_members(c, opt, value);
    return rc < 0 || opt->named_arrays ? rc : check_beside(c, opt, value);
}

static int
check_value(struct check *c, const struct option *opt, const struct json *value)
{
    int rc = check_present(c, opt, value);

    if (rc == 0)
        rc = check_json_type(c, opt, value);
    if (rc == 0)
        rc = check_range(c, opt, value);
    if (rc == 0)
        rc = check_words(c, opt, value);
    if (rc == 0 && opt->begin != NULL)
        rc = opt->begin(c, value);
    if (rc == 0)
        rc = check_inside(c, opt, value);
    if (rc == 0 && opt->check != NULL)
        rc = opt->check(c, value);
    return rc;
}

static void
collect_names(const struct json *object, struct map *names)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return;
    json_foreach(member, object) map_add(names, member->name, member);
}

static int
check_all(struct check *c, const struct json *conf)
{
    int rc;

    br_err_clear(&c->fault->err);
    map_init(&c->apps);
    map_init(&c->routes);
    c->app_object = json_get(conf, SLICE("applications"));
    c->route_object = json_get(conf, SLICE("routes"));
    collect_names(c->app_object, &c->apps);
    collect_names(c->route_object, &c->routes);
    c->route_array = c->route_object != NULL && c->route_object->type == JSON_ARRAY;
    rc = go_on(c, check_value(c, option_find(""), conf));
    map_done(&c->apps);
    map_done(&c->routes);
    return rc;
}

int
validate(struct arena *a, const struct json *conf, const struct conf_modules *modules,
         struct conf_fault *fault)
{
    struct check c = {.arena = a, .modules = modules, .fault = fault};

    return check_all(&c, conf);
}

int
validate_all(struct arena *a, const struct json *conf, const struct conf_modules *modules,
             struct conf_faults *faults)
{
    struct conf_fault fault = {.offset = JSON_NOWHERE};
    struct check c = {.arena = a, .modules = modules, .fault = &fault, .faults = faults};
    unsigned before = faults->n;

    check_all(&c, conf);
    return faults->n > before ? -EBADMSG : 0;
}
