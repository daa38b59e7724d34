/*
 * generation_test.c - trees to typed structs: defaults, short forms, references, counting.
 */
#include "conf/generation.h"

#include <errno.h>

#include "fixture.h"

/* *state is a generation; made from text by fill. */
static int
setup(void **state)
{
    *state = generation_new(7, 0);
    return 0;
}

static int
teardown(void **state)
{
    generation_unref(*state);
    return 0;
}

static struct generation *
filled(void **state, const char *text)
{
    struct generation *g = *state;
    struct conf_fault fault = {.offset = 0};

    if (generation_fill(g, tree_of(&g->arena, text), NULL, &fault) < 0)
        fail_msg("%s (%s)", fault.err.text, fault.path);
    return g;
}

static void
an_empty_one_has_all_defaults(void **state)
{
    struct generation *g = filled(state, "{}");

    assert_int_equal(g->number, 7);
    assert_int_equal(g->n_listeners + g->n_routes + g->n_apps, 0);
    assert_null(g->access_log);
    assert_int_equal(g->http.header_read_timeout_ms, 30000);
    assert_int_equal(g->http.body_read_timeout_ms, 30000);
    assert_int_equal(g->http.send_timeout_ms, 30000);
    assert_int_equal(g->http.idle_timeout_ms, 180000);
    assert_int_equal(g->http.max_body_size, 8388608);
    assert_int_equal(g->http.body_buffer_size, 16384);
    assert_int_equal(g->http.large_header_buffer_size, 8192);
    assert_int_equal(g->http.large_header_buffers, 4);
    assert_null(g->http.body_temp_path);
    assert_true(g->http.discard_unsafe_fields);
    assert_true(g->http.server_version);
    assert_true(g->http.chunked_transform);
    assert_slice_equal(mime_find(g->http.mime, SLICE("a.css")), "text/css");
}

static void
settings_are_taken(void **state)
{
    struct generation *g = filled(
        state, "{\"settings\":{\"http\":{\"header_read_timeout\":0.5,\"body_read_timeout\":2e0,"
               "\"send_timeout\":3,\"idle_timeout\":0,\"max_body_size\":1e9,"
               "\"body_temp_path\":\"/t\",\"body_buffer_size\":1,\"large_header_buffer_size\":2,"
               "\"large_header_buffers\":3,\"discard_unsafe_fields\":false,"
               "\"server_version\":false,\"chunked_transform\":false,"
               "\"static\":{\"mime_types\":{\"text/x\":[\".CSS\",\"MAKEFILE\"]}}}},"
               "\"access_log\":\"/a.log\"}");

    assert_int_equal(g->http.header_read_timeout_ms, 500);
    assert_int_equal(g->http.body_read_timeout_ms, 2000);
    assert_int_equal(g->http.send_timeout_ms, 3000);
    assert_int_equal(g->http.idle_timeout_ms, 0);
    assert_int_equal(g->http.max_body_size, 1000000000);
    assert_string_equal(g->http.body_temp_path, "/t");
    assert_int_equal(g->http.body_buffer_size, 1);
    assert_int_equal(g->http.large_header_buffer_size, 2);
    assert_int_equal(g->http.large_header_buffers, 3);
    assert_false(g->http.discard_unsafe_fields);
    assert_false(g->http.server_version);
    assert_false(g->http.chunked_transform);
    assert_slice_equal(mime_find(g->http.mime, SLICE("a.css")), "text/x");
    assert_slice_equal(mime_find(g->http.mime, SLICE("/x/Makefile")), "text/x");
    assert_slice_equal(mime_find(g->http.mime, SLICE("a.png")), "image/png");
    assert_string_equal(g->access_log, "/a.log");
}

static void
the_long_form_of_the_access_log_is_taken(void **state)
{
    assert_string_equal(filled(state, "{\"access_log\":{\"path\":\"/b\"}}")->access_log, "/b");
}

