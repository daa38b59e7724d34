/*
 * port_test.c - a router's side of the nest against lanes in the same process, step by step.
 */
#include "nest_fixture.h"

#include <errno.h>

#include "nest/layout.h"
#include "nest/slots.h"

static struct claim
claim(struct fixture *f, unsigned lane)
{
    struct claim c;

    assert_true(lane_claim(f->lane[lane], &c));
    return c;
}

/* The end of an answer as a router sees it. */
static void
finish(struct fixture *f, unsigned piece)
{
    port_chunk_done(f->port, f->piece[piece].lane, f->piece[piece].chunk);
    port_slot_free(f->port, f->piece[piece].slot);
}

static void
an_answer_comes_back_from_the_chunk_in_which_it_was_written(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = fixture_ask(f, "GET /");
    struct claim c = claim(f, 0);

    assert_int_equal(c.slot, slot);
    assert_int_equal(c.n, 5);
    assert_memory_equal(c.p, "GET /", 5);
    assert_int_equal(port_slot_lane(f->port, slot), 0);
    fixture_answer(f->lane[0], &c, "hello");
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 1);
    assert_int_equal(f->piece[0].slot, slot);
    assert_int_equal(f->piece[0].generation, port_slot_generation(f->port, slot));
    assert_int_equal(f->piece[0].flags, PIECE_HEAD | PIECE_END);
    assert_int_equal(f->piece[0].n, 5);
    assert_memory_equal(f->piece[0].p, "hello", 5);
    finish(f, 0);
    assert_int_equal(port_slots_used(f->port), 0);
    assert_int_equal(port_stale(f->port), 0);
}

static void
pieces_of_one_answer_keep_their_order(void **state)
{
    struct fixture *f = *state;
    struct claim c;
    char *p;

    fixture_ask(f, "x");
    c = claim(f, 1);
    for (unsigned i = 0; i < 5; i++) {
        int chunk = lane_chunk(f->lane[1], &c, &p);

        *p = (char)('a' + i);
        lane_publish(f->lane[1], &c, chunk, 1, i == 4 ? PIECE_END : 0);
    }
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(*f->piece[i].p, 'a' + i);
}

static void
a_callback_may_collect_and_no_piece_comes_twice(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    f->nested = true;
    for (unsigned i = 0; i < 4; i++) {
        fixture_ask(f, "x");
        c = claim(f, i % 2);
        fixture_answer(f->lane[i % 2], &c, "y");
    }
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 4);
    assert_int_equal(port_stale(f->port), 0);
}

static void
an_abort_ends_the_answer_without_a_chunk(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    fixture_ask(f, "x");
    c = claim(f, 0);
    lane_publish(f->lane[0], &c, -1, 0, PIECE_ABORT);
    fixture_collect(f);
    assert_int_equal(f->piece[0].flags, PIECE_ABORT | PIECE_END);
    assert_int_equal(f->piece[0].chunk, NEST_NO_CHUNK);
    finish(f, 0);
    assert_int_equal(port_slots_used(f->port), 0);
}

static void
the_slot_freed_last_is_taken_first(void **state)
{
    struct fixture *f = *state;
    int a = port_slot_take(f->port);
    int b = port_slot_take(f->port);

    port_slot_free(f->port, (uint32_t)a);
    port_slot_free(f->port, (uint32_t)b);
    assert_int_equal(port_slot_take(f->port), b);
    assert_int_equal(port_slot_take(f->port), a);
}

static void
slots_run_out_and_a_cancelled_one_comes_back(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < NEST_SLOTS; i++)
        fixture_ask(f, "x");
    assert_int_equal(port_slot_take(f->port), -EAGAIN);
    assert_int_equal(nest_waiting(f->nest), NEST_SLOTS);
    assert_true(port_cancel(f->port, 0)); /* the oldest: the head can be helped over it */
    port_slot_free(f->port, 0);
    assert_int_equal(port_slot_take(f->port), 0);
}

static void
a_slot_is_not_handed_out_while_its_dead_entry_lies_behind_a_live_one(void **state)
{
    struct fixture *f = *state;
    uint32_t first = fixture_ask(f, "first");
    uint32_t second = fixture_ask(f, "second");

    for (unsigned i = 2; i < NEST_SLOTS; i++)
        fixture_ask(f, "x");
    assert_true(port_cancel(f->port, second));
    port_slot_free(f->port, second);
    assert_int_equal(port_slot_take(f->port), -EAGAIN);
    assert_true(port_cancel(f->port, first));
    port_slot_free(f->port, first);
    assert_true(port_slot_take(f->port) >= 0);
    assert_true(port_slot_take(f->port) >= 0);
    assert_int_equal(port_slot_take(f->port), -EAGAIN);
}

