/*
 * migrate_gunicorn.c - gunicorn's settings to brood's configuration.
 *
 *   gunicorn.conf.py --assignments--------.
 *   x.service --ExecStart, Environment-----> settings --> application, listeners
 *   other text --its line "gunicorn ..."--'
 *
 * Later settings win, as in gunicorn: file, then GUNICORN_CMD_ARGS, then command line.
 */
#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "programs/migrate_python.h"
#include "programs/migrate_systemd.h"

#define DIRECTIVE(names, how, to, doc) {names, how, to, doc},
const struct directive gunicorn_directives[] = {
#include "programs/migrate_gunicorn.def"
};
#undef DIRECTIVE
const size_t n_gunicorn_directives = array_len(gunicorn_directives);

#define USUAL_BIND "127.0.0.1:8000"

struct setting {
    struct setting *next;
    const struct directive *row;
    struct slice name;
    struct json *value;
    struct place at;
};

struct gunicorn {
    struct migration *m;
    struct setting *first;
    struct setting **last;
    struct json *app; /* whose settings of the unit are there already */
    const char *file; /* the first one */
};

static enum ctl_exit read_path(struct gunicorn *g, const char *path, struct place from);

static const struct directive *
row_of(struct slice name)
{
    return directive_find(gunicorn_directives, n_gunicorn_directives, name);
}

static void
add(struct gunicorn *g, struct slice name, struct json *value, struct place at)
{
    struct setting *setting = arena_new(g->m->arena, struct setting);
    const struct directive *row = row_of(name);

    if (row == NULL) {
        migrate_note(g->m, at, arena_cstr(g->m->arena, name), NOTE_NONE,
                     "not a setting of gunicorn that is known here");
        return;
    }
    *setting = (struct setting){NULL, row, name, value, at};
    *g->last = setting;
    g->last = &setting->next;
}

static const struct setting *
find(const struct gunicorn *g, const char *name)
{
    const struct directive *row = row_of(slice_cstr(name));
    const struct setting *found = NULL;

    for (const struct setting *s = g->first; s != NULL; s = s->next) {
        if (s->row == row)
            found = s;
    }
    return found;
}

/* A text or NULL. */
static const char *
text_of(const struct gunicorn *g, const char *name)
{
    const struct setting *s = find(g, name);

    return s != NULL && s->value->type == JSON_STRING ? arena_cstr(g->m->arena, s->value->text)
                                                      : NULL;
}

/* Names that are not settings are the operator's own variables. */
static void
take_python(struct gunicorn *g, const char *path, const struct python_line *line)
{
    struct place at = {path, line->line};
    const char *name = arena_cstr(g->m->arena, line->name);
    const struct directive *row = row_of(line->name);

    switch (line->kind) {
    case PYTHON_VALUE:
        if (row != NULL)
            add(g, line->name, line->value, at);
        return;
    case PYTHON_EXPRESSION:
        if (row != NULL)
            migrate_note(g->m, at, name, NOTE_UNREAD, "write the value of: " SLICE_FMT,
                         (int)br_min(line->text.n, (size_t)200), line->text.p);
        return;
    case PYTHON_FUNCTION:
        if (row != NULL)
            migrate_note(g->m, at, name, NOTE_NONE, "%s", row->doc);
        return;
    case PYTHON_STATEMENT:
        migrate_note(g->m, at, name, NOTE_UNREAD, "only assignments are read");
        return;
    }
}

static enum ctl_exit
read_python(struct gunicorn *g, const char *path, struct slice text)
{
    struct python_line *line = NULL;
    enum ctl_exit code = python_parse(g->m->arena, path, text, &line);

    for (; code == CTL_OK && line != NULL; line = line->next)
        take_python(g, path, line);
    return code;
}

/* Flags without a value. */
static bool
is_switch(struct slice name)
{
    static const char *const switches[] = {
        "reload",
        "preload",
        "daemon",
        "D",
        "reuse_port",
        "capture_output",
        "spew",
        "check_config",
        "print_config",
        "no_sendfile",
        "initgroups",
        "log_syslog",
        "enable_stdio_inheritance",
        "proxy_protocol",
        "disable_redirect_access_to_syslog",
        "suppress_ragged_eofs",
        "do_handshake_on_connect",
        "strip_header_spaces",
    };

    for (size_t i = 0; i < array_len(switches); i++) {
        if (slice_eq(name, slice_cstr(switches[i])))
            return true;
    }
    return false;
}

/* "--max-requests" as the setting is called: "max_requests". */
static struct slice
setting_name(struct arena *a, struct slice flag)
{
    struct slice name = arena_dup(a, flag);

    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '-')
            ((char *)name.p)[i] = '_';
    }
    return name;
}

