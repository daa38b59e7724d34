/*
 * migrate_uwsgi.c - a uWSGI ini file to brood's configuration.
 *
 *   options --one by one, table--> application
 *           --all together-------> processes, module, mounts, static files, listeners
 *
 * One ini file is one application; what it listens on passes to it, through routes when it serves
 * static files or mounts several applications.
 */
#include "programs/migrate_uwsgi.h"

#include <string.h>

#define DIRECTIVE(names, how, to, doc) {names, how, to, doc},
const struct directive uwsgi_directives[] = {
#include "programs/migrate_uwsgi.def"
};
#undef DIRECTIVE
const size_t n_uwsgi_directives = array_len(uwsgi_directives);

struct uwsgi {
    struct migration *m;
    struct uwsgi_options options;
    struct json *app;
    const char *file;
    const char *name;
    const char *pass; /* of listeners */
};

/* The last one of these names (of one row), or NULL. */
static const struct ini_line *
option(const struct uwsgi *u, const char *name)
{
    const struct directive *row =
        directive_find(uwsgi_directives, n_uwsgi_directives, slice_cstr(name));
    const struct ini_line *found = NULL;

    for (const struct ini_line *line = u->options.first; line != NULL; line = line->next) {
        if (!slice_eq(line->section, SLICE(UWSGI_VARIABLE)) &&
            directive_find(row, 1, line->name) != NULL)
            found = line;
    }
    return found;
}

static const char *
value(const struct uwsgi *u, const char *name)
{
    const struct ini_line *line = option(u, name);

    return line != NULL ? arena_cstr(u->m->arena, line->value) : NULL;
}

static const char *
type_of(const struct uwsgi *u)
{
    if (option(u, "psgi") != NULL)
        return "perl";
    if (option(u, "rack") != NULL)
        return "ruby";
    if (option(u, "php-docroot") != NULL || option(u, "php-app") != NULL)
        return "php";
    return option(u, "cgi") != NULL ? "cgi" : "python";
}

/* Options that stand for themselves. */
static void
assign_options(struct uwsgi *u)
{
    for (const struct ini_line *line = u->options.first; line != NULL; line = line->next) {
        const struct directive *d =
            directive_find(uwsgi_directives, n_uwsgi_directives, line->name);
        struct json text = {.type = JSON_STRING, .text = line->value};

        if (slice_eq(line->section, SLICE(UWSGI_VARIABLE)))
            continue;
        if (d != NULL)
            migrate_assign(u->m, u->app, d, line->name, &text, line->at);
        else if (line->section.n == 0)
            migrate_note(u->m, line->at, arena_cstr(u->m->arena, line->name), NOTE_NONE,
                         "not an option of uWSGI that is known here");
    }
}

static void
assign_processes(struct uwsgi *u)
{
    static const struct directive max = {"", TO_INT, "processes/max", ""},
                                  spare = {"", TO_INT, "processes/spare", ""},
                                  number = {"", TO_INT, "processes", ""};
    const struct ini_line *workers = option(u, "processes"), *cheaper = option(u, "cheaper");
    struct json text = {.type = JSON_STRING};

    if (workers == NULL)
        return;
    text.text = workers->value;
    migrate_assign(u->m, u->app, cheaper != NULL ? &max : &number, workers->name, &text,
                   workers->at);
    if (cheaper == NULL)
        return;
    text.text = cheaper->value;
    migrate_assign(u->m, u->app, &spare, cheaper->name, &text, cheaper->at);
}

/* "pkg.module:callable" */
static void
put_module(struct uwsgi *u, struct json *target, struct slice text)
{
    size_t colon = slice_find(text, 0, ':');
    const char *callable = value(u, "callable");

    migrate_put_text(u->m, target, "module", slice_sub(text, 0, colon));
    if (colon < text.n)
        callable = arena_cstr(u->m->arena, slice_sub(text, colon + 1, text.n));
    if (callable != NULL && strcmp(callable, "application") != 0)
        migrate_put_text(u->m, target, "callable", slice_cstr(callable));
}