static void
a_cancelled_request_that_a_lane_has_is_told_and_still_ends(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = fixture_ask(f, "x");
    struct claim c = claim(f, 0);
    char *p;

    assert_false(lane_cancelled(f->lane[0], &c));
    assert_false(port_cancel(f->port, slot));
    assert_false(port_cancel(f->port, slot));
    assert_true(lane_cancelled(f->lane[0], &c));
    assert_int_equal(lane_chunk(f->lane[0], &c, &p), -ECONNRESET);
    lane_publish(f->lane[0], &c, -1, 0, PIECE_END);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 1);
    port_slot_free(f->port, slot);
    assert_int_equal(port_slots_used(f->port), 0);
}

static void
an_orphan_is_put_back_in_the_line_twice(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = fixture_ask(f, "again");
    uint32_t generation = port_slot_generation(f->port, slot);
    struct claim c;

    f->requeue = true;
    for (unsigned i = 0; i < 3; i++) {
        c = claim(f, i);
        assert_int_equal(c.slot, slot);
        assert_int_equal(c.generation, generation + i);
        assert_memory_equal(c.p, "again", 5);
        fixture_kill(f, i);
        fixture_collect(f);
        assert_int_equal(f->n_orphans, i + 1);
    }
    assert_int_equal(port_slots_used(f->port), 0); /* the third time it was given up */
    assert_int_equal(f->n_pieces, 0);
}

static void
whether_the_application_was_entered_is_known(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    fixture_ask(f, "a");
    fixture_ask(f, "b");
    claim(f, 0);
    c = claim(f, 1);
    lane_entered(f->lane[1], &c);
    fixture_kill(f, 0);
    fixture_kill(f, 1);
    fixture_collect(f);
    assert_int_equal(f->n_orphans, 2);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(f->entered[i], f->orphan[i] == c.slot);
}

static void
a_mark_of_an_earlier_run_does_not_count(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    fixture_ask(f, "a");
    f->requeue = true;
    c = claim(f, 0);
    lane_entered(f->lane[0], &c);
    fixture_kill(f, 0);
    fixture_collect(f);
    claim(f, 1);
    fixture_kill(f, 1);
    fixture_collect(f);
    assert_true(f->entered[0]);
    assert_false(f->entered[1]);
}

static void
an_answer_committed_before_the_death_is_an_answer(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    fixture_ask(f, "x");
    c = claim(f, 0);
    fixture_answer(f->lane[0], &c, "done");
    fixture_kill(f, 0);
    fixture_collect(f);
    assert_int_equal(f->n_orphans, 0);
    assert_int_equal(f->n_pieces, 1);
    assert_memory_equal(f->piece[0].p, "done", 4);
    finish(f, 0);
}

static void
half_an_answer_is_delivered_before_its_orphan(void **state)
{
    struct fixture *f = *state;
    struct claim c;
    char *p;

    fixture_ask(f, "x");
    c = claim(f, 0);
    lane_publish(f->lane[0], &c, lane_chunk(f->lane[0], &c, &p), 3, PIECE_HEAD);
    fixture_kill(f, 0);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 1);
    assert_int_equal(f->n_orphans, 1);
    port_chunk_done(f->port, f->piece[0].lane, f->piece[0].chunk);
    assert_int_equal(port_slots_used(f->port), 0);
}

static void
pieces_for_a_slot_that_was_freed_are_dropped_and_counted(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = fixture_ask(f, "x");
    struct claim c = claim(f, 0);
    char *p;
    int chunk = lane_chunk(f->lane[0], &c, &p);

    port_slot_free(f->port, slot); /* a router that does not wait */
    lane_publish(f->lane[0], &c, chunk, 4, PIECE_END);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 0);
    assert_int_equal(port_stale(f->port), 1);
    assert_int_equal(atomic_load(&f->nest->map->lane[0].chunk[0]), 0);
}

/* --- sleep and wake --- */

static void
only_the_first_news_after_falling_asleep_writes_the_eventfd(void **state)
{
    struct fixture *f = *state;
    struct claim a, b;

    fixture_ask(f, "a");
    fixture_ask(f, "b");
    a = claim(f, 0);
    b = claim(f, 1);
    fixture_collect(f);
    assert_true(port_may_sleep(f->port));
    fixture_answer(f->lane[0], &a, "a");
    fixture_answer(f->lane[1], &b, "b");
    assert_int_equal(fixture_events(f->wakefd[0]), 1);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 2);
}

