/*
 * schema.c - the option table as a JSON Schema.
 *
 *   row -> {description, default, x-live, type or anyOf …}
 *   object row -> properties by name, additionalProperties for '*'
 *   entity ->  $defs, so that rows which are like it, or stand twice, refer to it
 *   rows of a language -> if the application's `type` begins with it, then …
 *
 * An option that is absent stays in as one that nothing satisfies ("not": {}), with its
 * description: an editor then marks it and says why.
 * See https://json-schema.org/draft/2020-12/json-schema-core and -validation.
 */
#include "conf/schema.h"

#include <assert.h>

#include "conf/checks.h"
#include "conf/options.h"

/* What follows the language in a `type`. */
#define VERSION_PATTERN " *([0-9].*)?$"

struct maker {
    struct arena *a;
    struct slice language; /* whose members are looked at; empty: those of all */
};

static struct json *schema_of(struct maker *m, const struct option *opt);
static struct json *object_of(struct maker *m, const struct option *opt);

static struct json *
text(struct maker *m, const char *words)
{
    return json_new_string(m->a, slice_cstr(words));
}

static struct json *
add_text(struct maker *m, struct json *object, const char *name, const char *words)
{
    return json_add(object, slice_cstr(name), text(m, words));
}

static struct json *
add_object(struct maker *m, struct json *object, const char *name)
{
    return json_add(object, slice_cstr(name), json_new(m->a, JSON_OBJECT));
}

static struct json *
add_array(struct maker *m, struct json *object, const char *name)
{
    return json_add(object, slice_cstr(name), json_new(m->a, JSON_ARRAY));
}

static struct json *
push_object(struct maker *m, struct json *array)
{
    return json_push(array, json_new(m->a, JSON_OBJECT));
}

static struct json *
typed(struct maker *m, const char *type)
{
    struct json *schema = json_new(m->a, JSON_OBJECT);

    add_text(m, schema, "type", type);
    return schema;
}

/* "routes/(any)/action" is "routes.action". */
static const char *
definition_name(struct maker *m, const struct option *opt)
{
    char *name = arena_cstr(m->a, slice_cstr(opt->path)), *to = name;

    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '/' && p[1] == '*')
            p++;
        else
            *to++ = *p == '/' ? '.' : *p;
    }
    *to = '\0';
    return name;
}

/* What depends on a language is written where it stands. */
static bool
is_definition(const struct option *opt)
{
    return opt->entity && opt->path[0] != '\0' && opt->only == NULL;
}

static struct json *
reference(struct maker *m, const struct option *opt)
{
    struct json *schema = json_new(m->a, JSON_OBJECT);

    add_text(m, schema, "$ref", arena_printf(m->a, "#/$defs/%s", definition_name(m, opt)));
    return schema;
}

/* --- one type --- */

static struct json *
string_of(struct maker *m, const struct option *opt)
{
    struct json *schema = typed(m, "string");
    const char *words = opt->words;
    struct json *values = words != NULL ? add_array(m, schema, "enum") : NULL;
    struct slice w;

    while ((w = option_next_word(&words)).p != NULL)
        json_push(values, json_new_string(m->a, w));
    if (opt->check == check_not_empty || opt->check == check_log_path ||
        opt->check == check_access_log)
        json_add(schema, SLICE("minLength"), json_new_int(m->a, 1));
    return schema;
}

static struct json *
number_of(struct maker *m, const struct option *opt, const char *type)
{
    struct json *schema = typed(m, type);

    json_add(schema, SLICE("minimum"), json_new_int(m->a, opt->min));
    json_add(schema, SLICE("maximum"), json_new_int(m->a, opt->max));
    return schema;
}

static struct json *
array_of(struct maker *m, struct json *element)
{
    struct json *schema = typed(m, "array");

    json_add(schema, SLICE("items"), element);
    return schema;
}

static const struct option *
any_member(const struct option *opt)
{
    const struct option *any = option_next_child(opt, NULL);

    return any != NULL && strcmp(option_name(any), "*") == 0 ? any : NULL;
}

/* The alternatives of one type; two where an array may take the place of its element. */
static void
add_type(struct maker *m, struct json *to, const struct option *opt, enum option_type type)
{
    switch (type) {
    case T_BOOL:
        json_push(to, typed(m, "boolean"));
        break;
    case T_INTEGER:
        json_push(to, number_of(m, opt, "integer"));
        break;
    case T_NUMBER:
        json_push(to, number_of(m, opt, "number"));
        break;
    case T_STRING:
        json_push(to, string_of(m, opt));
        break;
    case T_STRINGS:
        json_push(to, string_of(m, opt));
        json_push(to, array_of(m, string_of(m, opt)));
        break;
    case T_TEXTS:
        json_push(to, array_of(m, string_of(m, opt)));
        break;
    case T_ARRAY:
        json_push(to, array_of(m, schema_of(m, any_member(opt))));
        break;
    case T_OBJECT:
        json_push(to, object_of(m, opt));
        break;
    case T_OBJECTS:
        json_push(to, array_of(m, object_of(m, opt)));
        break;
    case T_NULL:
        json_push(to, typed(m, "null"));
        break;
    }
}