static void
add_path(struct uwsgi *u, struct slice directory)
{
    struct json *path = json_get(u->app, SLICE("path"));

    if (path != NULL) {
        json_foreach(have, path)
        {
            if (slice_eq(have->text, directory))
                return;
        }
    }
    migrate_push(u->m, u->app, "path", json_new_string(u->m->arena, directory));
}

/* "/srv/app/wsgi.py": its directory is searched for the module "wsgi". */
static void
put_file(struct uwsgi *u, struct json *target, const char *file)
{
    struct arena *a = u->m->arena;
    const char *chdir = value(u, "chdir");
    const char *slash;

    if (file[0] != '/' && chdir != NULL)
        file = arena_printf(a, "%s%s%s", chdir, chdir[strlen(chdir) - 1] == '/' ? "" : "/", file);
    slash = strrchr(file, '/');
    if (slash != NULL)
        add_path(u, slice_cstr(arena_printf(a, "%.*s", (int)(slash - file), file)));
    put_module(u, target, slice_cstr(migrate_stem(a, file)));
}

static void
put_application(struct uwsgi *u, struct json *target, const char *text)
{
    struct slice name = slice_cstr(text);

    if (slice_ends(name, SLICE(".py")) || slice_ends(name, SLICE(".wsgi")) || name.p[0] == '/')
        put_file(u, target, text);
    else
        put_module(u, target, name);
}

static void
route(struct uwsgi *u, struct json *patterns, struct json *action)
{
    struct arena *a = u->m->arena;
    struct json *step = json_new(a, JSON_OBJECT);

    if (patterns != NULL)
        migrate_put(u->m, step, "match/uri", patterns);
    migrate_put(u->m, step, "action", action);
    migrate_push(u->m, u->m->root, "routes", step);
    u->pass = "routes";
}

/* "/prefix" and what is below it. */
static struct json *
below(struct uwsgi *u, struct slice prefix)
{
    struct arena *a = u->m->arena;
    struct json *patterns = json_new(a, JSON_ARRAY);

    while (slice_ends(prefix, SLICE("/")))
        prefix.n--;
    if (prefix.n > 0)
        json_push(patterns, json_new_string(a, prefix));
    json_push(patterns,
              json_new_string(a, slice_cstr(arena_printf(a, SLICE_FMT "/*", SLICE_ARG(prefix)))));
    return patterns;
}

/* "mount = /shop=shop.py": a target, and a route to it. */
static void
add_mount(struct uwsgi *u, const struct ini_line *line, unsigned number)
{
    struct arena *a = u->m->arena;
    size_t equals = slice_find(line->value, 0, '=');
    struct slice prefix = slice_sub(line->value, 0, equals);
    const char *name = arena_printf(a, "mount%u", number);
    struct json *target, *action = json_new(a, JSON_OBJECT);

    if (equals == line->value.n || prefix.n == 0 || prefix.p[0] != '/') {
        migrate_note(u->m, line->at, "mount", NOTE_UNREAD, "not /PREFIX=APPLICATION");
        return;
    }
    target = migrate_object(u->m, u->app, arena_printf(a, "targets/%s", name));
    put_application(u, target, arena_cstr(a, slice_sub(line->value, equals + 1, line->value.n)));
    if (prefix.n > 1)
        migrate_put_text(u->m, target, "prefix", prefix);
    migrate_put_text(u->m, action, "pass",
                     slice_cstr(arena_printf(a, "applications/%s/%s", u->name, name)));
    route(u, below(u, prefix), action);
}

static void
assign_python(struct uwsgi *u)
{
    const char *module = value(u, "module"), *file = value(u, "wsgi-file"),
               *chdir = value(u, "chdir");
    unsigned mounts = 0;

    if (chdir != NULL)
        add_path(u, slice_cstr(chdir));
    for (const struct ini_line *line = u->options.first; line != NULL; line = line->next) {
        if (slice_eq(line->name, SLICE("mount")))
            add_mount(u, line, ++mounts);
    }
    if (module != NULL)
        put_module(u, u->app, slice_cstr(module));
    else if (file != NULL)
        put_file(u, u->app, file);
    else if (mounts == 0)
        migrate_note(u->m, (struct place){u->file, 0}, "module", NOTE_UNREAD,
                     "no module, wsgi-file or mount names the application");
}