static void
a_router_that_is_awake_is_not_written_to_and_may_not_sleep_on_news(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    fixture_ask(f, "a");
    c = claim(f, 0);
    fixture_collect(f);
    fixture_answer(f->lane[0], &c, "a");
    assert_int_equal(fixture_events(f->wakefd[0]), 0);
    assert_false(port_may_sleep(f->port));
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 1);
    assert_true(port_may_sleep(f->port));
}

static void
the_bell_rings_only_when_wanted_and_nobody_is_idle(void **state)
{
    struct fixture *f = *state;

    fixture_ask(f, "a");
    port_wake(f->port, f->bell);
    assert_int_equal(fixture_events(f->bell), 0);
    nest_want_bell(f->nest, true);
    port_wake(f->port, f->bell); /* nothing new was published */
    assert_int_equal(fixture_events(f->bell), 0);
    fixture_ask(f, "b");
    port_wake(f->port, f->bell);
    assert_int_equal(fixture_events(f->bell), 1);
    atomic_store(&f->nest->map->idle, 1u << 2);
    fixture_ask(f, "c");
    port_wake(f->port, f->bell);
    assert_int_equal(fixture_events(f->bell), 0);
}

static void
the_lowest_idle_lane_is_woken_and_only_that(void **state)
{
    struct fixture *f = *state;

    atomic_store(&f->nest->map->idle, 6);
    fixture_ask(f, "a");
    fixture_ask(f, "b");
    port_wake(f->port, -1);
    assert_int_equal(atomic_load(&f->nest->map->idle), 4);
    assert_int_equal(atomic_load(&f->nest->map->lane[1].work_token), 1);
    assert_int_equal(atomic_load(&f->nest->map->lane[2].work_token), 0);
    claim(f, 1); /* sees more work and an idle lane */
    assert_int_equal(atomic_load(&f->nest->map->lane[2].work_token), 1);
    assert_false(port_any_idle(f->port));
}

/* --- a router dies --- */

static void
reopen(struct fixture *f)
{
    port_close(f->port); /* frees what a dead process would have had; nothing in the mapping */
    assert_int_equal(port_open(f->nest, 0, &fixture_ops, f, &f->port, NULL), 0);
}

static void
a_successor_drops_what_waits_and_waits_for_what_runs(void **state)
{
    struct fixture *f = *state;
    char *p;
    uint32_t slot = fixture_ask(f, "runs");
    struct claim c = claim(f, 0), none;

    fixture_ask(f, "waits");
    reopen(f);
    assert_int_equal(nest_waiting(f->nest), 0);
    assert_false(lane_claim(f->lane[1], &none));
    for (unsigned i = 0; i < NEST_SLOTS - 1; i++)
        assert_true(port_slot_take(f->port) >= 0);
    assert_int_equal(port_slot_take(f->port), -EAGAIN);
    assert_int_equal(lane_chunk(f->lane[0], &c, &p), -ECONNRESET);
    lane_publish(f->lane[0], &c, -1, 0, PIECE_END);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 0);
    assert_int_equal(port_slot_take(f->port), slot);
    assert_int_equal(port_stale(f->port), 0);
}

static void
a_successor_frees_the_chunks_that_its_predecessor_held(void **state)
{
    struct fixture *f = *state;
    struct claim c;

    for (unsigned i = 0; i < 2; i++) {
        fixture_ask(f, "x");
        c = claim(f, 0);
        fixture_answer(f->lane[0], &c, "answer");
        if (i == 0)
            fixture_collect(f); /* one is held, the other still in the outbox */
    }
    reopen(f);
    for (unsigned i = 0; i < NEST_CHUNKS; i++)
        assert_int_equal(atomic_load(&f->nest->map->lane[0].chunk[i]), 0);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 1);
    for (unsigned i = 0; i < NEST_SLOTS; i++)
        assert_true(port_slot_take(f->port) >= 0);
}

static void
the_death_of_a_lane_frees_the_slot_that_a_successor_waits_for(void **state)
{
    struct fixture *f = *state;

    fixture_ask(f, "x");
    claim(f, 0);
    reopen(f);
    fixture_kill(f, 0);
    fixture_collect(f);
    assert_int_equal(f->n_orphans, 0);
    for (unsigned i = 0; i < NEST_SLOTS; i++)
        assert_true(port_slot_take(f->port) >= 0);
}

