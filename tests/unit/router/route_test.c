/*
 * route_test.c - which step of a route acts: tables of rules and requests.
 *
 * Every step returns a status of its own, by which it is recognised.
 */
#include "router/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/generation.h"
#include "conf/json.h"
#include "http/request.h"

struct asked {
    const char *method, *host, *path;
    int status; /* 0: no step matches */
};

static struct generation *
make_generation(const char *routes)
{
    struct generation *g = generation_new(1, 0);
    struct conf_fault fault;
    struct br_err err = BR_ERR_NONE;
    struct json *tree;
    char text[4096];
    size_t offset;

    snprintf(text, sizeof(text), "{\"routes\": [%s]}", routes);
    if (json_parse(&g->arena, slice_cstr(text), &tree, &offset, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    fault = (struct conf_fault){.err = BR_ERR_NONE};
    if (generation_fill(g, tree, NULL, &fault) < 0)
        fail_msg("%s: %s", text, fault.err.text);
    return g;
}

static int
ask(const struct generation *g, const struct asked *a)
{
    struct request req = {
        .method = slice_cstr(a->method), .host = slice_cstr(a->host), .path = slice_cstr(a->path)};
    const struct action_conf *action = route_find(&g->routes[0], &req);

    return action != NULL ? action->status : 0;
}

static void
check(const char *routes, const struct asked *rows, size_t n)
{
    struct generation *g = make_generation(routes);

    for (size_t i = 0; i < n; i++) {
        int status = ask(g, &rows[i]);

        if (status != rows[i].status)
            fail_msg("%s: %s %s%s gives %d", routes, rows[i].method, rows[i].host, rows[i].path,
                     status);
    }
    generation_unref(g);
}

#define CHECK(routes, ...)                         \
    do {                                           \
        const struct asked rows[] = {__VA_ARGS__}; \
        check(routes, rows, array_len(rows));      \
    } while (0)

#define STEP(match, status) "{\"match\": {" match "}, \"action\": {\"return\": " #status "}}"

static void
the_first_step_that_matches_acts(void **state br_unused)
{
    CHECK(STEP("\"uri\": \"/a*\"", 201) "," STEP("\"uri\": \"/ab\"", 202) "," STEP("", 203),
          {"GET", "", "/a", 201}, {"GET", "", "/ab", 201}, {"GET", "", "/b", 203});
    CHECK("{\"action\": {\"return\": 201}}, {\"action\": {\"return\": 202}}",
          {"GET", "", "/", 201});
    CHECK("", {"GET", "", "/", 0});
    CHECK(STEP("\"uri\": \"/a\"", 201), {"GET", "", "/b", 0});
}

static void
all_members_must_hold(void **state br_unused)
{
    CHECK(STEP("\"method\": \"GET\", \"host\": \"a.b\", \"uri\": \"/x\"", 201),
          {"GET", "a.b", "/x", 201}, {"POST", "a.b", "/x", 0}, {"GET", "b", "/x", 0},
          {"GET", "a.b", "/y", 0}, {"GET", "", "/x", 0});
}

static void
methods_and_hosts_match_without_case(void **state br_unused)
{
    CHECK(STEP("\"method\": [\"get\", \"Post\"]", 201), {"GET", "", "/", 201},
          {"POST", "", "/", 201}, {"PUT", "", "/", 0});
    CHECK(STEP("\"method\": \"!GET\"", 201), {"GET", "", "/", 0}, {"HEAD", "", "/", 201});
    CHECK(STEP("\"host\": \"*.Example.COM\"", 201), {"GET", "a.example.com", "/", 201},
          {"GET", "example.com", "/", 0});
    CHECK(STEP("\"host\": \"\"", 201), {"GET", "", "/", 201}, {"GET", "a", "/", 0});
}

static void
uris_match_by_wildcard_set_and_expression(void **state br_unused)
{
    CHECK(STEP("\"uri\": [\"/a/*\", \"!/a/secret*\", \"*.php\"]", 201), {"GET", "", "/a/x", 201},
          {"GET", "", "/a/secret/x", 0}, {"GET", "", "/x.php", 201}, {"GET", "", "/x.phpx", 0});
    CHECK(STEP("\"uri\": \"~^/u[0-9]+$\"", 201), {"GET", "", "/u12", 201}, {"GET", "", "/u", 0},
          {"GET", "", "/U1", 0});
    CHECK(STEP("\"uri\": \"!~x\"", 201), {"GET", "", "/a", 201}, {"GET", "", "/axb", 0});
    CHECK(STEP("\"uri\": \"/a%2Ab\"", 201), {"GET", "", "/a*b", 201}, {"GET", "", "/aXb", 0});
    CHECK(STEP("\"uri\": []", 201), {"GET", "", "/anything", 201});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_step_that_matches_acts),
        cmocka_unit_test(all_members_must_hold),
        cmocka_unit_test(methods_and_hosts_match_without_case),
        cmocka_unit_test(uris_match_by_wildcard_set_and_expression),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
