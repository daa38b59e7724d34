/*
 * apply_test.c - the order of steps of a change, and what is undone when one fails.
 */
#include "controller/apply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf/generation.h"
#include "peers.h"

static const struct conf_module module_list[] = {
    {.type = {"python", 6}, .version = {"3.11", 4}, .path = {"/lib/python.so", 14}},
};
static const struct conf_modules modules = {module_list, 1};

#define EMPTY "{}"
#define ONE                                                    \
    "{\"listeners\":{\"*:81\":{\"pass\":\"applications/a\"}}," \
    "\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\"}}}"
#define TWO                                                                                     \
    "{\"listeners\":{\"*:81\":{\"pass\":\"applications/a\"},\"*:82\":{\"pass\":\"applications/" \
    "b\"}},"                                                                                    \
    "\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\"},"                           \
    "\"b\":{\"type\":\"python\",\"module\":\"m\"}}}"

struct world {
    struct peers peers;
    struct apply apply;
};

/* A change made of a text. */
struct wish {
    struct change change;
    const char *text;
    bool is_over;
    enum change_outcome outcome;
    char detail[1024];
    char path[1024];
    size_t plan_n; /* of a dry run */
    enum plan_verb verbs[8];
};

static const struct json *
propose(struct change *c, const struct generation *live)
{
    struct wish *w = container_of(c, struct wish, change);
    struct json *tree;
    size_t offset;

    (void)live;
    assert_int_equal(json_parse(&c->next->arena, slice_cstr(w->text), &tree, &offset, NULL), 0);
    return tree;
}

static void
over(struct change *c, enum change_outcome outcome, const struct conf_fault *fault)
{
    struct wish *w = container_of(c, struct wish, change);

    w->is_over = true;
    w->outcome = outcome;
    snprintf(w->detail, sizeof(w->detail), "%s", fault->err.text);
    snprintf(w->path, sizeof(w->path), "%s", fault->path);
    w->plan_n = c->plan.n;
    for (size_t i = 0; i < c->plan.n; i++)
        w->verbs[i] = c->plan.steps[i].verb;
    change_done(c);
}

static const struct change_ops wish_ops = {.propose = propose, .over = over};

static void
wish(struct world *w, struct wish *wish, const char *text)
{
    *wish = (struct wish){.text = text};
    change_init(&w->apply, &wish->change, &wish_ops);
    apply_submit(&w->apply, &wish->change);
}

static void
apply_it(struct world *w, const char *text)
{
    struct wish done;

    wish(w, &done, text);
    peers_settle(&w->peers);
    assert_true(done.is_over);
    assert_int_equal(done.outcome, CHANGE_APPLIED);
    w->peers.story[0] = '\0';
}

static struct world world;

static void
router_gone(struct task *task, struct channel *ch)
{
    (void)task;
    if (channel_peer(ch)->role == ROLE_ROUTER)
        apply_router_gone(&world.apply, ch);
}

static void
add_router(struct world *w, uint32_t index)
{
    apply_router_came(&w->apply, peers_add_router(&w->peers, index));
}

static void
on_retired(struct task *task, struct channel *ch, struct message *m)
{
    (void)task;
    apply_retired(&world.apply, ch, ((const struct msg_conf *)m->payload)->generation);
}

static const struct msg_handler handlers[] = {{MSG_CONF_RETIRED, on_retired}, {0}};

static int
setup(void **state)
{
    peers_init(&world.peers, router_gone);
    world.peers.role.on_message = handlers;
    apply_init(&world.apply, &world.peers.task, &modules);
    *state = &world;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    apply_done(&w->apply);
    peers_done(&w->peers);
    return 0;
}

static void
a_change_asks_main_first_then_routers_and_keeps_last(void **state)
{
    struct world *w = *state;
    struct wish one;

    add_router(w, 0);
    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_true(one.is_over);
    assert_int_equal(one.outcome, CHANGE_APPLIED);
    assert_string_equal(w->peers.story, "OPEN *:81; START 1; SAVE; PREPARE0 1; COMMIT0 1; KEEP; ");
}

