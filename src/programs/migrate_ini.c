/*
 * migrate_ini.c - files of sections and NAME = VALUE lines.
 *
 *   text --lines, joined where they go on--> comment | [section] | name = value
 */
#include "programs/migrate_ini.h"

#include <string.h>

struct reader {
    struct arena *arena;
    enum ini_style style;
    struct place at;
    struct slice section;
    struct ini_line *first;
    struct ini_line **last;
};

static bool
is_comment(enum ini_style style, struct slice line)
{
    if (slice_starts(line, SLICE("#")))
        return true;
    return style != INI_SHELL && slice_starts(line, SLICE(";"));
}

/* What is between the quotes around a value; -1: the second one is missing. */
static int
unquote(struct slice *value)
{
    char quote = value->n > 0 ? value->p[0] : '\0';
    size_t end;

    if (quote != '"' && quote != '\'')
        return 0;
    end = slice_find(*value, 1, quote);
    if (end == value->n)
        return -1;
    *value = slice_sub(*value, 1, end);
    return 0;
}

static enum ctl_exit
clean_value(struct reader *r, struct slice *value)
{
    struct slice text = slice_trim(*value);

    if (r->style == INI_UWSGI) {
        if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
            text = slice_sub(text, 1, text.n - 1);
    } else if (r->style == INI_PHP && (text.n == 0 || (text.p[0] != '"' && text.p[0] != '\''))) {
        text = slice_trim(slice_sub(text, 0, slice_find(text, 0, ';')));
    } else if (r->style != INI_SYSTEMD && unquote(&text) < 0) {
        return migrate_fail(r->at, "a quote is not closed");
    }
    *value = text;
    return CTL_OK;
}

static void
add_line(struct reader *r, struct slice name, struct slice value)
{
    struct ini_line *line = arena_new(r->arena, struct ini_line);

    *line = (struct ini_line){NULL, r->at, r->section, name, value};
    *r->last = line;
    r->last = &line->next;
}

static enum ctl_exit
read_section(struct reader *r, struct slice line)
{
    size_t end = slice_find(line, 0, ']');

    if (end == line.n)
        return migrate_fail(r->at, "\"[\" without \"]\"");
    if (slice_trim(slice_sub(line, end + 1, line.n)).n > 0 &&
        !is_comment(r->style, slice_trim(slice_sub(line, end + 1, line.n))))
        return migrate_fail(r->at, "something stands behind the section's name");
    r->section = slice_trim(slice_sub(line, 1, end));
    return CTL_OK;
}

static enum ctl_exit
read_line(struct reader *r, struct slice line)
{
    struct slice name, value;
    size_t equals;
    enum ctl_exit code;

    line = slice_trim(line);
    if (line.n == 0 || is_comment(r->style, line))
        return CTL_OK;
    if (r->style != INI_SHELL && line.p[0] == '[')
        return read_section(r, line);
    equals = slice_find(line, 0, '=');
    if (equals == line.n && r->style == INI_SHELL)
        return CTL_OK; /* a command */
    if (equals == line.n && r->style != INI_UWSGI)
        return migrate_fail(r->at, "neither a section nor NAME = VALUE");
    name = slice_trim(slice_sub(line, 0, equals));
    if (r->style == INI_SHELL && slice_starts(name, SLICE("export ")))
        name = slice_trim(slice_sub(name, 7, name.n));
    if (name.n == 0)
        return migrate_fail(r->at, "a name is missing before \"=\"");
    value = equals < line.n ? slice_sub(line, equals + 1, line.n) : SLICE("true");
    code = clean_value(r, &value);
    if (code == CTL_OK)
        add_line(r, name, value);
    return code;
}

/* The next line; with its continuations when the style has them. */
static bool
next_line(struct reader *r, struct slice *rest, unsigned *line_number, struct slice *ret_line)
{
    struct slice line, more;

    if (!slice_split(rest, '\n', &line))
        return false;
    r->at.line = ++*line_number;
    if (slice_ends(line, SLICE("\r")))
        line.n--;
    while (r->style != INI_PHP && r->style != INI_UWSGI && slice_ends(line, SLICE("\\")) &&
           slice_split(rest, '\n', &more)) {
        ++*line_number;
        line = slice_cstr(arena_printf(r->arena, SLICE_FMT " " SLICE_FMT, (int)line.n - 1, line.p,
                                       SLICE_ARG(slice_trim(more))));
    }
    *ret_line = line;
    return true;
}

enum ctl_exit
ini_parse(struct arena *a, enum ini_style style, const char *path, struct slice text,
          struct ini_line **ret_first)
{
    struct reader r = {.arena = a, .style = style, .at = {path, 0}, .section = SLICE("")};
    unsigned line_number = 0;
    struct slice line;
    enum ctl_exit code = CTL_OK;

    r.last = &r.first;
    if (slice_starts(text, SLICE("\xef\xbb\xbf")))
        text = slice_sub(text, 3, text.n);
    while (code == CTL_OK && next_line(&r, &text, &line_number, &line))
        code = read_line(&r, line);
    *ret_first = r.first;
    return code;
}

/* One word from p on, without its quotes; NULL: a quote is not closed. */
static const char *
read_word(const char *p, const char *end, char *to, size_t *ret_n)
{
    char quote = '\0';
    size_t n = 0;

    for (; p < end; p++) {
        if (quote == '\0' && strchr(" \t\r\n", *p) != NULL)
            break;
        if (*p == quote) {
            quote = '\0';
        } else if (quote == '\0' && (*p == '"' || *p == '\'')) {
            quote = *p;
        } else {
            if (*p == '\\' && quote != '\'' && p + 1 < end)
                p++;
            to[n++] = *p;
        }
    }
    *ret_n = n;
    return quote == '\0' ? p : NULL;
}

struct json *
words_split(struct arena *a, struct slice text)
{
    struct json *words = json_new(a, JSON_ARRAY);
    const char *p = text.p, *end = text.p + text.n;

    while (p < end) {
        char *word;
        size_t n;

        if (strchr(" \t\r\n", *p) != NULL) {
            p++;
            continue;
        }
        word = arena_alloc(a, (size_t)(end - p));
        p = read_word(p, end, word, &n);
        if (p == NULL)
            return NULL;
        json_push(words, json_new_string(a, slice_make(word, n)));
    }
    return words;
}
