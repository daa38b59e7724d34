/*
 * lane_test.c - a worker's side: sleeping without missing a wake, chunks, draining, the undertaker.
 *
 * Sleepers are threads.  A test waits until one really sleeps by looking at the bits that the
 * protocol itself uses.
 */
#include "nest_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "nest/layout.h"
#include "nest/slots.h"
#include "nest/wake.h"

static void
wait_for_bit(_Atomic(uint64_t) *word, unsigned lane)
{
    while ((atomic_load(word) & nest_bit(lane)) == 0)
        sched_yield();
}

struct sleeper {
    struct lane *lane;
    struct claim claim;
    bool found;
    int chunk;
    char *p;
};

static void *
sleep_and_claim(void *arg)
{
    struct sleeper *s = arg;

    while (!(s->found = lane_claim(s->lane, &s->claim)))
        lane_sleep(s->lane, -1);
    return NULL;
}

static void *
wait_for_chunk(void *arg)
{
    struct sleeper *s = arg;

    s->chunk = lane_chunk(s->lane, &s->claim, &s->p);
    return NULL;
}

static pthread_t
start(void *(*run)(void *), struct sleeper *s)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, s), 0);
    return thread;
}

static void
a_sleeping_lane_is_woken_for_work(void **state)
{
    struct fixture *f = *state;
    struct sleeper s = {.lane = f->lane[0]};
    pthread_t thread = start(sleep_and_claim, &s);

    wait_for_bit(&f->nest->map->idle, 0);
    assert_true(port_any_idle(f->port));
    fixture_ask(f, "x");
    port_wake(f->port, -1);
    pthread_join(thread, NULL);
    assert_true(s.found);
    assert_false(port_any_idle(f->port));
}

static void
a_lane_does_not_fall_asleep_on_work_or_a_notice(void **state)
{
    struct fixture *f = *state;

    fixture_ask(f, "x"); /* and nobody wakes */
    lane_sleep(f->lane[0], -1);
    nest_notify(f->nest, 1);
    lane_sleep(f->lane[1], -1);
    assert_true(lane_notice(f->lane[1]));
    assert_false(lane_notice(f->lane[1]));
}

static void
a_sleep_ends_after_its_time(void **state)
{
    struct fixture *f = *state;

    lane_sleep(f->lane[0], 1);
    assert_false(port_any_idle(f->port));
}

static void *
sleep_for_notice(void *arg)
{
    struct sleeper *s = arg;

    while (!(s->found = lane_notice(s->lane)))
        lane_sleep(s->lane, -1);
    return NULL;
}

static void
a_notice_wakes_a_sleeping_lane(void **state)
{
    struct fixture *f = *state;
    struct sleeper s = {.lane = f->lane[2]};
    pthread_t thread = start(sleep_for_notice, &s);

    wait_for_bit(&f->nest->map->idle, 2);
    nest_notify(f->nest, 2);
    pthread_join(thread, NULL);
    assert_true(s.found);
}

/* Claims a request and fills all chunks of the lane with pieces of it. */
static struct sleeper
use_up_chunks(struct fixture *f)
{
    struct sleeper s = {.lane = f->lane[0]};

    fixture_ask(f, "x");
    assert_true(lane_claim(s.lane, &s.claim));
    for (unsigned i = 0; i < NEST_CHUNKS; i++) {
        int chunk = lane_chunk(s.lane, &s.claim, &s.p);

        assert_true(chunk >= 0);
        lane_publish(s.lane, &s.claim, chunk, 1, 0);
    }
    assert_int_equal(lane_chunk_try(s.lane, &s.claim, &s.p), -EAGAIN);
    fixture_collect(f);
    return s;
}

static void
a_lane_without_a_chunk_sleeps_until_one_comes_back(void **state)
{
    struct fixture *f = *state;
    struct sleeper s = use_up_chunks(f);
    pthread_t thread = start(wait_for_chunk, &s);

    wait_for_bit(&f->nest->map->starving, 0);
    assert_false(port_any_idle(f->port)); /* it is not to be woken for work */
    port_chunk_done(f->port, 0, f->piece[3].chunk);
    pthread_join(thread, NULL);
    assert_int_equal(s.chunk, f->piece[3].chunk);
}

