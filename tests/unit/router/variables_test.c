/*
 * variables_test.c - values of variables, and what templates make of them.
 */
#include "router/variables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "router/router.h"

struct ground {
    struct request req;
    struct transaction tx;
    struct arena conf;
};

static int
make_ground(void **state)
{
    static struct field fields[] = {
        {SLICE("Host"), SLICE("Example.com:80"), NAME_HOST},
        {SLICE("Referer"), SLICE("http://r/"), NAME_REFERER},
        {SLICE("X-Two-Words"), SLICE("first"), NAME_NONE},
        {SLICE("x-two-words"), SLICE("second"), NAME_NONE},
        {SLICE("X_Under"), SLICE("score"), NAME_NONE},
        {SLICE("Cookie"), SLICE("a=1; b = 2;c=\"3\"; flag; a=9"), NAME_COOKIE},
        {SLICE("Cookie"), SLICE("d=4"), NAME_COOKIE},
    };
    struct ground *g = calloc(1, sizeof(*g));

    clock_update();
    g->req = (struct request){.line = SLICE("GET /a%20b?x=1 HTTP/1.1"),
                              .method = SLICE("GET"),
                              .target = SLICE("/a%20b?x=1"),
                              .path = SLICE("/a b"),
                              .query = SLICE("x=1&y=a+b%21&x=2&&=none&z&p=100%&q%41=k"),
                              .host = SLICE("example.com"),
                              .fields = fields,
                              .n_fields = array_len(fields),
                              .minor = 1,
                              .content_length = -1,
                              .keep_alive = true,
                              .start_ms = clock_ms() - 1234};
    arena_init(&g->req.arena, 1 << 20);
    arena_init(&g->conf, 0);
    g->tx.req = &g->req;
    *state = g;
    return 0;
}

static int
drop_ground(void **state)
{
    struct ground *g = *state;

    arena_done(&g->req.arena);
    arena_done(&g->conf);
    free(g);
    return 0;
}

static struct template *
parse(struct ground *g, const char *text)
{
    struct br_err err = BR_ERR_NONE;
    struct template *t;

    if (template_parse(&g->conf, slice_cstr(text), &t, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return t;
}

static const char *
expand(struct ground *g, const char *text)
{
    struct slice got;

    assert_int_equal(variables_expand(&g->tx, parse(g, text), &got, NULL), 0);
    assert_int_equal(got.p[got.n], '\0');
    return got.p;
}

static void
each_variable_has_its_value(void **state)
{
    static const char *const rows[][2] = {
        {"$method", "GET"},
        {"$uri", "/a b"},
        {"$request_uri", "/a%20b?x=1"},
        {"$request_line", "GET /a%20b?x=1 HTTP/1.1"},
        {"$host", "example.com"},
        {"$request_time", "1.234"},
        {"$status", "000"},
        {"$body_bytes_sent", "0"},
        {"$dollar", "$"},
        {"$header_host", "Example.com:80"},
        {"$header_referer", "http://r/"},
        {"$header_user_agent", ""},
        {"$header_x_two_words", "first"},
        {"$header_X_TWO_WORDS", "first"},
        {"$arg_x", "2"},
        {"$arg_y", "a b!"},
        {"$arg_z", ""},
        {"$arg_p", "100%"},
        {"$arg_qA", "k"},
        {"$arg_none", ""},
        {"$cookie_a", "1"},
        {"$cookie_c", "\"3\""},
        {"$cookie_d", "4"},
        {"$cookie_flag", ""},
        {"$cookie_A", ""},
        {"$response_header_connection", ""},
        {"$response_header_x", ""},
        {"/www$uri/${arg_x}$method.html", "/www/a b/2GET.html"},
        {"", ""},
        {"plain", "plain"},
    };

    for (size_t i = 0; i < array_len(rows); i++)
        assert_string_equal(expand(*state, rows[i][0]), rows[i][1]);
}

static void
an_answer_shows_in_its_variables(void **state)
{
    struct ground *g = *state;

    g->req.status = 206;
    g->req.body_sent = 12345678901;
    g->req.content_length = 42;
    assert_string_equal(expand(g, "$status $body_bytes_sent"), "206 12345678901");
    assert_string_equal(expand(g, "$response_header_content_length"), "42");
    assert_string_equal(expand(g, "$response_header_transfer_encoding"), "");
    g->req.content_length = -1;
    g->req.keep_alive = false;
    assert_string_equal(expand(g, "$response_header_transfer_encoding"), "chunked");
    assert_string_equal(expand(g, "$response_header_connection"), "close");
}

static void
the_request_id_stays_the_same_and_differs_from_others(void **state)
{
    struct ground *g = *state;
    struct slice first = variable_value(&g->tx, VAR_REQUEST_ID, SLICE_NONE);
    struct slice again = variable_value(&g->tx, VAR_REQUEST_ID, SLICE_NONE);
    struct transaction other = {.req = &g->req};

    assert_int_equal(first.n, 32);
    for (size_t i = 0; i < first.n; i++)
        assert_true(hex_value(first.p[i]) >= 0 && ascii_lower(first.p[i]) == first.p[i]);
    assert_true(slice_eq(first, again));
    assert_false(slice_eq(first, variable_value(&other, VAR_REQUEST_ID, SLICE_NONE)));
}

static void
dots_from_a_client_are_told_from_dots_of_the_configuration(void **state)
{
    static const struct {
        const char *text, *arg;
        bool foreign;
    } rows[] = {
        {"/www$uri", "..", false},        {"/www/../x$uri", "..", false},
        {"/www/$arg_v", "a", false},      {"/www/$arg_v", "..", true},
        {"/www/$arg_v/x", "..", true},    {"/www/$arg_v/x", "a/../b", true},
        {"/www/$arg_v/x", "../..", true}, {"/www/.$arg_v/x", ".", true},
        {"/www/$arg_v.", ".", true},      {"/www/$arg_v$arg_v/x", ".", true},
        {"/www/$arg_v/x", "...", false},  {"/www/$arg_v/x", "..a", false},
        {"/www/../$arg_v/x", "a", false}, {"/www/..$arg_v/../x", "", false},
        {"$arg_v", "..", true},
    };
    struct ground *g = *state;

    for (size_t i = 0; i < array_len(rows); i++) {
        char query[64] = "v=";
        struct slice got;
        bool foreign;

        strcat(query, rows[i].arg);
        g->req.query = slice_cstr(query);
        assert_int_equal(variables_expand(&g->tx, parse(g, rows[i].text), &got, &foreign), 0);
        if (foreign != rows[i].foreign)
            fail_msg("%s with %s: \"" SLICE_FMT "\"", rows[i].text, rows[i].arg, SLICE_ARG(got));
    }
}

static void
what_grows_too_long_is_refused(void **state)
{
    struct ground *g = *state;
    size_t n = 100000;
    char *path = malloc(n);
    struct slice got;

    memset(path, 'p', n);
    g->req.path = slice_make(path, n);
    assert_int_equal(variables_expand(&g->tx, parse(g, "$uri$uri"), &got, NULL), 0);
    assert_int_equal(variables_expand(&g->tx, parse(g, "$uri$uri$uri"), &got, NULL), -EMSGSIZE);
    free(path);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_ground, drop_ground)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_variable_has_its_value),
        TEST(an_answer_shows_in_its_variables),
        TEST(the_request_id_stays_the_same_and_differs_from_others),
        TEST(dots_from_a_client_are_told_from_dots_of_the_configuration),
        TEST(what_grows_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
