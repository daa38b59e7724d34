/*
 * broodctl_diff.c - two texts, line by line, as a unified diff.
 *
 *   lines --same beginning and end put aside--> shortest edit --> flags: removed[i], added[j]
 *         --> script of ' ', '-', '+' lines --> hunks with three lines around
 *
 * The shortest edit is Myers' greedy one ("An O(ND) Difference Algorithm", 1986): after d edits,
 * how far along is each diagonal k = x - y?  All steps are kept to walk back: d^2 numbers, hence
 * the bound.
 */
#include "programs/broodctl_diff.h"

#include "conf/json_write.h"

#define EDITS_MAX 4000
#define CONTEXT   3

#define TEXT_BYTES_MAX (512u * 1024 * 1024)

struct text {
    struct slice *lines;
    bool *changed;
    size_t n;
};

struct script {
    struct {
        char sign;
        struct slice line;
    } * steps;
    size_t n;
};

static struct text
split(struct arena *a, struct slice whole)
{
    struct text t = {0};
    struct slice line;
    size_t most = 1;

    for (size_t i = 0; i < whole.n; i++)
        most += whole.p[i] == '\n';
    t.lines = arena_array(a, struct slice, most);
    t.changed = arena_array(a, bool, most);
    if (whole.n == 0)
        return t;
    if (slice_ends(whole, SLICE("\n")))
        whole.n--;
    while (slice_split(&whole, '\n', &line))
        t.lines[t.n++] = line;
    return t;
}

/* The furthest x on diagonal k after d edits, given all of d - 1; then along equal lines. */
static int
advance(const struct text *old, const struct text *new, int *const *trace, int d, int k)
{
    int x = 0, y;

    if (d > 0) {
        const int *last = trace[d - 1] + (d - 1);

        x = k == -d || (k != d && last[k - 1] < last[k + 1]) ? last[k + 1] : last[k - 1] + 1;
    }
    y = x - k;
    while (x < (int)old->n && y < (int)new->n &&slice_eq(old->lines[x], new->lines[y])) {
        x++;
        y++;
    }
    return x;
}

/* From the end back to the beginning: each edit was a step right (removed) or down (added). */
static void
walk_back(struct text *old, struct text *new, int *const *trace, int d)
{
    int k = (int)old->n - (int)new->n;

    for (; d > 0; d--) {
        const int *last = trace[d - 1] + (d - 1);

        if (k == -d || (k != d && last[k - 1] < last[k + 1])) {
            k++;
            new->changed[last[k] - k] = true;
        } else {
            k--;
            old->changed[last[k]] = true;
        }
    }
}

/* false: more edits than we care to count. */
static bool
shortest_edit(struct arena *a, struct text *old, struct text *new)
{
    int most = (int)br_min(old->n + new->n, (size_t)EDITS_MAX);
    int **trace = arena_array(a, int *, (size_t)most + 1);

    for (int d = 0; d <= most; d++) {
        trace[d] = arena_array(a, int, 2 * (size_t)d + 1);
        for (int k = -d; k <= d; k += 2) {
            int x = advance(old, new, trace, d, k);

            trace[d][d + k] = x;
            if (x >= (int)old->n && x - k >= (int)new->n) {
                walk_back(old, new, trace, d);
                return true;
            }
        }
    }
    return false;
}

/* Only what lies between the first and the last difference needs thought. */
static void
mark_changes(struct arena *a, struct text old, struct text new)
{
    while (old.n > 0 && new.n > 0 && slice_eq(old.lines[0], new.lines[0])) {
        old = (struct text){old.lines + 1, old.changed + 1, old.n - 1};
        new = (struct text){new.lines + 1, new.changed + 1, new.n - 1};
    }
    while (old.n > 0 && new.n > 0 && slice_eq(old.lines[old.n - 1], new.lines[new.n - 1])) {
        old.n--;
        new.n--;
    }
    if (shortest_edit(a, &old, &new))
        return;
    memset(old.changed, true, old.n);
    memset(new.changed, true, new.n);
}