static void
a_lane_without_a_chunk_is_woken_when_its_request_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct sleeper s = use_up_chunks(f);
    pthread_t thread = start(wait_for_chunk, &s);

    wait_for_bit(&f->nest->map->starving, 0);
    assert_false(port_cancel(f->port, s.claim.slot));
    pthread_join(thread, NULL);
    assert_int_equal(s.chunk, -ECONNRESET);
}

static void
a_lane_without_a_chunk_is_woken_when_its_router_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct sleeper s = use_up_chunks(f);
    pthread_t thread = start(wait_for_chunk, &s);

    wait_for_bit(&f->nest->map->starving, 0);
    port_close(f->port);
    assert_int_equal(port_open(f->nest, 0, &fixture_ops, f, &f->port, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(s.chunk, -ECONNRESET);
}

static void
a_lane_without_a_chunk_is_woken_by_a_notice(void **state)
{
    struct fixture *f = *state;
    struct sleeper s = use_up_chunks(f);
    pthread_t thread = start(wait_for_chunk, &s);

    wait_for_bit(&f->nest->map->starving, 0);
    nest_notify(f->nest, 0);
    pthread_join(thread, NULL);
    assert_int_equal(s.chunk, -EINTR);
}

static void
an_unused_chunk_can_be_given_back(void **state)
{
    struct fixture *f = *state;
    struct claim c;
    char *p;

    fixture_ask(f, "x");
    assert_true(lane_claim(f->lane[0], &c));
    for (unsigned i = 0; i < 3 * NEST_CHUNKS; i++)
        lane_chunk_drop(f->lane[0], lane_chunk(f->lane[0], &c, &p));
}

static void
a_draining_lane_claims_nothing_and_hands_its_wake_on(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    fixture_ask(f, "x");
    atomic_store(&f->nest->map->idle, 3);
    lane_set_draining(f->lane[0]);
    assert_int_equal(atomic_load(&f->nest->map->idle), 0);
    assert_int_equal(atomic_load(&f->nest->map->lane[1].work_token), 1);
    assert_false(lane_claim(f->lane[0], &c));
    assert_true(lane_claim(f->lane[1], &c));
}

static void
routers_are_served_in_turn(void **state)
{
    struct fixture *f = *state;
    struct port *other;
    struct claim c;
    unsigned order = 0;

    assert_int_equal(port_open(f->nest, 1, &fixture_ops, f, &other, NULL), 0);
    for (unsigned i = 0; i < 2; i++) {
        int slot = port_slot_take(other);

        fixture_ask(f, "x");
        port_publish(other, (uint32_t)slot, 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_true(lane_claim(f->lane[0], &c));
        order = order << 1 | c.router;
    }
    assert_int_equal(order, 5);
    port_close(other);
}

static void
a_view_shows_what_a_lane_does(void **state)
{
    struct fixture *f = *state;
    struct lane_view view;
    struct claim c;

    nest_lane_view(f->nest, 1, &view);
    assert_true(view.open && !view.busy && view.idle_since_ms != 0);
    fixture_ask(f, "x");
    assert_true(lane_claim(f->lane[1], &c));
    nest_lane_view(f->nest, 1, &view);
    assert_true(view.busy && view.busy_since_ms != 0 && view.idle_since_ms == 0);
    assert_int_equal(view.requests, 1);
    assert_int_equal(view.slot, c.slot);
    assert_int_equal(view.generation, c.generation);
    fixture_answer(f->lane[1], &c, "y");
    nest_lane_view(f->nest, 1, &view);
    assert_true(!view.busy && view.idle_since_ms != 0);
    nest_lane_view(f->nest, NEST_LANES, &view);
    assert_false(view.open);
}

/* --- the undertaker --- */

static void
burial_frees_what_was_not_committed_and_wakes_everybody(void **state)
{
    struct fixture *f = *state;
    struct nest_map *map = f->nest->map;
    struct claim c;
    char *p;

    fixture_ask(f, "x");
    assert_true(lane_claim(f->lane[0], &c));
    lane_publish(f->lane[0], &c, lane_chunk(f->lane[0], &c, &p), 1, 0);
    assert_int_equal(lane_chunk(f->lane[0], &c, &p), 1);
    atomic_store(&map->idle, 1); /* it died asleep, and with a wake that it owed to lane 1 */
    fixture_kill(f, 0);
    assert_int_equal(atomic_load(&map->idle), 0);
    assert_int_not_equal(atomic_load(&map->lane[0].chunk[0]), 0);
    assert_int_equal(atomic_load(&map->lane[0].chunk[1]), 0);
    assert_int_equal(atomic_load(&map->lane[1].work_token), 1);
    assert_int_equal(atomic_load(&map->lane[2].chunk_token), 1);
    assert_true(fixture_events(f->wakefd[0]) != 0);
    assert_int_equal(slot_word_state(slot_load(&map->router[0].slot[c.slot])), SLOT_ORPHANED);
}

static void
a_successor_goes_on_where_the_dead_lane_stopped(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    for (unsigned i = 0; i < 3; i++) {
        fixture_ask(f, "x");
        assert_true(lane_claim(f->lane[0], &c));
        fixture_answer(f->lane[0], &c, "y");
        fixture_kill(f, 0);
        assert_int_equal(lane_open(f->nest, 0, f->wakefd, 2, &f->lane[0], NULL), 0);
    }
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 3);
    assert_int_equal(f->n_orphans, 0);
}

static void
the_router_of_a_dead_lane_is_woken_even_if_the_dead_had_set_the_bit(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    fixture_ask(f, "x");
    assert_true(lane_claim(f->lane[0], &c));
    fixture_collect(f);
    assert_true(port_may_sleep(f->port));
    atomic_fetch_or(&f->nest->map->router[0].dirty, 1); /* and killed before the write */
    fixture_kill(f, 0);
    assert_int_equal(fixture_events(f->wakefd[0]), 1);
}

static void
lanes_and_routers_out_of_range_are_refused(void **state)
{
    struct fixture *f = *state;
    struct lane *lane = NULL;
    struct port *port = NULL;
    struct br_err err = BR_ERR_NONE;

    assert_int_equal(lane_open(f->nest, NEST_LANES, f->wakefd, 2, &lane, &err), -EINVAL);
    assert_int_equal(port_open(f->nest, NEST_ROUTERS, &fixture_ops, f, &port, NULL), -EINVAL);
    assert_true(lane == NULL && port == NULL && err.text[0] != '\0');
}

#define lane_test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        lane_test(a_sleeping_lane_is_woken_for_work),
        lane_test(a_lane_does_not_fall_asleep_on_work_or_a_notice),
        lane_test(a_sleep_ends_after_its_time),
        lane_test(a_notice_wakes_a_sleeping_lane),
        lane_test(a_lane_without_a_chunk_sleeps_until_one_comes_back),
        lane_test(a_lane_without_a_chunk_is_woken_when_its_request_is_cancelled),
        lane_test(a_lane_without_a_chunk_is_woken_when_its_router_is_replaced),
        lane_test(a_lane_without_a_chunk_is_woken_by_a_notice),
        lane_test(an_unused_chunk_can_be_given_back),
        lane_test(a_draining_lane_claims_nothing_and_hands_its_wake_on),
        lane_test(routers_are_served_in_turn),
        lane_test(a_view_shows_what_a_lane_does),
        lane_test(burial_frees_what_was_not_committed_and_wakes_everybody),
        lane_test(a_successor_goes_on_where_the_dead_lane_stopped),
        lane_test(the_router_of_a_dead_lane_is_woken_even_if_the_dead_had_set_the_bit),
        lane_test(lanes_and_routers_out_of_range_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