/* "--name=value", "--name value", "-nvalue"; word moves over the value. */
static void
take_flag(struct gunicorn *g, struct json **word, struct place at)
{
    struct arena *a = g->m->arena;
    struct slice text = (*word)->text, name, value = SLICE_NONE;
    bool is_long = slice_starts(text, SLICE("--"));
    size_t equals = is_long ? slice_find(text, 0, '=') : 2;

    name = setting_name(a, slice_sub(text, is_long ? 2 : 1, equals));
    if (equals < text.n)
        value = slice_sub(text, equals + (is_long ? 1 : 0), text.n);
    else if (!is_switch(name) && (*word)->next != NULL) {
        *word = (*word)->next;
        value = (*word)->text;
    }
    if (slice_eq(name, SLICE("no_sendfile")))
        return;
    add(g, name, value.p != NULL ? json_new_string(a, value) : json_new_bool(a, true), at);
}

/* What stands in the file that --config names comes before what is here. */
static enum ctl_exit
prepend_config(struct gunicorn *g, struct place at)
{
    const struct setting *config = find(g, "config");
    struct setting *here = g->first;
    struct slice path;
    enum ctl_exit code;

    if (config == NULL || config->value->type != JSON_STRING)
        return CTL_OK;
    path = config->value->text;
    config->value->type = JSON_NULL; /* once is enough */
    if (slice_starts(path, SLICE("file:")))
        path = slice_sub(path, 5, path.n);
    g->first = NULL;
    g->last = &g->first;
    code = read_path(g, migrate_beside(g->m->arena, at.file, arena_cstr(g->m->arena, path)), at);
    *g->last = here;
    while (*g->last != NULL)
        g->last = &(*g->last)->next;
    return code;
}

/* The words behind "gunicorn". */
static enum ctl_exit
take_words(struct gunicorn *g, struct json *word, struct place at)
{
    for (; word != NULL; word = word->next) {
        if (slice_starts(word->text, SLICE("-")))
            take_flag(g, &word, at);
        else
            add(g, SLICE("wsgi_app"), json_new_string(g->m->arena, word->text), at);
    }
    return prepend_config(g, at);
}

/* The word that names the program, or NULL. */
static struct json *
program(struct json *words)
{
    json_foreach(word, words)
    {
        if (slice_ends(word->text, SLICE("gunicorn")))
            return word;
    }
    return NULL;
}

/* "/srv/venv/bin/gunicorn" is that of a virtual environment, unless it is the system's. */
static void
put_home(struct gunicorn *g, struct slice path)
{
    static const char *const systems[] = {"", "/usr", "/usr/local"};

    if (!slice_ends(path, SLICE("/bin/gunicorn")))
        return;
    path.n -= strlen("/bin/gunicorn");
    for (size_t i = 0; i < array_len(systems); i++) {
        if (slice_eq(path, slice_cstr(systems[i])))
            return;
    }
    migrate_put_text(g->m, g->app, "home", path);
}

/* Taken out: what it held is settings now. */
static struct json *
take_arguments(struct gunicorn *g)
{
    struct json *old = json_get(g->app, SLICE("environment")), *words = NULL, *kept;

    if (old == NULL)
        return NULL;
    kept = json_new(g->m->arena, JSON_OBJECT);
    json_foreach(variable, old)
    {
        if (slice_eq(variable->name, SLICE("GUNICORN_CMD_ARGS")))
            words = words_split(g->m->arena, variable->text);
        else
            json_add(kept, variable->name, json_copy(g->m->arena, variable));
    }
    migrate_put(g->m, g->app, "environment", kept);
    return words;
}

static enum ctl_exit
read_unit(struct gunicorn *g, const char *path, struct slice text)
{
    struct systemd_unit unit;
    struct json *words;
    enum ctl_exit code = systemd_parse(g->m, path, text, &unit);

    if (code != CTL_OK || unit.command == NULL)
        return code;
    if (program(unit.command) == NULL)
        return migrate_fail(unit.exec_at, "ExecStart does not start gunicorn");
    systemd_assign(g->m, &unit, g->app);
    put_home(g, program(unit.command)->text);
    words = take_arguments(g);
    if (words != NULL)
        code = take_words(g, words->first, unit.exec_at);
    return code == CTL_OK ? take_words(g, program(unit.command)->next, unit.exec_at) : code;
}

