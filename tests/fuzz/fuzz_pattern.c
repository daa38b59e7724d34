/*
 * fuzz_pattern.c - any bytes as patterns and a value.
 *
 *   one byte (how text is read), then lines: patterns, and the value as the last one
 *
 * Single patterns with stars are compared with the definition, worked out by a table.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>

#include "conf/pattern.h"

#define LINES_MAX 16
#define TABLE_MAX 64 /* longer texts are not compared */

static void
must(bool truth)
{
    if (!truth)
        abort();
}

/* row[j]: does the pattern so far match the first j bytes of the value? */
static bool
matches_by_table(struct slice pattern, struct slice value)
{
    bool row[TABLE_MAX + 1] = {true};

    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        bool above_left = row[0];

        row[0] = row[0] && c == '*';
        for (size_t j = 1; j <= value.n; j++) {
            bool above = row[j];

            row[j] = c == '*' ? above || row[j - 1] : above_left && c == value.p[j - 1];
            above_left = above;
        }
    }
    return row[value.n];
}

static void
compare(const struct patterns *set, struct slice pattern, struct slice value)
{
    bool negated = pattern.n > 0 && pattern.p[0] == '!';

    pattern = slice_sub(pattern, negated, pattern.n);
    if (pattern.n > TABLE_MAX || value.n > TABLE_MAX || (pattern.n > 0 && pattern.p[0] == '~'))
        return;
    must(patterns_match(set, value) == (matches_by_table(pattern, value) != negated));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = slice_make((const char *)data, n), lines[LINES_MAX];
    struct br_err err = BR_ERR_NONE;
    struct patterns *set;
    enum pattern_text how;
    struct arena a;
    size_t n_lines = 0, bad = SIZE_MAX;
    int rc;

    if (n == 0)
        return 0;
    how = (enum pattern_text)(data[0] % (PATTERN_DECODED + 1));
    rest = slice_sub(rest, 1, n);
    while (n_lines < LINES_MAX && slice_split(&rest, '\n', &lines[n_lines]))
        n_lines++;
    arena_init(&a, 0);
    rc = patterns_compile(&a, lines, n_lines - 1, how, &set, &bad, &err);
    if (rc == 0) {
        patterns_match(set, lines[n_lines - 1]);
        patterns_match(set, SLICE_NONE);
        if (n_lines == 2 && how == PATTERN_VERBATIM)
            compare(set, lines[0], lines[1]);
    } else {
        must(rc == -EBADMSG && bad < n_lines - 1 && err.text[0] != '\0');
    }
    arena_done(&a);
    return 0;
}
