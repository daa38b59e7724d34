/*
 * generation.c - a valid tree made into typed structs, through the setters of the option table.
 *
 *   applications, then routes' names, then their steps, then listeners: what `pass` may name is
 *   there before it is resolved
 *
 * An entity is filled by going through the rows below it: the value from the tree, or the default,
 * goes where the row says.  Members come before the option that holds them, so that the short form
 * ("processes": 4) overrides the defaults of the long one.
 *
 * Memory: the parsed text had its cap.  What is made of it is a bounded multiple, so the cap is
 * lifted before, and nothing here asks for it.
 */
#include "conf/generation.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "conf/json_write.h"
#include "conf/options.h"
#include "conf/values.h"

struct filler {
    struct generation *g;
    struct arena *a;
    const struct conf_modules *modules;
    struct slice language;        /* of the application that is being filled */
    const struct json **defaults; /* by number of the row; NULL: none */
};

static const struct json no_members = {.type = JSON_OBJECT};

static bool resolve(const struct generation *g, struct slice pass, struct destination *ret_to);

struct generation *
generation_new(uint32_t number, size_t cap)
{
    struct generation *g = calloc(1, sizeof *g);

    if (g == NULL)
        abort();
    arena_init(&g->arena, cap);
    g->number = number;
    g->refs = 1;
    g->state = GENERATION_PREPARED;
    map_init(&g->app_by_name);
    map_init(&g->route_by_name);
    map_init(&g->listener_by_address);
    return g;
}

struct generation *
generation_ref(struct generation *g)
{
    g->refs++;
    return g;
}

void
generation_unref(struct generation *g)
{
    assert(g->refs > 0);
    if (--g->refs > 0)
        return;
    map_done(&g->app_by_name);
    map_done(&g->route_by_name);
    map_done(&g->listener_by_address);
    arena_done(&g->arena);
    free(g);
}

void
generation_move(struct generation *g, enum generation_state state)
{
    static const unsigned may_become[] = {
        [GENERATION_PREPARED] = 1u << GENERATION_LIVE | 1u << GENERATION_RETIRING,
        [GENERATION_LIVE] = 1u << GENERATION_RETIRING,
        [GENERATION_RETIRING] = 0,
    };

    bool legal = (may_become[g->state] & 1u << state) != 0;

    assert(legal);
    if (legal)
        g->state = state;
}

static const struct json *
member_or_none(const struct json *object, const char *name)
{
    const struct json *member = json_get(object, slice_cstr(name));

    return member != NULL ? member : &no_members;
}

static const struct json *
default_of(struct filler *f, const struct option *opt)
{
    const struct json **slot = &f->defaults[opt - options];
    struct json *value = NULL;
    size_t offset;
    int rc;

    if (opt->def == NULL || *slot != NULL)
        return *slot;
    rc = json_parse(f->a, slice_cstr(opt->def), &value, &offset, NULL);
    assert(rc == 0);
    *slot = value;
    return rc == 0 ? value : NULL;
}

static struct pass_conf
make_pass(struct filler *f, struct slice text)
{
    struct pass_conf pass = {.text = value_template(f->a, text)};
    bool found = true;

    if (pass.text->literal)
        found = resolve(f->g, template_literal(pass.text), &pass.to);
    assert(found);
    (void)found;
    return pass;
}

/* The application is there, and its name is no template. */
static struct pass_conf
make_application(struct filler *f, struct slice name)
{
    struct template *t = arena_new(f->a, struct template);

    t->text = name;
    t->literal = true;
    return (struct pass_conf){.text = t, .to.app = map_get(&f->g->app_by_name, name)};
}

/*
 * Put a value where the option says.  A value of the option's other form (an object whose members
 * have setters of their own) is left to them.
 */
