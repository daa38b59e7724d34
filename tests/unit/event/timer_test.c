/*
 * timer_test.c - the heap against a plain array, and what a timer may do while timers run.
 */
#include "event/timer.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static int
make_timers(void **state)
{
    struct timers *ts = malloc(sizeof(*ts));

    timers_init(ts);
    *state = ts;
    return 0;
}

static int
drop_timers(void **state)
{
    timers_done(*state);
    free(*state);
    return 0;
}

struct counted {
    struct timer timer;
    int fired;
    int64_t fired_at;
};

static int64_t now;

static void
count(struct timer *t)
{
    struct counted *c = container_of(t, struct counted, timer);

    c->fired++;
    c->fired_at = now;
}

static void
run(struct timers *ts, int64_t to_ms)
{
    now = to_ms;
    timers_run(ts, to_ms);
}

static void
a_timer_fires_once_when_it_is_due(void **state)
{
    struct timers *ts = *state;
    struct counted c = {0};

    timer_init(&c.timer, count);
    assert_int_equal(timers_wait_ms(ts, 0), -1);
    timer_set(ts, &c.timer, 100);
    assert_true(timer_is_set(&c.timer));
    assert_int_equal(timers_wait_ms(ts, 40), 60);
    run(ts, 99);
    assert_int_equal(c.fired, 0);
    run(ts, 100);
    assert_int_equal(c.fired, 1);
    assert_false(timer_is_set(&c.timer));
    run(ts, 1000);
    assert_int_equal(c.fired, 1);
}

static void
waiting_is_bounded_on_both_sides(void **state)
{
    struct timers *ts = *state;
    struct counted c = {0};

    timer_init(&c.timer, count);
    timer_set(ts, &c.timer, 100);
    assert_int_equal(timers_wait_ms(ts, 100), 0);
    assert_int_equal(timers_wait_ms(ts, 5000), 0);
    timer_cancel(ts, &c.timer);
    timer_set(ts, &c.timer, INT64_MAX);
    assert_int_equal(timers_wait_ms(ts, 0), INT_MAX);
    timer_cancel(ts, &c.timer);
}

static void
moving_later_costs_no_move_and_wakes_nobody_early(void **state)
{
    struct timers *ts = *state;
    struct counted c = {0}, other = {0};

    timer_init(&c.timer, count);
    timer_init(&other.timer, count);
    timer_set(ts, &c.timer, 100);
    timer_set(ts, &other.timer, 300);
    timer_set(ts, &c.timer, 200);
    timer_set(ts, &c.timer, 400);
    assert_int_equal(c.timer.key_ms, 100);
    assert_ptr_equal(ts->heap[0], &c.timer);
    assert_int_equal(timers_wait_ms(ts, 0), 300);
    assert_int_equal(c.timer.key_ms, 400);
    run(ts, 399);
    assert_int_equal(c.fired, 0);
    assert_int_equal(other.fired, 1);
    run(ts, 400);
    assert_int_equal(c.fired, 1);
}

static void
moving_later_and_back_is_exact(void **state)
{
    struct timers *ts = *state;
    struct counted c = {0};

    timer_init(&c.timer, count);
    timer_set(ts, &c.timer, 100);
    timer_set(ts, &c.timer, 500);
    timer_set(ts, &c.timer, 250);
    assert_int_equal(timers_wait_ms(ts, 0), 250);
    timer_set(ts, &c.timer, 50);
    assert_int_equal(timers_wait_ms(ts, 0), 50);
    run(ts, 50);
    assert_int_equal(c.fired, 1);
}

static void
cancelling_twice_is_harmless(void **state)
{
    struct timers *ts = *state;
    struct counted c = {0};

    timer_init(&c.timer, count);
    timer_cancel(ts, &c.timer);
    timer_set(ts, &c.timer, 1);
    timer_cancel(ts, &c.timer);
    timer_cancel(ts, &c.timer);
    run(ts, 10);
    assert_int_equal(c.fired, 0);
}

struct chain {
    struct timer timer;
    struct timers *ts;
    struct chain *victim;
    int64_t again;
    int fired;
};

static void
act(struct timer *t)
{
    struct chain *c = container_of(t, struct chain, timer);

    c->fired++;
    if (c->victim != NULL)
        timer_cancel(c->ts, &c->victim->timer);
    if (c->again >= 0)
        timer_set(c->ts, t, c->again);
}

static void
a_timer_may_cancel_another_that_is_due(void **state)
{
    struct timers *ts = *state;
    struct chain second = {.ts = ts, .again = -1}, first = {.ts = ts, .again = -1};

    first.victim = &second;
    timer_init(&first.timer, act);
    timer_init(&second.timer, act);
    timer_set(ts, &first.timer, 1);
    timer_set(ts, &second.timer, 2);
    run(ts, 10);
    assert_int_equal(first.fired, 1);
    assert_int_equal(second.fired, 0);
}