static void
an_unchanged_application_keeps_its_launch(void **state)
{
    struct world *w = *state;
    struct wish two;

    add_router(w, 0);
    apply_it(w, ONE);
    wish(w, &two, TWO);
    peers_settle(&w->peers);
    assert_string_equal(w->peers.story, "OPEN *:82; START 2; SAVE; PREPARE0 2; COMMIT0 2; KEEP; ");
    assert_int_equal(deployment_launch(&w->apply.live, SLICE("a")), 1);
    assert_int_equal(deployment_launch(&w->apply.live, SLICE("b")), 2);
}

static void
an_old_launch_stops_when_every_router_has_retired_it(void **state)
{
    struct world *w = *state;
    struct wish none;

    add_router(w, 0);
    add_router(w, 1);
    apply_it(w, ONE);
    wish(w, &none, EMPTY);
    peers_settle(&w->peers);
    assert_int_equal(none.outcome, CHANGE_APPLIED);
    assert_true(peers_told(&w->peers, "CLOSE *:81"));
    peers_retire(&w->peers, 0, 1);
    peers_settle(&w->peers);
    assert_false(peers_told(&w->peers, "STOP"));
    peers_retire(&w->peers, 1, 1);
    peers_settle(&w->peers);
    assert_true(peers_told(&w->peers, "STOP 1"));
}

static void
a_dead_router_does_not_keep_an_old_launch(void **state)
{
    struct world *w = *state;

    add_router(w, 0);
    add_router(w, 1);
    apply_it(w, ONE);
    apply_it(w, EMPTY);
    peers_retire(&w->peers, 0, 1);
    peers_kill_router(&w->peers, 1);
    peers_settle(&w->peers);
    assert_true(peers_told(&w->peers, "STOP 1"));
}

static void
a_restart_gives_a_new_launch_and_saves_nothing(void **state)
{
    struct world *w = *state;
    struct wish again = {.text = ONE};

    add_router(w, 0);
    apply_it(w, ONE);
    change_init(&w->apply, &again.change, &wish_ops);
    again.change.restart = SLICE("a");
    again.change.keep = false;
    apply_submit(&w->apply, &again.change);
    peers_settle(&w->peers);
    assert_int_equal(again.outcome, CHANGE_APPLIED);
    assert_string_equal(w->peers.story, "START 2; PREPARE0 2; COMMIT0 2; ");
}

static void
a_dry_run_tells_what_it_would_do_and_does_nothing(void **state)
{
    static const enum plan_verb verbs[] = {PLAN_LISTENER_OPEN, PLAN_APP_START, PLAN_LISTENER_KEEP,
                                           PLAN_APP_KEEP};
    struct world *w = *state;
    struct wish dry = {.text = TWO}, next;

    add_router(w, 0);
    apply_it(w, ONE);
    change_init(&w->apply, &dry.change, &wish_ops);
    dry.change.dry_run = true;
    apply_submit(&w->apply, &dry.change);
    assert_true(dry.is_over);
    assert_int_equal(dry.outcome, CHANGE_PLANNED);
    assert_int_equal(dry.plan_n, array_len(verbs));
    for (size_t i = 0; i < array_len(verbs); i++)
        assert_int_equal(dry.verbs[i], verbs[i]);
    peers_settle(&w->peers);
    assert_string_equal(w->peers.story, "");
    assert_int_equal(w->apply.live.generation->number, 1);

    wish(w, &next, TWO); /* and no launch was counted for it */
    peers_settle(&w->peers);
    assert_int_equal(deployment_launch(&w->apply.live, SLICE("b")), 2);
}

