/*
 * options.c - the option table, and walks over it.
 *
 * Which row is whose member is worked out once from the paths: "a/b" is a member of "a".
 */
#include "conf/options.h"

#include <assert.h>
#include <stdio.h>

#include "conf/checks.h"
#include "conf/generation.h"
#include "conf/near.h"

#define OPTION(...) {__VA_ARGS__},
#define AT(how, type, member)              \
    {                                      \
        how, offsetof(struct type, member) \
    }

const struct option options[] = {
#include "conf/options.def"
};

#undef OPTION
#undef AT

#define N_OPTIONS array_len(options)

const size_t n_options = N_OPTIONS;

/* Rows as a tree; numbers are of the table, 0 (the root) is nobody's member: none. */
static struct {
    bool made;
    uint16_t first[N_OPTIONS]; /* member */
    uint16_t next[N_OPTIONS];  /* sibling */
} tree;

const char *
option_name(const struct option *opt)
{
    const char *slash = strrchr(opt->path, '/');

    return slash != NULL ? slash + 1 : opt->path;
}

const struct option *
option_find(const char *path)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strcmp(options[i].path, path) == 0)
            return &options[i];
    }
    return NULL;
}

/* The row of the path without its last piece; parents stand before their members. */
static size_t
parent_of(size_t row)
{
    const char *path = options[row].path;
    size_t n = (size_t)(option_name(&options[row]) - path);
    size_t i = 0;

    n -= n > 0;
    while (i < row && (strlen(options[i].path) != n || memcmp(options[i].path, path, n) != 0))
        i++;
    assert(i < row);
    return i;
}

static void
make_tree(void)
{
    uint16_t last[N_OPTIONS] = {0};

    for (size_t i = 1; i < N_OPTIONS; i++) {
        size_t parent = parent_of(i);

        if (last[parent] == 0)
            tree.first[parent] = (uint16_t)i;
        else
            tree.next[last[parent]] = (uint16_t)i;
        last[parent] = (uint16_t)i;
    }
    tree.made = true;
}

const struct option *
option_model(const struct option *opt)
{
    return opt->like != NULL ? option_find(opt->like) : opt;
}

const struct option *
option_next_child(const struct option *opt, const struct option *prev)
{
    size_t row;

    if (!tree.made)
        make_tree();
    opt = option_model(opt);
    row = prev == NULL ? tree.first[opt - options] : tree.next[prev - options];
    return row == 0 ? NULL : &options[row];
}

const char *
option_absent(const struct option *opt)
{
    while (opt->absent == NULL && opt != options)
        opt = &options[parent_of((size_t)(opt - options))];
    return opt->absent;
}

struct slice
option_next_word(const char **rest)
{
    struct slice word = SLICE_NONE;
    size_t n;

    if (*rest == NULL || **rest == '\0')
        return word;
    n = strcspn(*rest, " ");
    word = slice_make(*rest, n);
    *rest += n + ((*rest)[n] == ' ');
    return word;
}

bool
option_has_word(const char *words, struct slice word)
{
    struct slice w;

    while ((w = option_next_word(&words)).p != NULL) {
        if (slice_eq(w, word))
            return true;
    }
    return false;
}

bool
option_is_of(const struct option *opt, struct slice language)
{
    return opt->only == NULL || option_has_word(opt->only, language);
}

const struct option *
option_child(const struct option *opt, struct slice name, struct slice language)
{
    for (const struct option *o = NULL; (o = option_next_child(opt, o)) != NULL;) {
        const char *own = option_name(o);

        if (option_is_of(o, language) && (strcmp(own, "*") == 0 || slice_eq(slice_cstr(own), name)))
            return o;
    }
    return NULL;
}

const struct option *
option_near(const struct option *opt, struct slice name, struct slice language)
{
    struct near near = near_begin(name);
    const struct option *best = NULL;

    for (const struct option *o = NULL; (o = option_next_child(opt, o)) != NULL;) {
        struct slice offered = slice_cstr(option_name(o));

        if (language.n > 0 && !option_is_of(o, language))
            continue;
        near_offer(&near, offered);
        if (near.best.p == offered.p)
            best = o;
    }
    return best;
}

