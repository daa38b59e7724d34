/*
 * checks.c - what the type of an option cannot say.
 *
 * Types were checked before (validate.c), so a check of strings finds strings.  Patterns and
 * templates are compiled into the scratch arena to see whether they can be: what passes here
 * cannot fail when the generation is made.
 */
#include "conf/checks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "conf/address.h"
#include "conf/json_path.h"
#include "conf/mime.h"
#include "conf/near.h"
#include "conf/options.h"
#include "conf/pass.h"
#include "conf/pattern.h"
#include "conf/template.h"
#include "conf/utf8.h"

#define QUOTE_MAX    64 /* bytes of a name in a sentence */
#define TARGETS_MAX  254
#define LOG_PATH_MAX 511 /* what a message to main carries */

const char *
check_quote(struct check *c, struct slice name)
{
    size_t n = utf8_cut(name.p, name.n, QUOTE_MAX);

    return arena_printf(c->arena, "\"" SLICE_FMT "%s\"", (int)n, name.p, n < name.n ? "..." : "");
}

const char *
check_subject(struct check *c)
{
    const struct check_frame *at = c->at;

    if (at == NULL)
        return "the configuration";
    if (at->name.p != NULL)
        return check_quote(c, at->name);
    if (at->up == NULL || at->up->name.p == NULL)
        return arena_printf(c->arena, "element %zu", at->index);
    return arena_printf(c->arena, "element %zu of %s", at->index, check_quote(c, at->up->name));
}

/* "/routes/0/action" of where the validation stands. */
static const char *
place(struct check *c)
{
    struct json_path path = {.n = 0};
    size_t i;

    for (const struct check_frame *f = c->at; f != NULL; f = f->up)
        path.n++;
    path.segments = arena_array(c->arena, struct slice, path.n);
    i = path.n;
    for (const struct check_frame *f = c->at; f != NULL; f = f->up)
        path.segments[--i] =
            f->name.p != NULL ? f->name : slice_cstr(arena_printf(c->arena, "%zu", f->index));
    return json_pointer(c->arena, path);
}

br_printf(3, 0) static int note(struct check *c, uint32_t offset, const char *fmt, va_list args)
{
    char text[sizeof(c->fault->err.text)];

    vsnprintf(text, sizeof text, fmt, args);
    return conf_fault_set(c->fault, -EBADMSG, offset, place(c), "%s", text);
}

int
check_refuse(struct check *c, const struct json *value, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    note(c, value->offset, fmt, args);
    va_end(args);
    return -EBADMSG;
}

int
check_refuse_name(struct check *c, const struct json *member, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    note(c, member->name_offset, fmt, args);
    va_end(args);
    return -EBADMSG;
}

int
check_refuse_member(struct check *c, const struct json *member, const char *fmt, ...)
{
    struct check_frame frame = {.up = c->at, .name = member->name};
    va_list args;

    c->at = &frame;
    va_start(args, fmt);
    note(c, member->offset, fmt, args);
    va_end(args);
    c->at = frame.up;
    return -EBADMSG;
}

int
check_each(struct check *c, const struct json *value, text_check_fn *check)
{
    struct check_frame frame = {.up = c->at};
    int rc = 0;

    if (value->type != JSON_ARRAY)
        return value->type == JSON_STRING ? check(c, value) : 0;
    c->at = &frame;
    json_foreach(element, value)
    {
        rc = check(c, element);
        if (rc < 0)
            break;
        frame.index++;
    }
    c->at = frame.up;
    return rc;
}

static bool
has_nul(struct slice text)
{
    return text.n > 0 && memchr(text.p, '\0', text.n) != NULL;
}

static int
refuse_nul(struct check *c, const struct json *text)
{
    if (has_nul(text->text))
        return check_refuse(c, text, "The value of %s must not contain a NUL byte.",
                            check_subject(c));
    return 0;
}

static int
refuse_empty(struct check *c, const struct json *text)
{
    if (text->text.n == 0)
        return check_refuse(c, text, "The value of %s must not be empty.", check_subject(c));
    return refuse_nul(c, text);
}

int
check_text(struct check *c, const struct json *value)
{
    return check_each(c, value, refuse_nul);
}

