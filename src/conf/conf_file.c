/*
 * conf_file.c - a configuration in a file, and in the files that it includes, as one tree.
 *
 *   root of the file <--merge-- root of conf.d/a.json <--merge-- root of conf.d/b.json
 *
 * Nodes are moved, not copied, so each keeps the place where it was written.
 */
#include "conf/conf_file.h"

#include <errno.h>
#include <stdio.h>

#include "conf/checks.h"
#include "conf/conf_include.h"
#include "conf/expand.h"

/* How a fault is made where the walk stands. */
struct merger {
    struct conf_file *file;
    struct check check;
    struct conf_fault fault;
};

static void
merger_init(struct merger *m, struct conf_file *f)
{
    *m = (struct merger){.file = f, .fault = {.offset = JSON_NOWHERE}};
    m->check = (struct check){.arena = &f->arena, .fault = &m->fault, .faults = f->faults};
}

static void
tell(struct merger *m)
{
    conf_faults_add(m->file->faults, &m->fault);
    br_err_clear(&m->fault.err);
}

/* Of a text as a whole. */
static void
tell_text(struct conf_file *f, uint32_t offset, const char *why)
{
    struct conf_fault fault = {.err = BR_ERR_NONE};

    conf_fault_set(&fault, -EBADMSG, offset, NULL, "%s", why);
    conf_faults_add(f->faults, &fault);
    f->partial = true;
}

/* Unlink the member from the object; it stays as it is. */
static struct json *
take_out(struct json *object, struct slice name)
{
    struct json *before = NULL;

    json_foreach(member, object)
    {
        if (!slice_eq(member->name, name)) {
            before = member;
            continue;
        }
        if (before != NULL)
            before->next = member->next;
        else
            object->first = member->next;
        if (object->last == member)
            object->last = before;
        object->n--;
        member->next = NULL;
        return member;
    }
    return NULL;
}

static void
begin_includes(struct conf_file *f, const struct json *include)
{
    struct check_frame frame = {.name = SLICE("include")};
    struct merger m;

    merger_init(&m, f);
    m.check.at = &frame;
    if (include->type == JSON_STRING) {
        f->after = include;
        return;
    }
    if (include->type == JSON_ARRAY) {
        f->after = include->first;
        return;
    }
    check_refuse(&m.check, include,
                 "The value of \"include\" must be a string or an array of strings, but is %s.",
                 json_type_name(include));
    tell(&m);
    f->partial = true;
}

/* A text that shall be (a part of) a configuration; NULL: it is none. */
static struct json *
read_text(struct conf_file *f, struct slice path, struct slice text)
{
    struct br_err err = BR_ERR_NONE;
    struct json *root = NULL;
    uint32_t offset = JSON_NOWHERE;

    if (sources_parse(&f->sources, path, text, &root, &offset, &err) == 0)
        return root;
    tell_text(f, offset, err.text);
    return NULL;
}

void
conf_file_begin_plain(struct conf_file *f, const char *path, struct slice text,
                      struct conf_faults *faults)
{
    *f = (struct conf_file){.faults = faults};
    arena_init(&f->arena, 0);
    sources_init(&f->sources, &f->arena);
    f->path = arena_dup(&f->arena, slice_cstr(path));
    f->root = read_text(f, f->path, text);
}

void
conf_file_begin(struct conf_file *f, const char *path, struct slice text,
                struct conf_faults *faults)
{
    const struct json *include;

    conf_file_begin_plain(f, path, text, faults);
    if (f->root == NULL)
        return;
    expand_environment(&f->arena, f->root, faults);
    if (f->root->type != JSON_OBJECT)
        return;
    include = take_out(f->root, SLICE("include"));
    if (include != NULL)
        begin_includes(f, include);
}

void
conf_file_done(struct conf_file *f)
{
    arena_done(&f->arena);
}

bool
conf_file_next_include(struct conf_file *f, const char **ret_pattern)
{
    while (f->after != NULL) {
        f->include = f->after;
        f->after = f->include->next;
        if (f->include->type == JSON_STRING &&
            memchr(f->include->text.p, '\0', f->include->text.n) == NULL) {
            *ret_pattern = arena_cstr(&f->arena, f->include->text);
            return true;
        }
        tell_text(f, f->include->offset, "A pattern of \"include\" must be a string without NUL.");
    }
    return false;
}

void
conf_file_cannot(struct conf_file *f, const char *why)
{
    tell_text(f, f->include->offset,
              arena_printf(&f->arena, "Cannot include \"" SLICE_FMT "\": %s.",
                           SLICE_ARG(f->include->text), why));
}

static bool
is_one_of(struct slice name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (slice_eq(name, slice_cstr(*names)))
            return true;
    return false;
}

/* May both objects give members to the same one?  The walk stands at them. */
static bool
may_share(const struct check *c)
{
    static const char *const shared[] = {"listeners", "routes",   "applications",
                                         "upstreams", "settings", NULL};
    const struct check_frame *top = c->at;

    while (top->up != NULL)
        top = top->up;
    if (slice_eq(top->name, SLICE("settings")))
        return true;
    return top == c->at && is_one_of(top->name, shared);
}

static void
merge(struct merger *m, struct json *into, const struct json *from)
{
    struct check_frame frame = {.up = m->check.at};
    struct json *next;

    m->check.at = &frame;
    for (struct json *member = from->first; member != NULL; member = next) {
        struct json *there = json_get(into, member->name);

        next = member->next;
        frame.name = member->name;
        if (there == NULL) {
            json_push(into, member);
        } else if (there->type == JSON_OBJECT && member->type == JSON_OBJECT &&
                   may_share(&m->check)) {
            merge(m, there, member);
        } else {
            check_refuse_name(&m->check, member, "%s is in %s already.", check_subject(&m->check),
                              sources_place(&m->file->sources, there->name_offset));
            tell(m);
        }
    }
    m->check.at = frame.up;
}

static void
add_fragment(struct conf_file *f, const struct json *root)
{
    const struct json *include = json_get(root, SLICE("include"));
    struct check_frame frame = {.name = SLICE("include")};
    struct merger m;

    merger_init(&m, f);
    if (root->type != JSON_OBJECT) {
        check_refuse(&m.check, root, "An included file must be an object, but is %s.",
                     json_type_name(root));
        tell(&m);
        return;
    }
    if (include != NULL) {
        m.check.at = &frame;
        check_refuse_name(&m.check, include, "An included file cannot include others.");
        tell(&m);
        return;
    }
    if (f->root != NULL && f->root->type == JSON_OBJECT)
        merge(&m, f->root, root);
}

void
conf_file_add(struct conf_file *f, struct slice files)
{
    size_t slash = f->path.n;
    struct slice path, text;

    while (slash > 0 && f->path.p[slash - 1] != '/')
        slash--;
    while (conf_include_next(&files, &path, &text)) {
        const char *whole =
            arena_printf(&f->arena, SLICE_FMT SLICE_FMT, (int)slash, f->path.p, SLICE_ARG(path));
        struct json *root = read_text(f, slice_cstr(whole), text);

        if (root == NULL)
            continue;
        expand_environment(&f->arena, root, f->faults);
        add_fragment(f, root);
    }
    if (files.n > 0)
        tell_text(f, f->include->offset, "What was included arrived damaged.");
}
