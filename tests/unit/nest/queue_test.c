/*
 * queue_test.c - the ring alone: order, dead entries, reuse, a head that was scribbled on.
 */
#include "nest_fixture.h"

#include "nest/queue.h"

struct ring {
    struct nest *nest;
    int fd;
    struct nest_router *router;
    struct queue queue;
};

static int
setup(void **state)
{
    struct ring *r = calloc(1, sizeof(*r));

    r->fd = nest_make();
    assert_int_equal(nest_attach(r->fd, &r->nest, NULL), 0);
    r->router = &r->nest->map->router[0];
    queue_open(&r->queue, r->router);
    *state = r;
    return 0;
}

static int
teardown(void **state)
{
    struct ring *r = *state;

    nest_detach(r->nest);
    close(r->fd);
    free(r);
    return 0;
}

static uint64_t
push(struct ring *r, uint32_t slot, uint32_t generation)
{
    slot_queue(&r->router->slot[slot], generation, 0);
    return queue_push(&r->queue, slot, generation);
}

static int
claim(struct ring *r)
{
    uint32_t slot, generation;

    return queue_claim(r->router, 5, &slot, &generation) ? (int)slot : -1;
}

static void
slots_are_claimed_in_the_order_in_which_they_were_pushed(void **state)
{
    struct ring *r = *state;

    push(r, 7, 1);
    push(r, 3, 1);
    push(r, 9, 4);
    assert_int_equal(queue_length(r->router), 3);
    assert_int_equal(claim(r), 7);
    assert_int_equal(claim(r), 3);
    assert_int_equal(claim(r), 9);
    assert_int_equal(claim(r), -1);
    assert_true(slot_load(&r->router->slot[9]) == slot_word(4, SLOT_CLAIMED, 5));
}

static void
an_entry_whose_slot_is_no_longer_queued_is_skipped(void **state)
{
    struct ring *r = *state;

    push(r, 7, 1);
    push(r, 3, 1);
    assert_true(
        slot_move(&r->router->slot[7], slot_word(1, SLOT_QUEUED, 0), slot_word(1, SLOT_FREE, 0)));
    assert_int_equal(claim(r), 3);
    assert_int_equal(claim(r), -1);
    assert_int_equal(queue_length(r->router), 0);
}

static void
an_old_entry_does_not_claim_the_slots_next_request(void **state)
{
    struct ring *r = *state;
    uint32_t slot, generation;

    push(r, 7, 1);
    slot_put(&r->router->slot[7], slot_word(1, SLOT_FREE, 0));
    push(r, 7, 2);
    assert_true(queue_claim(r->router, 0, &slot, &generation));
    assert_int_equal(generation, 2);
    assert_int_equal(claim(r), -1);
}

static void
a_lane_killed_between_slot_and_head_is_helped(void **state)
{
    struct ring *r = *state;

    push(r, 7, 1);
    push(r, 3, 1);
    assert_true(slot_move(&r->router->slot[7], slot_word(1, SLOT_QUEUED, 0),
                          slot_word(1, SLOT_CLAIMED, 2)));
    assert_int_equal(claim(r), 3);
}

static void
the_router_learns_what_the_head_has_passed_and_helps_it(void **state)
{
    struct ring *r = *state;
    uint64_t dead = push(r, 7, 1);
    uint64_t alive = push(r, 3, 1);

    assert_true(queue_passed(&r->queue, 0));
    assert_false(queue_passed(&r->queue, dead));
    slot_put(&r->router->slot[7], slot_word(1, SLOT_FREE, 0));
    assert_true(queue_passed(&r->queue, dead));
    assert_false(queue_passed(&r->queue, alive));
    assert_int_equal(claim(r), 3);
    assert_true(queue_passed(&r->queue, alive));
}

static void
the_ring_goes_round_many_times(void **state)
{
    struct ring *r = *state;

    for (uint32_t i = 1; i < 5 * NEST_RING; i++) {
        push(r, i % NEST_SLOTS, i);
        assert_int_equal(claim(r), i % NEST_SLOTS);
    }
    assert_int_equal(claim(r), -1);
}

static void
a_scribbled_head_is_put_back_and_nothing_is_skipped(void **state)
{
    struct ring *r = *state;
    uint64_t place = push(r, 7, 1);

    atomic_store(&r->router->head, UINT64_C(1) << 60);
    assert_int_equal(claim(r), -1);
    assert_int_equal(queue_length(r->router), 0);
    assert_false(queue_passed(&r->queue, place));
    assert_int_equal(claim(r), 7);
}

static void
a_scribbled_entry_claims_nothing(void **state)
{
    struct ring *r = *state;

    push(r, 7, 1);
    push(r, 3, 1);
    atomic_store(&r->router->ring[0], UINT64_MAX);
    assert_int_equal(claim(r), 3);
    assert_int_equal(claim(r), -1);
}

#define ring_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ring_test(slots_are_claimed_in_the_order_in_which_they_were_pushed),
        ring_test(an_entry_whose_slot_is_no_longer_queued_is_skipped),
        ring_test(an_old_entry_does_not_claim_the_slots_next_request),
        ring_test(a_lane_killed_between_slot_and_head_is_helped),
        ring_test(the_router_learns_what_the_head_has_passed_and_helps_it),
        ring_test(the_ring_goes_round_many_times),
        ring_test(a_scribbled_head_is_put_back_and_nothing_is_skipped),
        ring_test(a_scribbled_entry_claims_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
