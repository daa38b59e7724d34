/*
 * range_test.c - Range fields by hand, then random ones against a model that never reads text.
 */
#include "router/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct expected {
    const char *field;
    uint64_t size;
    enum range_verdict verdict;
    const char *ranges; /* "at+n at+n" */
};

static const struct expected table[] = {
    {"bytes=0-0", 10, RANGE_PARTS, "0+1"},
    {"bytes=0-", 10, RANGE_PARTS, "0+10"},
    {"bytes=3-5", 10, RANGE_PARTS, "3+3"},
    {"bytes=3-500", 10, RANGE_PARTS, "3+7"},
    {"bytes=-4", 10, RANGE_PARTS, "6+4"},
    {"bytes=-400", 10, RANGE_PARTS, "0+10"},
    {"Bytes=1-1", 10, RANGE_PARTS, "1+1"},
    {"bytes=0-0,-1", 10, RANGE_PARTS, "0+1 9+1"},
    {"bytes= 0-0 ,\t-1 ", 10, RANGE_PARTS, "0+1 9+1"},
    {"bytes=,0-0,,-1,", 10, RANGE_PARTS, "0+1 9+1"},
    {"bytes=5-6,0-1", 10, RANGE_PARTS, "5+2 0+2"},
    {"bytes=0-1,50-60", 10, RANGE_PARTS, "0+2"},
    {"bytes=10-", 10, RANGE_UNSATISFIABLE, ""},
    {"bytes=-0", 10, RANGE_UNSATISFIABLE, ""},
    {"bytes=0-", 0, RANGE_UNSATISFIABLE, ""},
    {"bytes=-5", 0, RANGE_UNSATISFIABLE, ""},
    {"bytes=99999999999999999999999-", 10, RANGE_UNSATISFIABLE, ""},
    {"bytes=0-99999999999999999999999", 10, RANGE_PARTS, "0+10"},
    {"bytes=-99999999999999999999999", 10, RANGE_PARTS, "0+10"},
    {"bytes=18446744073709551615-18446744073709551615", UINT64_MAX, RANGE_UNSATISFIABLE, ""},
    {"bytes=0-18446744073709551615", UINT64_MAX, RANGE_PARTS, "0+18446744073709551615"},
    /* malformed: as if it were not there */
    {"bytes=5-3", 10, RANGE_WHOLE, ""},
    {"bytes=0-0,5-3", 10, RANGE_WHOLE, ""},
    {"bytes=", 10, RANGE_WHOLE, ""},
    {"bytes=,", 10, RANGE_WHOLE, ""},
    {"bytes=-", 10, RANGE_WHOLE, ""},
    {"bytes=x-1", 10, RANGE_WHOLE, ""},
    {"bytes=0x1-2", 10, RANGE_WHOLE, ""},
    {"bytes=1", 10, RANGE_WHOLE, ""},
    {"bytes=+1-2", 10, RANGE_WHOLE, ""},
    {"bytes=1-2-3", 10, RANGE_WHOLE, ""},
    {"bytes=1 -2", 10, RANGE_WHOLE, ""},
    {"bytes 0-1", 10, RANGE_WHOLE, ""},
    {"lines=0-1", 10, RANGE_WHOLE, ""},
    {"", 10, RANGE_WHOLE, ""},
    /* more than there is: not worth it */
    {"bytes=0-9,0-9", 10, RANGE_WHOLE, ""},
    {"bytes=0-,0-,0-", 10, RANGE_WHOLE, ""},
    {"bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0", 100, RANGE_WHOLE,
     ""},
};

static void
print_ranges(char *to, size_t room, const struct range *r, unsigned n)
{
    size_t at = 0;

    to[0] = '\0';
    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(to + at, room - at, "%s%llu+%llu", i > 0 ? " " : "",
                               (unsigned long long)r[i].at, (unsigned long long)r[i].n);
}

static void
fields_are_read_as_the_rfc_says(void **state br_unused)
{
    for (size_t i = 0; i < array_len(table); i++) {
        const struct expected *e = &table[i];
        struct range r[RANGES_MAX];
        char text[1024];
        unsigned n = 0;
        enum range_verdict v = range_parse(slice_cstr(e->field), e->size, r, &n);

        print_ranges(text, sizeof(text), r, n);
        if (v != e->verdict || strcmp(text, e->ranges) != 0)
            fail_msg("\"%s\" of %llu: verdict %d, \"%s\"", e->field, (unsigned long long)e->size,
                     (int)v, text);
    }
}

/* What the text was made of; the model looks at nothing else. */
struct asked {
    bool suffix, open;
    unsigned first, last;
};

static struct asked
random_asked(unsigned size)
{
    return (struct asked){.suffix = rand() % 4 == 0,
                          .open = rand() % 4 == 0,
                          .first = (unsigned)rand() % (size + 3),
                          .last = (unsigned)rand() % (2 * size + 3)};
}

static int
print_asked(char *to, size_t room, const struct asked *a)
{
    if (a->suffix)
        return snprintf(to, room, "-%u", a->last);
    if (a->open)
        return snprintf(to, room, "%u-", a->first);
    return snprintf(to, room, "%u-%u", a->first, a->last);
}

/* -1: malformed; else how many of the bytes 0..size-1 belong to it, the first in *ret_first. */
static int
model_count(const struct asked *a, unsigned size, unsigned *ret_first)
{
    int n = 0;

    if (!a->suffix && !a->open && a->last < a->first)
        return -1;
    for (unsigned byte = size; byte-- > 0;) {
        bool in =
            a->suffix ? byte + a->last >= size : byte >= a->first && (a->open || byte <= a->last);

        if (in) {
            n++;
            *ret_first = byte;
        }
    }
    return n;
}

static void
check_random(void)
{
    unsigned size = (unsigned)rand() % 30, n_asked = 1 + (unsigned)rand() % 4, n_expected = 0;
    unsigned total = 0, n = 0;
    struct range got[RANGES_MAX], expected[RANGES_MAX];
    bool malformed = false;
    char text[256] = "bytes=";
    size_t at = 6;
    enum range_verdict v, want;

    for (unsigned i = 0; i < n_asked; i++) {
        struct asked a = random_asked(size);
        unsigned first = 0;
        int count = model_count(&a, size, &first);

        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", i > 0 ? ", " : "");
        at += (size_t)print_asked(text + at, sizeof(text) - at, &a);
        malformed |= count < 0;
        if (count > 0) {
            expected[n_expected++] = (struct range){first, (uint64_t)count};
            total += (unsigned)count;
        }
    }
    want = malformed || (n_expected > 1 && total > size) ? RANGE_WHOLE
           : n_expected == 0                             ? RANGE_UNSATISFIABLE
                                                         : RANGE_PARTS;
    v = range_parse(slice_cstr(text), size, got, &n);
    if (v != want)
        fail_msg("\"%s\" of %u: verdict %d, not %d", text, size, (int)v, (int)want);
    if (v == RANGE_PARTS) {
        assert_int_equal(n, n_expected);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(got[i].at, expected[i].at);
            assert_int_equal(got[i].n, expected[i].n);
        }
    }
}

static void
random_fields_agree_with_the_model(void **state br_unused)
{
    srand(20261124);
    for (int i = 0; i < 200000; i++)
        check_random();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_the_rfc_says),
        cmocka_unit_test(random_fields_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
