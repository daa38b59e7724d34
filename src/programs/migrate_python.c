/*
 * migrate_python.c - the assignments of a Python file.
 *
 *   text --brackets, quotes, comments--> logical lines --> NAME = literal | something else
 *
 * Lexical rules: The Python Language Reference, 2 (logical lines, strings, numbers).
 */
#include "programs/migrate_python.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define DEPTH_MAX 32

struct source {
    struct arena *arena;
    const char *path;
    char *p; /* our copy, in which comments become spaces */
    const char *end;
    unsigned line;
    struct python_line *first;
    struct python_line **last;
};

/* A statement while its value is read. */
struct reader {
    struct source *s;
    const char *p;
    const char *end;
    unsigned depth;
};

static bool
is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80) != 0;
}

/* Behind a string that begins at p (its quote), or NULL: it does not end. */
static const char *
string_end(const char *p, const char *end, unsigned *ret_newlines)
{
    bool triple = end - p >= 3 && p[1] == p[0] && p[2] == p[0];
    char quote = *p;

    for (p += triple ? 3 : 1; p < end; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == quote && !triple)
            return p + 1;
        else if (*p == quote && end - p >= 3 && p[1] == quote && p[2] == quote)
            return p + 3;
        if (*p == '\n' && !triple && p[-1] != '\\')
            return NULL;
        *ret_newlines += *p == '\n';
    }
    return NULL;
}

/* Over a comment, which becomes spaces. */
static char *
blank_comment(char *p, const char *end)
{
    for (; p < end && *p != '\n'; p++)
        *p = ' ';
    return p;
}

/*
 * The logical line that begins at s->p: its comments and joined ends become spaces.  CTL_OK, or
 * CTL_REFUSED, said.
 */
static enum ctl_exit
logical_line(struct source *s, struct slice *ret_text)
{
    unsigned opened_at = s->line, brackets = 0;
    char *start = s->p, *p = s->p;

    while (p < s->end && (*p != '\n' || brackets > 0)) {
        if (*p == '#') {
            p = blank_comment(p, s->end);
            continue;
        }
        if (*p == '"' || *p == '\'') {
            unsigned newlines = 0;
            const char *stop = string_end(p, s->end, &newlines);

            if (stop == NULL)
                return migrate_fail((struct place){s->path, s->line}, "a string does not end");
            s->line += newlines;
            p += stop - p;
            continue;
        }
        if (strchr("([{", *p) != NULL && brackets++ == 0)
            opened_at = s->line;
        else if (strchr(")]}", *p) != NULL && brackets > 0)
            brackets--;
        if (*p == '\\' && p + 1 < s->end && p[1] == '\n')
            *p++ = ' ';
        if (*p == '\n') {
            s->line++;
            *p = ' ';
        }
        p++;
    }
    if (brackets > 0)
        return migrate_fail((struct place){s->path, opened_at}, "a bracket is not closed");
    *ret_text = slice_make(start, (size_t)(p - start));
    s->p = p < s->end ? p + 1 : p;
    s->line += p < s->end;
    return CTL_OK;
}

static void
skip_spaces(struct reader *r)
{
    while (r->p < r->end && strchr(" \t\r\f\n", *r->p) != NULL)
        r->p++;
}