static void
generations_go_on_under_a_successor(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = fixture_ask(f, "old");
    uint32_t generation = port_slot_generation(f->port, slot);

    reopen(f);
    assert_int_equal(port_slot_take(f->port), slot);
    assert_int_equal(port_slot_generation(f->port, slot), generation + 1);
}

/* --- what application code may write --- */

static void
nonsense_in_an_outbox_gives_the_request_up(void **state)
{
    struct fixture *f = *state;
    struct nest_outbox *box = &f->nest->map->lane[0].outbox[0];
    struct claim c;
    char *p;

    fixture_ask(f, "x");
    c = claim(f, 0);
    lane_publish(f->lane[0], &c, lane_chunk(f->lane[0], &c, &p), 1, 0);
    atomic_store(&box->entry[0].n, UINT64_MAX);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 1);
    assert_int_equal(f->piece[0].flags, PIECE_END | PIECE_ABORT);
    assert_true(f->piece[0].n <= NEST_CHUNK_BYTES);
    finish(f, 0);
}

static void
a_chunk_sent_twice_is_nonsense(void **state)
{
    struct fixture *f = *state;
    struct claim c;
    char *p;
    int chunk;

    fixture_ask(f, "x");
    c = claim(f, 0);
    chunk = lane_chunk(f->lane[0], &c, &p);
    lane_publish(f->lane[0], &c, chunk, 1, 0);
    lane_publish(f->lane[0], &c, chunk, 1, PIECE_END);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 2);
    assert_int_equal(f->piece[1].flags, PIECE_END | PIECE_ABORT);
    assert_int_equal(f->piece[1].chunk, NEST_NO_CHUNK);
}

static void
an_outbox_tail_far_away_delivers_nothing(void **state)
{
    struct fixture *f = *state;

    fixture_ask(f, "x");
    claim(f, 0);
    atomic_store(&f->nest->map->lane[0].outbox[0].tail, UINT64_MAX / 2);
    atomic_store(&f->nest->map->router[0].dirty, 1);
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 0);
}

static void
a_slot_word_that_nobody_wrote_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = fixture_ask(f, "x");

    atomic_store(&f->nest->map->router[0].slot[slot].word, UINT64_C(0xdeadbeefdeadbeef));
    assert_int_equal(port_slot_lane(f->port, slot), -1);
    assert_true(port_cancel(f->port, slot));
    port_slot_free(f->port, slot);
    assert_int_equal(port_slots_used(f->port), 0);
}

#define port_test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        port_test(an_answer_comes_back_from_the_chunk_in_which_it_was_written),
        port_test(pieces_of_one_answer_keep_their_order),
        port_test(a_callback_may_collect_and_no_piece_comes_twice),
        port_test(an_abort_ends_the_answer_without_a_chunk),
        port_test(the_slot_freed_last_is_taken_first),
        port_test(slots_run_out_and_a_cancelled_one_comes_back),
        port_test(a_slot_is_not_handed_out_while_its_dead_entry_lies_behind_a_live_one),
        port_test(a_cancelled_request_that_a_lane_has_is_told_and_still_ends),
        port_test(an_orphan_is_put_back_in_the_line_twice),
        port_test(whether_the_application_was_entered_is_known),
        port_test(a_mark_of_an_earlier_run_does_not_count),
        port_test(an_answer_committed_before_the_death_is_an_answer),
        port_test(half_an_answer_is_delivered_before_its_orphan),
        port_test(pieces_for_a_slot_that_was_freed_are_dropped_and_counted),
        port_test(only_the_first_news_after_falling_asleep_writes_the_eventfd),
        port_test(a_router_that_is_awake_is_not_written_to_and_may_not_sleep_on_news),
        port_test(the_bell_rings_only_when_wanted_and_nobody_is_idle),
        port_test(the_lowest_idle_lane_is_woken_and_only_that),
        port_test(a_successor_drops_what_waits_and_waits_for_what_runs),
        port_test(a_successor_frees_the_chunks_that_its_predecessor_held),
        port_test(the_death_of_a_lane_frees_the_slot_that_a_successor_waits_for),
        port_test(generations_go_on_under_a_successor),
        port_test(nonsense_in_an_outbox_gives_the_request_up),
        port_test(a_chunk_sent_twice_is_nonsense),
        port_test(an_outbox_tail_far_away_delivers_nothing),
        port_test(a_slot_word_that_nobody_wrote_can_be_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
