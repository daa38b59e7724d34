/*
 * broodctl_out.c - what broodctl prints.
 *
 *   rows of cells --widths--> columns, two spaces apart; the last one is not padded
 *
 * Names and titles are a stranger's text: control characters in them become '?', so that none can
 * talk to the terminal.  Colours: stdout is a terminal, TERM is not "dumb", NO_COLOR is not set.
 */
#include "programs/broodctl_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/json_write.h"

#define TEXT_BYTES_MAX (512u * 1024 * 1024)

struct table_cell {
    const char *text;
    size_t width; /* characters */
    enum paint paint;
};

struct table_row {
    struct table_row *next;
    struct table_cell cells[];
};

bool
out_is_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

static bool
has_colours(void)
{
    const char *term = getenv("TERM");

    return out_is_terminal() && getenv("NO_COLOR") == NULL && term != NULL &&
           strcmp(term, "dumb") != 0;
}

const char *
out_paint(enum paint paint)
{
    static const char *const sequences[] = {
        [PAINT_NONE] = "\033[0m",  [PAINT_BOLD] = "\033[1m",   [PAINT_DIM] = "\033[2m",
        [PAINT_RED] = "\033[31m",  [PAINT_GREEN] = "\033[32m", [PAINT_YELLOW] = "\033[33m",
        [PAINT_CYAN] = "\033[36m",
    };

    return has_colours() ? sequences[paint] : "";
}

enum paint
out_state_paint(struct slice state)
{
    if (slice_eq(state, SLICE("idle")))
        return PAINT_GREEN;
    if (slice_eq(state, SLICE("busy")))
        return PAINT_YELLOW;
    return slice_eq(state, SLICE("starting")) ? PAINT_CYAN : PAINT_DIM;
}

static bool
is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

void
table_init(struct table *t, struct arena *a, const struct column *columns, unsigned n)
{
    *t = (struct table){.arena = a, .columns = columns, .n_columns = n, .at = n};
}

static void
begin_row(struct table *t)
{
    struct table_row *row =
        arena_zalloc(t->arena, sizeof(struct table_row) + t->n_columns * sizeof(struct table_cell));

    if (t->last == NULL)
        t->first = row;
    else
        t->last->next = row;
    t->last = row;
    t->at = 0;
}

/* Bytes that begin a character. */
static size_t
characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void
table_cell(struct table *t, enum paint paint, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++) {
        if (is_control(*p))
            *p = '?';
    }
    if (t->at == t->n_columns)
        begin_row(t);
    t->last->cells[t->at++] = (struct table_cell){
        .text = arena_cstr(t->arena, slice_cstr(text)),
        .width = characters(text),
        .paint = paint,
    };
}

