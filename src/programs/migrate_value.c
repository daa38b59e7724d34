/*
 * migrate_value.c - a directive's value to its place in brood's configuration.
 *
 *   "processes workers p" | TO_INT | processes      4  -->  {"processes": 4}
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "event/listener.h"
#include "programs/migrate.h"

const char *
migrate_beside(struct arena *a, const char *file, const char *other)
{
    const char *slash = strrchr(file, '/');

    if (other[0] == '/' || slash == NULL)
        return other;
    return arena_printf(a, "%.*s/%s", (int)(slash - file), file, other);
}

const char *
migrate_stem(struct arena *a, const char *file)
{
    const char *slash = strrchr(file, '/');
    struct slice name = slice_cstr(slash != NULL ? slash + 1 : file);
    const char *dot = memrchr(name.p, '.', name.n);

    return arena_cstr(a, dot != NULL && dot > name.p ? slice_make(name.p, (size_t)(dot - name.p))
                                                     : name);
}

const struct directive *
directive_find(const struct directive *table, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++) {
        struct slice rest = slice_cstr(table[i].names), word;

        while (slice_split(&rest, ' ', &word)) {
            if (slice_eq(word, name))
                return &table[i];
        }
    }
    return NULL;
}

struct json *
migrate_object(struct migration *m, struct json *root, const char *path)
{
    struct slice rest = slice_cstr(path), name;

    while (path[0] != '\0' && slice_split(&rest, '/', &name)) {
        struct json *next = json_get(root, name);

        if (next == NULL)
            next = json_add(root, name, json_new(m->arena, JSON_OBJECT));
        root = next;
    }
    return root;
}

/* The object that holds the last segment of a path, and that segment. */
static struct json *
parent_of(struct migration *m, struct json *root, const char *path, struct slice *ret_name)
{
    const char *slash = strrchr(path, '/');

    *ret_name = slice_cstr(slash != NULL ? slash + 1 : path);
    if (slash == NULL)
        return root;
    return migrate_object(m, root, arena_printf(m->arena, "%.*s", (int)(slash - path), path));
}

void
migrate_put(struct migration *m, struct json *root, const char *path, struct json *value)
{
    struct slice name;
    struct json *parent = parent_of(m, root, path, &name);
    struct json *old = json_get(parent, name);

    if (old == NULL) {
        json_add(parent, name, value);
        return;
    }
    value->next = old->next;
    value->name = old->name;
    *old = *value;
}

void
migrate_put_text(struct migration *m, struct json *root, const char *path, struct slice text)
{
    migrate_put(m, root, path, json_new_string(m->arena, arena_dup(m->arena, text)));
}

void
migrate_push(struct migration *m, struct json *root, const char *path, struct json *value)
{
    struct slice name;
    struct json *parent = parent_of(m, root, path, &name);
    struct json *array = json_get(parent, name);

    if (array == NULL)
        array = json_add(parent, name, json_new(m->arena, JSON_ARRAY));
    json_push(array, value);
}