static void
set(struct filler *f, const struct option *opt, const struct json *value, void *target)
{
    void *to = (char *)target + opt->set.offset;
    struct arena *a = f->a;

    switch (opt->set.how) {
    case SET_NOTHING:
        break;
    case SET_BOOL:
        *(bool *)to = value->truth;
        break;
    case SET_INT32:
        *(int32_t *)to = (int32_t)value_integer(value);
        break;
    case SET_INT64:
        *(int64_t *)to = value_integer(value);
        break;
    case SET_COUNT:
        *(int32_t *)to = value->type == JSON_STRING ? COUNT_AUTO : (int32_t)value_integer(value);
        break;
    case SET_SECONDS:
        json_scaled(value, 1000, to);
        break;
    case SET_STRING:
        if (value->type == JSON_STRING)
            *(const char **)to = arena_cstr(a, value->text);
        break;
    case SET_STRINGS:
        *(struct strings *)to = value_strings(a, value);
        break;
    case SET_ENVIRONMENT:
        *(struct strings *)to = value_environment(a, value);
        break;
    case SET_PATTERNS:
        *(const struct patterns **)to = value_patterns(a, value, PATTERN_VERBATIM);
        break;
    case SET_PATTERNS_LOWER:
        *(const struct patterns **)to = value_patterns(a, value, PATTERN_LOWER);
        break;
    case SET_PATTERNS_UPPER:
        *(const struct patterns **)to = value_patterns(a, value, PATTERN_UPPER);
        break;
    case SET_PATTERNS_DECODED:
        *(const struct patterns **)to = value_patterns(a, value, PATTERN_DECODED);
        break;
    case SET_TEMPLATE:
        *(const struct template **)to = value_template(a, value->text);
        break;
    case SET_TEMPLATES:
        *(struct templates *)to = value_templates(a, value);
        break;
    case SET_PASS:
        *(struct pass_conf *)to = make_pass(f, value->text);
        break;
    case SET_APPLICATION:
        *(struct pass_conf *)to = make_application(f, value->text);
        break;
    case SET_MIME:
        *(const struct mime **)to = value_mime(a, value);
        break;
    case SET_NUMBERS:
        *(struct strings *)to = value_numbers(a, value);
        break;
    case SET_ID_RANGES:
        *(struct strings *)to = value_id_ranges(a, value);
        break;
    case SET_LIMITS:
        *(struct strings *)to = value_limits(a, value);
        break;
    case SET_BINDS:
        *(struct strings *)to = value_binds(a, value);
        break;
    case SET_PROCESSES:
        if (value->type == JSON_NUMBER) {
            struct processes_conf *processes = to;

            processes->max = processes->spare = (int32_t)value_integer(value);
        }
        break;
    }
}

/* Is this row filled together with the entity above it? */
static bool
belongs(const struct filler *f, const struct option *opt)
{
    if (opt->entity || opt->like != NULL || strcmp(option_name(opt), "*") == 0)
        return false;
    return option_is_of(opt, f->language);
}

static void
fill_members(struct filler *f, const struct option *opt, const struct json *object, void *target)
{
    for (const struct option *o = NULL; (o = option_next_child(opt, o)) != NULL;) {
        const struct json *value;

        if (!belongs(f, o))
            continue;
        fill_members(f, o, member_or_none(object, option_name(o)), target);
        value = json_get(object, slice_cstr(option_name(o)));
        if (value == NULL)
            value = default_of(f, o);
        if (value != NULL)
            set(f, o, value, target);
    }
}

/* A row that is known to be in the table. */
static const struct option *
row(const char *path)
{
    const struct option *opt = option_find(path);

    assert(opt != NULL);
    return opt;
}

static struct slice
compact_text(struct arena *a, const struct json *value)
{
    struct slice text;
    struct buf b;

    buf_init(&b, SIZE_MAX);
    if (json_write_compact(&b, value) < 0)
        abort();
    text = arena_dup(a, buf_slice(&b));
    buf_done(&b);
    return text;
}

/* Modules may come and go with the controller's list: the generation keeps its own copy. */
static const struct conf_module *
copy_module(struct arena *a, const struct conf_module *module)
{
    struct conf_module *copy;

    if (module == NULL)
        return NULL;
    copy = arena_new(a, struct conf_module);
    copy->type = arena_dup(a, module->type);
    copy->version = arena_dup(a, module->version);
    copy->path = slice_cstr(arena_cstr(a, module->path));
    return copy;
}

