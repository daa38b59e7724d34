/*
 * plan_test.c - the difference of two generations, as steps.
 */
#include "conf/plan.h"

#include "fixture.h"

#define APP(module) "{\"type\":\"python\",\"module\":\"" module "\"}"

static struct generation *
made(const char *text)
{
    struct generation *g = generation_new(1, 0);
    struct conf_fault fault = {.offset = 0};

    if (generation_fill(g, tree_of(&g->arena, text), NULL, &fault) < 0)
        fail_msg("%s", fault.err.text);
    return g;
}

static const char *
step_text(struct arena *a, const struct plan_step *step)
{
    static const char *const verbs[] = {
        [PLAN_LISTENER_OPEN] = "open",   [PLAN_LOG_OPEN] = "open log",   [PLAN_APP_START] = "start",
        [PLAN_LISTENER_KEEP] = "keep",   [PLAN_LOG_KEEP] = "keep log",   [PLAN_APP_KEEP] = "keep",
        [PLAN_LISTENER_CLOSE] = "close", [PLAN_LOG_CLOSE] = "close log", [PLAN_APP_STOP] = "stop"};
    const char *what = step->listener != NULL ? step->listener->address
                       : step->app != NULL    ? step->app->python.own.module
                                              : step->log;

    return arena_printf(a, "%s %s%s%s%s%s", verbs[step->verb], what,
                        step->was != NULL ? " was " : "",
                        step->was != NULL ? step->was->python.own.module : "",
                        step->relisten ? " anew" : "", step->beside ? " beside" : "");
}

/* The steps between two texts (old may be NULL), separated by "; ". */
static const char *
steps_between(struct arena *a, const char *old_text, const char *next_text, struct slice restart)
{
    struct generation *old = old_text != NULL ? made(old_text) : NULL, *next = made(next_text);
    const char *line = "";
    struct plan plan;

    plan_make(a, old, next, restart, &plan);
    for (size_t i = 0; i < plan.n; i++)
        line = arena_printf(a, "%s%s%s", line, i > 0 ? "; " : "", step_text(a, &plan.steps[i]));
    generation_unref(next);
    if (old != NULL)
        generation_unref(old);
    return line;
}

static void
the_first_generation_opens_and_starts_all(void **state)
{
    assert_string_equal(
        steps_between(
            *state, NULL,
            "{\"listeners\":{\"*:1\":{\"pass\":\"routes\"},\"*:2\":{\"pass\":\"routes\"}},"
            "\"routes\":[],\"applications\":{\"a\":" APP("m") ",\"b\":" APP(
                "n") "},"
                     "\"access_log\":\"/l\"}",
            SLICE_NONE),
        "open *:1; open *:2; open log /l; start m; start n");
}

static void
nothing_new_keeps_all(void **state)
{
    static const char text[] = "{\"listeners\":{\"*:1\":{\"pass\":\"routes\"}},\"routes\":[],"
                               "\"applications\":{\"a\":" APP("m") "},\"access_log\":\"/l\"}";

    assert_string_equal(steps_between(*state, text, text, SLICE_NONE),
                        "keep *:1; keep log /l; keep m was m");
}

static void
what_may_fail_comes_first_and_what_goes_last(void **state)
{
    assert_string_equal(
        steps_between(
            *state,
            "{\"listeners\":{\"*:1\":{\"pass\":\"routes\"},\"*:2\":{\"pass\":\"routes\"}},"
            "\"routes\":[],\"applications\":{\"a\":" APP("m") ",\"b\":" APP("n") ",\"c\":" APP(
                "o") "},\"access_log\":\"/l\"}",
            "{\"listeners\":{\"*:3\":{\"pass\":\"routes\"},\"*:2\":{\"pass\":\"routes\","
            "\"backlog\":9}},\"routes\":[],\"applications\":{\"b\":" APP("n") ",\"a\":" APP(
                "m2") ",\"d\":" APP("p") "},\"access_log\":\"/k\"}",
            SLICE_NONE),
        "open *:3; open log /k; start m2 was m; start p; keep *:2 anew; keep n was n; close *:1; "
        "close log /l; stop m; stop o");
}

static void
an_application_is_the_same_when_its_text_is(void **state)
{
    assert_string_equal(steps_between(*state, "{\"applications\":{\"a\":" APP("m") "}}",
                                      "{ \"applications\" : { \"a\" : { \"type\":\"python\",\n"
                                      "\"module\":\"\\u006d\" } } } // m",
                                      SLICE_NONE),
                        "keep m was m");
    assert_string_equal(steps_between(*state, "{\"applications\":{\"a\":" APP("m") "}}",
                                      "{\"applications\":{\"a\":{\"type\":\"python\","
                                      "\"module\":\"m\",\"processes\":1}}}",
                                      SLICE_NONE),
                        "start m was m; stop m");
}

static void
a_restart_starts_only_that_application(void **state)
{
    static const char text[] = "{\"applications\":{\"a\":" APP("m") ",\"b\":" APP("n") "}}";

    assert_string_equal(steps_between(*state, text, text, SLICE("b")),
                        "start n was n; keep m was m; stop n");
    assert_string_equal(steps_between(*state, text, text, SLICE("c")),
                        "keep m was m; keep n was n");
}

static void
emptying_closes_and_stops_all(void **state)
{
    assert_string_equal(
        steps_between(*state,
                      "{\"listeners\":{\"*:1\":{\"pass\":\"routes\"}},"
                      "\"routes\":[],\"applications\":{\"a\":" APP("m") "},"
                                                                        "\"access_log\":\"/l\"}",
                      "{}", SLICE_NONE),
        "close *:1; close log /l; stop m");
}

#define TO_ROUTES "{\"pass\":\"routes\"}"
#define WIDE      "\"*:1\":" TO_ROUTES
#define NARROW    "\"10.0.0.1:1\":" TO_ROUTES

static void
listeners_that_overlap_are_opened_and_closed_beside_each_other(void **state)
{
    static const char wide[] = "{\"routes\":[],\"listeners\":{" WIDE "}}",
                      narrow[] = "{\"routes\":[],\"listeners\":{" NARROW "}}",
                      both[] = "{\"routes\":[],\"listeners\":{" WIDE "," NARROW "}}";

    assert_string_equal(steps_between(*state, wide, narrow, SLICE_NONE),
                        "open 10.0.0.1:1 beside; close *:1 beside");
    assert_string_equal(steps_between(*state, narrow, both, SLICE_NONE),
                        "open *:1 beside; keep 10.0.0.1:1");
    assert_string_equal(steps_between(*state, NULL, both, SLICE_NONE),
                        "open *:1 beside; open 10.0.0.1:1 beside");
    assert_string_equal(steps_between(*state, both, wide, SLICE_NONE),
                        "keep *:1; close 10.0.0.1:1 beside");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(the_first_generation_opens_and_starts_all),
        arena_test(nothing_new_keeps_all),
        arena_test(what_may_fail_comes_first_and_what_goes_last),
        arena_test(an_application_is_the_same_when_its_text_is),
        arena_test(a_restart_starts_only_that_application),
        arena_test(emptying_closes_and_stops_all),
        arena_test(listeners_that_overlap_are_opened_and_closed_beside_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
