/*
 * broodctl_options.c - the documentation of options, from the table they are validated with.
 *
 *   options                                   every row, one line each
 *   options /config/applications/blog/user    the row that this place of a configuration belongs to
 *   schema                                    all of it as a JSON Schema
 */
#include <stdio.h>
#include <string.h>

#include "conf/options.h"
#include "conf/json_path.h"
#include "conf/schema.h"
#include "programs/broodctl.h"
#include "programs/broodctl_out.h"

static bool
has_range(const struct option *opt)
{
    return (opt->types & (T_INTEGER | T_NUMBER)) != 0;
}

static bool
is_index(struct slice name)
{
    uint64_t n;

    return slice_eq(name, SLICE("*")) || slice_u64(name, &n) == 0;
}

/* A member of any language. */
static const struct option *
child(const struct option *opt, struct slice name)
{
    for (const struct option *o = NULL; (o = option_next_child(opt, o)) != NULL;) {
        if (strcmp(option_name(o), "*") == 0 || slice_eq(slice_cstr(option_name(o)), name))
            return o;
    }
    return NULL;
}

static void
no_such_option(const struct option *opt, struct slice name)
{
    const struct option *near = option_near(opt, name, SLICE_NONE);

    if (near != NULL)
        ctl_fail(CTL_REFUSED, "\"/%s\" has no \"" SLICE_FMT "\"; did you mean \"%s\"?", opt->path,
                 SLICE_ARG(name), option_name(near));
    else
        ctl_fail(CTL_REFUSED, "\"/%s\" has no \"" SLICE_FMT "\"", opt->path, SLICE_ARG(name));
}

/* NULL: there is none, which was said. */
static const struct option *
find_row(struct arena *a, const char *word)
{
    const struct option *row = option_find("");
    struct json_path path;

    if (word[0] != '/')
        word = arena_printf(a, "/%s", word);
    if (json_path_split(a, slice_cstr(word), &path) < 0) {
        ctl_fail(CTL_REFUSED, "not a path: \"%s\"", word);
        return NULL;
    }
    for (size_t i = 0; i < path.n; i++) {
        struct slice name = path.segments[i];
        const struct option *next;

        if (i == 0 && slice_eq(name, SLICE("config")))
            continue;
        if (row->named_arrays && !is_index(name))
            continue; /* the name of an array: its steps come next */
        next = child(row, name);
        if (next == NULL) {
            no_such_option(row, name);
            return NULL;
        }
        row = next;
    }
    return row;
}

static struct json *
row_object(struct arena *a, const struct option *opt)
{
    struct json *object = json_new(a, JSON_OBJECT);
    char types[128];

    option_types_text(opt, types, sizeof(types));
    json_add(object, SLICE("path"),
             json_new_string(a, slice_cstr(arena_printf(a, "/%s", opt->path))));
    json_add(object, SLICE("type"), json_new_string(a, slice_cstr(arena_printf(a, "%s", types))));
    json_add(object, SLICE("required"), json_new_bool(a, opt->required));
    if (has_range(opt)) {
        json_add(object, SLICE("min"), json_new_int(a, opt->min));
        json_add(object, SLICE("max"), json_new_int(a, opt->max));
    }
    if (opt->def != NULL)
        json_add(object, SLICE("default"), json_new_string(a, slice_cstr(opt->def)));
    if (opt->only != NULL)
        json_add(object, SLICE("language"), json_new_string(a, slice_cstr(opt->only)));
    if (option_absent(opt) != NULL)
        json_add(object, SLICE("absent"), json_new_string(a, slice_cstr(option_absent(opt))));
    json_add(object, SLICE("change"), json_new_string(a, slice_cstr(option_live_text(opt->live))));
    json_add(object, SLICE("doc"), json_new_string(a, slice_cstr(opt->doc)));
    return object;
}

static void
print_members(struct arena *a, const struct option *opt)
{
    static const struct column columns[] = {{"MEMBER", false}, {"WHAT", false}};
    struct table t;

    table_init(&t, a, columns, array_len(columns));
    for (const struct option *o = NULL; (o = option_next_child(opt, o)) != NULL;) {
        table_cell(&t, PAINT_CYAN, "%s", option_name(o));
        table_cell(&t, PAINT_NONE, "%s", o->doc);
    }
    if (t.first != NULL) {
        putchar('\n');
        table_print(&t);
    }
}

static void
print_row(struct arena *a, const struct option *opt, bool is_first)
{
    char types[128];

    if (!is_first)
        putchar('\n');
    option_types_text(opt, types, sizeof(types));
    printf("%s/%s%s\n  %s\n\n  Type: %s", out_paint(PAINT_BOLD), opt->path, out_paint(PAINT_NONE),
           opt->doc, types);
    if (has_range(opt))
        printf(", %lld to %lld", (long long)opt->min, (long long)opt->max);
    puts(opt->required ? "; required" : "");
    if (opt->def != NULL)
        printf("  Default: %s\n", opt->def);
    if (opt->with != NULL)
        printf("  Only with: %s\n", opt->with);
    if (opt->unless != NULL)
        printf("  Not with: %s\n", opt->unless);
    if (opt->one_of != NULL)
        printf("  Exactly one of: %s\n", opt->one_of);
    if (opt->words != NULL)
        printf("  Values: %s\n", opt->words);
    if (opt->only != NULL)
        printf("  Applications of type: %s\n", opt->only);
    if (option_absent(opt) != NULL)
        printf("  Refused: this build has no %s\n", option_absent(opt));
    printf("  A change: %s\n", option_live_text(opt->live));
    print_members(a, opt);
}

static void
print_all(const struct ctl *ctl, struct arena *a)
{
    static const struct column columns[] = {{"OPTION", false}, {"WHAT", false}};
    struct json *array = json_new(a, JSON_ARRAY);
    struct table t;

    table_init(&t, a, columns, array_len(columns));
    for (size_t i = 0; i < n_options; i++) {
        if (ctl->json) {
            json_push(array, row_object(a, &options[i]));
            continue;
        }
        table_cell(&t, PAINT_CYAN, "/%s", options[i].path);
        table_cell(&t, PAINT_NONE, "%s", options[i].doc);
    }
    if (ctl->json)
        out_json(array);
    else
        table_print(&t);
}

/* Languages may have the same path each in its own way: the first row, then the others. */
static void
print_path(const struct ctl *ctl, struct arena *a, const struct option *first)
{
    struct json *array = json_new(a, JSON_ARRAY);

    for (const struct option *o = first; o < options + n_options; o++) {
        if (strcmp(o->path, first->path) != 0)
            continue;
        if (ctl->json)
            json_push(array, row_object(a, o));
        else
            print_row(a, o, o == first);
    }
    if (ctl->json)
        out_json(array->n == 1 ? array->first : array);
}

enum ctl_exit
ctl_options(struct ctl *ctl, int n, char **words)
{
    struct arena *a = &ctl->arena;
    const struct option *row;

    if (n == 0) {
        print_all(ctl, a);
        return CTL_OK;
    }
    row = find_row(a, words[0]);
    if (row == NULL)
        return CTL_REFUSED;
    print_path(ctl, a, row);
    return CTL_OK;
}

enum ctl_exit
ctl_schema(struct ctl *ctl, int n br_unused, char **words br_unused)
{
    out_json(options_schema(&ctl->arena));
    return CTL_OK;
}