static void
assign_application(struct uwsgi *u)
{
    static const struct {
        const char *option;
        const char *to;
    } others[] = {{"psgi", "script"},
                  {"rack", "script"},
                  {"php-docroot", "root"},
                  {"php-app", "script"},
                  {"cgi", "root"}};

    for (size_t i = 0; i < array_len(others); i++) {
        const char *text = value(u, others[i].option);

        if (text != NULL)
            migrate_put_text(u->m, u->app, others[i].to, slice_cstr(text));
    }
    for (const struct ini_line *line = u->options.first; line != NULL; line = line->next) {
        struct json text = {.type = JSON_STRING, .text = line->value};
        static const struct directive php = {"php-set", TO_ENV, "options/admin", ""};

        if (slice_eq(line->name, SLICE("php-set")))
            migrate_assign(u->m, u->app, &php, line->name, &text, line->at);
    }
    if (strcmp(type_of(u), "python") == 0)
        assign_python(u);
}

/* The file is ROOT + the whole path, so a map fits when the directory ends like the prefix. */
static void
add_static(struct uwsgi *u, const struct ini_line *line, bool whole_path)
{
    struct arena *a = u->m->arena;
    const char *index = value(u, "static-index");
    size_t equals = slice_find(line->value, 0, '=');
    struct slice prefix = slice_sub(line->value, 0, equals);
    struct slice directory = slice_sub(line->value, equals + 1, line->value.n);
    struct json *action = json_new(a, JSON_OBJECT);

    while (slice_ends(directory, SLICE("/")))
        directory.n--;
    while (slice_ends(prefix, SLICE("/")))
        prefix.n--;
    if (equals == line->value.n || prefix.n == 0) {
        migrate_note(u->m, line->at, arena_cstr(a, line->name), NOTE_UNREAD,
                     "not /PREFIX=DIRECTORY");
        return;
    }
    if (!whole_path && !slice_ends(directory, prefix)) {
        migrate_note(u->m, line->at, "static-map", NOTE_NONE,
                     "share is DIRECTORY + the whole path: rename or link it to .../%.*s",
                     (int)prefix.n - 1, prefix.p + 1);
        return;
    }
    if (!whole_path)
        directory.n -= prefix.n;
    migrate_put_text(u->m, action, "share",
                     slice_cstr(arena_printf(a, SLICE_FMT "$uri", SLICE_ARG(directory))));
    if (index != NULL)
        migrate_put_text(u->m, action, "index", slice_cstr(index));
    route(u, below(u, prefix), action);
}

static void
add_routes(struct uwsgi *u)
{
    struct arena *a = u->m->arena;
    const char *root = value(u, "check-static");
    struct json *rest = json_new(a, JSON_OBJECT), *action = rest;

    for (const struct ini_line *line = u->options.first; line != NULL; line = line->next) {
        if (slice_eq(line->name, SLICE("static-map")))
            add_static(u, line, false);
        else if (slice_eq(line->name, SLICE("static-map2")))
            add_static(u, line, true);
    }
    if (root != NULL) {
        migrate_put_text(u->m, rest, "share", slice_cstr(arena_printf(a, "%s$uri", root)));
        action = migrate_object(u->m, rest, "fallback");
        u->pass = "routes";
    }
    if (json_get(u->app, SLICE("targets")) != NULL && json_get(u->app, SLICE("module")) == NULL)
        return;
    migrate_put_text(u->m, action, "pass", slice_cstr(arena_printf(a, "applications/%s", u->name)));
    if (strcmp(u->pass, "routes") == 0)
        route(u, NULL, rest);
}

