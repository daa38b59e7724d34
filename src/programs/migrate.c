/*
 * migrate.c - broodctl migrate: dispatch and the report.
 *
 *   migrate uwsgi FILE... --> row of migrate_formats --> tree and notes
 *        --> what this build has not got (option table) --> stdout: the tree, stderr: the notes
 */
#include "programs/migrate.h"

#include <stdio.h>
#include <string.h>

#include "conf/json_write.h"
#include "conf/validate.h"
#include "programs/broodctl_out.h"
#include "programs/migrate_build.h"

#define TEXT_BYTES_MAX (64u * 1024 * 1024)

static const char *const kind_names[] = {
    [NOTE_NONE] = "no counterpart",      [NOTE_DIFFERENT] = "different",
    [NOTE_UNREAD] = "not evaluated",     [NOTE_ABSENT] = "not yet in this build",
    [NOTE_REFUSED] = "would be refused",
};

static void
print_note(const struct note *note)
{
    if (note->at.file != NULL && note->at.line > 0)
        fprintf(stderr, "%s:%u: ", note->at.file, note->at.line);
    else if (note->at.file != NULL)
        fprintf(stderr, "%s: ", note->at.file);
    fprintf(stderr, "%s: %s%s%s\n", note->subject, kind_names[note->kind],
            note->text[0] != '\0' ? ": " : "", note->text);
}

static struct json *
report(const struct migration *m)
{
    struct arena *a = m->arena;
    struct json *array = json_new(a, JSON_ARRAY);

    for (const struct note *note = m->notes; note != NULL; note = note->next) {
        struct json *object = json_push(array, json_new(a, JSON_OBJECT));

        if (note->at.file != NULL)
            json_add(object, SLICE("file"), json_new_string(a, slice_cstr(note->at.file)));
        if (note->at.line > 0)
            json_add(object, SLICE("line"), json_new_int(a, note->at.line));
        json_add(object, SLICE("directive"), json_new_string(a, slice_cstr(note->subject)));
        json_add(object, SLICE("result"), json_new_string(a, slice_cstr(kind_names[note->kind])));
        json_add(object, SLICE("advice"), json_new_string(a, slice_cstr(note->text)));
    }
    return array;
}

/* The report goes to stderr, or with --json beside the configuration. */
static void
print(const struct ctl *ctl, struct migration *m)
{
    struct buf b;

    if (ctl->json) {
        struct json *both = json_new(m->arena, JSON_OBJECT);

        json_add(both, SLICE("configuration"), m->root);
        json_add(both, SLICE("report"), report(m));
        out_json(both);
        return;
    }
    out_json(m->root);
    fflush(stdout);
    if (!ctl->report_json) {
        for (const struct note *note = m->notes; note != NULL; note = note->next)
            print_note(note);
        return;
    }
    buf_init(&b, TEXT_BYTES_MAX);
    json_write(&b, report(m));
    fwrite(b.p, 1, b.n, stderr);
    buf_done(&b);
}

/* What is written as it will be, and whether the rest would be accepted. */
static void
look_over(struct migration *m, const char *path)
{
    struct conf_fault fault = {.offset = JSON_NOWHERE};

    if (migrate_mark_absent(m, (struct place){path, 0}))
        return;
    if (validate(m->arena, m->root, NULL, &fault) < 0)
        migrate_note(m, (struct place){path, 0}, arena_cstr(m->arena, slice_cstr(fault.path)),
                     NOTE_REFUSED, "%s", fault.err.text);
}

/* What was made in any order, in the order in which one reads. */
static void
put_in_order(struct migration *m)
{
    static const char *const names[] = {"listeners", "routes", "applications", "access_log",
                                        "settings"};
    struct json *root = json_new(m->arena, JSON_OBJECT);

    for (size_t i = 0; i < array_len(names); i++) {
        struct json *member = json_get(m->root, slice_cstr(names[i]));

        if (member != NULL)
            json_add(root, member->name, json_copy(m->arena, member));
    }
    m->root = root;
}

enum ctl_exit
ctl_migrate(struct ctl *ctl, int n, char **words)
{
    struct migration m = {.arena = &ctl->arena, .root = json_new(&ctl->arena, JSON_OBJECT)};

    for (size_t i = 0; i < n_migrate_formats; i++) {
        enum ctl_exit code;

        if (strcmp(migrate_formats[i].name, words[0]) != 0)
            continue;
        code = migrate_formats[i].read(&m, n - 1, words + 1);
        if (code == CTL_OK) {
            if (m.text.p == NULL)
                put_in_order(&m);
            look_over(&m, words[1]);
            print(ctl, &m);
        }
        return code;
    }
    return ctl_fail(CTL_USAGE, "unit, uwsgi, gunicorn, php-fpm or fcgiwrap, not \"%s\"", words[0]);
}