static void
listeners_know_where_to_pass(void **state)
{
    struct generation *g = filled(
        state, "{\"listeners\":{\"*:80\":{\"pass\":\"routes/main\"},\"[::1]:81\":{\"backlog\":5,"
               "\"pass\":\"applications/a%2Fb\"},\"*:82\":{\"pass\":\"routes/$host\"}},"
               "\"routes\":{\"other\":[],\"main\":[]},"
               "\"applications\":{\"a/b\":{\"type\":\"python\",\"module\":\"m\"}}}");

    assert_int_equal(g->n_listeners, 3);
    assert_string_equal(g->listeners[0].address, "*:80");
    assert_ptr_equal(g->listeners[0].pass.to.route, &g->routes[1]);
    assert_null(g->listeners[0].pass.to.app);
    assert_int_equal(g->listeners[0].backlog, -1);
    assert_ptr_equal(g->listeners[1].pass.to.app, &g->apps[0]);
    assert_int_equal(g->listeners[1].backlog, 5);
    assert_false(g->listeners[2].pass.text->literal);
    assert_null(g->listeners[2].pass.to.route);
    assert_ptr_equal(generation_listener(g, SLICE("*:82")), &g->listeners[2]);
    assert_null(generation_listener(g, SLICE("*:83")));
}

static void
steps_have_matches_and_actions(void **state)
{
    struct generation *g = filled(
        state, "{\"routes\":[{\"match\":{\"uri\":\"/%61*\",\"host\":\"A.b\",\"method\":\"get\"},"
               "\"action\":{\"return\":301,\"location\":\"/x$uri\"}},"
               "{\"action\":{\"share\":[\"/a$uri\",\"/b\"],\"types\":\"!text/*\",\"fallback\":"
               "{\"share\":\"/c\",\"index\":\"i\",\"fallback\":{\"pass\":\"routes\"}}}}]}");
    const struct step_conf *step = g->routes->steps;
    const struct action_conf *action = &step[1].action;

    assert_false(g->named_routes);
    assert_int_equal(g->n_routes, 1);
    assert_null(g->routes->name.p);
    assert_int_equal(g->routes->n, 2);
    assert_true(patterns_match(step->match.uri, SLICE("/abc")));
    assert_true(patterns_match(step->match.host, SLICE("a.b")));
    assert_true(patterns_match(step->match.method, SLICE("GET")));
    assert_int_equal(step->action.kind, ACTION_RETURN);
    assert_int_equal(step->action.status, 301);
    assert_int_equal(step->action.location->n, 2);
    assert_null(step[1].match.uri);
    assert_int_equal(action->kind, ACTION_SHARE);
    assert_int_equal(action->share.n, 2);
    assert_slice_equal(template_literal(action->share.p[1]), "/b");
    assert_string_equal(action->index, "index.html");
    assert_false(patterns_match(action->types, SLICE("text/css")));
    assert_string_equal(action->fallback->index, "i");
    assert_null(action->fallback->types);
    assert_int_equal(action->fallback->fallback->kind, ACTION_PASS);
    assert_ptr_equal(action->fallback->fallback->pass.to.route, g->routes);
    assert_null(action->fallback->fallback->fallback);
}

static void
applications_have_defaults(void **state)
{
    struct generation *g =
        filled(state, "{\"applications\":{\"a\":{\"module\":\"m\", \"type\":\"python 3\"}}}");
    const struct app_conf *app = generation_app(g, SLICE("a"));

    assert_ptr_equal(app, &g->apps[0]);
    assert_slice_equal(app->name, "a");
    assert_string_equal(app->type, "python 3");
    assert_string_equal(app->language, "python");
    assert_int_equal(app->processes.max, 1);
    assert_int_equal(app->processes.spare, 1);
    assert_int_equal(app->timeout_ms, 0);
    assert_int_equal(app->requests, 0);
    assert_null(app->user);
    assert_null(app->group);
    assert_null(app->working_directory);
    assert_int_equal(app->environment.n, 0);
    assert_null(app->stdout_path);
    assert_null(app->python.home);
    assert_int_equal(app->threads, 1);
    assert_int_equal(app->thread_stack_size, 0);
    assert_int_equal(app->python.n_targets, 1);
    assert_int_equal(app->python.targets[0].name.n, 0);
    assert_string_equal(app->python.targets[0].module, "m");
    assert_string_equal(app->python.targets[0].callable, "application");
    assert_null(app->python.targets[0].prefix);
    assert_null(app->python.protocol);
    assert_false(app->python.targets[0].factory);
    assert_int_equal(app->python.path.n, 0);
    assert_slice_equal(app->json, "{\"module\":\"m\",\"type\":\"python 3\"}");
    assert_null(generation_app(g, SLICE("b")));
}