struct slice
migrate_text(struct arena *a, const struct json *value)
{
    switch (value->type) {
    case JSON_STRING:
    case JSON_NUMBER:
        return value->text;
    case JSON_BOOL:
        return value->truth ? SLICE("true") : SLICE("false");
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return slice_cstr(arena_printf(a, "%s", ""));
}

bool
migrate_is_true(const struct json *value)
{
    static const char *const words[] = {"yes", "on", "true", "1"};

    if (value->type == JSON_BOOL)
        return value->truth;
    if (value->type == JSON_NUMBER)
        return !slice_eq(value->text, SLICE("0"));
    for (size_t i = 0; value->type == JSON_STRING && i < array_len(words); i++) {
        if (slice_ieq(value->text, slice_cstr(words[i])))
            return true;
    }
    return false;
}

/* Nothing is asked for: advice on it would be noise. */
static bool
is_off(const struct json *value)
{
    static const char *const words[] = {"no", "off", "false", "0", "none"};

    if (value->type == JSON_NULL)
        return true;
    if (value->type != JSON_STRING)
        return !migrate_is_true(value) && value->type != JSON_ARRAY && value->type != JSON_OBJECT;
    for (size_t i = 0; i < array_len(words); i++) {
        if (slice_ieq(value->text, slice_cstr(words[i])))
            return true;
    }
    return false;
}

/* "90", "30s", "2m", "1h", "1d": seconds.  0 or -EINVAL. */
static int
read_seconds(struct slice text, uint64_t *ret_seconds)
{
    static const struct {
        char unit;
        unsigned seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    unsigned factor = 1;
    uint64_t n;

    for (size_t i = 0; text.n > 0 && i < array_len(units); i++) {
        if (text.p[text.n - 1] == units[i].unit) {
            factor = units[i].seconds;
            text.n--;
            break;
        }
    }
    if (slice_u64(text, &n) < 0 || n > INT32_MAX / factor)
        return -EINVAL;
    *ret_seconds = n * factor;
    return 0;
}

static void
assign_number(struct migration *m, struct json *root, const struct directive *d, struct slice name,
              struct slice text, struct place at)
{
    const char *subject = arena_cstr(m->arena, name);
    const char *to = d->to[0] == '/' ? d->to + 1 : d->to;
    uint64_t n;
    int rc = d->how == TO_SECONDS ? read_seconds(text, &n) : slice_u64(text, &n);

    if (rc < 0 || n > INT64_MAX)
        migrate_note(m, at, subject, NOTE_UNREAD, "not a number: \"" SLICE_FMT "\"",
                     SLICE_ARG(text));
    else
        migrate_put(m, root, to, json_new_int(m->arena, (int64_t)n));
}

static void
assign_environment(struct migration *m, struct json *root, const struct directive *d,
                   struct slice name, struct slice text, struct place at)
{
    size_t equals = slice_find(text, 0, '=');
    struct json *variables;

    if (equals == 0 || equals == text.n) {
        migrate_note(m, at, arena_cstr(m->arena, name), NOTE_UNREAD,
                     "not NAME=VALUE: \"" SLICE_FMT "\"", SLICE_ARG(text));
        return;
    }
    variables = migrate_object(m, root, d->to);
    migrate_put_text(m, variables, arena_cstr(m->arena, slice_sub(text, 0, equals)),
                     slice_sub(text, equals + 1, text.n));
}

static void
assign_scalar(struct migration *m, struct json *app, const struct directive *d, struct slice name,
              const struct json *value, struct place at)
{
    struct json *root = d->to != NULL && d->to[0] == '/' ? m->root : app;
    const char *to = d->to != NULL && d->to[0] == '/' ? d->to + 1 : d->to;
    struct slice text = migrate_text(m->arena, value);

    switch (d->how) {
    case TO_INT:
    case TO_SECONDS:
        assign_number(m, root, d, name, text, at);
        return;
    case TO_BOOL:
        migrate_put(m, root, to, json_new_bool(m->arena, migrate_is_true(value)));
        return;
    case TO_STRING:
        migrate_put_text(m, root, to, text);
        return;
    case TO_LIST:
        migrate_push(m, root, to, json_new_string(m->arena, arena_dup(m->arena, text)));
        return;
    case TO_ENV:
        assign_environment(m, root, d, name, text, at);
        return;
    case NOWHERE:
    case DIFFERENTLY:
        if (!is_off(value))
            migrate_note(m, at, arena_cstr(m->arena, name),
                         d->how == NOWHERE ? NOTE_NONE : NOTE_DIFFERENT, "%s", d->doc);
        return;
    case BY_FORMAT:
    case ALWAYS:
        return;
    }
}

void
migrate_assign(struct migration *m, struct json *app, const struct directive *d, struct slice name,
               const struct json *value, struct place at)
{
    if (value->type == JSON_NULL)
        return;
    if (value->type != JSON_ARRAY || d->how == NOWHERE || d->how == DIFFERENTLY) {
        assign_scalar(m, app, d, name, value, at);
        return;
    }
    json_foreach(element, value)
    {
        assign_scalar(m, app, d, name, element, at);
    }
}

/* brood's form of an address, or NULL: noted. */
static const char *
address_of(struct migration *m, struct slice text, const char *directive, struct place at)
{
    struct arena *a = m->arena;
    struct slice host = SLICE("*"), port = text;
    const char *colon;
    uint64_t n;

    if (slice_starts(text, SLICE("unix:")))
        text = slice_sub(text, 5, text.n);
    if (text.n >= 2 && slice_starts(text, SLICE("//"))) /* "unix:///run/x" */
        text = slice_sub(text, 2, text.n);
    if (slice_starts(text, SLICE("/")) || slice_starts(text, SLICE("@")))
        return arena_printf(a, "unix:" SLICE_FMT, SLICE_ARG(text));
    colon = memrchr(text.p, ':', text.n);
    if (colon != NULL) {
        host = slice_make(text.p, (size_t)(colon - text.p));
        port = slice_sub(text, host.n + 1, text.n);
    }
    if (slice_eq(host, SLICE("localhost"))) {
        host = SLICE("127.0.0.1");
        migrate_note(m, at, directive, NOTE_DIFFERENT,
                     "listeners have addresses, not names: localhost became 127.0.0.1");
    }
    if (host.n == 0)
        host = SLICE("*");
    if (slice_u64(port, &n) == 0)
        return arena_printf(a, SLICE_FMT ":" SLICE_FMT, SLICE_ARG(host), SLICE_ARG(port));
    migrate_note(m, at, directive, NOTE_UNREAD, "not an address of a listener: \"" SLICE_FMT "\"",
                 SLICE_ARG(text));
    return NULL;
}

struct json *
migrate_listen(struct migration *m, struct slice address, const char *pass, const char *directive,
               struct place at)
{
    const char *name = address_of(m, address, directive, at);
    struct br_err err = BR_ERR_NONE;
    struct sockaddr_storage addr;
    struct json *listeners, *listener;
    socklen_t len;

    if (name == NULL)
        return NULL;
    if (listener_parse(name, &addr, &len, &err) < 0) {
        migrate_note(m, at, directive, NOTE_UNREAD, "%s", err.text);
        return NULL;
    }
    listeners = migrate_object(m, m->root, "listeners");
    listener = json_get(listeners, slice_cstr(name));
    if (listener == NULL)
        listener = json_add(listeners, slice_cstr(name), json_new(m->arena, JSON_OBJECT));
    migrate_put_text(m, listener, "pass", slice_cstr(pass));
    return listener;
}

/* '/' separates segments in a "pass". */
static const char *
tame(struct arena *a, const char *name)
{
    char *text = arena_cstr(a, slice_cstr(name));

    for (char *p = text; *p != '\0'; p++) {
        if (*p == '/' || *p == '%' || *p == '$')
            *p = '_';
    }
    return text;
}

struct json *
migrate_app(struct migration *m, const char *name, const char *type)
{
    struct json *apps = migrate_object(m, m->root, "applications");
    const char *key = tame(m->arena, name);
    struct json *app = json_get(apps, slice_cstr(key));

    if (app == NULL)
        app = json_add(apps, slice_cstr(key), json_new(m->arena, JSON_OBJECT));
    migrate_put_text(m, app, "type", slice_cstr(type));
    return app;
}