/* A script or a Procfile: the last line that runs gunicorn. */
static enum ctl_exit
read_lines(struct gunicorn *g, const char *path, struct slice text)
{
    struct place at = {path, 0}, found = {path, 0};
    struct slice line, joined = SLICE("");
    struct json *words = NULL;

    while (slice_split(&text, '\n', &line)) {
        struct json *these;

        at.line++;
        joined = slice_cstr(arena_printf(g->m->arena, SLICE_FMT SLICE_FMT, SLICE_ARG(joined),
                                         SLICE_ARG(slice_trim(line))));
        if (slice_ends(joined, SLICE("\\"))) {
            ((char *)joined.p)[joined.n - 1] = ' ';
            continue;
        }
        these = slice_starts(joined, SLICE("#")) ? NULL : words_split(g->m->arena, joined);
        if (these != NULL && program(these) != NULL) {
            words = these;
            found = at;
        }
        joined = SLICE("");
    }
    if (words == NULL)
        return migrate_fail(at, "no line runs gunicorn");
    return take_words(g, program(words)->next, found);
}

static enum ctl_exit
read_path(struct gunicorn *g, const char *path, struct place from)
{
    struct slice text;
    enum ctl_exit code = migrate_open(g->m, path, path, from, &text);

    if (code != CTL_OK)
        return code;
    if (systemd_is_unit(path, text))
        code = read_unit(g, path, text);
    else if (slice_ends(slice_cstr(path), SLICE(".py")))
        code = read_python(g, path, text);
    else
        code = read_lines(g, path, text);
    if (code == CTL_OK)
        migrate_close(g->m);
    return code;
}

/* "pkg.module:app", "pkg.module:make()" */
static void
put_module(struct gunicorn *g)
{
    const char *text = text_of(g, "wsgi_app");
    struct slice whole, callable;
    size_t colon;

    if (text == NULL) {
        migrate_note(g->m, (struct place){g->file, 0}, "wsgi_app", NOTE_UNREAD,
                     "nothing names the application: write its module and callable");
        return;
    }
    whole = slice_cstr(text);
    colon = slice_find(whole, 0, ':');
    callable = slice_sub(whole, colon + 1, whole.n);
    migrate_put_text(g->m, g->app, "module", slice_sub(whole, 0, colon));
    if (slice_ends(callable, SLICE("()"))) {
        migrate_put(g->m, g->app, "factory", json_new_bool(g->m->arena, true));
        callable.n -= 2;
    }
    if (slice_find(callable, 0, '(') < callable.n)
        migrate_note(g->m, find(g, "wsgi_app")->at, "wsgi_app", NOTE_NONE,
                     "a factory is called without arguments");
    else if (callable.n > 0 && !slice_eq(callable, SLICE("application")))
        migrate_put_text(g->m, g->app, "callable", callable);
}

static void
put_protocol(struct gunicorn *g)
{
    const struct setting *s = find(g, "worker_class");
    const char *name = text_of(g, "worker_class");

    if (s == NULL || name == NULL)
        return;
    if (strstr(name, "uvicorn") != NULL || strcmp(name, "asgi") == 0)
        migrate_put_text(g->m, g->app, "protocol", SLICE("asgi"));
    else if (strcmp(name, "sync") != 0 && strcmp(name, "gthread") != 0)
        migrate_note(g->m, s->at, "worker_class", NOTE_NONE,
                     "\"%s\": threads, or an ASGI application, for many requests at once", name);
}

/* Where gunicorn looks for modules: chdir, else where it is started. */
static void
put_directories(struct gunicorn *g)
{
    struct arena *a = g->m->arena;
    const char *chdir = text_of(g, "chdir"), *more = text_of(g, "pythonpath");
    struct json *unit = json_get(g->app, SLICE("working_directory"));
    struct slice rest, piece;
    char resolved[PATH_MAX];

    if (chdir == NULL && unit == NULL) {
        chdir = realpath(g->file, resolved) != NULL ? dirname(resolved) : ".";
        migrate_note(g->m, (struct place){g->file, 0}, "chdir", NOTE_DIFFERENT,
                     "nothing says where gunicorn is started: taken to be %s", chdir);
    }
    if (chdir != NULL)
        migrate_put_text(g->m, g->app, "working_directory", slice_cstr(chdir));
    migrate_push(g->m, g->app, "path",
                 json_new_string(a, json_get(g->app, SLICE("working_directory"))->text));
    if (more == NULL)
        return;
    rest = slice_cstr(more);
    while (slice_split(&rest, ',', &piece))
        migrate_push(g->m, g->app, "path", json_new_string(a, slice_trim(piece)));
}

