/*
 * migrate_fpm.c - pools of PHP-FPM to brood's configuration.
 *
 *   [www] listen, pm.*, php_admin_value[...]  -->  /applications/www, a listener that passes to it
 *
 * A pool file does not say where the scripts are: the front server does.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "programs/migrate_ini.h"

#define DIRECTIVE(names, how, to, doc) {names, how, to, doc},
const struct directive fpm_directives[] = {
#include "programs/migrate_fpm.def"
};
#undef DIRECTIVE
const size_t n_fpm_directives = array_len(fpm_directives);

#define USUAL_ROOT "/var/www/html"

struct fpm {
    struct migration *m;
    struct ini_line *first;
    struct ini_line **last;
};

/* A pool while its lines are looked at. */
struct pool {
    struct fpm *fpm;
    struct slice name;
    struct json *app;
    const struct ini_line *first; /* of it */
};

static enum ctl_exit read_path(struct fpm *f, const char *path, struct place from,
                               struct slice section);

static enum ctl_exit
include(struct fpm *f, const struct ini_line *line)
{
    const char *pattern =
        migrate_beside(f->m->arena, line->at.file, arena_cstr(f->m->arena, line->value));
    enum ctl_exit code = CTL_OK;
    glob_t found = {0};
    int rc = glob(pattern, 0, NULL, &found);

    if (rc == GLOB_NOMATCH)
        migrate_note(f->m, line->at, "include", NOTE_UNREAD, "no such file: %s", pattern);
    else if (rc != 0)
        code = migrate_fail(line->at, "cannot look for \"%s\"", pattern);
    for (size_t i = 0; rc == 0 && i < found.gl_pathc && code == CTL_OK; i++)
        code = read_path(f, arena_cstr(f->m->arena, slice_cstr(found.gl_pathv[i])), line->at,
                         line->section);
    globfree(&found);
    return code;
}

static enum ctl_exit
take_lines(struct fpm *f, struct ini_line *line)
{
    enum ctl_exit code = CTL_OK;

    while (line != NULL && code == CTL_OK) {
        struct ini_line *next = line->next;

        if (slice_eq(line->name, SLICE("include"))) {
            code = include(f, line);
        } else {
            line->next = NULL;
            *f->last = line;
            f->last = &line->next;
        }
        line = next;
    }
    return code;
}

/* An included file goes on in the section where it is included. */
static enum ctl_exit
read_path(struct fpm *f, const char *path, struct place from, struct slice section)
{
    struct ini_line *first = NULL;
    struct slice text;
    enum ctl_exit code = migrate_open(f->m, path, path, from, &text);

    if (code == CTL_OK)
        code = ini_parse(f->m->arena, INI_PHP, path, text, &first);
    if (code != CTL_OK)
        return code;
    for (struct ini_line *line = first; line != NULL && line->section.n == 0; line = line->next)
        line->section = section;
    code = take_lines(f, first);
    if (code == CTL_OK)
        migrate_close(f->m);
    return code;
}

/* The last value of a directive of this pool, or NULL. */
static const struct ini_line *
find(const struct pool *p, const char *name)
{
    const struct ini_line *found = NULL;

    for (const struct ini_line *line = p->first; line != NULL; line = line->next) {
        if (slice_eq(line->section, p->name) && slice_eq(line->name, slice_cstr(name)))
            found = line;
    }
    return found;
}

static void
put(struct pool *p, const char *name, enum directive_how how, const char *to)
{
    const struct directive row = {name, how, to, ""};
    const struct ini_line *line = find(p, name);
    struct json text = {.type = JSON_STRING};

    if (line == NULL)
        return;
    text.text = line->value;
    migrate_assign(p->fpm->m, p->app, &row, line->name, &text, line->at);
}

/* The smaller of start_servers and min_spare_servers: what FPM never goes below. */
static void
put_spare(struct pool *p)
{
    const struct ini_line *start = find(p, "pm.start_servers"),
                          *least = find(p, "pm.min_spare_servers");
    uint64_t a, b;

    put(p, "pm.start_servers", TO_INT, "processes/spare");
    if (least == NULL || slice_u64(least->value, &b) < 0)
        return;
    if (start == NULL || slice_u64(start->value, &a) < 0 || b < a)
        put(p, "pm.min_spare_servers", TO_INT, "processes/spare");
}