bool
option_language_is_absent(struct slice language)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *o = &options[i];

        if (o->only != NULL && o->required && o->absent != NULL && option_is_of(o, language))
            return true;
    }
    return false;
}

void
option_types_text(const struct option *opt, char *ret_text, size_t room)
{
    static const struct {
        unsigned type;
        const char *text;
    } words[] = {
        {T_BOOL, "a boolean"},
        {T_INTEGER, "an integer number"},
        {T_NUMBER, "a number"},
        {T_STRING, "a string"},
        {T_STRINGS, "a string or an array of strings"},
        {T_TEXTS, "an array of strings"},
        {T_ARRAY, "an array"},
        {T_OBJECT, "an object"},
        {T_OBJECTS, "an array of objects"},
        {T_NULL, "null"},
    };
    size_t n = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < array_len(words) && n < room; i++) {
        if (opt->types & words[i].type)
            n += (size_t)snprintf(ret_text + n, room - n, "%s%s", n > 0 ? " or " : "",
                                  words[i].text);
    }
}

const char *
option_live_text(enum option_live live)
{
    switch (live) {
    case LIVE_PARTS:
        return "see its parts";
    case LIVE_REQUESTS:
        return "the next requests see it";
    case LIVE_HANDSHAKES:
        return "the next TLS handshakes see it";
    case LIVE_SOCKET:
        return "the listening socket is made or adjusted; connections stay";
    case LIVE_APPLICATION:
        return "the application gets new processes, the old ones drain";
    case LIVE_LOG:
        return "the file is opened anew";
    case LIVE_SHUTDOWN:
        return "the next graceful end sees it";
    case LIVE_ROUTERS:
        return "other routers take over, those that run drain";
    }
    return "";
}

static bool
has_range(const struct option *opt)
{
    return (opt->types & (T_INTEGER | T_NUMBER)) != 0;
}

/* "- TITLE: `a`, `b` and `c`" */
static void
describe_words(struct buf *b, const char *title, const char *words, const char *between)
{
    const char *before = "";
    struct slice w;

    buf_printf(b, "- %s: ", title);
    while ((w = option_next_word(&words)).p != NULL) {
        buf_printf(b, "%s`" SLICE_FMT "`", before, SLICE_ARG(w));
        before = between;
    }
    buf_putc(b, '\n');
}

/* What it asks of its neighbours. */
static void
describe_company(struct buf *b, const struct option *opt)
{
    if (opt->with != NULL)
        buf_printf(b, "- Only with: `%s`\n", opt->with);
    if (opt->unless != NULL)
        buf_printf(b, "- Not with: `%s`%s\n", opt->unless,
                   opt->required ? ", in place of which it must be there" : "");
    if (opt->one_of != NULL)
        describe_words(b, "Has exactly one of", opt->one_of, ", ");
    if (opt->words != NULL)
        describe_words(b, "Values", opt->words, ", ");
}

static void
describe(struct buf *b, const struct option *opt)
{
    char types[128];

    option_types_text(opt, types, sizeof types);
    buf_printf(b, "## `/%s`\n\n%s\n\n", opt->path, opt->doc);
    if (option_absent(opt) != NULL)
        buf_printf(b, "- **Refused**: this build has no %s\n", option_absent(opt));
    buf_printf(b, "- Type: %s", types);
    if (has_range(opt))
        buf_printf(b, ", %lld to %lld", (long long)opt->min, (long long)opt->max);
    buf_puts(b, opt->required ? "; required\n" : "\n");
    if (opt->def != NULL)
        buf_printf(b, "- Default: `%s`\n", opt->def);
    describe_company(b, opt);
    if (opt->only != NULL)
        describe_words(b, "Applications of type", opt->only, ", ");
    if (opt->like != NULL)
        buf_printf(b, "- Members: as of `/%s`\n", opt->like);
    buf_printf(b, "- A change: %s\n\n", option_live_text(opt->live));
}

int
options_manual(struct buf *b)
{
    buf_puts(b, "# Options\n\nPrinted from `src/conf/options.def`. `*` stands for any name, or for "
                "any index of an array.\n\n");
    for (size_t i = 0; i < N_OPTIONS; i++)
        describe(b, &options[i]);
    return b->error;
}