static void
a_dry_run_waits_for_its_turn_and_sees_what_is_live_then(void **state)
{
    struct world *w = *state;
    struct wish first, dry = {.text = ONE};

    add_router(w, 0);
    wish(w, &first, ONE);
    change_init(&w->apply, &dry.change, &wish_ops);
    dry.change.dry_run = true;
    apply_submit(&w->apply, &dry.change);
    assert_false(dry.is_over);
    peers_settle(&w->peers);
    assert_int_equal(dry.outcome, CHANGE_PLANNED);
    assert_int_equal(dry.plan_n, 2);
    assert_int_equal(dry.verbs[0], PLAN_LISTENER_KEEP);
    assert_int_equal(dry.verbs[1], PLAN_APP_KEEP);
}

static void
an_invalid_dry_run_is_refused_like_any_other(void **state)
{
    struct world *w = *state;
    struct wish dry = {.text = "{\"listeners\":{\"*:81\":{\"pass\":\"routes/none\"}}}"};

    change_init(&w->apply, &dry.change, &wish_ops);
    dry.change.dry_run = true;
    apply_submit(&w->apply, &dry.change);
    assert_int_equal(dry.outcome, CHANGE_INVALID);
    assert_string_equal(dry.path, "/listeners/*:81/pass");
}

static void
changes_wait_for_each_other(void **state)
{
    struct world *w = *state;
    struct wish first, second;

    add_router(w, 0);
    wish(w, &first, ONE);
    wish(w, &second, EMPTY);
    assert_false(first.is_over || second.is_over);
    peers_settle(&w->peers);
    assert_true(first.is_over && second.is_over);
    assert_string_equal(w->peers.story, "OPEN *:81; START 1; SAVE; PREPARE0 1; COMMIT0 1; KEEP; "
                                        "SAVE; PREPARE0 2; CLOSE *:81; COMMIT0 2; KEEP; ");
}

static void
a_cancelled_change_is_taken_back_and_the_next_one_begins(void **state)
{
    struct world *w = *state;
    struct wish first, second;

    assert_int_equal(apply_cancel(&w->apply, "nothing is there"), -ENOENT);
    add_router(w, 0);
    wish(w, &first, ONE);
    wish(w, &second, EMPTY);
    assert_true(apply_introduces(&w->apply, SLICE("a")));
    assert_false(apply_introduces(&w->apply, SLICE("b")));
    assert_int_equal(apply_waiting(&w->apply), 1);
    assert_int_equal(apply_cancel(&w->apply, "it takes too long"), 0);
    peers_settle(&w->peers);
    assert_true(first.is_over);
    assert_int_equal(first.outcome, CHANGE_REFUSED);
    assert_string_equal(first.detail, "it takes too long");
    assert_int_equal(second.outcome, CHANGE_APPLIED);
    assert_string_equal(w->peers.story,
                        "OPEN *:81; CLOSE *:81; SAVE; PREPARE0 2; COMMIT0 2; KEEP; ");
}

static void
hundreds_of_listeners_are_asked_for_some_at_a_time(void **state)
{
    static char text[64 * 1024];
    struct world *w = *state;
    struct wish many;
    size_t n = 0;

    n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"routes\":[],\"listeners\":{");
    for (unsigned i = 0; i < 600; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"*:%u\":{\"pass\":\"routes\"}",
                              i > 0 ? "," : "", 1000 + i);
    snprintf(text + n, sizeof(text) - n, "}}");
    add_router(w, 0);
    wish(w, &many, text);
    peers_settle(&w->peers);
    assert_true(many.is_over);
    assert_int_equal(many.outcome, CHANGE_APPLIED);
}

static void
what_is_not_valid_reaches_nobody(void **state)
{
    struct world *w = *state;
    struct wish bad;

    add_router(w, 0);
    wish(w, &bad, "{\"listeners\":{\"*:81\":{\"pass\":\"applications/nobody\"}}}");
    peers_settle(&w->peers);
    assert_int_equal(bad.outcome, CHANGE_INVALID);
    assert_string_equal(bad.path, "/listeners/*:81/pass");
    assert_string_equal(w->peers.story, "");
}

