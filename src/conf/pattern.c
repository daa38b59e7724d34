/*
 * pattern.c - the string patterns of match rules.
 *
 *   "/a*b*c"   pieces "/a" at the start, "b" somewhere after it, "c" at the end
 *   "~re"      PCRE2, unanchored, compiled by its JIT where there is one
 *
 * Pieces between stars are looked for from left to right, each as early as it can be: that finds a
 * match if there is one, without going back.  A regular expression works in bytes, not in
 * characters, and gives up at MATCH_LIMIT, since patterns such as (a+)+ otherwise take
 * exponential time on a path that a stranger chose.
 *
 * pcre2api(3), pcre2jit(3).
 */
#include "conf/pattern.h"

#include <errno.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "conf/percent.h"

#define MATCH_LIMIT 200000
#define HEAP_LIMIT  (4 * 1024) /* KiB */

enum pattern_kind { PATTERN_EXACT, PATTERN_STARS, PATTERN_REGEX };

struct regex {
    pcre2_code *code;
    pcre2_match_data *data; /* no room for captures: only "is there a match" is asked */
    pcre2_match_context *limits;
};

struct pattern {
    enum pattern_kind kind;
    bool negated;
    struct slice *pieces; /* EXACT: one; STARS: the first and last one are anchored */
    size_t n;
    struct regex regex;
};

struct patterns {
    struct pattern *list;
    size_t n;
    bool has_positive;
};

static void
fold(char *p, size_t n, enum pattern_text how)
{
    for (size_t i = 0; i < n; i++) {
        if (how == PATTERN_LOWER)
            p[i] = ascii_lower(p[i]);
        else if (how == PATTERN_UPPER && p[i] >= 'a' && p[i] <= 'z')
            p[i] = (char)(p[i] & ~0x20);
    }
}

/* Literal text between stars, as values will look. */
static int
read_piece(struct arena *a, struct slice raw, enum pattern_text how, struct slice *ret_piece,
           struct br_err *err)
{
    char *room = arena_alloc(a, raw.n + 1);
    long n = (long)raw.n;

    if (room == NULL)
        return -ENOMEM;
    if (how == PATTERN_DECODED)
        n = percent_decode(raw, room);
    else if (raw.n > 0)
        memcpy(room, raw.p, raw.n);
    if (n < 0)
        return br_fail(err, -EBADMSG,
                       "The pattern has a \"%%\" that two hexadecimal digits do not follow.");
    fold(room, (size_t)n, how);
    *ret_piece = slice_make(room, (size_t)n);
    return 0;
}

static size_t
count_stars(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '*';
    return n;
}

static bool
has_double_star(struct slice text)
{
    return text.n > 1 && memmem(text.p, text.n, "**", 2) != NULL;
}

static int
compile_text(struct arena *a, struct slice text, enum pattern_text how, struct pattern *p,
             struct br_err *err)
{
    size_t stars = count_stars(text);
    struct slice raw;
    int rc = 0;

    if (has_double_star(text))
        return br_fail(err, -EBADMSG, "A pattern must not contain \"**\".");
    p->kind = stars == 0 ? PATTERN_EXACT : PATTERN_STARS;
    p->pieces = arena_array(a, struct slice, stars + 1);
    if (p->pieces == NULL)
        return -ENOMEM;
    if (text.n == 0) {
        p->n = 1;
        return 0;
    }
    while (rc == 0 && slice_split(&text, '*', &raw))
        rc = read_piece(a, raw, how, &p->pieces[p->n++], err);
    return rc;
}

static void
free_regex(void *arg)
{
    struct regex *re = arg;

    pcre2_match_context_free(re->limits);
    pcre2_match_data_free(re->data);
    pcre2_code_free(re->code);
}

static int
regex_fault(int code, size_t at, struct br_err *err)
{
    char why[128];

    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
    return br_fail(err, -EBADMSG, "The regular expression is not valid: %s, at byte %zu.", why, at);
}