/* --- objects --- */

/* Rows of a language are looked at when that language is; then, its own alone if so told. */
static bool
belongs(const struct maker *m, const struct option *opt, bool own)
{
    if (m->language.n == 0 || own)
        return (opt->only != NULL) == own && option_is_of(opt, m->language);
    return option_is_of(opt, m->language);
}

static bool
is_there(const struct option *opt, const char *name, struct slice language)
{
    const struct option *o = name != NULL ? option_child(opt, slice_cstr(name), language) : NULL;

    return o != NULL && option_absent(o) == NULL;
}

static struct json *
names(struct maker *m, const char *first, const char *second)
{
    struct json *schema = json_new(m->a, JSON_OBJECT);
    struct json *array = add_array(m, schema, "required");

    json_push(array, text(m, first));
    if (second != NULL)
        json_push(array, text(m, second));
    return schema;
}

/* What is asked of the members together, gathered while they are gone through. */
struct company {
    struct json *required; /* array of names */
    struct json *with;     /* object: name -> array of names */
    struct json *all;      /* array of schemas */
};

static void
add_company(struct maker *m, struct company *c, const struct option *parent,
            const struct option *opt)
{
    const char *name = option_name(opt);
    bool has_other = is_there(parent, opt->unless, m->language);

    if (opt->required && !has_other)
        json_push(c->required, text(m, name));
    if (opt->required && has_other) {
        struct json *any = add_array(m, push_object(m, c->all), "anyOf");

        json_push(any, names(m, name, NULL));
        json_push(any, names(m, opt->unless, NULL));
    }
    if (has_other)
        json_add(push_object(m, c->all), SLICE("not"), names(m, name, opt->unless));
    if (opt->with != NULL)
        json_push(add_array(m, c->with, name), text(m, opt->with));
}

static void
add_one_of(struct maker *m, struct json *schema, const struct option *opt)
{
    const char *words = opt->one_of;
    struct json *one = words != NULL ? add_array(m, schema, "oneOf") : NULL;
    struct slice w;

    while ((w = option_next_word(&words)).p != NULL) {
        const char *name = arena_cstr(m->a, w);

        if (is_there(opt, name, m->language))
            json_push(one, names(m, name, NULL));
    }
}

/* Properties and what they ask of each other, of the members that belong. */
static void
add_members(struct maker *m, struct json *schema, const struct option *opt, bool own,
            struct company *c)
{
    struct json *properties = json_new(m->a, JSON_OBJECT);

    *c = (struct company){
        .required = json_new(m->a, JSON_ARRAY),
        .with = json_new(m->a, JSON_OBJECT),
        .all = json_new(m->a, JSON_ARRAY),
    };
    for (const struct option *o = NULL; (o = option_next_child(opt, o)) != NULL;) {
        if (!belongs(m, o, own) || strcmp(option_name(o), "*") == 0)
            continue;
        json_add(properties, slice_cstr(option_name(o)), schema_of(m, o));
        if (option_absent(o) == NULL)
            add_company(m, c, opt, o);
    }
    if (properties->n > 0)
        json_add(schema, SLICE("properties"), properties);
}

static void
end_members(struct json *schema, const struct company *c)
{
    if (c->required->n > 0)
        json_add(schema, SLICE("required"), c->required);
    if (c->with->n > 0)
        json_add(schema, SLICE("dependentRequired"), c->with);
    if (c->all->n > 0)
        json_add(schema, SLICE("allOf"), c->all);
}

/* --- languages --- */

/* Each language that a member is of, once, in the order of the table: a list of words. */
static struct slice
languages_of(struct maker *m, const struct option *opt)
{
    const char *known = "";

    for (const struct option *o = NULL; (o = option_next_child(opt, o)) != NULL;) {
        const char *words = o->only;
        struct slice w;

        while ((w = option_next_word(&words)).p != NULL) {
            if (!option_has_word(known, w))
                known = arena_printf(m->a, "%s%s" SLICE_FMT, known, *known != '\0' ? " " : "",
                                     SLICE_ARG(w));
        }
    }
    return slice_cstr(known);
}

static struct json *
refusal(struct maker *m, const char *doc, const char *lacks)
{
    struct json *schema = json_new(m->a, JSON_OBJECT);

    add_text(m, schema, "description",
             arena_printf(m->a, "%s Refused: this build has no %s.", doc, lacks));
    add_object(m, schema, "not");
    add_text(m, schema, "x-absent", lacks);
    return schema;
}

