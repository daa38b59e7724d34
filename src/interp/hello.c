/*
 * hello.c - strings `name=value` into struct hello, by one table.
 */
#include "interp/hello.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum kind { DESCRIPTOR, NUMBER, WORD, WORDS, FILES, START, MARK };

struct row {
    const char *name;
    enum kind kind;
    size_t at; /* offset of the member, where the kind alone does not say */
};

static const struct row rows[] = {
    {"listen", DESCRIPTOR, offsetof(struct hello, listen)},
    {"call", DESCRIPTOR, offsetof(struct hello, call)},
    {"watchi", DESCRIPTOR, offsetof(struct hello, watchi)},
    {"watche", DESCRIPTOR, offsetof(struct hello, watche)},
    {"pid", NUMBER, offsetof(struct hello, pid)},
    {"start", START, 0},
    {"mark", MARK, 0},
    {"script", WORD, offsetof(struct hello, script)},
    {"word", WORDS, 0},
    {"file", FILES, 0},
    {"max_servers", NUMBER, offsetof(struct hello, max_servers)},
    {"idle_timeout", NUMBER, offsetof(struct hello, idle_timeout_s)},
    {"max_errors", NUMBER, offsetof(struct hello, max_errors)},
    {"max_calls", NUMBER, offsetof(struct hello, max_calls)},
    {"spare", NUMBER, offsetof(struct hello, spare)},
    {"int_grace", NUMBER, offsetof(struct hello, int_grace_s)},
    {"term_grace", NUMBER, offsetof(struct hello, term_grace_s)},
    {"log_facility", WORD, offsetof(struct hello, log_facility)},
    {"feat", WORD, offsetof(struct hello, features)},
};

/* A whole number; a fraction behind it, which some languages print, is cut off. */
static bool
number(const char *text, int64_t *ret)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(text, &end, 10);
    if (end == text || errno != 0)
        return false;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9'; end++)
            ;
    if (*end != '\0')
        return false;
    *ret = v;
    return true;
}

static bool
start_time(const char *text, struct timespec *ret)
{
    char *end;
    long long s = strtoll(text, &end, 10);
    long ns = 0;
    int digits = 0;

    if (end == text || *end != '.')
        return false;
    for (end++; *end >= '0' && *end <= '9' && digits < 9; end++, digits++)
        ns = ns * 10 + (*end - '0');
    for (; digits < 9; digits++)
        ns *= 10;
    *ret = (struct timespec){(time_t)s, ns};
    return *end == '\0';
}

static bool
take(struct hello *h, const struct row *row, const char *value)
{
    char *member = (char *)h + row->at;
    int64_t n;

    switch (row->kind) {
    case DESCRIPTOR:
        if (!number(value, &n) || n < 0 || n > INT_MAX)
            return false;
        *(int *)(void *)member = (int)n;
        return true;
    case NUMBER:
        return number(value, (int64_t *)(void *)member);
    case WORD:
        *(const char **)(void *)member = value;
        return true;
    case WORDS:
        h->words[h->n_words++] = value;
        return true;
    case FILES:
        h->files[h->n_files++] = value;
        return true;
    case START:
        return start_time(value, &h->start);
    case MARK:
        h->mark = strcmp(value, "brood1") == 0;
        return true;
    }
    return false;
}

static const struct row *
find(const char *text, size_t n)
{
    for (size_t i = 0; i < array_len(rows); i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, text, n) == 0)
            return &rows[i];
    return NULL;
}

bool
hello_can(const struct hello *h, const char *feature)
{
    struct slice rest = slice_cstr(h->features), one;

    while (slice_split(&rest, ',', &one))
        if (slice_eq(one, slice_cstr(feature)))
            return true;
    return false;
}

static int
check(const struct hello *h, struct br_err *err)
{
    if (h->listen < 0 || h->call < 0)
        return br_fail(err, -EBADMSG, "the library names no listening socket or no first call");
    if (h->max_servers == 0)
        return br_fail(err, -EBADMSG, "max_servers is 0: nobody could be served");
    if (h->spare < 0 || h->spare > HELLO_SPARE_MAX)
        return br_fail(err, -EBADMSG, "spare is not from 0 to %d", HELLO_SPARE_MAX);
    return 0;
}

int
hello_read(struct hello *h, struct arena *a, struct slice text, struct br_err *err)
{
    struct slice rest = arena_dup(a, text);
    struct slice piece;
    size_t n = 0;

    if (text.n == 0 || text.p[text.n - 1] != '\0')
        return br_fail(err, -EBADMSG, "the library's greeting does not end in NUL");
    *h = (struct hello){.listen = -1,
                        .call = -1,
                        .watchi = -1,
                        .watche = -1,
                        .script = "?",
                        .max_servers = 4,
                        .idle_timeout_s = 1000000,
                        .max_errors = 100,
                        .spare = 1,
                        .int_grace_s = 5,
                        .term_grace_s = 5,
                        .log_facility = "LOG_USER",
                        .features = ""};
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\0';
    h->words = arena_array(a, const char *, n);
    h->files = arena_array(a, const char *, n);
    rest.n--;
    while (slice_split(&rest, '\0', &piece)) {
        size_t equals = slice_find(piece, 0, '=');
        const struct row *row;

        if (equals == piece.n)
            return br_fail(err, -EBADMSG, "the library said \"%s\", without '='", piece.p);
        row = find(piece.p, equals);
        if (row != NULL && !take(h, row, piece.p + equals + 1))
            return br_fail(err, -EBADMSG, "the library said \"%s\"", piece.p);
    }
    return check(h, err);
}
