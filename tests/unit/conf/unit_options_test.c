/*
 * unit_options_test.c - the table has every option that Unit has, and says the same of it.
 *
 *   unit_options.txt: PATH OF TYPES DEFAULT RANGE LIVE  ==  the row of options.def
 */
#include "conf/options.h"

#include <errno.h>
#include <stdio.h>

#include "fixture.h"

#define LINES_LEAST 150

/* One line of the file, its columns. */
struct line {
    unsigned number;
    char path[128], of[64], types[32], def[32], range[32], live[8];
};

/* All that there are in Unit: what our own types do not have says so in the table. */
#define ALL "python php perl ruby external go java wasm wasm-wasi-component"

/* A type of our own that such rows may have at their end. */
#define OWN " stream"

/* "python,php" stands for a row that says "python php", "-" for one that is of all languages. */
static bool
is_of(const struct option *o, const char *of)
{
    size_t n = strlen(of), has = o->only != NULL ? strlen(o->only) : 0;

    if (has > strlen(OWN) && strcmp(o->only + has - strlen(OWN), OWN) == 0)
        has -= strlen(OWN);
    if (strcmp(of, "-") == 0 || o->only == NULL)
        return strcmp(of, "-") == 0 &&
               (o->only == NULL || (has == strlen(ALL) && strncmp(o->only, ALL, has) == 0));
    if (has != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (of[i] != o->only[i] && !(of[i] == ',' && o->only[i] == ' '))
            return false;
    }
    return true;
}

static const struct option *
row_of(const struct line *l)
{
    for (size_t i = 0; i < n_options; i++) {
        if (strcmp(options[i].path, l->path) == 0 && is_of(&options[i], l->of))
            return &options[i];
    }
    fail_msg("line %u: %s (%s) has no row", l->number, l->path, l->of);
    return NULL;
}

static unsigned
types_of(const struct line *l)
{
    static const struct {
        const char *word;
        unsigned type;
    } words[] = {
        {"bool", T_BOOL},       {"int", T_INTEGER}, {"num", T_NUMBER},    {"str", T_STRING},
        {"strs", T_STRINGS},    {"texts", T_TEXTS}, {"object", T_OBJECT}, {"array", T_ARRAY},
        {"objects", T_OBJECTS}, {"null", T_NULL},
    };
    struct slice rest = slice_cstr(l->types), word;
    unsigned types = 0;

    while (slice_split(&rest, '|', &word)) {
        size_t i = 0;

        while (i < array_len(words) && !slice_eq(slice_cstr(words[i].word), word))
            i++;
        if (i == array_len(words))
            fail_msg("line %u: no type: %s", l->number, l->types);
        types |= words[i].type;
    }
    return types;
}

static int64_t
bound(const struct line *l, const char *text)
{
    static const struct {
        const char *word;
        int64_t value;
    } words[] = {{"i31", INT32_MAX}, {"u32", UINT32_MAX}, {"i63", INT64_MAX}};
    char *end;
    int64_t value;

    for (size_t i = 0; i < array_len(words); i++) {
        if (strcmp(words[i].word, text) == 0)
            return words[i].value;
    }
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        fail_msg("line %u: no bound: %s", l->number, text);
    return value;
}

static void
compare_range(const struct line *l, const struct option *o)
{
    char low[32];
    const char *dots = strstr(l->range, "..");

    if (dots == NULL) {
        if (o->types & (T_INTEGER | T_NUMBER))
            fail_msg("line %u: %s is a number and has no range", l->number, l->path);
        return;
    }
    snprintf(low, sizeof(low), "%.*s", (int)(dots - l->range), l->range);
    if (o->min != bound(l, low) || o->max != bound(l, dots + 2))
        fail_msg("line %u: %s goes from %lld to %lld", l->number, l->path, (long long)o->min,
                 (long long)o->max);
}

static void
compare_default(const struct line *l, const struct option *o)
{
    bool required = l->def[0] == '!';

    if (o->required != required || (required && (o->unless != NULL) != (l->def[1] == '?')))
        fail_msg("line %u: %s is required in one of the two only", l->number, l->path);
    if (required)
        return;
    if (strcmp(o->def != NULL ? o->def : "-", l->def) != 0)
        fail_msg("line %u: the default of %s is %s", l->number, l->path,
                 o->def != NULL ? o->def : "none");
}

static void
compare_live(const struct line *l, const struct option *o)
{
    static const char letters[] = {
        [LIVE_PARTS] = '*', [LIVE_REQUESTS] = 'R', [LIVE_HANDSHAKES] = 'H',  [LIVE_SOCKET] = 'S',
        [LIVE_LOG] = 'L',   [LIVE_ROUTERS] = 'T',  [LIVE_APPLICATION] = 'A', [LIVE_SHUTDOWN] = 'E',
    };

    if (letters[o->live] != l->live[0])
        fail_msg("line %u: a change of %s: %s", l->number, l->path, option_live_text(o->live));
}

static void
compare(const struct line *l)
{
    const struct option *o = row_of(l);

    if (o->types != types_of(l)) {
        char text[128];

        option_types_text(o, text, sizeof(text));
        fail_msg("line %u: %s is %s", l->number, l->path, text);
    }
    compare_default(l, o);
    compare_range(l, o);
    compare_live(l, o);
}

static void
every_option_of_unit_has_its_row(void **state)
{
    FILE *file = fopen(UNIT_OPTIONS, "r");
    struct line l = {0};
    char text[256], more;
    unsigned n = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(text, sizeof(text), file) != NULL) {
        l.number++;
        if (text[0] == '#' || text[0] == '\n')
            continue;
        if (sscanf(text, "%127s %63s %31s %31s %31s %7s %c", l.path, l.of, l.types, l.def, l.range,
                   l.live, &more) != 6)
            fail_msg("line %u has not six columns", l.number);
        compare(&l);
        n++;
    }
    fclose(file);
    assert_true(n >= LINES_LEAST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_of_unit_has_its_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