static void
put_processes(struct pool *p)
{
    const struct ini_line *pm = find(p, "pm");
    struct slice mode = pm != NULL ? pm->value : SLICE("");

    if (slice_eq(mode, SLICE("static"))) {
        put(p, "pm.max_children", TO_INT, "processes");
        return;
    }
    put(p, "pm.max_children", TO_INT, "processes/max");
    if (slice_eq(mode, SLICE("dynamic"))) {
        put_spare(p);
    } else if (slice_eq(mode, SLICE("ondemand"))) {
        put(p, "pm.process_idle_timeout", TO_SECONDS, "processes/idle_timeout");
        if (find(p, "pm.process_idle_timeout") == NULL)
            migrate_put(p->fpm->m, p->app, "processes/idle_timeout",
                        json_new_int(p->fpm->m->arena, 10)); /* FPM's usual */
    } else {
        migrate_note(p->fpm->m, pm != NULL ? pm->at : p->first->at, "pm", NOTE_UNREAD,
                     "static, dynamic or ondemand, not \"" SLICE_FMT "\"", SLICE_ARG(mode));
    }
}

static bool
is_php_true(struct slice text)
{
    struct json value = {.type = JSON_STRING, .text = text};

    return migrate_is_true(&value);
}

/* "env[PATH] = $PATH" takes the value from FPM's own environment. */
static void
put_variable(struct pool *p, struct slice name, const struct ini_line *line)
{
    struct migration *m = p->fpm->m;

    if (line->value.n > 0 && line->value.p[0] == '$')
        migrate_note(m, line->at, arena_cstr(m->arena, line->name), NOTE_DIFFERENT,
                     "variables of brood's own environment are passed on");
    else
        migrate_put_text(m, migrate_object(m, p->app, "environment"), arena_cstr(m->arena, name),
                         line->value);
}

/* "php_admin_flag[log_errors] = on".  false: it is none of these. */
static bool
put_bracket(struct pool *p, const struct ini_line *line)
{
    static const struct {
        struct slice prefix;
        const char *to;
        bool flag;
    } kinds[] = {{SLICE("php_value["), "options/user", false},
                 {SLICE("php_flag["), "options/user", true},
                 {SLICE("php_admin_value["), "options/admin", false},
                 {SLICE("php_admin_flag["), "options/admin", true}};
    struct migration *m = p->fpm->m;
    size_t open = slice_find(line->name, 0, '[');
    struct slice name = slice_sub(line->name, open + 1, line->name.n - 1), value = line->value;

    if (open == line->name.n || !slice_ends(line->name, SLICE("]")))
        return false;
    if (slice_starts(line->name, SLICE("env["))) {
        put_variable(p, name, line);
        return true;
    }
    for (size_t i = 0; i < array_len(kinds); i++) {
        if (!slice_starts(line->name, kinds[i].prefix))
            continue;
        if (kinds[i].flag)
            value = is_php_true(value) ? SLICE("1") : SLICE("0");
        migrate_put_text(m, migrate_object(m, p->app, kinds[i].to), arena_cstr(m->arena, name),
                         value);
        return true;
    }
    return false;
}

/* "$pool" in a value is the pool's name. */
static struct slice
with_pool(const struct pool *p, struct slice text)
{
    const char *at = memmem(text.p, text.n, "$pool", 5);
    size_t before = at != NULL ? (size_t)(at - text.p) : 0;

    if (at == NULL)
        return text;
    return slice_cstr(arena_printf(p->fpm->m->arena, SLICE_FMT SLICE_FMT SLICE_FMT, (int)before,
                                   text.p, SLICE_ARG(p->name), (int)(text.n - before - 5), at + 5));
}

static void
put_lines(struct pool *p)
{
    struct migration *m = p->fpm->m;

    for (const struct ini_line *line = p->first; line != NULL; line = line->next) {
        const struct directive *d = directive_find(fpm_directives, n_fpm_directives, line->name);
        struct json text = {.type = JSON_STRING, .text = with_pool(p, line->value)};

        if (!slice_eq(line->section, p->name) || put_bracket(p, line))
            continue;
        if (d != NULL)
            migrate_assign(m, p->app, d, line->name, &text, line->at);
        else
            migrate_note(m, line->at, arena_cstr(m->arena, line->name), NOTE_NONE,
                         "not a directive of PHP-FPM that is known here");
    }
}

