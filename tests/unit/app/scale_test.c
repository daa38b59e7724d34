/* The rules of how many workers there are, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/scale.h"

#define NOW 100000

#define STARTING             \
    {                        \
        SCALE_STARTING, 0, 0 \
    }
#define IDLE_FOR(ms)              \
    {                             \
        SCALE_IDLE, 0, NOW - (ms) \
    }
#define BUSY             \
    {                    \
        SCALE_BUSY, 1, 0 \
    }
#define BUSY_WITH(n)       \
    {                      \
        SCALE_BUSY, (n), 0 \
    }
#define DRAINING             \
    {                        \
        SCALE_DRAINING, 1, 0 \
    }

struct row {
    const char *what;
    struct scale_rules rules;
    struct scale_worker workers[6];
    unsigned n;
    unsigned waiting;
    int64_t hold_until_ms;
    bool draining;
    struct scale_plan plan;
};

static const struct row rows[] = {
    {"all of a fixed number are started at once", {4, 4, 0}, {}, 0, 0, 0, false, {4, -1, -1}},
    {"one of a fixed number is replaced",
     {3, 3, 0},
     {BUSY, IDLE_FOR(1)},
     2,
     0,
     0,
     false,
     {1, -1, -1}},
    {"a fixed number never shrinks",
     {2, 2, 0},
     {IDLE_FOR(99999), IDLE_FOR(99999)},
     2,
     0,
     0,
     false,
     {0, -1, -1}},
    {"without spare ones nothing starts before a request",
     {3, 0, 5000},
     {},
     0,
     0,
     0,
     false,
     {0, -1, -1}},
    {"a waiting request starts one", {3, 0, 5000}, {}, 0, 1, 0, false, {1, -1, -1}},
    {"one at a time without spare ones", {3, 0, 5000}, {}, 0, 9, 0, false, {1, -1, -1}},
    {"none while one is starting", {3, 0, 5000}, {STARTING}, 1, 9, 0, false, {0, -1, -1}},
    {"as many as spare at a time", {9, 2, 5000}, {BUSY, BUSY}, 2, 9, 0, false, {2, -1, -1}},
    {"max is a ceiling", {2, 2, 5000}, {BUSY, BUSY}, 2, 9, 0, false, {0, -1, -1}},
    {"max counts those that start", {3, 2, 5000}, {BUSY, STARTING}, 2, 9, 0, false, {1, -1, -1}},
    {"max does not count those that drain", {1, 1, 5000}, {DRAINING}, 1, 0, 0, false, {1, -1, -1}},
    {"spare ones are refilled", {9, 2, 5000}, {BUSY, IDLE_FOR(1)}, 2, 0, 0, false, {1, -1, -1}},
    {"one that starts is as good as idle",
     {9, 1, 5000},
     {BUSY, STARTING},
     2,
     0,
     0,
     false,
     {0, -1, -1}},
    {"an idle one takes what waits",
     {9, 1, 5000},
     {BUSY, IDLE_FOR(1)},
     2,
     1,
     0,
     false,
     {0, -1, NOW + 5000}},
    {"threads: requests count, not processes",
     {9, 0, 5000},
     {BUSY_WITH(4)},
     1,
     0,
     0,
     false,
     {1, -1, NOW + 5000}},
    {"too many idle: wait for the oldest",
     {9, 1, 5000},
     {IDLE_FOR(1000), IDLE_FOR(3000)},
     2,
     0,
     0,
     false,
     {0, -1, NOW + 2000}},
    {"too many idle: the oldest goes",
     {9, 1, 5000},
     {IDLE_FOR(1000), IDLE_FOR(5000)},
     2,
     0,
     0,
     false,
     {0, 1, NOW}},
    {"spare ones stay", {9, 1, 5000}, {IDLE_FOR(99999)}, 1, 0, 0, false, {0, -1, -1}},
    {"busy ones beyond spare are looked at again",
     {9, 1, 5000},
     {BUSY, BUSY, IDLE_FOR(0)},
     3,
     0,
     0,
     false,
     {0, -1, NOW + 5000}},
    {"no spin when the timeout is zero", {9, 0, 0}, {BUSY}, 1, 0, 0, false, {0, -1, NOW + 100}},
    {"zero timeout: idle ones go at once", {9, 0, 0}, {IDLE_FOR(0)}, 1, 0, 0, false, {0, 0, NOW}},
    {"after quick deaths nothing starts for a while",
     {2, 2, 0},
     {BUSY},
     1,
     1,
     NOW + 400,
     false,
     {0, -1, NOW + 400}},
    {"the while is over", {2, 2, 0}, {BUSY}, 1, 1, NOW, false, {1, -1, -1}},
    {"a retired instance keeps none spare", {4, 4, 0}, {}, 0, 0, 0, true, {0, -1, -1}},
    {"a retired instance serves what waits", {4, 4, 0}, {DRAINING}, 1, 2, 0, true, {1, -1, -1}},
};

static void
each_row_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        const struct row *r = &rows[i];
        struct scale_view view = {.workers = r->workers,
                                  .n_workers = r->n,
                                  .waiting = r->waiting,
                                  .now_ms = NOW,
                                  .hold_until_ms = r->hold_until_ms,
                                  .draining = r->draining};
        struct scale_plan plan = scale_decide(&r->rules, &view);

        if (plan.start != r->plan.start || plan.retire != r->plan.retire ||
            plan.look_ms != r->plan.look_ms)
            fail_msg("%s: start %u, retire %d, look %lld", r->what, plan.start, plan.retire,
                     (long long)(plan.look_ms < 0 ? -1 : plan.look_ms - NOW));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