void
table_bytes(struct table *t, int64_t bytes)
{
    static const char units[] = "KMGTP";
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 0) {
        table_cell(t, PAINT_NONE, "-");
        return;
    }
    if (bytes > 0 && bytes < 1000) {
        table_cell(t, PAINT_NONE, "%lldB", (long long)bytes);
        return;
    }
    for (; value >= 1000 && unit < sizeof(units) - 2; unit++)
        value /= 1024;
    table_cell(t, PAINT_NONE, value < 10 && unit > 0 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

void
table_age(struct table *t, int64_t ms)
{
    long long s = ms / 1000;

    if (ms < 0)
        table_cell(t, PAINT_NONE, "-");
    else if (s < 60)
        table_cell(t, PAINT_NONE, "%llds", s);
    else if (s < 3600)
        table_cell(t, PAINT_NONE, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        table_cell(t, PAINT_NONE, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        table_cell(t, PAINT_NONE, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

static size_t
column_width(const struct table *t, unsigned i)
{
    size_t width = strlen(t->columns[i].title);

    for (const struct table_row *row = t->first; row != NULL; row = row->next)
        width = br_max(width, row->cells[i].width);
    return width;
}

static void
print_cell(const struct table_cell *cell, size_t width, bool right, bool last)
{
    int pad = (int)(width - cell->width);
    bool painted = cell->paint != PAINT_NONE;

    printf("%*s%s%s%s", right ? pad : 0, "", painted ? out_paint(cell->paint) : "",
           cell->text != NULL ? cell->text : "", painted ? out_paint(PAINT_NONE) : "");
    if (last)
        putchar('\n');
    else
        printf("%*s", (right ? 0 : pad) + 2, "");
}

/* Cells up to the last one that has a text. */
static void
print_row(const struct table *t, const struct table_row *row, const size_t *widths)
{
    unsigned n = t->n_columns;

    while (n > 1 && row->cells[n - 1].width == 0)
        n--;
    for (unsigned i = 0; i < n; i++)
        print_cell(&row->cells[i], widths[i], t->columns[i].right, i + 1 == n);
}

void
table_print(const struct table *t)
{
    size_t *widths = arena_array(t->arena, size_t, t->n_columns);
    struct table_row *titles =
        arena_zalloc(t->arena, sizeof(*titles) + t->n_columns * sizeof(titles->cells[0]));

    for (unsigned i = 0; i < t->n_columns; i++) {
        titles->cells[i] = (struct table_cell){
            .text = t->columns[i].title,
            .width = strlen(t->columns[i].title),
            .paint = PAINT_BOLD,
        };
        widths[i] = column_width(t, i);
    }
    print_row(t, titles, widths);
    for (const struct table_row *row = t->first; row != NULL; row = row->next)
        print_row(t, row, widths);
}

void
out_body(struct slice body)
{
    for (size_t i = 0; i < body.n; i++) {
        if (body.p[i] != '\r')
            putchar(body.p[i]);
    }
}

void
out_json(const struct json *value)
{
    struct buf b;

    buf_init(&b, TEXT_BYTES_MAX);
    json_write(&b, value);
    out_body(buf_slice(&b));
    buf_done(&b);
}

static enum paint
diff_paint(struct slice line, bool in_head)
{
    if (in_head)
        return PAINT_BOLD;
    if (slice_starts(line, SLICE("@@")))
        return PAINT_CYAN;
    if (slice_starts(line, SLICE("+")))
        return PAINT_GREEN;
    return slice_starts(line, SLICE("-")) ? PAINT_RED : PAINT_NONE;
}

static void
print_diff(struct slice diff)
{
    struct slice line;

    for (size_t n = 0; slice_split(&diff, '\n', &line) && diff.p != NULL; n++) {
        enum paint paint = diff_paint(line, n < 2);
        bool painted = paint != PAINT_NONE;

        printf("%s" SLICE_FMT "%s\n", painted ? out_paint(paint) : "", SLICE_ARG(line),
               painted ? out_paint(PAINT_NONE) : "");
    }
}

void
out_diff(struct ctl *ctl, bool differs, struct slice diff)
{
    struct json *object;

    if (!ctl->json) {
        print_diff(diff);
        return;
    }
    object = json_new(&ctl->arena, JSON_OBJECT);
    json_add(object, SLICE("different"), json_new_bool(&ctl->arena, differs));
    json_add(object, SLICE("diff"), json_new_string(&ctl->arena, diff));
    out_json(object);
}

static void
print_text(FILE *to, const struct json *value)
{
    if (value == NULL || value->type != JSON_STRING)
        return;
    for (size_t i = 0; i < value->text.n; i++) {
        char c = value->text.p[i];

        putc(is_control(c) && c != '\n' && c != '\t' ? '?' : c, to);
    }
}

struct slice
out_text(const struct json *value)
{
    return value != NULL && value->type == JSON_STRING ? value->text : SLICE("-");
}

void
out_success(const struct ctl *ctl, const struct ctl_answer *answer)
{
    const struct json *sentence =
        answer->value == NULL ? NULL : json_member(answer->value, "success");

    if (ctl->json || sentence == NULL) {
        out_body(answer->body);
        return;
    }
    print_text(stdout, sentence);
    putchar('\n');
}

void
out_plan(struct ctl *ctl, const struct ctl_answer *answer)
{
    static const struct column columns[] = {{"STEP", false}, {"WHAT", false}};
    const struct json *plan = answer->value == NULL ? NULL : json_member(answer->value, "plan");
    struct table t;

    out_success(ctl, answer);
    if (ctl->json || plan == NULL || plan->n == 0)
        return;
    table_init(&t, &ctl->arena, columns, array_len(columns));
    json_foreach(step, plan)
    {
        const struct json *what = json_get(step, SLICE("step")),
                          *name = json_get(step, SLICE("name"));

        table_cell(&t, PAINT_NONE, SLICE_FMT, SLICE_ARG(out_text(what)));
        table_cell(&t, PAINT_BOLD, SLICE_FMT, SLICE_ARG(out_text(name)));
    }
    table_print(&t);
}

static void
print_place(const struct json *value, const char *origin)
{
    int64_t line = json_member_int(value, "location/line");

    if (origin == NULL || json_member(value, "location") == NULL)
        return;
    if (line > 0)
        fprintf(stderr, "%s:%lld:%lld: ", origin, (long long)line,
                (long long)json_member_int(value, "location/column"));
    else
        fprintf(stderr, "%s: byte %lld: ", origin,
                (long long)json_member_int(value, "location/offset"));
}

void
out_refusal(const struct ctl_answer *answer, const char *origin)
{
    const struct json *value = answer->value;

    fflush(stdout);
    if (value == NULL || json_member(value, "error") == NULL) {
        fprintf(stderr, "broodctl: the server answered with status %u\n", answer->status);
        return;
    }
    fputs("broodctl: ", stderr);
    print_text(stderr, json_member(value, "error"));
    putc('\n', stderr);
    if (json_member(value, "detail") != NULL) {
        print_place(value, origin);
        print_text(stderr, json_member(value, "detail"));
        putc('\n', stderr);
    }
    if (json_member(value, "path") != NULL) {
        fputs("in ", stderr);
        print_text(stderr, json_member(value, "path"));
        putc('\n', stderr);
    }
}
