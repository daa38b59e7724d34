/*
 * migrate_fcgiwrap.c - fcgiwrap's unit, socket or defaults to an application of type cgi.
 *
 *   ExecStart=/usr/sbin/fcgiwrap -c 4 -s unix:/run/fcgiwrap.socket   --.
 *   ListenStream=/run/fcgiwrap.socket                                --+-> /applications/cgi,
 * listener FCGI_CHILDREN="4"  FCGI_SOCKET="/run/fcgiwrap.socket"            --'
 */
#include <string.h>

#include "programs/migrate_systemd.h"

#define DIRECTIVE(names, how, to, doc) {names, how, to, doc},
const struct directive fcgiwrap_directives[] = {
#include "programs/migrate_fcgiwrap.def"
};
#undef DIRECTIVE
const size_t n_fcgiwrap_directives = array_len(fcgiwrap_directives);

#define USUAL_SOCKET "/run/fcgiwrap.socket"
#define USUAL_ROOT   "/usr/lib/cgi-bin"

struct fcgiwrap {
    struct migration *m;
    struct json *app;
    struct slice socket;
    struct place socket_at;
    struct slice port; /* of the init script: TCP instead */
    struct slice address;
};

static void
take(struct fcgiwrap *f, struct slice name, struct slice value, struct place at)
{
    const struct directive *d = directive_find(fcgiwrap_directives, n_fcgiwrap_directives, name);
    struct json text = {.type = JSON_STRING, .text = value};

    if (d == NULL)
        return; /* of systemd, or of sh */
    if (directive_find(d, 1, SLICE("-s")) != NULL) {
        f->socket = value;
        f->socket_at = at;
    } else if (slice_eq(name, SLICE("FCGI_PORT"))) {
        f->port = value;
        f->socket_at = at;
    } else if (slice_eq(name, SLICE("FCGI_ADDR"))) {
        f->address = value;
    } else {
        migrate_assign(f->m, f->app, d, name, &text, at);
    }
}

/* "-c 4 -f -s unix:/x", also "-c4". */
static void
take_words(struct fcgiwrap *f, const struct json *word, struct place at)
{
    for (; word != NULL; word = word->next) {
        struct slice flag = slice_sub(word->text, 0, 2);
        struct slice value = slice_sub(word->text, 2, word->text.n);

        if (!slice_starts(flag, SLICE("-")) || flag.n < 2)
            continue;
        if (value.n == 0 && flag.p[1] != 'f' && word->next != NULL) {
            word = word->next;
            value = word->text;
        }
        if (directive_find(fcgiwrap_directives, n_fcgiwrap_directives, flag) == NULL)
            migrate_note(f->m, at, arena_cstr(f->m->arena, flag), NOTE_NONE,
                         "not a flag of fcgiwrap that is known here");
        else
            take(f, flag, value, at);
    }
}

static enum ctl_exit
read_unit(struct fcgiwrap *f, const char *path, struct slice text)
{
    struct systemd_unit unit;
    enum ctl_exit code = systemd_parse(f->m, path, text, &unit);

    if (code != CTL_OK)
        return code;
    if (unit.command != NULL && unit.command->n > 0 &&
        memmem(unit.command->first->text.p, unit.command->first->text.n, "fcgiwrap", 8) == NULL)
        return migrate_fail(unit.exec_at, "ExecStart does not start fcgiwrap");
    systemd_assign(f->m, &unit, f->app);
    for (const struct ini_line *line = unit.lines; line != NULL; line = line->next)
        take(f, line->name, line->value, line->at);
    if (unit.command != NULL && unit.command->n > 0)
        take_words(f, unit.command->first->next, unit.exec_at);
    return CTL_OK;
}

static enum ctl_exit
read_defaults(struct fcgiwrap *f, const char *path, struct slice text)
{
    struct ini_line *first = NULL;
    enum ctl_exit code = ini_parse(f->m->arena, INI_SHELL, path, text, &first);
    bool any = false;

    for (struct ini_line *line = first; code == CTL_OK && line != NULL; line = line->next) {
        struct json *words = NULL;

        any = any || slice_starts(line->name, SLICE("FCGI_")) ||
              slice_eq(line->name, SLICE("DAEMON_OPTS"));
        if (slice_eq(line->name, SLICE("DAEMON_OPTS")))
            words = words_split(f->m->arena, line->value);
        if (words != NULL)
            take_words(f, words->first, line->at);
        else
            take(f, line->name, line->value, line->at);
    }
    if (code == CTL_OK && !any)
        return migrate_fail((struct place){path, 0},
                            "neither a systemd unit nor the defaults of fcgiwrap's init script");
    return code;
}

static void
put_listener(struct fcgiwrap *f, const char *path)
{
    struct slice address = f->socket;
    struct place at =
        f->socket.p != NULL || f->port.p != NULL ? f->socket_at : (struct place){path, 0};

    if (f->port.p != NULL)
        address = slice_cstr(arena_printf(f->m->arena, SLICE_FMT ":" SLICE_FMT,
                                          SLICE_ARG(f->address), SLICE_ARG(f->port)));
    else if (f->socket.p == NULL)
        address = SLICE(USUAL_SOCKET);
    if (slice_starts(address, SLICE("tcp:")))
        address = slice_sub(address, 4, address.n);
    else if (slice_starts(address, SLICE("tcp6:")))
        address = slice_sub(address, 5, address.n);
    if (migrate_listen(f->m, address, "applications/cgi", "-s", at) != NULL)
        migrate_note(f->m, at, "-s", NOTE_DIFFERENT, "%s",
                     directive_find(fcgiwrap_directives, n_fcgiwrap_directives, SLICE("-s"))->doc);
}

enum ctl_exit
migrate_fcgiwrap(struct migration *m, int n, char **paths)
{
    struct fcgiwrap f = {.m = m, .address = SLICE("127.0.0.1")};
    enum ctl_exit code = CTL_OK;

    migrate_object(m, m->root, "listeners");
    f.app = migrate_app(m, "cgi", "cgi");
    for (int i = 0; i < n && code == CTL_OK; i++) {
        struct slice text;

        code = migrate_open(m, paths[i], paths[i], (struct place){0}, &text);
        if (code != CTL_OK)
            return code;
        code = systemd_is_unit(paths[i], text) ? read_unit(&f, paths[i], text)
                                               : read_defaults(&f, paths[i], text);
        migrate_close(m);
    }
    if (code != CTL_OK)
        return code;
    migrate_put_text(m, f.app, "root", SLICE(USUAL_ROOT));
    migrate_note(m, (struct place){paths[0], 0}, "root", NOTE_UNREAD,
                 "the front server said where the scripts are: check root");
    put_listener(&f, paths[0]);
    return CTL_OK;
}
