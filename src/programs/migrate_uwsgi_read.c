/*
 * migrate_uwsgi_read.c - a uWSGI ini file to a list of options.
 *
 *   FILE:SECTION --> lines of the section --> %(name) %d @ $(ENV) --> options
 *                         `ini = other.ini` --> the same, in its place
 *
 * Any option that stands before can be named as %(option), also one that uWSGI does not know: that
 * is how its users write variables.  %d and its kind depend on the file they stand in.
 */
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "programs/migrate_uwsgi.h"

#define VALUE_BYTES_MAX 65536

struct source {
    struct migration *m;
    struct uwsgi_options *options;
    const char *path;     /* as it was asked for */
    const char *absolute; /* of the file */
    const char *section;
};

/* The last one of that name before, or NULL. */
static struct ini_line *
find(const struct uwsgi_options *options, struct slice name)
{
    struct ini_line *found = NULL;

    for (struct ini_line *line = options->first; line != NULL; line = line->next) {
        if (slice_eq(line->name, name))
            found = line;
    }
    return found;
}

/* "/srv/www/app.ini": %p itself, %d "/srv/www/", %s "app.ini", %n "app", %e "ini", %c "www". */
static bool
magic(const struct source *s, char letter, struct buf *ret)
{
    struct arena *a = s->m->arena;
    char *copy = arena_cstr(a, slice_cstr(s->absolute));
    const char *name = strrchr(s->absolute, '/') + 1;
    const char *dot = strrchr(name, '.');

    switch (letter) {
    case 'p':
    case 'o':
        return buf_puts(ret, letter == 'p' ? s->absolute : s->path) == 0;
    case 'd':
        return buf_put(ret, slice_make(s->absolute, (size_t)(name - s->absolute))) == 0;
    case 's':
        return buf_puts(ret, name) == 0;
    case 'n':
        return buf_puts(ret, migrate_stem(a, s->absolute)) == 0;
    case 'e':
        return buf_puts(ret, dot != NULL ? dot + 1 : "") == 0;
    case 'c':
        return buf_puts(ret, basename(dirname(copy))) == 0;
    case 'x':
        return buf_puts(ret, s->section) == 0;
    case 'k':
        return buf_printf(ret, "%ld", sysconf(_SC_NPROCESSORS_ONLN)) == 0;
    case '%':
        return buf_putc(ret, '%') == 0;
    default:
        return false;
    }
}

/* "%(name)" or "$(NAME)" at p: what stands for it; false: nothing does. */
static bool
named(const struct source *s, struct slice at, size_t *ret_length, struct buf *ret)
{
    size_t end = slice_find(at, 2, ')');
    struct slice name = slice_sub(at, 2, end);
    struct ini_line *line;
    const char *variable;

    if (end == at.n)
        return false;
    *ret_length = end + 1;
    if (at.p[0] == '$') {
        variable = getenv(arena_cstr(s->m->arena, name));
        return variable != NULL && buf_puts(ret, variable) == 0;
    }
    line = find(s->options, name);
    if (line == NULL)
        return false;
    if (line->section.n == 0)
        line->section = SLICE(UWSGI_NAMED);
    return buf_put(ret, line->value) == 0;
}

static struct slice
expand(const struct source *s, const struct ini_line *line)
{
    struct slice text = line->value, result;
    struct buf b;

    buf_init(&b, VALUE_BYTES_MAX);
    for (size_t i = 0; i < text.n;) {
        struct slice at = slice_sub(text, i, text.n);
        bool is_name = at.n > 1 && at.p[1] == '(' && (at.p[0] == '%' || at.p[0] == '$');
        size_t length = 1;
        bool done = false;

        if (is_name)
            done = named(s, at, &length, &b);
        else if (at.n > 1 && at.p[0] == '%')
            done = magic(s, at.p[1], &b);
        if (done && !is_name)
            length = 2;
        if (is_name && !done)
            migrate_note(s->m, line->at, arena_cstr(s->m->arena, line->name), NOTE_UNREAD,
                         "nothing stands for \"" SLICE_FMT "\"",
                         SLICE_ARG(slice_sub(at, 0, length)));
        if (!done)
            buf_put(&b, slice_sub(at, 0, length));
        i += length;
    }
    result = arena_dup(s->m->arena, buf_slice(&b));
    buf_done(&b);
    return result;
}

/* "set-placeholder = name=value" is an option "name" that is a variable only. */
static void
set_placeholder(struct ini_line *line)
{
    size_t equals = slice_find(line->value, 0, '=');

    line->name = slice_trim(slice_sub(line->value, 0, equals));
    line->value = slice_sub(line->value, equals + 1, line->value.n);
    line->section = SLICE(UWSGI_VARIABLE);
}

static bool
is_one_of(struct slice name, const char *words)
{
    struct slice rest = slice_cstr(words), word;

    while (slice_split(&rest, ' ', &word)) {
        if (slice_eq(word, name))
            return true;
    }
    return false;
}

static enum ctl_exit
take_line(const struct source *s, struct ini_line *line)
{
    struct arena *a = s->m->arena;

    line->value = expand(s, line);
    line->section = SLICE("");
    if (is_one_of(line->name, "ini include inherit")) {
        const char *file = arena_cstr(a, line->value);

        /* ":section" is one of the same file. */
        return uwsgi_read(s->m, file[0] == ':' ? file : migrate_beside(a, s->path, file), line->at,
                          s->options);
    }
    if (is_one_of(line->name, "set set-placeholder set-ph"))
        set_placeholder(line);
    line->next = NULL;
    *s->options->last = line;
    s->options->last = &line->next;
    return CTL_OK;
}

static enum ctl_exit
take_lines(const struct source *s, struct ini_line *line)
{
    struct slice section = slice_cstr(s->section);
    enum ctl_exit code = CTL_OK;
    bool any = false;

    while (line != NULL && code == CTL_OK) {
        struct ini_line *next = line->next;

        if (slice_eq(line->section, section)) {
            any = true;
            code = take_line(s, line);
        }
        line = next;
    }
    if (code == CTL_OK && !any)
        return migrate_fail((struct place){s->path, 0}, "no section [%s]", s->section);
    return code;
}

enum ctl_exit
uwsgi_read(struct migration *m, const char *path, struct place from, struct uwsgi_options *options)
{
    struct arena *a = m->arena;
    const char *colon = strrchr(path, ':');
    struct source s = {.m = m, .options = options, .path = path, .section = "uwsgi"};
    char resolved[PATH_MAX];
    struct ini_line *first = NULL;
    struct slice text;
    enum ctl_exit code;

    if (colon != NULL && colon[1] != '\0' && strchr(colon, '/') == NULL) {
        s.section = colon + 1;
        s.path = arena_printf(a, "%.*s", (int)(colon - path), path);
        if (s.path[0] == '\0' && from.file != NULL)
            s.path = from.file; /* "ini = :other" */
    }
    code = migrate_open(m, s.path, arena_printf(a, "%s:%s", s.path, s.section), from, &text);
    if (code != CTL_OK)
        return code;
    s.absolute = realpath(s.path, resolved) != NULL ? resolved : arena_printf(a, "/%s", s.path);
    code = ini_parse(a, INI_UWSGI, s.path, text, &first);
    if (code == CTL_OK)
        code = take_lines(&s, first);
    if (code == CTL_OK)
        migrate_close(m);
    return code;
}
