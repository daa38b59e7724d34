/*
 * port_test.c - a router's side of the nest against lanes in the same process, step by step.
 */
#include "nest_fixture.h"

static void
an_answer_comes_back_from_the_chunk_in_which_it_was_written(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = fixture_ask(f, "GET /");
    struct claim c;

    assert_true(lane_claim(f->lane[0], &c));
    assert_int_equal(c.slot, slot);
    assert_int_equal(c.n, 5);
    assert_memory_equal(c.p, "GET /", 5);
    assert_int_equal(port_slot_lane(f->port, slot), 0);
    fixture_answer(f->lane[0], &c, "hello");
    fixture_collect(f);
    assert_int_equal(f->n_pieces, 1);
    assert_int_equal(f->piece[0].slot, slot);
    assert_int_equal(f->piece[0].flags, PIECE_HEAD | PIECE_END);
    assert_memory_equal(f->piece[0].p, "hello", 5);
    port_chunk_done(f->port, f->piece[0].lane, f->piece[0].chunk);
    port_slot_free(f->port, slot);
    assert_int_equal(port_slots_used(f->port), 0);
    assert_int_equal(port_stale(f->port), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_comes_back_from_the_chunk_in_which_it_was_written,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