/* Apply TWO over ONE, with that message refused: all must be as before. */
static void
fails_at(struct world *w, const char *refuse, const char *detail, const char *story)
{
    struct wish two;

    apply_it(w, ONE);
    w->peers.refuse = refuse;
    wish(w, &two, TWO);
    peers_settle(&w->peers);
    assert_true(two.is_over);
    assert_int_equal(two.outcome, CHANGE_REFUSED);
    assert_non_null(strstr(two.detail, detail));
    assert_string_equal(w->peers.story, story);
    assert_int_equal(w->apply.live.generation->number, 1);

    w->peers.refuse = NULL;
    w->peers.story[0] = '\0';
    apply_it(w, TWO);
    assert_int_equal(w->apply.live.generation->number, 3);
}

static void
a_listener_that_cannot_open(void **state)
{
    struct world *w = *state;

    add_router(w, 0);
    fails_at(w, "OPEN *:82", "cannot open listener *:82: it is not my day",
             "OPEN *:82; CLOSE *:82; ");
}

static void
an_application_that_cannot_start(void **state)
{
    struct world *w = *state;

    add_router(w, 0);
    fails_at(w, "START 2", "cannot start application \"b\": ImportError: no such module",
             "OPEN *:82; START 2; CLOSE *:82; STOP 2; ");
}

static void
routers_that_cannot_be_made(void **state)
{
    struct world *w = *state;

    add_router(w, 0);
    fails_at(w, "ROUTERS", "cannot start routers with these settings: it is not my day",
             "OPEN *:82; START 2; ROUTERS; CLOSE *:82; STOP 2; ");
}

static void
a_text_that_cannot_be_saved(void **state)
{
    struct world *w = *state;

    add_router(w, 0);
    fails_at(w, "SAVE", "cannot save the configuration: it is not my day",
             "OPEN *:82; START 2; SAVE; CLOSE *:82; STOP 2; ");
}

static void
a_router_that_cannot_build_it(void **state)
{
    struct world *w = *state;

    add_router(w, 0);
    fails_at(w, "PREPARE0 2", "it is not my day",
             "OPEN *:82; START 2; SAVE; PREPARE0 2; CLOSE *:82; STOP 2; ");
}

static void
the_other_routers_are_told_to_forget_it(void **state)
{
    struct world *w = *state;
    struct wish one;

    add_router(w, 0);
    add_router(w, 1);
    w->peers.refuse = "PREPARE1 1";
    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_int_equal(one.outcome, CHANGE_REFUSED);
    assert_true(peers_told(&w->peers, "ABORT0 1"));
    assert_false(peers_told(&w->peers, "COMMIT"));
}

static void
it_is_over_when_main_has_taken_it_back(void **state)
{
    static struct wish one; /* lives until the teardown, which ends it */
    struct world *w = *state;

    add_router(w, 0);
    w->peers.refuse = "OPEN *:81";
    w->peers.ignore = "ROUTERS_DROP";
    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_true(peers_told(&w->peers, "ROUTERS_DROP"));
    assert_false(one.is_over);
    assert_int_equal(apply_cancel(&w->apply, "too late"), -EBUSY);
}

static void
a_text_that_cannot_be_kept_is_live_and_reported(void **state)
{
    struct world *w = *state;
    struct wish one;

    add_router(w, 0);
    w->peers.refuse = "KEEP";
    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_int_equal(one.outcome, CHANGE_REFUSED);
    assert_non_null(strstr(one.detail, "is live"));
    assert_int_equal(w->apply.live.generation->number, 1);
}

static void
without_a_router_a_change_waits(void **state)
{
    struct world *w = *state;
    struct wish one;

    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_false(one.is_over);
    add_router(w, 0);
    peers_settle(&w->peers);
    assert_true(one.is_over);
    assert_int_equal(one.outcome, CHANGE_APPLIED);
}

static void
a_router_that_dies_while_it_builds_is_absent(void **state)
{
    struct world *w = *state;
    struct wish one;

    add_router(w, 0);
    add_router(w, 1);
    w->peers.ignore = "PREPARE1 1";
    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_false(one.is_over);
    peers_kill_router(&w->peers, 1);
    peers_settle(&w->peers);
    assert_true(one.is_over);
    assert_int_equal(one.outcome, CHANGE_APPLIED);
}