static void
applications_take_all_options(void **state)
{
    struct generation *g = filled(
        state,
        "{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\",\"callable\":\"c\","
        "\"factory\":true,\"prefix\":\"/p\",\"protocol\":\"wsgi\",\"threads\":3,"
        "\"thread_stack_size\":131072,\"home\":\"/h\",\"path\":[\"/p\",\"/"
        "q\"],\"user\":\"u\",\"group\":\"g\","
        "\"working_directory\":\"/w\",\"environment\":{\"A\":\"1\",\"B\":\"\"},\"stdout\":\"/o\","
        "\"stderr\":\"/e\",\"limits\":{\"timeout\":1.5,\"requests\":9},"
        "\"processes\":{\"max\":4,\"spare\":2,\"idle_timeout\":0.25}}}}");
    const struct app_conf *app = &g->apps[0];

    assert_int_equal(app->processes.max, 4);
    assert_int_equal(app->processes.spare, 2);
    assert_int_equal(app->processes.idle_timeout_ms, 250);
    assert_int_equal(app->timeout_ms, 1500);
    assert_int_equal(app->requests, 9);
    assert_string_equal(app->user, "u");
    assert_string_equal(app->group, "g");
    assert_string_equal(app->working_directory, "/w");
    assert_int_equal(app->environment.n, 2);
    assert_string_equal(app->environment.p[0], "A=1");
    assert_string_equal(app->environment.p[1], "B=");
    assert_null(app->environment.p[2]);
    assert_string_equal(app->stdout_path, "/o");
    assert_string_equal(app->stderr_path, "/e");
    assert_string_equal(app->python.targets[0].callable, "c");
    assert_true(app->python.targets[0].factory);
    assert_string_equal(app->python.targets[0].prefix, "/p");
    assert_string_equal(app->python.protocol, "wsgi");
    assert_int_equal(app->threads, 3);
    assert_int_equal(app->thread_stack_size, 131072);
    assert_string_equal(app->python.home, "/h");
    assert_string_equal(app->python.path.p[1], "/q");
    assert_int_equal(app->python.path.n, 2);
}

#define TARGETS                                                                           \
    "\"applications\":{\"a\":{\"type\":\"python\",\"targets\":{\"x\":{\"module\":\"m\"}," \
    "\"y/z\":{\"module\":\"n\",\"callable\":\"c\",\"factory\":true,\"prefix\":\"/y\"}}}}"

static void
an_application_may_have_targets(void **state)
{
    struct generation *g =
        filled(state, "{\"listeners\":{\"*:80\":{\"pass\":\"applications/a/y%2Fz\"}}," TARGETS "}");
    const struct app_conf *app = &g->apps[0];
    struct destination to;

    assert_int_equal(app->python.n_targets, 2);
    assert_slice_equal(app->python.targets[0].name, "x");
    assert_string_equal(app->python.targets[0].module, "m");
    assert_string_equal(app->python.targets[0].callable, "application");
    assert_slice_equal(app->python.targets[1].name, "y/z");
    assert_string_equal(app->python.targets[1].callable, "c");
    assert_true(app->python.targets[1].factory);
    assert_string_equal(app->python.targets[1].prefix, "/y");
    assert_slice_equal(g->listeners[0].pass.to.target, "y/z");
    assert_true(generation_resolve(g, SLICE("applications/a"), &to));
    assert_int_equal(to.target.n, 0);
    assert_true(generation_resolve(g, SLICE("applications/a/x"), &to));
    assert_slice_equal(to.target, "x");
    assert_false(generation_resolve(g, SLICE("applications/a/z"), &to));
}

static void
a_listener_may_name_an_application(void **state)
{
    struct generation *g =
        filled(state, "{\"listeners\":{\"*:80\":{\"application\":\"a/$b\"}},"
                      "\"applications\":{\"a/$b\":{\"type\":\"python\",\"module\":\"m\"}}}");

    assert_ptr_equal(g->listeners[0].pass.to.app, &g->apps[0]);
    assert_true(g->listeners[0].pass.text->literal);
}

static void
processes_have_two_forms(void **state)
{
    struct generation *g = filled(
        state,
        "{\"applications\":{\"fixed\":{\"type\":\"python\",\"module\":\"m\",\"processes\":3},"
        "\"empty\":{\"type\":\"python\",\"module\":\"m\",\"processes\":{}},"
        "\"max\":{\"type\":\"python\",\"module\":\"m\",\"processes\":{\"max\":5}}}}");

    assert_int_equal(g->apps[0].processes.max, 3);
    assert_int_equal(g->apps[0].processes.spare, 3);
    assert_int_equal(g->apps[1].processes.max, 1);
    assert_int_equal(g->apps[1].processes.spare, 0);
    assert_int_equal(g->apps[1].processes.idle_timeout_ms, 15000);
    assert_int_equal(g->apps[2].processes.max, 5);
    assert_int_equal(g->apps[2].processes.spare, 0);
}