static void
a_timer_that_sets_itself_for_now_does_not_hold_the_turn(void **state)
{
    struct timers *ts = *state;
    struct chain c = {.ts = ts, .again = 10};

    timer_init(&c.timer, act);
    timer_set(ts, &c.timer, 10);
    run(ts, 10);
    assert_int_equal(c.fired, 1);
    assert_int_equal(timers_wait_ms(ts, 10), 0);
    run(ts, 10);
    assert_int_equal(c.fired, 2);
    timer_cancel(ts, &c.timer);
}

static void
free_itself(struct timer *t)
{
    free(container_of(t, struct counted, timer));
}

static void
a_timer_may_free_its_object(void **state)
{
    struct timers *ts = *state;

    for (int i = 0; i < 10; i++) {
        struct counted *c = calloc(1, sizeof(*c));

        timer_init(&c->timer, free_itself);
        timer_set(ts, &c->timer, i);
    }
    run(ts, 100);
    assert_int_equal(ts->n, 0);
}

static void
done_leaves_no_timer_set(void **state)
{
    struct timers *ts = *state;
    struct counted c = {0};

    timer_init(&c.timer, count);
    timer_set(ts, &c.timer, 1);
    timers_done(ts);
    assert_false(timer_is_set(&c.timer));
    timer_cancel(ts, &c.timer);
    timer_set(ts, &c.timer, 1);
    run(ts, 1);
    assert_int_equal(c.fired, 1);
}

enum { TIMERS = 10000, STEPS = 200000, SPAN_MS = 20000 };

/*
 * Ten thousand timers set, moved and cancelled at random over a clock that goes on: each fires at
 * the first run at or after its due time, never before, and the wait is always that of the
 * earliest.
 */
static void
ten_thousand_timers_agree_with_a_model(void **state)
{
    static struct counted timers[TIMERS];
    static int64_t due[TIMERS]; /* the model: -1 is not set */
    struct timers *ts = *state;
    int64_t clock = 0;

    srandom(2);
    for (int i = 0; i < TIMERS; i++) {
        timer_init(&timers[i].timer, count);
        due[i] = -1;
    }
    for (int step = 0; step < STEPS; step++) {
        int i = (int)(random() % TIMERS);

        if (random() % 8 == 0) {
            timer_cancel(ts, &timers[i].timer);
            due[i] = -1;
        } else {
            due[i] = clock + random() % SPAN_MS;
            timer_set(ts, &timers[i].timer, due[i]);
        }
        if (step % 500 != 0)
            continue;

        int64_t first = INT64_MAX;

        for (int k = 0; k < TIMERS; k++)
            if (due[k] >= 0)
                first = br_min(first, due[k]);
        assert_int_equal(timers_wait_ms(ts, clock), br_max(first - clock, (int64_t)0));
        clock += random() % 200;
        run(ts, clock);
        for (int k = 0; k < TIMERS; k++) {
            bool expect = due[k] >= 0 && due[k] <= clock;

            assert_int_equal(timers[k].fired, expect);
            assert_int_equal(timer_is_set(&timers[k].timer), due[k] > clock);
            if (expect)
                due[k] = -1;
            timers[k].fired = 0;
        }
    }
}

static int64_t last_due;

static void
check_order(struct timer *t)
{
    assert_true(t->due_ms >= last_due);
    last_due = t->due_ms;
}

static void
timers_fire_in_the_order_of_their_times(void **state)
{
    static struct timer timers[TIMERS];
    struct timers *ts = *state;

    srandom(3);
    for (int i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], check_order);
        timer_set(ts, &timers[i], random() % SPAN_MS);
    }
    for (int i = 0; i < TIMERS; i += 3)
        timer_set(ts, &timers[i], random() % SPAN_MS);
    last_due = 0;
    run(ts, SPAN_MS);
    assert_int_equal(ts->n, 0);
    assert_true(last_due > SPAN_MS / 2);
}

#define with_timers(test) cmocka_unit_test_setup_teardown(test, make_timers, drop_timers)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_timers(a_timer_fires_once_when_it_is_due),
        with_timers(waiting_is_bounded_on_both_sides),
        with_timers(moving_later_costs_no_move_and_wakes_nobody_early),
        with_timers(moving_later_and_back_is_exact),
        with_timers(cancelling_twice_is_harmless),
        with_timers(a_timer_may_cancel_another_that_is_due),
        with_timers(a_timer_that_sets_itself_for_now_does_not_hold_the_turn),
        with_timers(a_timer_may_free_its_object),
        with_timers(done_leaves_no_timer_set),
        with_timers(ten_thousand_timers_agree_with_a_model),
        with_timers(timers_fire_in_the_order_of_their_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