static void
a_router_that_dies_before_it_is_live_gets_it_when_it_is_back(void **state)
{
    struct world *w = *state;
    struct wish one;

    add_router(w, 0);
    w->peers.ignore = "COMMIT0 1";
    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_false(one.is_over);
    w->peers.ignore = NULL;
    w->peers.story[0] = '\0';
    peers_kill_router(&w->peers, 0);
    peers_settle(&w->peers);
    add_router(w, 0);
    peers_settle(&w->peers);
    assert_true(one.is_over);
    assert_int_equal(one.outcome, CHANGE_APPLIED);
    assert_string_equal(w->peers.story, "PREPARE0 1; COMMIT0 1; KEEP; ");
}

static void
a_router_that_comes_during_a_change_gets_the_live_one_first(void **state)
{
    struct world *w = *state;
    struct wish two;

    add_router(w, 0);
    apply_it(w, ONE);
    w->peers.ignore = "PREPARE0 2";
    wish(w, &two, TWO);
    peers_settle(&w->peers);
    w->peers.story[0] = '\0';
    add_router(w, 1);
    peers_settle(&w->peers);
    assert_string_equal(w->peers.story, "PREPARE1 1; COMMIT1 1; PREPARE1 2; ");
    assert_false(two.is_over);
    peers_kill_router(&w->peers, 0);
    peers_settle(&w->peers);
    assert_true(two.is_over);
    assert_int_equal(two.outcome, CHANGE_APPLIED);
}

static void
what_an_earlier_controller_left_is_stopped_by_the_first_commit(void **state)
{
    struct world *w = *state;

    add_router(w, 0);
    apply_count_from(&w->apply, 1000000);
    apply_adopt(&w->apply, 7);
    peers_settle(&w->peers);
    assert_false(peers_told(&w->peers, "STOP"));
    struct wish one;
    wish(w, &one, ONE);
    peers_settle(&w->peers);
    assert_true(peers_told(&w->peers, "START 1000001; "));
    assert_true(peers_told(&w->peers, "STOP 7; "));
}

#define A_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(a_change_asks_main_first_then_routers_and_keeps_last),
        A_TEST(an_unchanged_application_keeps_its_launch),
        A_TEST(an_old_launch_stops_when_every_router_has_retired_it),
        A_TEST(a_dead_router_does_not_keep_an_old_launch),
        A_TEST(a_restart_gives_a_new_launch_and_saves_nothing),
        A_TEST(a_dry_run_tells_what_it_would_do_and_does_nothing),
        A_TEST(a_dry_run_waits_for_its_turn_and_sees_what_is_live_then),
        A_TEST(an_invalid_dry_run_is_refused_like_any_other),
        A_TEST(changes_wait_for_each_other),
        A_TEST(a_cancelled_change_is_taken_back_and_the_next_one_begins),
        A_TEST(hundreds_of_listeners_are_asked_for_some_at_a_time),
        A_TEST(what_is_not_valid_reaches_nobody),
        A_TEST(a_listener_that_cannot_open),
        A_TEST(an_application_that_cannot_start),
        A_TEST(routers_that_cannot_be_made),
        A_TEST(a_text_that_cannot_be_saved),
        A_TEST(a_router_that_cannot_build_it),
        A_TEST(the_other_routers_are_told_to_forget_it),
        A_TEST(it_is_over_when_main_has_taken_it_back),
        A_TEST(a_text_that_cannot_be_kept_is_live_and_reported),
        A_TEST(without_a_router_a_change_waits),
        A_TEST(a_router_that_dies_while_it_builds_is_absent),
        A_TEST(a_router_that_dies_before_it_is_live_gets_it_when_it_is_back),
        A_TEST(a_router_that_comes_during_a_change_gets_the_live_one_first),
        A_TEST(what_an_earlier_controller_left_is_stopped_by_the_first_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