/* If the type is of this language, then these members too. */
static struct json *
language_members(struct maker *m, const struct option *opt, struct slice language)
{
    struct maker inside = {.a = m->a, .language = language};
    struct json *rule = json_new(m->a, JSON_OBJECT);
    struct json *when = add_object(m, rule, "if");
    struct json *type = add_object(m, add_object(m, when, "properties"), "type");
    struct json *then;
    struct company c;

    add_text(m, type, "pattern",
             arena_printf(m->a, "^" SLICE_FMT VERSION_PATTERN, SLICE_ARG(language)));
    json_push(add_array(m, when, "required"), text(m, "type"));
    then = add_object(m, rule, "then");
    if (option_language_is_absent(language)) {
        json_add(add_object(m, then, "properties"), SLICE("type"),
                 refusal(m, "Known, but not here.",
                         arena_printf(m->a, "module for \"" SLICE_FMT "\"", SLICE_ARG(language))));
        return rule;
    }
    add_members(&inside, then, opt, true, &c);
    end_members(then, &c);
    return rule;
}

/* A `type` names a language that there is; which members there may be follows from it. */
static void
add_languages(struct maker *m, struct json *schema, const struct option *opt, struct slice words,
              struct company *c)
{
    const char *rest = words.p;
    char *pattern = arena_cstr(m->a, words);
    struct json *type = add_object(m, add_object(m, push_object(m, c->all), "properties"), "type");
    struct slice w;

    for (char *p = pattern; *p != '\0'; p++)
        *p = *p == ' ' ? '|' : *p;
    add_text(m, type, "pattern", arena_printf(m->a, "^(%s)" VERSION_PATTERN, pattern));
    while ((w = option_next_word(&rest)).p != NULL)
        json_push(c->all, language_members(m, opt, w));
    json_add(schema, SLICE("unevaluatedProperties"), json_new_bool(m->a, false));
}

/* --- rows --- */

/* An object of named arrays stands beside the array that it is as good as. */
static struct json *
named_arrays_of(struct maker *m, const struct option *opt)
{
    struct json *schema = typed(m, "object");

    json_add(schema, SLICE("additionalProperties"), array_of(m, schema_of(m, any_member(opt))));
    return schema;
}

static struct json *
object_of(struct maker *m, const struct option *opt)
{
    struct json *schema = typed(m, "object");
    const struct option *model = option_model(opt);
    const struct option *any = any_member(model);
    struct slice languages = m->language.n == 0 ? languages_of(m, model) : SLICE_NONE;
    struct company c;

    if (opt->named_arrays)
        return named_arrays_of(m, opt);
    add_members(m, schema, model, false, &c);
    if (languages.n > 0)
        add_languages(m, schema, model, languages, &c);
    else
        json_add(schema, SLICE("additionalProperties"),
                 any != NULL ? schema_of(m, any) : json_new_bool(m->a, false));
    end_members(schema, &c);
    add_one_of(m, schema, model);
    return schema;
}

static void
move_members(struct json *to, struct json *from)
{
    struct json *next;

    for (struct json *member = from->first; member != NULL; member = next) {
        next = member->next;
        json_add(to, member->name, member);
    }
}

static void
describe(struct maker *m, struct json *schema, const struct option *opt)
{
    struct json *value;
    size_t offset;
    int rc;

    add_text(m, schema, "description", opt->doc);
    if (opt->def != NULL) {
        rc = json_parse(m->a, slice_cstr(opt->def), &value, &offset, NULL);
        assert(rc == 0);
        if (rc == 0)
            json_add(schema, SLICE("default"), value);
    }
    if (opt->live != LIVE_PARTS)
        add_text(m, schema, "x-live", option_live_text(opt->live));
}

static struct json *
whole_schema_of(struct maker *m, const struct option *opt)
{
    struct json *schema = json_new(m->a, JSON_OBJECT);
    struct json *types = json_new(m->a, JSON_ARRAY);

    describe(m, schema, opt);
    for (unsigned type = 1; type <= opt->types; type <<= 1) {
        if (opt->types & type)
            add_type(m, types, opt, (enum option_type)type);
    }
    if (types->n == 1)
        move_members(schema, types->first);
    else
        json_add(schema, SLICE("anyOf"), types);
    return schema;
}

static struct json *
schema_of(struct maker *m, const struct option *opt)
{
    struct json *schema;

    if (option_absent(opt) != NULL)
        return refusal(m, opt->doc, option_absent(opt));
    if (is_definition(opt))
        return reference(m, opt);
    if (opt->like == NULL)
        return whole_schema_of(m, opt);
    schema = reference(m, option_model(opt));
    describe(m, schema, opt);
    return schema;
}

struct json *
options_schema(struct arena *a)
{
    struct maker m = {.a = a};
    struct json *schema = json_new(a, JSON_OBJECT);
    struct json *definitions;

    add_text(&m, schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
    add_text(&m, schema, "title", "brood");
    move_members(schema, whole_schema_of(&m, option_find("")));
    definitions = add_object(&m, schema, "$defs");
    for (size_t i = 0; i < n_options; i++) {
        const struct option *o = &options[i];

        if (is_definition(o))
            json_add(definitions, slice_cstr(definition_name(&m, o)), whole_schema_of(&m, o));
    }
    return schema;
}