static int
compile_regex(struct arena *a, struct slice text, struct pattern *p, struct br_err *err)
{
    struct regex *re = &p->regex;
    PCRE2_SIZE at = 0;
    int code = 0;

    p->kind = PATTERN_REGEX;
    if (arena_on_done(a, free_regex, re) < 0)
        return -ENOMEM;
    re->code = pcre2_compile((PCRE2_SPTR)(text.p != NULL ? text.p : ""), text.n,
                             PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
    if (re->code == NULL)
        return regex_fault(code, at, err);
    re->data = pcre2_match_data_create(1, NULL);
    re->limits = pcre2_match_context_create(NULL);
    if (re->data == NULL || re->limits == NULL)
        return -ENOMEM;
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_LIMIT);
    /* Without a JIT, or when it does not like the pattern, pcre2_match interprets. */
    pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    return 0;
}

static int
compile_one(struct arena *a, struct slice text, enum pattern_text how, struct pattern *p,
            struct br_err *err)
{
    if (text.n > 0 && text.p[0] == '!') {
        p->negated = true;
        text = slice_sub(text, 1, text.n);
    }
    if (text.n > 0 && text.p[0] == '~')
        return compile_regex(a, slice_sub(text, 1, text.n), p, err);
    return compile_text(a, text, how, p, err);
}

int
patterns_compile(struct arena *a, const struct slice *texts, size_t n, enum pattern_text how,
                 struct patterns **ret_set, size_t *ret_bad, struct br_err *err)
{
    struct patterns *set = arena_new(a, struct patterns);
    int rc = 0;

    if (set == NULL)
        return -ENOMEM;
    set->n = n;
    set->list = arena_array(a, struct pattern, n);
    if (set->list == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = compile_one(a, texts[i], how, &set->list[i], err);
        set->has_positive = set->has_positive || !set->list[i].negated;
        if (rc == -EBADMSG)
            *ret_bad = i;
    }
    if (rc == 0)
        *ret_set = set;
    return rc;
}

static bool
match_stars(const struct pattern *p, struct slice value)
{
    struct slice first = p->pieces[0], last = p->pieces[p->n - 1];

    if (value.n < first.n + last.n || !slice_starts(value, first) || !slice_ends(value, last))
        return false;
    value = slice_sub(value, first.n, value.n - last.n);
    for (size_t i = 1; i + 1 < p->n; i++) {
        struct slice piece = p->pieces[i];
        const char *hit = value.n < piece.n ? NULL : memmem(value.p, value.n, piece.p, piece.n);

        if (hit == NULL)
            return false;
        value = slice_sub(value, (size_t)(hit - value.p) + piece.n, value.n);
    }
    return true;
}

enum verdict { MISS, HIT, GAVE_UP };

static int
run_regex(const struct regex *re, struct slice value, uint32_t options)
{
    return pcre2_match(re->code, (PCRE2_SPTR)(value.p != NULL ? value.p : ""), value.n, 0, options,
                       re->data, re->limits);
}

/*
 * The JIT works on 32 KiB of stack, which some patterns use up on a long value: those go to the
 * interpreter, whose memory stays with the match data from then on.
 */
static enum verdict
match_regex(const struct regex *re, struct slice value)
{
    int rc = run_regex(re, value, 0);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = run_regex(re, value, PCRE2_NO_JIT);
    return rc >= 0 ? HIT : rc == PCRE2_ERROR_NOMATCH ? MISS : GAVE_UP;
}

static enum verdict
match_one(const struct pattern *p, struct slice value)
{
    switch (p->kind) {
    case PATTERN_EXACT:
        return slice_eq(p->pieces[0], value) ? HIT : MISS;
    case PATTERN_STARS:
        return match_stars(p, value) ? HIT : MISS;
    case PATTERN_REGEX:
        return match_regex(&p->regex, value);
    }
    return MISS;
}

bool
patterns_match(const struct patterns *set, struct slice value)
{
    bool hit = !set->has_positive;

    for (size_t i = 0; i < set->n; i++) {
        const struct pattern *p = &set->list[i];

        if (p->negated ? match_one(p, value) != MISS : false)
            return false;
        if (!p->negated && !hit)
            hit = match_one(p, value) == HIT;
    }
    return hit;
}