int
check_not_empty(struct check *c, const struct json *value)
{
    return check_each(c, value, refuse_empty);
}

static int
compile_pattern(struct check *c, const struct json *text, enum pattern_text how)
{
    struct br_err why = BR_ERR_NONE;
    struct patterns *set;
    size_t bad;

    if (patterns_compile(c->arena, &text->text, 1, how, &set, &bad, &why) < 0)
        return check_refuse(c, text, "The value of %s is no valid pattern: %s", check_subject(c),
                            why.text);
    return 0;
}

static int
compile_verbatim(struct check *c, const struct json *text)
{
    return compile_pattern(c, text, PATTERN_VERBATIM);
}

static int
compile_decoded(struct check *c, const struct json *text)
{
    return compile_pattern(c, text, PATTERN_DECODED);
}

int
check_patterns(struct check *c, const struct json *value)
{
    return check_each(c, value, compile_verbatim);
}

int
check_patterns_decoded(struct check *c, const struct json *value)
{
    return check_each(c, value, compile_decoded);
}

static int
parse_template(struct check *c, const struct json *text, struct template **ret_template)
{
    struct br_err why = BR_ERR_NONE;

    if (template_parse(c->arena, text->text, ret_template, &why) < 0)
        return check_refuse(c, text, "The value of %s is not valid: %s", check_subject(c),
                            why.text);
    return 0;
}

static int
parse_only(struct check *c, const struct json *text)
{
    struct template *t;

    return parse_template(c, text, &t);
}

int
check_template(struct check *c, const struct json *value)
{
    return check_each(c, value, parse_only);
}

int
check_share(struct check *c, const struct json *value)
{
    if (value->type == JSON_ARRAY && value->n == 0)
        return check_refuse(c, value, "The array of \"share\" must have at least one element.");
    return check_each(c, value, parse_only);
}

/* The end of a sentence that says that there is no such name. */
static const char *
near_name(struct check *c, const struct json *object, struct slice name)
{
    struct near near = near_begin(name);

    if (object != NULL && object->type == JSON_OBJECT) {
        json_foreach(member, object) near_offer(&near, member->name);
    }
    if (near.best.p == NULL)
        return ".";
    return arena_printf(c->arena, "; did you mean %s?", check_quote(c, near.best));
}

/* What is referred to is no container of names: that fault is its own, and better told there. */
static bool
has_wrong_type(const struct json *container, bool may_be_array)
{
    return container != NULL && container->type != JSON_OBJECT &&
           !(may_be_array && container->type == JSON_ARRAY);
}

static int
refuse_application(struct check *c, const struct json *value, struct slice name)
{
    return check_refuse(c, value, "The %s names application %s, which does not exist%s",
                        check_subject(c), check_quote(c, name), near_name(c, c->app_object, name));
}

int
check_application(struct check *c, const struct json *value)
{
    return map_get(&c->apps, value->text) == NULL ? refuse_application(c, value, value->text) : 0;
}

static int
check_target(struct check *c, const struct json *value, const struct pass *to)
{
    const struct json *targets = json_get(map_get(&c->apps, to->name), SLICE("targets"));

    if (targets == NULL)
        return check_refuse(c, value,
                            "The \"pass\" names target %s, but application %s has no targets.",
                            check_quote(c, to->target), check_quote(c, to->name));
    if (json_get(targets, to->target) == NULL)
        return check_refuse(c, value,
                            "The \"pass\" names target %s of application %s, which does not "
                            "exist%s",
                            check_quote(c, to->target), check_quote(c, to->name),
                            near_name(c, targets, to->target));
    return 0;
}

/* Of a listener it is looked at with its protocol: check_listener. */
static int
refuse_accepting(struct check *c, const struct json *value, struct slice name)
{
    const struct check_frame *listener = c->at->up;

    if (!check_accepts(map_get(&c->apps, name)))
        return 0;
    if (listener->up != NULL && slice_eq(listener->up->name, SLICE("listeners")))
        return 0;
    return check_refuse(c, value, "The application %s takes no requests.", check_quote(c, name));
}