static void
the_module_is_bound_to_the_application(void **state)
{
    char path[] = "/m/python.so";
    struct conf_module list[] = {{SLICE("python"), SLICE("3.9"), SLICE("/old")},
                                 {SLICE("python"), SLICE("3.11"), slice_cstr(path)}};
    struct conf_modules modules = {list, array_len(list)};
    struct generation *g = *state;
    struct conf_fault fault;

    assert_int_equal(
        generation_fill(
            g,
            tree_of(&g->arena, "{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\"}}}"),
            &modules, &fault),
        0);
    memset(path, 'x', sizeof path - 1);
    assert_slice_equal(g->apps[0].module->path, "/m/python.so");
    assert_slice_equal(g->apps[0].module->version, "3.11");
}

static void
computed_destinations_are_resolved(void **state)
{
    struct generation *g = filled(
        state, "{\"routes\":{\"a\":[],\"b/c\":[]},\"applications\":{\"x\":{\"type\":\"python\","
               "\"module\":\"m\"}}}");
    static const char *const nowhere[] = {
        "",         "routes",           "routes/z",      "routes/a/b", "a", "applications/",
        "routes/%", "applications/x/t", "applications/z"};
    struct destination to;

    assert_true(generation_resolve(g, SLICE("routes/b%2Fc"), &to));
    assert_ptr_equal(to.route, &g->routes[1]);
    assert_true(generation_resolve(g, SLICE("applications/x"), &to));
    assert_ptr_equal(to.app, &g->apps[0]);
    assert_null(to.route);
    for (size_t i = 0; i < array_len(nowhere); i++)
        assert_false(generation_resolve(g, slice_cstr(nowhere[i]), &to));
}

static void
what_is_no_configuration_leaves_nothing(void **state)
{
    struct generation *g = *state;
    struct conf_fault fault;

    assert_int_equal(generation_fill(g, tree_of(&g->arena, "{\"routes\":3}"), NULL, &fault),
                     -EBADMSG);
    assert_string_equal(fault.path, "/routes");
    assert_null(g->tree);
    assert_null(g->routes);
}

static void
it_lives_as_long_as_somebody_uses_it(void **state)
{
    struct generation *g = filled(state, "{\"access_log\":\"/x\"}");

    generation_ref(g);
    generation_ref(g);
    generation_unref(g);
    assert_string_equal(g->access_log, "/x");
    generation_unref(g);
    assert_string_equal(g->access_log, "/x");
}

static void
a_life_goes_one_way(void **state)
{
    struct generation *g = *state;

    assert_int_equal(g->state, GENERATION_PREPARED);
    generation_move(g, GENERATION_LIVE);
    generation_move(g, GENERATION_RETIRING);
    assert_int_equal(g->state, GENERATION_RETIRING);
}

/* The parsed text has a cap; what is made of it does not count. */
static void
only_text_counts_against_the_cap(void **state)
{
    static const char text[] = "{\"routes\":[{\"match\":{\"uri\":\"/a*b*c*d*e*f*\"},"
                               "\"action\":{\"return\":200}}]}";
    struct generation *g = generation_new(1, 1200);
    struct conf_fault fault;
    struct json *root = NULL;
    size_t offset;

    (void)state;
    assert_int_equal(json_parse(&g->arena, SLICE(text), &root, &offset, NULL), 0);
    assert_int_equal(generation_fill(g, root, NULL, &fault), 0);
    assert_true(g->arena.used > 1200);
    generation_unref(g);

    g = generation_new(1, 300);
    assert_int_equal(json_parse(&g->arena, SLICE(text), &root, &offset, NULL), -ENOMEM);
    generation_unref(g);
}

#define generation_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        generation_test(an_empty_one_has_all_defaults),
        generation_test(settings_are_taken),
        generation_test(the_long_form_of_the_access_log_is_taken),
        generation_test(listeners_know_where_to_pass),
        generation_test(steps_have_matches_and_actions),
        generation_test(applications_have_defaults),
        generation_test(applications_take_all_options),
        generation_test(processes_have_two_forms),
        generation_test(the_module_is_bound_to_the_application),
        generation_test(an_application_may_have_targets),
        generation_test(a_listener_may_name_an_application),
        generation_test(computed_destinations_are_resolved),
        generation_test(what_is_no_configuration_leaves_nothing),
        generation_test(it_lives_as_long_as_somebody_uses_it),
        generation_test(a_life_goes_one_way),
        generation_test(only_text_counts_against_the_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
