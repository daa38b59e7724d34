/*
 * migrate_systemd.c - what a systemd unit says of the program that it starts.
 *
 * See systemd.service(5), systemd.exec(5).  Hardening stays where it is: brood itself is started by
 * a unit, in which the same lines may stand.
 */
#include "programs/migrate_systemd.h"

#include <string.h>

static const struct directive directives[] = {
    {"User", TO_STRING, "user", ""},
    {"Group", TO_STRING, "group", ""},
    {"WorkingDirectory", TO_STRING, "working_directory", ""},
    {"Environment", BY_FORMAT, "environment", ""},
    {"EnvironmentFile", NOWHERE, NULL, "write its variables to environment"},
    {"UMask", NOWHERE, NULL, "set it in the application"},
    {"RootDirectory", TO_STRING, "isolation/rootfs", ""},
    {"ExecStartPre ExecStartPost ExecReload ExecStop", ALWAYS, NULL, ""},
};

bool
systemd_is_unit(const char *path, struct slice text)
{
    struct slice name = slice_cstr(path);

    return slice_ends(name, SLICE(".service")) || slice_ends(name, SLICE(".socket")) ||
           memmem(text.p, text.n, "\n[Service]", 10) != NULL ||
           slice_starts(text, SLICE("[Service]"));
}

const struct ini_line *
systemd_find(const struct systemd_unit *unit, const char *name)
{
    const struct ini_line *found = NULL;

    for (const struct ini_line *line = unit->lines; line != NULL; line = line->next) {
        if (slice_eq(line->name, slice_cstr(name)))
            found = line;
    }
    return found;
}

/* "-", "@", ":", "+" and "!" before a program mean something to systemd only. */
static struct slice
without_prefix(struct slice command)
{
    while (command.n > 0 && strchr("-@:+!", command.p[0]) != NULL)
        command = slice_sub(command, 1, command.n);
    return command;
}

enum ctl_exit
systemd_parse(struct migration *m, const char *path, struct slice text, struct systemd_unit *ret)
{
    const struct ini_line *exec;
    enum ctl_exit code;

    *ret = (struct systemd_unit){0};
    code = ini_parse(m->arena, INI_SYSTEMD, path, text, &ret->lines);
    exec = code == CTL_OK ? systemd_find(ret, "ExecStart") : NULL;
    if (exec == NULL)
        return code;
    ret->exec_at = exec->at;
    ret->command = words_split(m->arena, without_prefix(exec->value));
    if (ret->command == NULL)
        return migrate_fail(exec->at, "a quote is not closed");
    return CTL_OK;
}

static void
assign_environment(struct migration *m, const struct ini_line *line, struct json *app)
{
    static const struct directive variable = {"Environment", TO_ENV, "environment", ""};
    struct json *words = words_split(m->arena, line->value);

    if (words == NULL) {
        migrate_note(m, line->at, "Environment", NOTE_UNREAD, "a quote is not closed");
        return;
    }
    migrate_assign(m, app, &variable, line->name, words, line->at);
}

void
systemd_assign(struct migration *m, const struct systemd_unit *unit, struct json *app)
{
    for (const struct ini_line *line = unit->lines; line != NULL; line = line->next) {
        const struct directive *d = directive_find(directives, array_len(directives), line->name);
        struct json text = {.type = JSON_STRING, .text = line->value};

        if (d == NULL || !slice_eq(line->section, SLICE("Service")))
            continue;
        if (slice_eq(line->name, SLICE("Environment")))
            assign_environment(m, line, app);
        else
            migrate_assign(m, app, d, line->name, &text, line->at);
    }
}