static int
check_destination(struct check *c, const struct json *value, const struct pass *to)
{
    bool of_apps = to->kind == PASS_APPLICATION;

    if (has_wrong_type(of_apps ? c->app_object : c->route_object, !of_apps))
        return 0;
    switch (to->kind) {
    case PASS_APPLICATION:
        if (map_get(&c->apps, to->name) == NULL)
            return refuse_application(c, value, to->name);
        if (to->target.p != NULL)
            return check_target(c, value, to);
        return refuse_accepting(c, value, to->name);
    case PASS_ROUTES:
        if (!c->route_array)
            return check_refuse(c, value,
                                "The \"pass\" names \"routes\", but there is no array of "
                                "routes.");
        return 0;
    case PASS_ROUTE:
        if (map_get(&c->routes, to->name) == NULL)
            return check_refuse(c, value, "The \"pass\" names route %s, which does not exist%s",
                                check_quote(c, to->name), near_name(c, c->route_object, to->name));
        return 0;
    }
    return 0;
}

int
check_pass(struct check *c, const struct json *value)
{
    struct br_err why = BR_ERR_NONE;
    struct template *t;
    char room[PASS_TEXT_MAX];
    struct pass to;
    int rc = parse_template(c, value, &t);

    /* With variables it is known only when there is a request. */
    if (rc < 0 || !t->literal)
        return rc;
    if (pass_parse(template_literal(t), room, &to, &why) < 0)
        return check_refuse(c, value, "The value of \"pass\" is no destination: %s", why.text);
    return check_destination(c, value, &to);
}

/* The languages that the table knows are those that have options of their own. */
static bool
is_known_language(struct slice language)
{
    for (size_t i = 0; i < n_options; i++) {
        if (options[i].only != NULL && option_is_of(&options[i], language))
            return true;
    }
    return false;
}

static const char *
near_language(struct check *c)
{
    struct near near = near_begin(c->language);

    for (size_t i = 0; i < n_options; i++) {
        const char *words = options[i].only;
        struct slice w;

        while ((w = option_next_word(&words)).p != NULL)
            near_offer(&near, w);
    }
    if (near.best.p == NULL)
        return ".";
    return arena_printf(c->arena, "; did you mean \"" SLICE_FMT "\"?", SLICE_ARG(near.best));
}

static int
check_type(struct check *c, const struct json *type)
{
    struct slice version;

    if (type->type != JSON_STRING)
        return check_refuse(c, type, "The value of \"type\" must be a string, but is %s.",
                            json_type_name(type));
    if (!module_type_split(type->text, &c->language, &version))
        return check_refuse(c, type,
                            "The value of \"type\" must be a language, such as \"python\" or "
                            "\"python 3.11\".");
    if (!is_known_language(c->language))
        return check_refuse(c, type, "Applications of type %s are not supported%s",
                            check_quote(c, type->text), near_language(c));
    if (option_language_is_absent(c->language))
        return check_refuse(c, type, "The type %s is known, but this build has no module for it.",
                            check_quote(c, type->text));
    if (module_is_built_in(c->language)) {
        if (version.n > 0)
            return check_refuse(c, type, "The type \"" SLICE_FMT "\" has no versions.",
                                SLICE_ARG(c->language));
        return 0;
    }
    if (c->modules != NULL && module_find(c->modules, c->language, version) == NULL)
        return check_refuse(c, type, "No language module was found for type %s.",
                            check_quote(c, type->text));
    return 0;
}

/* Which members an application may have depends on its type: look at that first. */
int
begin_application(struct check *c, const struct json *value)
{
    struct check_frame frame = {.up = c->at, .name = SLICE("type")};
    const struct json *type = json_get(value, frame.name);
    int rc;

    if (type == NULL)
        return check_refuse(c, value, "The option \"type\" of application %s is missing.",
                            check_subject(c));
    c->at = &frame;
    rc = check_type(c, type);
    c->at = frame.up;
    return rc;
}

/* Types and ranges are known to be right. */
int
check_processes(struct check *c, const struct json *value)
{
    const struct json *max = json_get(value, SLICE("max")),
                      *spare = json_get(value, SLICE("spare"));
    int64_t most = 1, idle = 0;

    if (max != NULL)
        json_integer(max, &most);
    if (spare != NULL)
        json_integer(spare, &idle);
    if (idle > most)
        return check_refuse_member(
            c, spare,
            "The value of \"spare\" must not be greater than that of \"max\", "
            "which is %lld.",
            (long long)most);
    return 0;
}

