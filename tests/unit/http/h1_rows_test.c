/*
 * h1_rows_test.c - every row of rows.def through a real connection, cut at every position.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "wire.h"

#define X40  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X120 X40 X40 X40
#define X64M "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM"

struct row {
    const char *name;
    const char *input;
    size_t n;
    const char *story;
    bool eof;
};

static const struct row rows[] = {
#define ROW(name, input, story)     {name, input, sizeof(input) - 1, story, false},
#define EOF_ROW(name, input, story) {name, input, sizeof(input) - 1, story, true},
#include "rows.def"
};

static struct wire wire;

static void
check(const struct row *row, const char *story, const char *how, size_t at)
{
    if (strcmp(story, row->story) != 0)
        fail_msg("row %s, %s %zu:\n  want %s\n  have %s", row->name, how, at, row->story, story);
}

static const char *
tell_split(const struct row *row, size_t at)
{
    wire_connect(&wire);
    wire_send(&wire, row->input, at);
    wire_send(&wire, row->input + at, row->n - at);
    if (row->eof)
        wire_half_close(&wire);
    return wire_story(&wire);
}

static void
run_row(void **state)
{
    const struct row *row = *state;

    for (size_t at = 0; at <= row->n; at++)
        check(row, tell_split(row, at), "split at", at);

    wire_connect(&wire);
    for (size_t i = 0; i < row->n; i++)
        wire_send(&wire, row->input + i, 1);
    if (row->eof)
        wire_half_close(&wire);
    check(row, wire_story(&wire), "bytes", row->n);
    assert_int_equal(wire.begun - wire.done, wire.server.counters.active);
}

/* What follows an error is not a request, whatever it looks like. */
static void
run_followed(void **state)
{
    static const char follower[] = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct row *row = *state;
    char text[4096];

    assert_true(row->n + sizeof(follower) <= sizeof(text));
    memcpy(text, row->input, row->n);
    memcpy(text + row->n, follower, sizeof(follower) - 1);
    wire_connect(&wire);
    wire_send(&wire, text, row->n + sizeof(follower) - 1);
    check(row, wire_story(&wire), "followed", 0);

    wire_connect(&wire);
    wire_send(&wire, row->input, row->n);
    wire_send(&wire, follower, sizeof(follower) - 1);
    check(row, wire_story(&wire), "followed later", 0);
}

/* "... 4xx | close" or 5xx. */
static bool
ends_in_refusal(const char *story)
{
    static const char shape[] = "400 | close";
    size_t n = strlen(story);

    if (n < sizeof(shape) - 1)
        return false;
    story += n - (sizeof(shape) - 1);
    return (story[0] == '4' || story[0] == '5') && strcmp(story + 3, shape + 3) == 0;
}

int
main(void)
{
    static struct CMUnitTest tests[2 * array_len(rows)];
    size_t n = 0;
    int failed;

    for (size_t i = 0; i < array_len(rows); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = run_row, .initial_state = (void *)&rows[i]};
        if (!rows[i].eof && ends_in_refusal(rows[i].story))
            tests[n++] = (struct CMUnitTest){
                .name = rows[i].name, .test_func = run_followed, .initial_state = (void *)&rows[i]};
    }
    wire_init(&wire);
    failed = _cmocka_run_group_tests("rows", tests, n, NULL, NULL);
    wire_done(&wire);
    return failed;
}