static void
fill_targets(struct filler *f, const struct json *object, struct app_conf *app)
{
    struct python_target *target;

    app->python.targets = &app->python.own;
    app->python.n_targets = 1;
    if (object->n == 0)
        return;
    app->python.targets = target = arena_array(f->a, struct python_target, object->n);
    app->python.n_targets = object->n;
    json_foreach(member, object)
    {
        target->name = member->name;
        fill_members(f, row("applications/*/targets/*"), member, target++);
    }
}

static bool
is_stream(const struct app_conf *app)
{
    return strcmp(app->language, "stream") == 0 ||
           (app->python.protocol != NULL && strcmp(app->python.protocol, "stream") == 0);
}

static void
fill_app(struct filler *f, const struct json *object, struct app_conf *app)
{
    struct slice version;

    app->name = object->name;
    app->json = compact_text(f->a, object);
    module_type_split(json_get(object, SLICE("type"))->text, &f->language, &version);
    app->language = arena_cstr(f->a, f->language);
    if (f->modules != NULL && !module_is_built_in(f->language))
        app->module = copy_module(f->a, module_find(f->modules, f->language, version));
    fill_members(f, row("applications/*"), object, app);
    app->is_stream = is_stream(app);
    app->is_program = module_is_built_in(f->language) && !app->is_stream;
    fill_targets(f, member_or_none(object, "targets"), app);
    map_add(&f->g->app_by_name, app->name, app);
}

static void
fill_apps(struct filler *f, const struct json *object)
{
    struct generation *g = f->g;

    g->apps = arena_array(f->a, struct app_conf, object->n);
    json_foreach(member, object) fill_app(f, member, &g->apps[g->n_apps++]);
}

static void
fill_action(struct filler *f, const struct json *object, struct action_conf *action)
{
    const struct json *fallback = json_get(object, SLICE("fallback"));
    struct action_conf *next;

    if (json_get(object, SLICE("return")) != NULL)
        action->kind = ACTION_RETURN;
    else if (json_get(object, SLICE("share")) != NULL)
        action->kind = ACTION_SHARE;
    else
        action->kind = ACTION_PASS;
    fill_members(f, row("routes/*/action"), object, action);
    if (fallback == NULL)
        return;
    next = arena_new(f->a, struct action_conf);
    fill_action(f, fallback, next);
    action->fallback = next;
}

static void
fill_steps(struct filler *f, const struct json *array, struct route_conf *route)
{
    route->steps = arena_array(f->a, struct step_conf, array->n);
    json_foreach(element, array)
    {
        struct step_conf *step = &route->steps[route->n++];

        fill_members(f, row("routes/*"), element, step);
        fill_action(f, json_get(element, SLICE("action")), &step->action);
    }
}

/* First all names, then the steps that may pass to them. */
static void
fill_routes(struct filler *f, const struct json *value)
{
    struct generation *g = f->g;
    size_t i = 0;

    g->named_routes = value->type == JSON_OBJECT;
    if (!g->named_routes) {
        g->n_routes = 1;
        g->routes = arena_new(f->a, struct route_conf);
        fill_steps(f, value, g->routes);
        return;
    }
    g->routes = arena_array(f->a, struct route_conf, value->n);
    json_foreach(member, value)
    {
        struct route_conf *route = &g->routes[g->n_routes++];

        route->name = member->name;
        map_add(&g->route_by_name, route->name, route);
    }
    json_foreach(steps, value) fill_steps(f, steps, &g->routes[i++]);
}

static void
fill_listeners(struct filler *f, const struct json *object)
{
    struct generation *g = f->g;

    g->listeners = arena_array(f->a, struct listener_conf, object->n);
    json_foreach(member, object)
    {
        struct listener_conf *listener = &g->listeners[g->n_listeners++];

        listener->address = arena_cstr(f->a, member->name);
        fill_members(f, row("listeners/*"), member, listener);
        listener->tcp = strcmp(listener->protocol, "tcp") == 0;
        map_add(&g->listener_by_address, member->name, listener);
    }
}

