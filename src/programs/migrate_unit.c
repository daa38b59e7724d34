/*
 * migrate_unit.c - a configuration of NGINX Unit, or its state directory.
 *
 *   conf.json             --> the same, and notes: what brood has not got, or does otherwise
 *   DIR/conf.json         --> as above
 *   DIR/certs, DIR/scripts   what else has to be taken along
 *
 * The JSON dialect, the paths and their meaning are the same, so nothing is rewritten.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "programs/migrate.h"

#define DIRECTIVE(names, how, to, doc) {names, how, to, doc},
const struct directive unit_directives[] = {
#include "programs/migrate_unit.def"
};
#undef DIRECTIVE
const size_t n_unit_directives = array_len(unit_directives);

struct unit {
    struct migration *m;
    const char *path; /* of the configuration */
    struct slice text;
};

static unsigned
line_of(const struct unit *u, const struct json *member)
{
    uint32_t offset = member->name.p != NULL ? member->name_offset : member->offset;
    struct json_place place;

    return offset != JSON_NOWHERE && json_locate(u->text, offset, &place) ? place.line : 0;
}

/* Does the pattern fit the whole path? */
static bool
fits(struct slice pattern, struct slice path)
{
    struct slice wanted, have;

    while (slice_split(&pattern, '/', &wanted)) {
        if (!slice_split(&path, '/', &have))
            return false;
        if (!slice_eq(wanted, SLICE("*")) && !slice_eq(wanted, have))
            return false;
    }
    return path.p == NULL;
}

static const struct directive *
row_of(const char *path)
{
    for (size_t i = 0; i < n_unit_directives; i++) {
        struct slice rest = slice_cstr(unit_directives[i].names), pattern;

        while (slice_split(&rest, ' ', &pattern)) {
            if (fits(pattern, slice_cstr(path)))
                return &unit_directives[i];
        }
    }
    return NULL;
}

/* A name with its '/' as ~1, so that it stays one piece of the path. */
static const char *
piece(struct arena *a, struct slice name)
{
    char *text = arena_alloc(a, 2 * name.n + 1), *to = text;

    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '/' && name.p[i] != '~') {
            *to++ = name.p[i];
            continue;
        }
        *to++ = '~';
        *to++ = name.p[i] == '/' ? '1' : '0';
    }
    *to = '\0';
    return text;
}

/* One place of the configuration and what is in it. */
static void
look_at(struct unit *u, const struct json *value, const char *path)
{
    struct arena *a = u->m->arena;
    const struct directive *d = row_of(path);
    size_t i = 0;

    if (d != NULL && d->how != ALWAYS)
        migrate_note(u->m, (struct place){u->path, line_of(u, value)}, arena_printf(a, "/%s", path),
                     d->how == NOWHERE ? NOTE_NONE : NOTE_DIFFERENT, "%s", d->doc);
    if (value->type != JSON_OBJECT && value->type != JSON_ARRAY)
        return;
    json_foreach(child, value)
    {
        const char *name =
            value->type == JSON_OBJECT ? piece(a, child->name) : arena_printf(a, "%zu", i++);

        look_at(u, child, path[0] == '\0' ? name : arena_printf(a, "%s/%s", path, name));
    }
}

/* Files of DIR/certs or DIR/scripts: the configuration names them, it does not hold them. */
static void
note_files(struct unit *u, const char *dir, const char *kind, enum note_kind note,
           const char *advice)
{
    const char *path = arena_printf(u->m->arena, "%s/%s", dir, kind);
    DIR *files = opendir(path);

    if (files == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        const char *file = arena_printf(u->m->arena, "%s/%s", path, entry->d_name);

        if (entry->d_name[0] != '.')
            migrate_note(u->m, (struct place){file, 0}, kind, note, "%s", advice);
    }
    closedir(files);
}

static enum ctl_exit
read_configuration(struct unit *u)
{
    struct br_err err = BR_ERR_NONE;
    size_t offset = JSON_NOWHERE;
    struct json *root = NULL;
    struct json_place place = {0};
    enum ctl_exit code = migrate_open(u->m, u->path, u->path, (struct place){0}, &u->text);

    if (code != CTL_OK)
        return code;
    if (json_parse(u->m->arena, u->text, &root, &offset, &err) < 0) {
        if (offset == JSON_NOWHERE || !json_locate(u->text, offset, &place))
            return migrate_fail((struct place){u->path, 0}, "%s", err.text);
        return migrate_fail((struct place){u->path, place.line}, "column %u: %s", place.column,
                            err.text);
    }
    if (root->type != JSON_OBJECT)
        return migrate_fail((struct place){u->path, 1}, "a configuration is an object, not %s",
                            json_type_name(root));
    migrate_close(u->m);
    /* What GET /  of the control API answers holds it as a member. */
    u->m->root = json_get(root, SLICE("config")) != NULL ? json_get(root, SLICE("config")) : root;
    u->m->text = u->text;
    return CTL_OK;
}

enum ctl_exit
migrate_unit(struct migration *m, int n, char **paths)
{
    struct unit u = {.m = m, .path = paths[0]};
    struct stat st;
    bool is_dir = stat(paths[0], &st) == 0 && S_ISDIR(st.st_mode);
    enum ctl_exit code;

    if (n != 1)
        return ctl_fail(CTL_USAGE, "unit: one file or one state directory");
    if (is_dir)
        u.path = arena_printf(m->arena, "%s/conf.json", paths[0]);
    code = read_configuration(&u);
    if (code != CTL_OK)
        return code;
    look_at(&u, m->root, "");
    if (is_dir) {
        note_files(&u, paths[0], "certs", NOTE_DIFFERENT,
                   "upload it: broodctl certificates put NAME FILE");
        note_files(&u, paths[0], "scripts", NOTE_NONE, "there are no JavaScript modules");
    }
    return CTL_OK;
}
