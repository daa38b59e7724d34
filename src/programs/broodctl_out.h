/*
 * broodctl_out.h - what broodctl prints: tables, answers, refusals; colours on terminals only.
 */
#ifndef PROGRAMS_BROODCTL_OUT_H
#define PROGRAMS_BROODCTL_OUT_H

#include "conf/json.h"
#include "programs/broodctl_http.h"

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_GREEN, PAINT_YELLOW, PAINT_CYAN };

/* The sequence that switches to a colour on stdout, or "" when stdout is no terminal that knows. */
const char *out_paint(enum paint paint);
/* The colour of a worker's state. */
enum paint out_state_paint(struct slice state);
bool out_is_terminal(void);

struct column {
    const char *title;
    bool right; /* aligned: numbers */
};

struct table {
    struct arena *arena;
    const struct column *columns;
    unsigned n_columns;
    struct table_row *first;
    struct table_row *last;
    unsigned at; /* the cell that comes next in the last row */
};

/* columns stays the caller's; cells live in the arena. */
void table_init(struct table *t, struct arena *a, const struct column *columns, unsigned n);
/* The next cell; rows begin by themselves. */
void table_cell(struct table *t, enum paint paint, const char *fmt, ...) br_printf(3, 4);
/* "12.3M", "640B"; a negative number is unknown: "-". */
void table_bytes(struct table *t, int64_t bytes);
/* "2h05m"; a negative number is unknown: "-". */
void table_age(struct table *t, int64_t ms);
/* Titles, then rows, to stdout. */
void table_print(const struct table *t);

/* A string's text; "-" when it is none. */
struct slice out_text(const struct json *value);

/* A body as the API wrote it, with the line ends of this system. */
void out_body(struct slice body);
/* A unified diff; with --json an object around it. */
void out_diff(struct ctl *ctl, bool differs, struct slice diff);
/* A tree in the layout of the API. */
void out_json(const struct json *value);
/* What a change answered: its one sentence, or with --json all of it. */
void out_success(const struct ctl *ctl, const struct ctl_answer *answer);
/* What a dry run answered: a step a line, or with --json all of it. */
void out_plan(struct ctl *ctl, const struct ctl_answer *answer);
/* Title, place, reason, path on stderr.  origin: what the body is called, NULL: it had none. */
void out_refusal(const struct ctl_answer *answer, const char *origin);

#endif