int
check_prefix(struct check *c, const struct json *value)
{
    if (!slice_starts(value->text, SLICE("/")))
        return check_refuse(c, value, "The value of %s must begin with \"/\".", check_subject(c));
    return refuse_nul(c, value);
}

/* The words are those that an application may speak; what this build speaks is another question. */
int
check_protocol(struct check *c, const struct json *value)
{
    if (slice_eq(value->text, SLICE("asgi")))
        return check_refuse(c, value,
                            "The protocol \"asgi\" is known, but this build has none but "
                            "\"wsgi\".");
    return 0;
}

int
check_stack_size(struct check *c, const struct json *value)
{
    long page = sysconf(_SC_PAGESIZE);
    int64_t size = 0;

    json_integer(value, &size);
    if (size % page != 0)
        return check_refuse(c, value, "The value of %s must be a multiple of %ld, the page size.",
                            check_subject(c), page);
    return 0;
}

int
check_log_path(struct check *c, const struct json *value)
{
    if (value->text.n > LOG_PATH_MAX)
        return check_refuse(
            c, value, "The path of the access log must not be longer than %d bytes.", LOG_PATH_MAX);
    return refuse_empty(c, value);
}

int
check_access_log(struct check *c, const struct json *value)
{
    return value->type == JSON_STRING ? check_log_path(c, value) : 0;
}

static int
add_extension(struct check *c, const struct json *text, struct mime *seen, struct slice type)
{
    if (text->text.n == 0)
        return check_refuse(c, text, "An extension of MIME type %s must not be empty.",
                            check_quote(c, type));
    if (mime_add(c->arena, seen, type, text->text) == -EEXIST)
        return check_refuse(c, text, "The extension %s is given twice.",
                            check_quote(c, text->text));
    return 0;
}

static int
add_extensions(struct check *c, const struct json *value, struct mime *seen)
{
    struct check_frame frame = {.up = c->at};
    int rc = 0;

    if (value->type != JSON_ARRAY)
        return add_extension(c, value, seen, value->name);
    c->at = &frame;
    json_foreach(element, value)
    {
        rc = add_extension(c, element, seen, value->name);
        if (rc < 0)
            break;
        frame.index++;
    }
    c->at = frame.up;
    return rc;
}

int
check_mime_types(struct check *c, const struct json *value)
{
    struct check_frame frame = {.up = c->at};
    struct mime *seen = mime_new(c->arena);
    int rc = 0;

    c->at = &frame;
    json_foreach(member, value)
    {
        frame.name = member->name;
        rc = add_extensions(c, member, seen);
        if (rc < 0)
            break;
    }
    c->at = frame.up;
    return rc;
}

int
check_address(struct check *c, const struct json *member)
{
    struct br_err why = BR_ERR_NONE;

    if (address_check(member->name, &why) < 0)
        return check_refuse_name(c, member, "The listener %s has no valid address: %s",
                                 check_subject(c), why.text);
    return 0;
}

int
check_app_name(struct check *c, const struct json *member)
{
    if (has_nul(member->name))
        return check_refuse_name(c, member,
                                 "The name of an application must not contain a NUL byte.");
    return 0;
}

int
check_target_name(struct check *c, const struct json *member)
{
    if (member->name.n == 0 || has_nul(member->name))
        return check_refuse_name(c, member,
                                 "The name of a target must not be empty, nor contain a NUL byte.");
    return 0;
}

int
check_targets(struct check *c, const struct json *value)
{
    if (value->n == 0 || value->n > TARGETS_MAX)
        return check_refuse(c, value, "There must be 1 to %d targets, but there are %u.",
                            TARGETS_MAX, value->n);
    return 0;
}

int
check_environment_name(struct check *c, const struct json *member)
{
    if (member->name.n == 0)
        return check_refuse_name(c, member,
                                 "The name of an environment variable must not be empty.");
    if (has_nul(member->name) || memchr(member->name.p, '=', member->name.n) != NULL)
        return check_refuse_name(
            c, member,
            "The name of the environment variable %s must not contain \"=\" or "
            "a NUL byte.",
            check_subject(c));
    return 0;
}