/* "https = ADDRESS,CERTIFICATE,KEY" */
static void
add_tls(struct uwsgi *u, const struct ini_line *line)
{
    struct slice rest = line->value, address, certificate = SLICE("");
    struct json *listener;
    const char *name;

    slice_split(&rest, ',', &address);
    slice_split(&rest, ',', &certificate);
    listener = migrate_listen(u->m, address, u->pass, "https", line->at);
    if (listener == NULL)
        return;
    name = migrate_stem(u->m->arena, arena_cstr(u->m->arena, certificate));
    migrate_put_text(u->m, listener, "tls/certificate", slice_cstr(name));
    migrate_note(u->m, line->at, "https", NOTE_DIFFERENT,
                 "upload the certificate and its key first: broodctl certificates put %s " SLICE_FMT
                 " KEY",
                 name, SLICE_ARG(certificate));
}

static void
add_listeners(struct uwsgi *u)
{
    static const char *const plain[] = {"http", "socket"};
    const char *backlog = value(u, "listen");

    for (const struct ini_line *line = u->options.first; line != NULL; line = line->next) {
        const struct directive *d =
            directive_find(uwsgi_directives, n_uwsgi_directives, line->name);

        if (d != NULL && directive_find(d, 1, SLICE("https")) != NULL)
            add_tls(u, line);
        for (size_t i = 0; d != NULL && i < array_len(plain); i++) {
            struct json *listener;
            struct json text = {.type = JSON_STRING, .text = slice_cstr(backlog ? backlog : "")};
            static const struct directive row = {"listen", TO_INT, "backlog", ""};

            if (directive_find(d, 1, slice_cstr(plain[i])) == NULL)
                continue;
            listener = migrate_listen(u->m, line->value, u->pass,
                                      arena_cstr(u->m->arena, line->name), line->at);
            if (listener != NULL && backlog != NULL)
                migrate_assign(u->m, listener, &row, SLICE("listen"), &text, line->at);
            if (i == 1)
                migrate_note(u->m, line->at, arena_cstr(u->m->arena, line->name), NOTE_DIFFERENT,
                             "%s", d->doc);
        }
    }
}

/* "file:/path", or a path. */
static void
put_log(struct uwsgi *u, struct json *root, const char *name, const char *to)
{
    const struct ini_line *line = option(u, name);
    struct slice text;

    if (line == NULL)
        return;
    text = line->value;
    if (slice_starts(text, SLICE("file:")))
        text = slice_sub(text, 5, text.n);
    if (text.n > 0 && text.p[0] == '/')
        migrate_put_text(u->m, root, to, text);
    else
        migrate_note(u->m, line->at, arena_cstr(u->m->arena, line->name), NOTE_NONE,
                     "logs are files with absolute paths");
}

enum ctl_exit
migrate_uwsgi(struct migration *m, int n, char **paths)
{
    struct uwsgi u = {.m = m};
    enum ctl_exit code = CTL_OK;

    u.options.last = &u.options.first;
    for (int i = 0; i < n && code == CTL_OK; i++)
        code = uwsgi_read(m, paths[i], (struct place){0}, &u.options);
    if (code != CTL_OK)
        return code;
    u.file = paths[0];
    u.name = migrate_stem(m->arena, paths[0]);
    if (strcmp(u.name, "uwsgi") == 0)
        u.name = "app";
    migrate_object(m, m->root, "listeners");
    u.app = migrate_app(m, u.name, type_of(&u));
    u.name = arena_cstr(m->arena, u.app->name);
    u.pass = arena_printf(m->arena, "applications/%s", u.name);
    assign_options(&u);
    assign_processes(&u);
    assign_application(&u);
    put_log(&u, u.app, "logto", "stdout");
    put_log(&u, u.app, "logto", "stderr");
    put_log(&u, u.app, "logger", "stderr");
    put_log(&u, m->root, "req-logger", "access_log");
    add_routes(&u);
    add_listeners(&u);
    return CTL_OK;
}