/* The listeners that this application accepts from, in the order of the text. */
static void
fill_listen(struct filler *f, struct app_conf *app)
{
    const struct generation *g = f->g;

    app->listen.p = arena_array(f->a, const char *, g->n_listeners + 1);
    for (size_t i = 0; i < g->n_listeners; i++) {
        if (g->listeners[i].tcp && g->listeners[i].pass.to.app == app)
            app->listen.p[app->listen.n++] = g->listeners[i].address;
    }
}

static int
validate_tree(const struct json *tree, const struct conf_modules *modules, struct conf_fault *fault)
{
    struct arena scratch;
    int rc;

    arena_init(&scratch, 0);
    rc = validate(&scratch, tree, modules, fault);
    arena_done(&scratch);
    return rc;
}

int
generation_fill(struct generation *g, const struct json *tree, const struct conf_modules *modules,
                struct conf_fault *fault)
{
    struct filler f = {.g = g, .a = &g->arena, .modules = modules};
    int rc = validate_tree(tree, modules, fault);

    if (rc < 0)
        return rc;
    g->arena.cap = 0;
    g->tree = tree;
    f.defaults = arena_array(f.a, const struct json *, n_options);
    fill_apps(&f, member_or_none(tree, "applications"));
    fill_routes(&f, member_or_none(tree, "routes"));
    fill_listeners(&f, member_or_none(tree, "listeners"));
    for (size_t i = 0; i < g->n_apps; i++)
        fill_listen(&f, &g->apps[i]);
    fill_members(&f, row(""), tree, g);
    if (g->http.mime == NULL)
        g->http.mime = value_mime(f.a, NULL);
    return 0;
}

/* The target's own copy of its name; without a name it is the first one. */
static bool
find_target(const struct app_conf *app, struct slice name, struct slice *ret_name)
{
    for (size_t i = 0; i < app->python.n_targets && name.n > 0; i++) {
        if (slice_eq(app->python.targets[i].name, name)) {
            *ret_name = app->python.targets[i].name;
            return true;
        }
    }
    return name.n == 0;
}

static bool
find_destination(const struct generation *g, const struct pass *pass, struct destination *to)
{
    switch (pass->kind) {
    case PASS_APPLICATION:
        to->app = map_get(&g->app_by_name, pass->name);
        return to->app != NULL && find_target(to->app, pass->target, &to->target);
    case PASS_ROUTES:
        to->route = g->named_routes ? NULL : g->routes;
        break;
    case PASS_ROUTE:
        to->route = map_get(&g->route_by_name, pass->name);
        break;
    }
    return to->route != NULL;
}

static bool
resolve(const struct generation *g, struct slice pass, struct destination *ret_to)
{
    char room[PASS_TEXT_MAX];
    struct destination to = {.app = NULL};
    struct pass parsed;

    if (pass_parse(pass, room, &parsed, NULL) < 0 || !find_destination(g, &parsed, &to))
        return false;
    *ret_to = to;
    return true;
}

bool
generation_resolve(const struct generation *g, struct slice pass, struct destination *ret_to)
{
    return resolve(g, pass, ret_to) && (ret_to->app == NULL || !app_conf_accepts(ret_to->app));
}

bool
app_conf_accepts(const struct app_conf *app)
{
    return app->is_program || app->is_stream;
}

bool
app_conf_same(const struct app_conf *a, const struct app_conf *b)
{
    if (!slice_eq(a->json, b->json) || a->listen.n != b->listen.n)
        return false;
    for (size_t i = 0; i < a->listen.n; i++) {
        if (strcmp(a->listen.p[i], b->listen.p[i]) != 0)
            return false;
    }
    return true;
}

const struct app_conf *
generation_app(const struct generation *g, struct slice name)
{
    return map_get(&g->app_by_name, name);
}

const struct listener_conf *
generation_listener(const struct generation *g, struct slice address)
{
    return map_get(&g->listener_by_address, address);
}