static void
put_access_log(struct pool *p)
{
    const struct ini_line *line = find(p, "access.log");
    struct migration *m = p->fpm->m;
    struct json *old = json_get(m->root, SLICE("access_log"));
    struct slice path;

    if (line == NULL)
        return;
    path = with_pool(p, line->value);
    if (path.n == 0 || path.p[0] != '/')
        migrate_note(m, line->at, "access.log", NOTE_NONE, "logs are files with absolute paths");
    else if (old != NULL && !slice_eq(old->text, path))
        migrate_note(m, line->at, "access.log", NOTE_NONE, "the whole server has one access log");
    else
        migrate_put_text(m, m->root, "access_log", path);
}

static void
put_listener(struct pool *p)
{
    static const struct directive backlog_row = {"", TO_INT, "backlog", ""};
    const struct ini_line *line = find(p, "listen"), *backlog = find(p, "listen.backlog");
    struct migration *m = p->fpm->m;
    struct json *listener, text = {.type = JSON_STRING};

    if (line == NULL) {
        migrate_note(m, p->first->at, "listen", NOTE_UNREAD, "the pool does not say where");
        return;
    }
    listener =
        migrate_listen(m, with_pool(p, line->value),
                       arena_printf(m->arena, "applications/" SLICE_FMT, SLICE_ARG(p->app->name)),
                       "listen", line->at);
    if (listener == NULL)
        return;
    migrate_note(m, line->at, "listen", NOTE_DIFFERENT, "%s",
                 directive_find(fpm_directives, n_fpm_directives, SLICE("listen"))->doc);
    if (backlog == NULL || slice_starts(backlog->value, SLICE("-")))
        return;
    text.text = backlog->value;
    migrate_assign(m, listener, &backlog_row, SLICE("listen.backlog"), &text, backlog->at);
}

static void
make_pool(struct fpm *f, const struct ini_line *first)
{
    struct pool p = {.fpm = f, .name = first->section, .first = first};
    const struct ini_line *chdir;

    p.app = migrate_app(f->m, arena_cstr(f->m->arena, p.name), "php");
    chdir = find(&p, "chdir");
    migrate_put_text(f->m, p.app, "root",
                     chdir != NULL && chdir->value.n > 1 ? with_pool(&p, chdir->value)
                                                         : SLICE(USUAL_ROOT));
    migrate_note(f->m, first->at, "root", NOTE_UNREAD,
                 "the front server said where the scripts of [" SLICE_FMT "] are: check root",
                 SLICE_ARG(p.name));
    put_processes(&p);
    put_lines(&p);
    put_access_log(&p);
    put_listener(&p);
}

static void
note_global(struct fpm *f, const struct ini_line *line)
{
    const struct directive *d = directive_find(fpm_directives, n_fpm_directives, line->name);
    struct json text = {.type = JSON_STRING, .text = line->value};

    if (d != NULL && (d->how == NOWHERE || d->how == ALWAYS))
        migrate_assign(f->m, f->m->root, d, line->name, &text, line->at);
    else
        migrate_note(f->m, line->at, arena_cstr(f->m->arena, line->name), NOTE_NONE,
                     "not a directive of [global] that is known here");
}

enum ctl_exit
migrate_fpm(struct migration *m, int n, char **paths)
{
    struct fpm f = {.m = m};
    struct json *apps;
    enum ctl_exit code = CTL_OK;

    f.last = &f.first;
    for (int i = 0; i < n && code == CTL_OK; i++)
        code = read_path(&f, paths[i], (struct place){0}, SLICE("global"));
    if (code != CTL_OK)
        return code;
    migrate_object(m, m->root, "listeners");
    apps = migrate_object(m, m->root, "applications");
    for (const struct ini_line *line = f.first; line != NULL; line = line->next) {
        if (slice_eq(line->section, SLICE("global")))
            note_global(&f, line);
        else if (json_get(apps, line->section) == NULL)
            make_pool(&f, line);
    }
    return apps->n > 0 ? CTL_OK : migrate_fail((struct place){paths[0], 0}, "there is no pool");
}