static bool
take(struct reader *r, char c)
{
    skip_spaces(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* One escape behind a backslash.  How many bytes it takes; 0: one that is not read here. */
static size_t
unescape(const char *p, char **to)
{
    static const char letters[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";

    if (*p == '\n')
        return 1;
    for (size_t i = 0; i + 1 < sizeof(letters); i += 2) {
        if (letters[i] == *p) {
            *(*to)++ = letters[i + 1];
            return 1;
        }
    }
    if (*p == 'x' && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0 && hex_value(p[1]) < 8) {
        *(*to)++ = (char)(hex_value(p[1]) << 4 | hex_value(p[2]));
        return 3;
    }
    return 0;
}

/* A string with its prefix: '...', r"...", b'''...'''. */
static struct json *
read_string(struct reader *r, bool raw)
{
    unsigned newlines = 0;
    const char *stop = string_end(r->p, r->end, &newlines);
    bool triple = r->end - r->p >= 3 && r->p[1] == r->p[0] && r->p[2] == r->p[0];
    const char *p = r->p + (triple ? 3 : 1), *end;
    char *text, *to;

    if (stop == NULL)
        return NULL;
    end = stop - (triple ? 3 : 1);
    if (end < p) /* '' looks like the beginning of ''' */
        return NULL;
    text = to = arena_alloc(r->s->arena, (size_t)(end - p) + 1);
    for (; p < end; p++) {
        size_t n = 1;

        if (*p != '\\' || raw)
            *to++ = *p;
        else if ((n = unescape(p + 1, &to)) > 0)
            p += n;
        else
            return NULL;
    }
    r->p = stop;
    return json_new_string(r->s->arena, slice_make(text, (size_t)(to - text)));
}

/* '' is a string of its own, not the beginning of '''. */
static struct json *
read_empty_or_string(struct reader *r, bool raw)
{
    if (r->end - r->p >= 2 && r->p[1] == r->p[0] && (r->end - r->p == 2 || r->p[2] != r->p[0])) {
        r->p += 2;
        return json_new_string(r->s->arena, SLICE(""));
    }
    return read_string(r, raw);
}

/* Strings in a row are one. */
static struct json *
read_strings(struct reader *r, bool raw)
{
    struct arena *a = r->s->arena;
    struct json *value = read_empty_or_string(r, raw);

    skip_spaces(r);
    while (value != NULL && r->p < r->end && (*r->p == '"' || *r->p == '\'')) {
        struct json *more = read_empty_or_string(r, false);

        if (more == NULL)
            return NULL;
        value = json_new_string(
            a, slice_cstr(arena_printf(a, SLICE_FMT SLICE_FMT, SLICE_ARG(value->text),
                                       SLICE_ARG(more->text))));
        skip_spaces(r);
    }
    return value;
}

static struct json *
read_number(struct reader *r)
{
    struct arena *a = r->s->arena;
    char *text = arena_alloc(a, (size_t)(r->end - r->p) + 1), *to = text;
    struct json *value;

    for (; r->p < r->end && (isdigit((unsigned char)*r->p) || *r->p == '_' || *r->p == '.');
         r->p++) {
        if (*r->p != '_')
            *to++ = *r->p;
    }
    if ((r->p < r->end && is_name_byte(*r->p)) || to - text > JSON_NUMBER_MAX)
        return NULL; /* 0x10, 1e3, 10j */
    value = json_new(a, JSON_NUMBER);
    value->text = slice_make(text, (size_t)(to - text));
    return value;
}

/* A name that was assigned before. */
static struct json *
look_up(struct reader *r, struct slice name)
{
    struct json *value = NULL;

    for (struct python_line *line = r->s->first; line != NULL; line = line->next) {
        if (slice_eq(line->name, name))
            value = line->kind == PYTHON_VALUE ? line->value : NULL;
    }
    return value != NULL ? json_copy(r->s->arena, value) : NULL;
}

static struct json *read_sum(struct reader *r);

static struct json *
read_name(struct reader *r)
{
    struct arena *a = r->s->arena;
    const char *start = r->p;
    struct slice name;

    while (r->p < r->end && is_name_byte(*r->p))
        r->p++;
    name = slice_make(start, (size_t)(r->p - start));
    if (r->p < r->end && (*r->p == '"' || *r->p == '\'') && name.n <= 2) {
        bool raw = slice_find(name, 0, 'r') < name.n || slice_find(name, 0, 'R') < name.n;
        bool formatted = slice_find(name, 0, 'f') < name.n || slice_find(name, 0, 'F') < name.n;

        return formatted ? NULL : read_strings(r, raw);
    }
    if (slice_eq(name, SLICE("True")) || slice_eq(name, SLICE("False")))
        return json_new_bool(a, name.p[0] == 'T');
    if (slice_eq(name, SLICE("None")))
        return json_new(a, JSON_NULL);
    return look_up(r, name);
}

static struct json *
read_list(struct reader *r, char close)
{
    struct json *array = json_new(r->s->arena, JSON_ARRAY);

    while (!take(r, close)) {
        struct json *element = read_sum(r);

        if (element == NULL)
            return NULL;
        json_push(array, element);
        if (take(r, ','))
            continue;
        if (!take(r, close))
            return NULL;
        /* (x) is x; (x,) is a tuple. */
        if (close == ')' && array->n == 1) {
            element->next = NULL;
            return element;
        }
        break;
    }
    return array;
}

static struct json *
read_dict(struct reader *r)
{
    struct json *object = json_new(r->s->arena, JSON_OBJECT);

    while (!take(r, '}')) {
        struct json *name = read_sum(r), *value;

        if (name == NULL || name->type != JSON_STRING || !take(r, ':'))
            return NULL;
        value = read_sum(r);
        if (value == NULL || json_get(object, name->text) != NULL)
            return NULL;
        json_add(object, name->text, value);
        if (!take(r, ',') && (r->p == r->end || *r->p != '}'))
            return NULL;
    }
    return object;
}

static struct json *
read_atom(struct reader *r)
{
    struct json *value = NULL;

    skip_spaces(r);
    if (r->p == r->end || r->depth >= DEPTH_MAX)
        return NULL;
    r->depth++;
    if (*r->p == '"' || *r->p == '\'')
        value = read_strings(r, false);
    else if (isdigit((unsigned char)*r->p))
        value = read_number(r);
    else if (take(r, '['))
        value = read_list(r, ']');
    else if (take(r, '('))
        value = read_list(r, ')');
    else if (take(r, '{'))
        value = read_dict(r);
    else if (is_name_byte(*r->p))
        value = read_name(r);
    r->depth--;
    return value;
}

/* Integers, and strings one after the other. */
static struct json *
combine(struct reader *r, const struct json *left, char sign, const struct json *right)
{
    int64_t a, b, result;

    if (left != NULL && right != NULL && sign == '+' && left->type == JSON_STRING &&
        right->type == JSON_STRING)
        return json_new_string(
            r->s->arena, slice_cstr(arena_printf(r->s->arena, SLICE_FMT SLICE_FMT,
                                                 SLICE_ARG(left->text), SLICE_ARG(right->text))));
    if (left == NULL || right == NULL || json_integer(left, &a) < 0 || json_integer(right, &b) < 0)
        return NULL;
    if (sign == '*' ? __builtin_mul_overflow(a, b, &result)
                    : __builtin_add_overflow(a, sign == '-' ? -b : b, &result))
        return NULL;
    return json_new_int(r->s->arena, result);
}

static struct json *
read_product(struct reader *r)
{
    struct json *value = read_atom(r);

    while (value != NULL && take(r, '*'))
        value = combine(r, value, '*', read_atom(r));
    return value;
}

static struct json *
read_sum(struct reader *r)
{
    struct json *value = read_product(r);

    for (;;) {
        char sign = take(r, '+') ? '+' : take(r, '-') ? '-' : '\0';

        if (value == NULL || sign == '\0')
            return value;
        value = combine(r, value, sign, read_product(r));
    }
}

static struct python_line *
add(struct source *s, unsigned line, enum python_kind kind, struct slice name)
{
    struct python_line *l = arena_new(s->arena, struct python_line);

    *l = (struct python_line){.line = line, .kind = kind, .name = name};
    *s->last = l;
    s->last = &l->next;
    return l;
}

static void
add_assignment(struct source *s, unsigned line, struct slice name, struct slice text)
{
    struct reader r = {s, text.p, text.p + text.n, 0};
    struct json *value = read_sum(&r), *tuple = NULL;
    struct python_line *l;

    /* "a, b" is a tuple too. */
    while (value != NULL && take(&r, ',')) {
        if (tuple == NULL) {
            tuple = json_new(s->arena, JSON_ARRAY);
            json_push(tuple, value);
        }
        skip_spaces(&r);
        if (r.p == r.end)
            break;
        value = read_sum(&r);
        if (value != NULL)
            json_push(tuple, value);
    }
    skip_spaces(&r);
    if (r.p != r.end)
        value = NULL;
    l = add(s, line, value != NULL ? PYTHON_VALUE : PYTHON_EXPRESSION, name);
    l->value = value != NULL && tuple != NULL ? tuple : value;
    l->text = slice_trim(text);
}

/* The first word of a statement. */
static struct slice
first_word(struct slice text)
{
    size_t n = 0;

    while (n < text.n && is_name_byte(text.p[n]))
        n++;
    return slice_sub(text, 0, n);
}

/* Where the value of "NAME = value" or "NAME: type = value" begins; 0: it is no assignment. */
static size_t
value_at(struct slice text, size_t from)
{
    size_t equals = slice_find(text, from, '=');
    struct slice between = slice_trim(slice_sub(text, from, equals));

    if (equals == text.n || (equals + 1 < text.n && text.p[equals + 1] == '='))
        return 0;
    if (between.n > 0 && between.p[0] != ':')
        return 0;
    return equals + 1;
}

static void
add_statement(struct source *s, unsigned line, struct slice text)
{
    static const char *const silent[] = {"import", "from",   "pass",   "else",
                                         "elif",   "except", "finally"};
    struct slice word = first_word(text);
    size_t at = word.n > 0 ? value_at(text, word.n) : 0;

    if (word.n == 0 && (text.p[0] == '"' || text.p[0] == '\'' || text.p[0] == '@'))
        return;
    for (size_t i = 0; i < array_len(silent); i++) {
        if (slice_eq(word, slice_cstr(silent[i])))
            return;
    }
    if (slice_eq(word, SLICE("async")))
        word = first_word(slice_trim(slice_sub(text, word.n, text.n)));
    if (slice_eq(word, SLICE("def"))) {
        size_t open = slice_find(text, 0, '('), start = open;

        while (start > 0 && is_name_byte(text.p[start - 1]))
            start--;
        add(s, line, PYTHON_FUNCTION, slice_sub(text, start, open));
    } else if (at > 0) {
        add_assignment(s, line, word, slice_sub(text, at, text.n));
    } else {
        add(s, line, PYTHON_STATEMENT, word.n > 0 ? word : slice_sub(text, 0, 1));
    }
}

enum ctl_exit
python_parse(struct arena *a, const char *path, struct slice text, struct python_line **ret_first)
{
    struct source s = {.arena = a, .path = path, .p = arena_cstr(a, text), .line = 1};

    s.last = &s.first;
    s.end = s.p + text.n;
    if (slice_starts(text, SLICE("\xef\xbb\xbf")))
        s.p += 3;
    while (s.p < s.end) {
        unsigned line = s.line;
        struct slice logical;
        enum ctl_exit code = logical_line(&s, &logical);

        if (code != CTL_OK)
            return code;
        while (slice_ends(logical, SLICE("\r")))
            logical.n--;
        if (logical.n > 0 && logical.p[0] != ' ' && logical.p[0] != '\t' &&
            slice_trim(logical).n > 0)
            add_statement(&s, line, slice_trim(logical));
    }
    *ret_first = s.first;
    return CTL_OK;
}