static struct script
write_script(struct arena *a, const struct text *old, const struct text *new)
{
    struct script s = {.n = 0};
    size_t i = 0, j = 0;

    s.steps = arena_zalloc(a, (old->n + new->n + 1) * sizeof(*s.steps));
    while (i < old->n || j < new->n) {
        if (i < old->n && old->changed[i]) {
            s.steps[s.n].sign = '-';
            s.steps[s.n++].line = old->lines[i++];
        } else if (j < new->n &&new->changed[j]) {
            s.steps[s.n].sign = '+';
            s.steps[s.n++].line = new->lines[j++];
        } else {
            s.steps[s.n].sign = ' ';
            s.steps[s.n++].line = old->lines[i++];
            j++;
        }
    }
    return s;
}

/* Where the hunk ends whose first change is at from: its context does not touch the next change's.
 */
static size_t
hunk_end(const struct script *s, size_t from)
{
    size_t last = from;

    for (size_t i = from; i < s->n && i <= last + 2 * CONTEXT + 1; i++) {
        if (s->steps[i].sign != ' ')
            last = i;
    }
    return br_min(last + 1 + CONTEXT, s->n);
}

/* "@@ -12,7 +12,8 @@"; an empty side is named by the line before it. */
static void
put_hunk(const struct script *s, size_t from, size_t to, size_t old_line, size_t new_line,
         struct buf *ret)
{
    size_t old_n = 0, new_n = 0;

    for (size_t i = from; i < to; i++) {
        old_n += s->steps[i].sign != '+';
        new_n += s->steps[i].sign != '-';
    }
    buf_printf(ret, "@@ -%zu,%zu +%zu,%zu @@\n", old_line + (old_n > 0), old_n,
               new_line + (new_n > 0), new_n);
    for (size_t i = from; i < to; i++) {
        buf_putc(ret, s->steps[i].sign);
        buf_put(ret, s->steps[i].line);
        buf_putc(ret, '\n');
    }
}

bool
diff_unified(struct arena *a, struct slice old_text, struct slice new_text, const char *old_name,
             const char *new_name, struct buf *ret)
{
    struct text old = split(a, old_text), new = split(a, new_text);
    size_t old_line = 0, new_line = 0, done = 0;
    bool any = false;
    struct script s;

    mark_changes(a, old, new);
    s = write_script(a, &old, &new);
    for (size_t i = 0; i < s.n; i++) {
        size_t from, to;

        if (s.steps[i].sign == ' ')
            continue;
        if (!any)
            buf_printf(ret, "--- %s\n+++ %s\n", old_name, new_name);
        any = true;
        from = i - br_min(i - done, (size_t)CONTEXT);
        to = hunk_end(&s, i);
        old_line += from - done; /* all of it common */
        new_line += from - done;
        put_hunk(&s, from, to, old_line, new_line, ret);
        for (size_t k = from; k < to; k++) {
            old_line += s.steps[k].sign != '+';
            new_line += s.steps[k].sign != '-';
        }
        done = to;
        i = to - 1;
    }
    return any;
}

static struct slice
laid_out(const struct json *value, struct buf *b)
{
    size_t n = 0;

    json_write(b, value);
    for (size_t i = 0; i < b->n; i++) {
        if (b->p[i] != '\r')
            b->p[n++] = b->p[i];
    }
    return slice_make(b->p, n);
}

bool
diff_json(struct arena *a, const struct json *old_value, const struct json *new_value,
          const char *old_name, const char *new_name, struct buf *ret)
{
    struct buf old, new;
    bool differs;

    buf_init(&old, TEXT_BYTES_MAX);
    buf_init(&new, TEXT_BYTES_MAX);
    differs = diff_unified(a, laid_out(old_value, &old), laid_out(new_value, &new), old_name,
                           new_name, ret);
    buf_done(&old);
    buf_done(&new);
    return differs;
}
