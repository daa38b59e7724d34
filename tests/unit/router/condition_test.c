/*
 * condition_test.c - every order and form of RFC 9110, 13.
 */
#include "router/condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* Of the representation: 784111777 is the date of the RFC's examples. */
#define ETAG    "\"abc-12\""
#define WHEN    784111777
#define SAME    "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE  "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER   "Sun, 06 Nov 1994 08:49:38 GMT"
#define RFC850  "Sunday, 06-Nov-94 08:49:37 GMT"
#define ASCTIME "Sun Nov  6 08:49:37 1994"

struct expected {
    const char *match, *none_match, *modified, *unmodified;
    unsigned status;
};

static const struct expected table[] = {
    {NULL, NULL, NULL, NULL, 0},
    {ETAG, NULL, NULL, NULL, 0},
    {"*", NULL, NULL, NULL, 0},
    {" * ", NULL, NULL, NULL, 0},
    {"\"x\", " ETAG, NULL, NULL, NULL, 0},
    {"\"x\"," ETAG ",\"y\"", NULL, NULL, NULL, 0},
    {"\"x\"", NULL, NULL, NULL, 412},
    {"W/" ETAG, NULL, NULL, NULL, 412}, /* strong comparison */
    {"", NULL, NULL, NULL, 412},
    {"abc-12", NULL, NULL, NULL, 412}, /* no entity tag at all */
    {"\"abc-12", NULL, NULL, NULL, 412},
    {NULL, ETAG, NULL, NULL, 304},
    {NULL, "W/" ETAG, NULL, NULL, 304}, /* weak comparison */
    {NULL, "*", NULL, NULL, 304},
    {NULL, "\"x\", W/\"y\", " ETAG, NULL, NULL, 304},
    {NULL, "\"x\"", NULL, NULL, 0},
    {NULL, "w/" ETAG, NULL, NULL, 0}, /* W is case-sensitive */
    {NULL, NULL, SAME, NULL, 304},
    {NULL, NULL, AFTER, NULL, 304},
    {NULL, NULL, BEFORE, NULL, 0},
    {NULL, NULL, RFC850, NULL, 304},
    {NULL, NULL, ASCTIME, NULL, 304},
    {NULL, NULL, "yesterday", NULL, 0},
    {NULL, NULL, "", NULL, 0},
    {NULL, NULL, NULL, SAME, 0},
    {NULL, NULL, NULL, AFTER, 0},
    {NULL, NULL, NULL, BEFORE, 412},
    {NULL, NULL, NULL, "yesterday", 0},
    /* one field makes another one void */
    {ETAG, NULL, NULL, BEFORE, 0},
    {"\"x\"", NULL, NULL, SAME, 412},
    {NULL, "\"x\"", SAME, NULL, 0},
    {NULL, ETAG, BEFORE, NULL, 304},
    {ETAG, ETAG, NULL, NULL, 304},
    {"\"x\"", ETAG, NULL, NULL, 412},
    {NULL, ETAG, NULL, BEFORE, 412},
};

static struct slice
value(const char *text)
{
    return text != NULL ? slice_cstr(text) : SLICE_NONE;
}

static void
preconditions_are_taken_in_the_order_of_the_rfc(void **state br_unused)
{
    const struct validators v = {.etag = SLICE(ETAG), .modified = WHEN};

    for (size_t i = 0; i < array_len(table); i++) {
        const struct expected *e = &table[i];
        const struct conditions c = {.if_match = value(e->match),
                                     .if_none_match = value(e->none_match),
                                     .if_modified_since = value(e->modified),
                                     .if_unmodified_since = value(e->unmodified)};
        unsigned status = condition_check(&c, &v);

        if (status != e->status)
            fail_msg("row %zu: %u", i, status);
    }
}

static void
a_range_counts_only_for_the_very_same_representation(void **state br_unused)
{
    static const struct {
        const char *if_range;
        bool holds;
    } rows[] = {
        {NULL, true},       {ETAG, true},        {" " ETAG " ", true}, {"\"x\"", false},
        {"W/" ETAG, false}, {SAME, true},        {BEFORE, false},      {AFTER, false},
        {"", false},        {"nonsense", false}, {RFC850, true},
    };
    const struct validators v = {.etag = SLICE(ETAG), .modified = WHEN};

    for (size_t i = 0; i < array_len(rows); i++) {
        const struct conditions c = {.if_range = value(rows[i].if_range)};

        if (condition_range_holds(&c, &v) != rows[i].holds)
            fail_msg("row %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preconditions_are_taken_in_the_order_of_the_rfc),
        cmocka_unit_test(a_range_counts_only_for_the_very_same_representation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