/* "-" is the standard output. */
static void
put_log(struct gunicorn *g, const char *name, struct json *root, const char *to)
{
    const char *text = text_of(g, name);

    if (text == NULL || text[0] == '\0')
        return;
    if (text[0] == '/')
        migrate_put_text(g->m, root, to, slice_cstr(text));
    else if (strcmp(text, "-") != 0 || root == g->m->root)
        migrate_note(g->m, find(g, name)->at, name, NOTE_NONE,
                     "logs are files with absolute paths");
}

static void
put_head_size(struct gunicorn *g)
{
    static const char *const names[] = {"limit_request_line", "limit_request_field_size"};
    static const struct directive row = {"", TO_INT, "/settings/http/large_header_buffer_size", ""};

    for (const struct setting *s = g->first; s != NULL; s = s->next) {
        for (size_t i = 0; i < array_len(names); i++) {
            if (slice_eq(s->name, slice_cstr(names[i])) &&
                !slice_eq(migrate_text(g->m->arena, s->value), SLICE("0")))
                migrate_assign(g->m, g->app, &row, s->name, s->value, s->at);
        }
    }
}

static void
listen_on(struct gunicorn *g, struct slice address, const char *pass, struct place at)
{
    static const struct directive backlog_row = {"", TO_INT, "backlog", ""};
    const struct setting *backlog = find(g, "backlog");
    const char *certificate = text_of(g, "certfile");
    struct json *listener = migrate_listen(g->m, address, pass, "bind", at);
    const char *name;

    if (listener == NULL)
        return;
    if (backlog != NULL)
        migrate_assign(g->m, listener, &backlog_row, backlog->name, backlog->value, backlog->at);
    if (certificate == NULL)
        return;
    name = migrate_stem(g->m->arena, certificate);
    migrate_put_text(g->m, listener, "tls/certificate", slice_cstr(name));
    migrate_note(g->m, find(g, "certfile")->at, "certfile", NOTE_DIFFERENT,
                 "upload it with its key first: broodctl certificates put %s %s %s", name,
                 certificate, text_of(g, "keyfile") != NULL ? text_of(g, "keyfile") : "KEY");
}

/* "A,B", [A, B]; on the command line --bind may stand several times. */
static void
put_listeners(struct gunicorn *g, const char *pass)
{
    bool any = false;

    for (const struct setting *s = g->first; s != NULL; s = s->next) {
        struct slice rest, piece;

        if (!slice_eq(slice_cstr(s->row->names), slice_cstr(row_of(SLICE("bind"))->names)))
            continue;
        any = true;
        if (s->value->type == JSON_ARRAY) {
            json_foreach(address, s->value)
            {
                listen_on(g, migrate_text(g->m->arena, address), pass, s->at);
            }
            continue;
        }
        rest = migrate_text(g->m->arena, s->value);
        while (slice_split(&rest, ',', &piece))
            listen_on(g, slice_trim(piece), pass, s->at);
    }
    if (!any)
        listen_on(g, SLICE(USUAL_BIND), pass, (struct place){g->file, 0});
}

/* Its module's name is the best that there is. */
static const char *
name_of(const struct gunicorn *g)
{
    const char *text = text_of(g, "wsgi_app");
    struct slice module = slice_cstr(text != NULL ? text : "app");

    module = slice_sub(module, 0, slice_find(module, 0, ':'));
    module = slice_sub(module, 0, slice_find(module, 0, '.'));
    return arena_cstr(g->m->arena, module.n > 0 ? module : SLICE("app"));
}

enum ctl_exit
migrate_gunicorn(struct migration *m, int n, char **paths)
{
    struct gunicorn g = {.m = m, .file = paths[0]};
    struct json *app, *unit = json_new(m->arena, JSON_OBJECT);
    enum ctl_exit code = CTL_OK;

    migrate_object(m, m->root, "listeners");
    g.last = &g.first;
    g.app = unit;
    for (int i = 0; i < n && code == CTL_OK; i++)
        code = read_path(&g, paths[i], (struct place){0});
    if (code != CTL_OK)
        return code;
    app = migrate_app(m, name_of(&g), "python");
    json_foreach(member, unit)
    {
        migrate_put(m, app, arena_cstr(m->arena, member->name), json_copy(m->arena, member));
    }
    g.app = app;
    put_module(&g);
    put_directories(&g);
    for (const struct setting *s = g.first; s != NULL; s = s->next)
        migrate_assign(m, app, s->row, s->name, s->value, s->at);
    put_protocol(&g);
    put_head_size(&g);
    put_log(&g, "accesslog", m->root, "access_log");
    put_log(&g, "errorlog", app, "stderr");
    put_listeners(&g, arena_printf(m->arena, "applications/" SLICE_FMT, SLICE_ARG(app->name)));
    return CTL_OK;
}
