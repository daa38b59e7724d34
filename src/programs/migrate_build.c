/*
 * migrate_build.c - walk a configuration beside the option table.
 *
 * A member without a row, or whose row this build cannot serve, is named by its JSON pointer; what
 * is in it is not looked at.
 */
#include "programs/migrate_build.h"

#include <string.h>

#include "conf/module.h"
#include "conf/options.h"

struct walk {
    struct migration *m;
    struct place at;
    struct slice language; /* of the application that is walked */
    unsigned found;
};

/* The place of a member in the text that the result was parsed from, if it was. */
static struct place
place_of(const struct walk *w, const struct json *value)
{
    struct place at = w->at;
    uint32_t offset = value->name.p != NULL ? value->name_offset : value->offset;
    struct json_place place;

    if (w->m->text.p != NULL && offset != JSON_NOWHERE && json_locate(w->m->text, offset, &place))
        at.line = place.line;
    return at;
}

/* RFC 6901: '~' and '/' in names. */
static const char *
pointer(struct arena *a, const char *parent, struct slice name)
{
    char *text = arena_alloc(a, strlen(parent) + 2 * name.n + 2);
    char *to = stpcpy(text, parent);

    *to++ = '/';
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '~' || name.p[i] == '/') {
            *to++ = '~';
            *to++ = name.p[i] == '~' ? '0' : '1';
        } else {
            *to++ = name.p[i];
        }
    }
    *to = '\0';
    return text;
}

static void walk(struct walk *w, const struct json *value, const struct option *opt,
                 const char *where);

/* Named once: a format may have said more of it. */
static bool
is_noted(const struct walk *w, const char *where)
{
    for (const struct note *note = w->m->notes; note != NULL; note = note->next) {
        if (strcmp(note->subject, where) == 0)
            return true;
    }
    return false;
}

static void
note(struct walk *w, const struct json *value, const char *where, enum note_kind kind,
     const char *text)
{
    w->found++;
    if (!is_noted(w, where))
        migrate_note(w->m, place_of(w, value), where, kind, "%s", text);
}

static void
walk_member(struct walk *w, const struct json *member, const struct option *opt, const char *where)
{
    const char *place = pointer(w->m->arena, where, member->name);
    const struct option *row = option_child(opt, member->name, w->language);

    if (row == NULL)
        note(w, member, place, NOTE_NONE, "there is no such option");
    else if (option_absent(row) != NULL)
        note(w, member, place, NOTE_ABSENT, option_absent(row));
    else
        walk(w, member, row, place);
}

/* "python 3.11", "python3" */
static struct slice
language_of(const struct json *app)
{
    const struct json *type = json_get(app, SLICE("type"));
    struct slice language, version;

    if (type == NULL || type->type != JSON_STRING ||
        !module_type_split(type->text, &language, &version))
        return SLICE("");
    return language;
}

/* Those that this build has know options of their own, and can have each that they must have. */
static bool
is_served(struct slice language)
{
    bool known = false;

    for (size_t i = 0; i < n_options; i++) {
        const struct option *o = &options[i];

        if (o->only == NULL || !option_is_of(o, language))
            continue;
        known = true;
        if (o->required && option_absent(o) != NULL)
            return false;
    }
    return known;
}

static bool
is_app_of_served_language(struct walk *w, const struct json *app, const char *where)
{
    struct arena *a = w->m->arena;

    w->language = language_of(app);
    if (is_served(w->language))
        return true;
    note(w, app, arena_printf(a, "%s/type", where), NOTE_ABSENT,
         arena_printf(a, "applications of type \"" SLICE_FMT "\"", SLICE_ARG(w->language)));
    return false;
}

static void
walk(struct walk *w, const struct json *value, const struct option *opt, const char *where)
{
    bool is_app = strcmp(opt->path, "applications/*") == 0;
    size_t i = 0;

    if (is_app && !is_app_of_served_language(w, value, where))
        return;
    if (value->type == JSON_ARRAY && (opt->types & T_ARRAY) != 0) {
        const struct option *element = option_child(opt, SLICE("*"), w->language);

        json_foreach(e, value)
        {
            walk(w, e, element, arena_printf(w->m->arena, "%s/%zu", where, i++));
        }
    } else if (value->type == JSON_OBJECT) {
        json_foreach(member, value)
        {
            if (opt->named_arrays)
                walk(w, member, opt, pointer(w->m->arena, where, member->name));
            else
                walk_member(w, member, opt, where);
        }
    }
    if (is_app)
        w->language = SLICE("");
}

bool
migrate_mark_absent(struct migration *m, struct place at)
{
    struct walk w = {.m = m, .at = at, .language = SLICE("")};

    walk(&w, m->root, option_find(""), "");
    return w.found > 0;
}
