/*
 * h1_conn_test.c - the life of a connection: answers now and later, back-pressure, aborts,
 * deadlines, draining.  What single requests mean is in rows.def.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "wire.h"

#define GET(path)    "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_10(path) "GET " path " HTTP/1.0\r\n\r\n"

static struct wire *
given(void **state)
{
    return *state;
}

static int
setup(void **state)
{
    struct wire *w = malloc(sizeof(*w));

    wire_init(w);
    wire_connect(w);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct wire *w = *state;

    wire_done(w);
    free(w);
    return 0;
}

static void
say(struct wire *w, const char *text)
{
    wire_send(w, text, strlen(text));
}

static bool
client_has(struct wire *w, const char *text)
{
    return w->n > 0 && memmem(w->got, w->n, text, strlen(text)) != NULL;
}

/* Handlers. */

static void
on_abort(struct request *req)
{
    struct wire *w = request_owner(req);

    w->aborted++;
    w->waiting = NULL;
}

static void
on_eof(struct request *req)
{
    ((struct wire *)request_owner(req))->eofs++;
}

static void
on_room(struct request *req)
{
    ((struct wire *)request_owner(req))->rooms++;
}

static const struct request_handler later_handler = {
    .on_abort = on_abort, .on_eof = on_eof, .on_room = on_room};

static void
answer_later(struct request *req)
{
    struct wire *w = request_owner(req);

    assert_null(w->waiting);
    w->waiting = req;
    req->handler = &later_handler;
}

static unsigned released;

static void
release(void *arg, const char *p)
{
    assert_ptr_equal(arg, &released);
    assert_non_null(p);
    released++;
}

#define TEXT(req, text) response_data(req, text, sizeof(text) - 1, release, &released)

/* Answers later. */

static void
a_request_may_be_answered_later(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/1") GET("/2"));
    assert_string_equal(wire_story(w), "open");
    assert_string_equal(w->last_line, "");
    wire_echo(w->waiting);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET /1 a {} | open");
    assert_string_equal(w->last_line, "GET /1 HTTP/1.1");
    wire_echo(w->waiting);
    assert_null(w->waiting);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET /1 a {} | 200 GET /2 a {} | open");
}

static void
input_that_came_while_the_handler_worked_is_served_after_it(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/1"));
    say(w, GET("/2"));
    assert_int_equal(w->begun, 1);
    wire_echo(w->waiting);
    assert_null(w->waiting); /* never from inside the answer */
    wire_turns(w);
    assert_non_null(w->waiting);
    wire_echo(w->waiting);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET /1 a {} | 200 GET /2 a {} | open");
}

static void
an_earlier_answer_leaves_while_a_later_request_waits(void **state)
{
    struct wire *w = given(state);

    say(w, GET("/0"));
    w->answer = answer_later;
    say(w, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    say(w, "cd" GET("/2"));
    wire_echo(w->waiting);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET /0 a {} | 200 POST /1 a {abcd} | open");
}

static void
a_thousand_pipelined_requests_are_answered_in_order(void **state)
{
    struct wire *w = given(state);
    char text[64], all[64 * 1000];
    size_t n = 0;
    const char *at;

    for (unsigned i = 0; i < 1000; i++)
        n += (size_t)sprintf(all + n, GET("/%u"), i);
    wire_send(w, all, n);
    assert_int_equal(w->done, 1000);
    at = w->got;
    for (unsigned i = 0; i < 1000; i++) {
        sprintf(text, "GET /%u a {}", i);
        at = strstr(at, text);
        assert_non_null(at);
    }
}

/* Framing. */

static void
stream_three(struct request *req)
{
    assert_int_equal(response_head(req, 200, NULL, 0, -1), 0);
    TEXT(req, "one,");
    TEXT(req, "two,");
    TEXT(req, "three");
    response_end(req);
}

static void
an_unknown_length_is_chunked(void **state)
{
    struct wire *w = given(state);

    w->answer = stream_three;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 chunked one,two,three | open");
    assert_true(client_has(w, "\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n"));
    assert_int_equal(w->last_sent, 9 + 9 + 10 + 5);
    assert_int_equal(released, 3);
}

static void
an_unknown_length_ends_with_the_connection_in_1_0(void **state)
{
    struct wire *w = given(state);

    w->answer = stream_three;
    say(w, GET_10("/"));
    assert_string_equal(wire_story(w), "200 to-end one,two,three | close");
    assert_int_equal(w->last_sent, 13);
}

static void
keep_alive_of_1_0_needs_a_length(void **state)
{
    struct wire *w = given(state);

    w->answer = stream_three;
    say(w, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_string_equal(wire_story(w), "200 to-end one,two,three | close");
    wire_connect(w);
    w->answer = NULL;
    say(w, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(client_has(w, "\r\nConnection: keep-alive\r\n"));
}

static void
one_piece_with_the_end(struct request *req)
{
    response_head(req, 200, NULL, 0, -1);
    response_last(req, "whole", 5, release, &released);
}

static void
a_single_last_piece_has_a_length(void **state)
{
    struct wire *w = given(state);

    w->answer = one_piece_with_the_end;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 whole | open");
    assert_true(client_has(w, "\r\nContent-Length: 5\r\n"));
}

static void
last_of_several(struct request *req)
{
    response_head(req, 200, NULL, 0, -1);
    TEXT(req, "a");
    response_last(req, "b", 1, release, &released);
}

static void
a_last_piece_after_others_ends_the_chunks(void **state)
{
    struct wire *w = given(state);

    w->answer = last_of_several;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 chunked ab | open");
    assert_true(client_has(w, "1\r\nb\r\n0\r\n\r\n"));
    say(w, GET_10("/"));
    assert_string_equal(wire_story(w), "200 chunked ab | 200 to-end ab | close");
}

static unsigned bodiless_status;

static void
bodiless(struct request *req)
{
    response_head(req, bodiless_status, NULL, 0, -1);
    TEXT(req, "never");
    response_end(req);
}

static void
some_statuses_have_no_body(void **state)
{
    struct wire *w = given(state);

    w->answer = bodiless;
    for (unsigned i = 0; i < 2; i++) {
        bodiless_status = i == 0 ? 204 : 304;
        wire_connect(w);
        say(w, GET("/"));
        assert_string_equal(wire_story(w), i == 0 ? "204 | open" : "304 | open");
        assert_false(client_has(w, "Content-Length"));
        assert_false(client_has(w, "chunked"));
        assert_false(client_has(w, "never"));
        assert_int_equal(w->last_sent, 0);
    }
    assert_int_equal(released, 2);
}

static void
not_found(struct request *req)
{
    response_error(req, 404);
}

static void
head_has_no_body_even_of_an_error(void **state)
{
    struct wire *w = given(state);
    const char *end;

    w->answer = not_found;
    say(w, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_has(w, "\r\nContent-Length: 54\r\n"));
    end = strstr(w->got, "\r\n\r\n");
    assert_ptr_equal(end + 4, w->got + w->n);
    say(w, GET("/"));
    assert_non_null(strstr(end + 4, "404 Not Found"));
    assert_false(w->ended);
}

static void
the_default_page(void **state)
{
    struct wire *w = given(state);

    w->answer = not_found;
    say(w, GET("/"));
    assert_true(client_has(
        w, "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nServer: brood\r\nDate: "));
    assert_true(client_has(w, "GMT\r\nContent-Length: 54\r\n\r\n"
                              "<!DOCTYPE html><title>Error 404</title><p>Error 404.\r\n"));
    assert_string_equal(wire_story(w), "404 | open");
    assert_int_equal(w->last_status, 404);
    assert_int_equal(w->last_sent, 54);
}

static void
short_body(struct request *req)
{
    response_head(req, 200, NULL, 0, 10);
    TEXT(req, "short");
    response_end(req);
}

static void
a_body_shorter_than_announced_ends_the_connection(void **state)
{
    struct wire *w = given(state);

    w->answer = short_body;
    say(w, GET("/") GET("/"));
    assert_string_equal(wire_story(w), "200 cut short | close");
    assert_true(w->last_truncated);
    assert_non_null(strstr(w->last_fault, "shorter"));
}

static void
long_body(struct request *req)
{
    response_head(req, 200, NULL, 0, 4);
    TEXT(req, "lo");
    TEXT(req, "nger");
    TEXT(req, "!");
    response_end(req);
}

static void
a_body_longer_than_announced_is_cut(void **state)
{
    struct wire *w = given(state);

    w->answer = long_body;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 long | open");
    assert_non_null(strstr(w->last_fault, "longer"));
    assert_int_equal(released, 3);
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 long | 200 long | open");
}

static void
give_up(struct request *req)
{
    response_head(req, 200, NULL, 0, -1);
    TEXT(req, "half");
    response_abort(req);
}

static void
an_aborted_answer_never_looks_complete(void **state)
{
    struct wire *w = given(state);

    w->answer = give_up;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 chunked cut half | close");
    assert_false(client_has(w, "\r\n0\r\n"));
    assert_true(w->last_truncated);

    wire_connect_tcp(w); /* a body up to the end: only a reset tells */
    say(w, GET_10("/"));
    while (!w->reset && !w->ended)
        wire_turns(w);
    assert_true(w->reset);
}

static void
abort_without_head(struct request *req)
{
    response_abort(req);
}

static void
an_abort_without_a_head_just_closes(void **state)
{
    struct wire *w = given(state);

    w->answer = abort_without_head;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "close");
    assert_int_equal(w->last_status, 0);
}

static void
nothing_given(struct request *req)
{
    response_end(req);
}

static void
an_end_without_a_head_is_an_error(void **state)
{
    struct wire *w = given(state);

    w->answer = nothing_given;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "500 | open");
}

/* Fields of the handler. */

static void
with_fields_of_the_connection(struct request *req)
{
    const struct field fields[] = {
        {.name = SLICE("X-First"), .value = SLICE("1")},
        FIELD(CONNECTION, "Connection", SLICE("keep-alive, X-Hop")),
        {.name = SLICE("TRANSFER-encoding"), .value = SLICE("chunked")},
        {.name = SLICE("Keep-Alive"), .value = SLICE("timeout=5")},
        {.name = SLICE("Trailer"), .value = SLICE("X")},
        {.name = SLICE("Upgrade"), .value = SLICE("h2c")},
        {.name = SLICE("Proxy-Connection"), .value = SLICE("close")},
        {.name = SLICE("TE"), .value = SLICE("trailers")},
        {.name = SLICE("content-length"), .value = SLICE("999")},
        {.name = SLICE("Status"), .value = SLICE("500 No")},
        FIELD(DATE, "Date", SLICE("Thu, 01 Jan 1970 00:00:00 GMT")),
        FIELD(SERVER, "Server", SLICE("mine")),
        {.name = SLICE("X-Last"), .value = SLICE("")},
    };

    response_send(req, 200, fields, array_len(fields), SLICE("x"), release, &released);
}

static void
fields_of_the_connection_are_dropped(void **state)
{
    struct wire *w = given(state);

    w->answer = with_fields_of_the_connection;
    say(w, GET("/"));
    w->got[w->n] = '\0';
    assert_string_equal(w->got, "HTTP/1.1 200 OK\r\nX-First: 1\r\n"
                                "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: mine\r\n"
                                "X-Last: \r\nContent-Length: 1\r\n\r\nx");
}

static struct field bad_field;

static void
with_bad_field(struct request *req)
{
    response_send(req, 200, &bad_field, 1, SLICE("x"), release, &released);
}

static void
a_field_that_splits_the_response_makes_it_an_error(void **state)
{
    static const struct field bad[] = {
        {.name = SLICE("X"), .value = SLICE("a\r\nSet-Cookie: evil")},
        {.name = SLICE("X"), .value = SLICE("a\nb")},
        {.name = SLICE("X"), .value = SLICE("a\rb")},
        {.name = SLICE("X"), .value = {"a\0b", 3}},
        {.name = SLICE("X"), .value = SLICE("0123456789\x7f")},
        {.name = SLICE("X\r\nY"), .value = SLICE("a")},
        {.name = SLICE("X:"), .value = SLICE("a")},
        {.name = SLICE(""), .value = SLICE("a")},
        {.name = SLICE("X Y"), .value = SLICE("a")},
    };
    struct wire *w = given(state);

    w->answer = with_bad_field;
    for (size_t i = 0; i < array_len(bad); i++) {
        bad_field = bad[i];
        wire_connect(w);
        say(w, GET("/"));
        assert_string_equal(wire_story(w), "500 | open");
        assert_non_null(strstr(w->last_fault, "bad name or value"));
    }
    assert_int_equal(released, array_len(bad));
}

static unsigned asked_status;

static void
with_status(struct request *req)
{
    response_send(req, asked_status, NULL, 0, SLICE_NONE, NULL, NULL);
}

static void
statuses_outside_200_to_999_are_errors(void **state)
{
    static const struct {
        unsigned asked;
        const char *line;
    } cases[] = {
        {0, "HTTP/1.1 500 "},       {99, "HTTP/1.1 500 "},      {100, "HTTP/1.1 500 "},
        {199, "HTTP/1.1 500 "},     {1000, "HTTP/1.1 500 "},    {200, "HTTP/1.1 200 OK\r\n"},
        {999, "HTTP/1.1 999 \r\n"}, {299, "HTTP/1.1 299 \r\n"}, {700, "HTTP/1.1 700 \r\n"}};
    struct wire *w = given(state);

    w->answer = with_status;
    for (size_t i = 0; i < array_len(cases); i++) {
        asked_status = cases[i].asked;
        wire_connect(w);
        say(w, GET("/"));
        assert_memory_equal(w->got, cases[i].line, strlen(cases[i].line));
    }
}

static void
with_huge_head(struct request *req)
{
    struct field field = {.name = SLICE("X")};
    char *text = arena_alloc(&req->arena, 70000);

    memset(text, 'x', 70000);
    field.value = slice_make(text, req->path.n > 1 ? 20000 : 70000);
    response_send(req, 200, &field, 1, SLICE("x"), NULL, NULL);
}

static void
a_response_head_has_a_limit(void **state)
{
    struct wire *w = given(state);

    w->answer = with_huge_head;
    say(w, GET("/large"));
    assert_string_equal(wire_story(w), "200 x | open");
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 x | 500 | open");
}

static void
nobody_names_the_server_unless_asked(void **state)
{
    struct wire *w = given(state);

    w->limits.server = SLICE_NONE;
    say(w, GET("/"));
    assert_false(client_has(w, "Server"));
    assert_true(client_has(w, "\r\nDate: "));
    w->limits.server = SLICE("other/2");
    say(w, GET("/"));
    assert_true(client_has(w, "\r\nServer: other/2\r\n"));
}

/* Answers in pieces, from outside. */

static void
a_head_alone_leaves_at_the_end_of_the_turn(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/"));
    response_head(w->waiting, 200, NULL, 0, -1);
    wire_turns(w);
    assert_true(client_has(w, "\r\n\r\n"));
    TEXT(w->waiting, "x");
    wire_turns(w);
    assert_true(client_has(w, "\r\n\r\n1\r\nx\r\n"));
    response_end(w->waiting);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 chunked x | open");
}

static void
head_in_the_handler(struct request *req)
{
    answer_later(req);
    response_head(req, 200, NULL, 0, 3);
}

static void
a_head_from_the_handler_leaves_before_the_loop_waits(void **state)
{
    struct wire *w = given(state);

    w->answer = head_in_the_handler;
    say(w, GET("/"));
    assert_true(client_has(w, "\r\nContent-Length: 3\r\n\r\n"));
    response_last(w->waiting, "abc", 3, release, &released);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 abc | open");
}

/* The client goes. */

static void
a_reset_aborts_the_handler(void **state)
{
    struct wire *w = given(state);
    struct linger now = {.l_onoff = 1};

    wire_connect_tcp(w);
    w->answer = answer_later;
    while (w->waiting == NULL)
        say(w, GET("/"));
    setsockopt(w->client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(w->client);
    w->client = -1;
    while (!w->gone)
        loop_once(w->loop, 1000);
    assert_int_equal(w->aborted, 1);
    assert_int_equal(w->done, w->begun);
    assert_true(w->last_truncated);
    assert_int_equal(w->server.counters.active, 0);
    assert_int_equal(w->server.counters.idle, 0);
}

static void
data_for_a_client_that_is_gone_is_dropped(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/"));
    close(w->client);
    w->client = -1;
    response_head(w->waiting, 200, NULL, 0, -1);
    TEXT(w->waiting, "one");
    TEXT(w->waiting, "two");
    assert_int_equal(w->aborted, 0); /* not from inside */
    while (!w->gone)
        loop_once(w->loop, 1000);
    assert_int_equal(w->aborted, 1);
    assert_int_equal(released, 2);
}

static void
ending_for_a_client_that_is_gone_is_no_abort(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/"));
    close(w->client);
    w->client = -1;
    response_send(w->waiting, 200, NULL, 0, SLICE("x"), release, &released);
    assert_int_equal(w->done, 1);
    assert_true(w->gone);
    assert_int_equal(w->aborted, 0);
    assert_int_equal(released, 1);
}

static void
a_half_close_is_told_and_may_be_answered(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/"));
    wire_half_close(w);
    wire_turns(w);
    assert_int_equal(w->eofs, 1);
    assert_int_equal(w->aborted, 0);
    wire_echo(w->waiting);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET / a {} | close");
}

static void
closing_the_server_aborts_what_is_under_way(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/"));
    h1_server_close(&w->server);
    assert_int_equal(w->aborted, 1);
    assert_int_equal(w->done, 1);
    assert_true(w->gone);
    wire_turns(w);
    assert_string_equal(wire_story(w), "close");
}

/* Back-pressure. */

#define PIECE 65536

static void
a_slow_reader_stops_the_handler(void **state)
{
    struct wire *w = given(state);
    char *piece = malloc(PIECE);
    unsigned given_pieces = 0;

    memset(piece, 'x', PIECE);
    w->answer = answer_later;
    say(w, GET("/"));
    response_head(w->waiting, 200, NULL, 0, 100 * PIECE);
    while (given_pieces < 100) {
        if (response_full(w->waiting)) {
            unsigned rooms = w->rooms;

            assert_true(given_pieces < 20 || w->rooms > 0); /* the kernel's buffer and ours */
            while (w->rooms == rooms)
                wire_turns(w);
            assert_false(response_full(w->waiting));
        }
        response_data(w->waiting, piece, PIECE, release, &released);
        given_pieces++;
    }
    response_end(w->waiting);
    while (w->done == 0)
        wire_turns(w);
    wire_turns(w);
    assert_true(w->rooms > 0);
    assert_int_equal(released, 100);
    assert_int_equal(w->last_sent, 100 * PIECE);
    assert_int_equal(strlen(w->got),
                     (size_t)(strstr(w->got, "\r\n\r\n") - w->got) + 4 + 100 * PIECE);
    free(piece);
}

static void
pieces_queued_for_a_client_that_goes_are_released_once(void **state)
{
    struct wire *w = given(state);
    char *piece = malloc(PIECE);

    memset(piece, 'x', PIECE);
    w->answer = answer_later;
    say(w, GET("/"));
    response_head(w->waiting, 200, NULL, 0, -1);
    for (unsigned i = 0; i < 20; i++)
        response_data(w->waiting, piece, PIECE, release, &released);
    assert_true(released < 20);
    close(w->client);
    w->client = -1;
    while (!w->gone)
        loop_once(w->loop, 1000);
    assert_int_equal(released, 20);
    assert_int_equal(w->aborted, 1);
    assert_true(w->last_sent < 20 * PIECE);
    free(piece);
}

static void
a_client_that_does_not_read_is_cut_after_send_timeout(void **state)
{
    struct wire *w = given(state);
    char *piece = malloc(PIECE);

    w->limits.send_timeout_ms = 5;
    memset(piece, 'x', PIECE);
    w->answer = answer_later;
    say(w, GET("/"));
    response_head(w->waiting, 200, NULL, 0, -1);
    for (unsigned i = 0; i < 20; i++)
        response_data(w->waiting, piece, PIECE, release, &released);
    while (!w->gone)
        loop_once(w->loop, 1000);
    assert_int_equal(w->aborted, 1);
    assert_int_equal(released, 20);
    free(piece);
}

static void
requests_of_a_client_that_never_reads_wait(void **state)
{
    struct wire *w = given(state);
    char request[] = GET("/0123456789012345678901234567890123456789");
    unsigned sent = 0;

    /* Until the server takes no more: answers fill the client's buffer, then requests do. */
    for (int quiet = 0; quiet < 3;) {
        ssize_t n = send(w->client, request, sizeof(request) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n == (ssize_t)sizeof(request) - 1) {
            sent++;
            quiet = 0;
            continue;
        }
        if (n > 0)
            break;
        loop_once(w->loop, 0);
        quiet++;
    }
    assert_true(w->begun < sent);
    assert_true(w->server.counters.active <= 1);
}

/* Files. */

static int
file_of(const char *text)
{
    int fd = fd_memfd_sealed("file", text, strlen(text));

    assert_true(fd >= 0);
    return fd;
}

static unsigned file_length;

static void
send_file(struct request *req)
{
    response_head(req, 200, NULL, 0, file_length);
    response_file(req, file_of("0123456789"), 2, file_length);
    response_end(req);
}

static void
a_file_is_sent_by_its_part(void **state)
{
    struct wire *w = given(state);
    int before;

    w->answer = send_file;
    file_length = 5;
    before = fd_count();
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 23456 | open");
    say(w, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(w->done, 2);
    assert_int_equal(fd_count(), before);
}

static void
a_file_that_became_shorter_cuts_the_connection(void **state)
{
    struct wire *w = given(state);

    w->answer = send_file;
    file_length = 50;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 cut 23456789 | close");
    assert_true(w->last_truncated);
}

static void
send_file_in_chunks(struct request *req)
{
    response_head(req, 200, NULL, 0, -1);
    response_file(req, file_of("0123456789"), 0, 10);
    TEXT(req, "-");
    response_file(req, file_of("abc"), 0, 3);
    response_end(req);
}

static void
files_can_be_chunks(void **state)
{
    struct wire *w = given(state);

    w->answer = send_file_in_chunks;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 chunked 0123456789-abc | open");
}

/* Bodies. */

static void
post_of(struct wire *w, size_t n, const char *more)
{
    char *text = malloc(n + 200);
    size_t at =
        (size_t)sprintf(text, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", n);

    memset(text + at, 'b', n);
    wire_send(w, text, at + n);
    wire_send(w, more, strlen(more));
    free(text);
}

static void
bodies_in_the_input_in_memory_and_in_a_file(void **state)
{
    static const size_t sizes[] = {1, 100, 101, 16000, 16384, 20000, 70000, 200000};
    struct wire *w = given(state);

    w->limits.max_body_size = 200000;
    for (size_t i = 0; i < array_len(sizes); i++) {
        for (unsigned heap = 0; heap < 2; heap++) {
            const char *end;

            w->limits.body_buffer_size = heap ? 100000 : 100;
            wire_connect(w);
            post_of(w, sizes[i], GET("/next"));
            while (w->done < 2)
                wire_turns(w);
            end = strstr(w->got, "{");
            assert_int_equal(strspn(end + 1, "b"), sizes[i]);
            assert_non_null(strstr(end, "}HTTP/1.1 200 OK"));
            assert_non_null(strstr(end, "GET /next a {}"));
        }
    }
}

static void
a_file_that_cannot_be_made_is_an_error_of_ours(void **state)
{
    struct wire *w = given(state);

    w->limits.max_body_size = 200000;
    w->limits.body_temp_path = "/nonexistent/place";
    post_of(w, 100000, "");
    assert_string_equal(wire_story(w), "500 | close");
    assert_non_null(strstr(w->last_fault, "stored"));
}

static void
the_body_may_leave_its_request(void **state)
{
    struct wire *w = given(state);
    char text[8];
    int fd;

    w->answer = answer_later;
    w->limits.max_body_size = 200000;
    post_of(w, 50000, "");
    assert_int_equal(w->waiting->body.length, 50000);
    fd = body_take_fd(&w->waiting->body);
    response_error(w->waiting, 503);
    assert_int_equal(pread(fd, text, 8, 49992), 8);
    assert_memory_equal(text, "bbbbbbbb", 8);
    close(fd);
}

/* Expect. */

static void
a_client_that_expects_100_gets_it(void **state)
{
    struct wire *w = given(state);

    say(w, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_string_equal(wire_story(w), "100 | open");
    say(w, "hi");
    assert_string_equal(wire_story(w), "100 | 200 POST / a {hi} | open");
    say(w,
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    say(w, "2\r\nhi\r\n0\r\n\r\n");
    assert_string_equal(wire_story(w), "100 | 200 POST / a {hi} | 100 | 200 POST / a {hi} | open");
}

static void
no_100_when_the_body_is_there(void **state)
{
    struct wire *w = given(state);

    say(w, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    assert_string_equal(wire_story(w), "200 POST / a {hi} | open");
    say(w, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nh");
    say(w, "i");
    assert_string_equal(wire_story(w), "200 POST / a {hi} | 200 POST / a {hi} | open");
}

/* Deadlines. */

static void
a_silent_connection_gets_408(void **state)
{
    struct wire *w = given(state);

    w->limits.idle_timeout_ms = 5;
    wire_connect(w);
    wire_wait_gone(w);
    assert_string_equal(wire_story(w), "408 | close");
    assert_true(client_has(w, "408 Request Timeout\r\n"));
    assert_true(client_has(w, "Content-Length: 0\r\nConnection: close\r\n\r\n"));
    assert_int_equal(w->begun, 0);
}

static void
an_idle_connection_gets_408(void **state)
{
    struct wire *w = given(state);

    w->limits.idle_timeout_ms = 5;
    wire_connect(w);
    say(w, GET("/"));
    wire_wait_gone(w);
    assert_string_equal(wire_story(w), "200 GET / a {} | 408 | close");
}

static void
a_slow_head_gets_408(void **state)
{
    struct wire *w = given(state);

    w->limits.header_read_timeout_ms = 5;
    say(w, "GET / HTTP/1.1\r\nHo");
    while (!w->ended)
        loop_once(w->loop, 1000), wire_turns(w);
    assert_string_equal(wire_story(w), "408 | close");
    assert_string_equal(w->last_fault, "head was not complete within header_read_timeout");
}

static void
a_slow_body_gets_408(void **state)
{
    struct wire *w = given(state);

    w->limits.body_read_timeout_ms = 5;
    say(w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    while (!w->ended)
        loop_once(w->loop, 1000), wire_turns(w);
    assert_string_equal(wire_story(w), "408 | close");
}

static void
a_handler_may_take_longer_than_any_deadline(void **state)
{
    struct wire *w = given(state);

    w->limits.idle_timeout_ms = w->limits.header_read_timeout_ms = 1;
    w->answer = answer_later;
    wire_connect(w);
    say(w, GET("/"));
    for (unsigned i = 0; i < 5; i++)
        loop_once(w->loop, 3);
    assert_false(w->gone);
    wire_echo(w->waiting);
    wire_turns(w);
    assert_true(client_has(w, "GET / a {}"));
}

static void
a_refused_client_may_linger_for_so_long(void **state)
{
    struct wire *w = given(state);

    w->limits.linger_ms = 60000;
    say(w, "bad\r\n\r\n");
    assert_string_equal(wire_story(w), "400 | close"); /* the half that the server closed */
    assert_false(w->gone);
    w->limits.linger_ms = 5;
    wire_connect(w);
    say(w, "bad\r\n\r\n");
    wire_wait_gone(w);
    assert_string_equal(wire_story(w), "400 | close");
}

static void
a_refused_client_may_linger_for_so_much(void **state)
{
    struct wire *w = given(state);
    char junk[5000];

    memset(junk, 'x', sizeof(junk));
    w->limits.linger_bytes = 10000;
    say(w, "bad\r\n\r\n");
    wire_send(w, junk, sizeof(junk));
    assert_false(w->gone);
    wire_send(w, junk, sizeof(junk));
    wire_send(w, junk, sizeof(junk));
    assert_true(w->gone);
}

static void
a_413_arrives_although_the_body_is_under_way(void **state)
{
    struct wire *w = given(state);
    char *text = malloc(500000);
    int n;

    wire_connect_tcp(w);
    memset(text, 'x', 500000);
    n = sprintf(text, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 499900\r\n\r\n");
    text[n] = 'x';
    wire_send(w, text, 500000);
    while (!w->ended && !w->reset)
        wire_turns(w);
    assert_string_equal(wire_story(w), "413 | close");
    free(text);
}

/* Limits of heads. */

static char *
repeat(const char *before, const char *text, unsigned times, const char *after)
{
    char *all = malloc(strlen(before) + times * strlen(text) + strlen(after) + 1), *at;

    at = stpcpy(all, before);
    for (unsigned i = 0; i < times; i++)
        at = stpcpy(at, text);
    stpcpy(at, after);
    return all;
}

static void
heads_beyond_the_limits_are_refused(void **state)
{
    static const struct {
        const char *before, *text;
        unsigned times;
        const char *after, *story;
    } cases[] = {
        {"GET /", "x", 8000, " HTTP/1.1\r\nHost: a\r\n\r\n", "200 "},
        {"GET /", "x", 8192, " HTTP/1.1\r\nHost: a\r\n\r\n", "414 | close"},
        {"GET /", "x", 65536, " HTTP/1.1\r\nHost: a\r\n\r\n", "414 | close"},
        {"GET /?", "x", 65536, "", "414 | close"},
        {"", "X", 8192, " / HTTP/1.1\r\n", "400 | close"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "x", 8000, "\r\n\r\n", "200 "},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "x", 8192, "\r\n\r\n", "431 | close"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "x", 1000000, "\r\n\r\n", "431 | close"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "x", 255, ": x\r\n\r\n", "200 "},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "x", 256, ": x\r\n\r\n", "431 | close"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 999, "\r\n", "200 "},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 1000, "\r\n", "431 | close"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 10000, "\r\n", "431 | close"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "X_: y\r\n", 10000, "\r\n", "431 | close"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "Name: 0123456789012345678901234567890123456789\r\n", 700,
         "\r\n", "200 "},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "Name: 0123456789012345678901234567890123456789\r\n", 800,
         "\r\n", "431 | close"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", 1025, "",
         "400 | close"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
         "1;xxxxxxxxxxxxxxxxxxxxxxxxx\r\nx\r\n", 800, "", "400 | close"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "Name: x\r\n",
         10000, "", "400 | close"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", "x", 9000, "",
         "400 | close"},
    };
    struct wire *w = given(state);

    for (size_t i = 0; i < array_len(cases); i++) {
        char *text = repeat(cases[i].before, cases[i].text, cases[i].times, cases[i].after);
        size_t n = strlen(text);

        for (unsigned step = 0; step < 3; step++) {
            size_t by = step == 0 ? n : step == 1 ? 4096 : 997;

            wire_connect(w);
            for (size_t at = 0; at < n; at += by)
                wire_send(w, text + at, br_min(by, n - at));
            if (strncmp(wire_story(w), cases[i].story, strlen(cases[i].story)) != 0)
                fail_msg("case %zu by %zu: want %s, have %.200s", i, by, cases[i].story,
                         wire_story(w));
        }
        free(text);
    }
}

static void
a_long_chunked_head_gets_a_fresh_buffer(void **state)
{
    struct wire *w = given(state);
    char *text = repeat("POST /fields HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
                        "Name: 0123456789012345678901234567890123456789\r\n", 330,
                        "\r\n5\r\nhello\r\n0\r\n\r\n" GET("/next"));

    wire_send(w, text, strlen(text));
    assert_non_null(strstr(w->got, ";hello}HTTP/1.1 200 OK"));
    assert_non_null(strstr(w->got, "Name=0123456789012345678901234567890123456789;hello}"));
    assert_non_null(strstr(w->got, "GET /next a {}"));
    free(text);
}

static void
unsafe_names_are_kept_when_asked(void **state)
{
    struct wire *w = given(state);

    w->limits.discard_unsafe_fields = false;
    say(w, "POST /fields HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nX.y: 1\r\n\r\n");
    assert_string_equal(wire_story(w),
                        "200 POST /fields a {Host=a;Content_Length=5;X.y=1;} | open");
}

static void
chunked_may_be_off(void **state)
{
    struct wire *w = given(state);

    w->limits.chunked_transform = false;
    say(w,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/evil"));
    assert_string_equal(wire_story(w), "411 | close");
}

/* Draining. */

static void
draining_closes_what_is_idle(void **state)
{
    struct wire *w = given(state);

    say(w, GET("/"));
    h1_server_drain(&w->server);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET / a {} | close");
    assert_true(w->gone);
}

static void
draining_lets_a_request_end(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/") GET("/2"));
    h1_server_drain_owner(&w->server, w);
    wire_turns(w);
    assert_false(w->gone);
    wire_echo(w->waiting);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET / a {} | close");
    assert_true(client_has(w, "\r\nConnection: close\r\n"));
}

static void
draining_serves_what_had_come_already(void **state)
{
    struct wire *w = given(state);

    say(w, GET("/"));
    send(w->client, GET("/2"), sizeof(GET("/2")) - 1, MSG_NOSIGNAL);
    h1_server_drain(&w->server);
    wire_turns(w);
    assert_string_equal(wire_story(w), "200 GET / a {} | 200 GET /2 a {} | close");
}

static void
draining_waits_a_moment_for_a_first_request(void **state)
{
    struct wire *w = given(state);

    h1_server_drain(&w->server);
    wire_turns(w);
    assert_false(w->gone);
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 GET / a {} | close");
}

static void
draining_another_owner_is_not_ours(void **state)
{
    struct wire *w = given(state);
    int other;

    say(w, GET("/"));
    h1_server_drain_owner(&w->server, &other);
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 GET / a {} | 200 GET / a {} | open");
}

static void
shedding_takes_the_idle_ones(void **state)
{
    struct wire *w = given(state);

    w->answer = answer_later;
    say(w, GET("/"));
    assert_int_equal(h1_server_shed(&w->server, 5), 0);
    wire_echo(w->waiting);
    assert_int_equal(h1_server_shed(&w->server, 5), 1);
    assert_true(w->gone);
}

/* The rest. */

static void
connections_are_counted(void **state)
{
    struct wire *w = given(state);
    const struct http_counters *n = &w->server.counters;

    assert_int_equal(n->accepted, 1);
    assert_int_equal(n->idle, 1);
    w->answer = answer_later;
    say(w, GET("/"));
    assert_int_equal(n->active, 1);
    assert_int_equal(n->idle, 0);
    wire_echo(w->waiting);
    assert_int_equal(n->active, 0);
    assert_int_equal(n->idle, 1);
    assert_int_equal(n->requests, 1);
    wire_connect(w);
    assert_int_equal(n->accepted, 2);
    assert_int_equal(n->closed, 1);
}

static void
tell_ends(struct request *req)
{
    char *text =
        arena_printf(&req->arena, SLICE_FMT " " SLICE_FMT " " SLICE_FMT " " SLICE_FMT,
                     SLICE_ARG(request_remote_addr(req)), SLICE_ARG(request_remote_port(req)),
                     SLICE_ARG(request_local_addr(req)), SLICE_ARG(request_local_port(req)));

    response_send(req, 200, NULL, 0, slice_cstr(text), NULL, NULL);
}

static void
the_ends_have_names(void **state)
{
    struct wire *w = given(state);
    unsigned remote, local;
    const char *at;

    w->answer = tell_ends;
    say(w, GET("/"));
    assert_string_equal(wire_story(w), "200 unix:  unix:  | open");
    wire_connect_tcp(w);
    while (w->n == 0)
        say(w, GET("/"));
    at = strstr(w->got, "\r\n\r\n") + 4;
    assert_int_equal(sscanf(at, "127.0.0.1 %u 127.0.0.1 %u", &remote, &local), 2);
    assert_true(remote > 1023 && local > 1023 && remote != local);
}

static int
each_setup(void **state)
{
    released = 0;
    return setup(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each_setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_may_be_answered_later),
        TEST(input_that_came_while_the_handler_worked_is_served_after_it),
        TEST(an_earlier_answer_leaves_while_a_later_request_waits),
        TEST(a_thousand_pipelined_requests_are_answered_in_order),
        TEST(an_unknown_length_is_chunked),
        TEST(an_unknown_length_ends_with_the_connection_in_1_0),
        TEST(keep_alive_of_1_0_needs_a_length),
        TEST(a_single_last_piece_has_a_length),
        TEST(a_last_piece_after_others_ends_the_chunks),
        TEST(some_statuses_have_no_body),
        TEST(head_has_no_body_even_of_an_error),
        TEST(the_default_page),
        TEST(a_body_shorter_than_announced_ends_the_connection),
        TEST(a_body_longer_than_announced_is_cut),
        TEST(an_aborted_answer_never_looks_complete),
        TEST(an_abort_without_a_head_just_closes),
        TEST(an_end_without_a_head_is_an_error),
        TEST(fields_of_the_connection_are_dropped),
        TEST(a_field_that_splits_the_response_makes_it_an_error),
        TEST(statuses_outside_200_to_999_are_errors),
        TEST(a_response_head_has_a_limit),
        TEST(nobody_names_the_server_unless_asked),
        TEST(a_head_alone_leaves_at_the_end_of_the_turn),
        TEST(a_head_from_the_handler_leaves_before_the_loop_waits),
        TEST(a_reset_aborts_the_handler),
        TEST(data_for_a_client_that_is_gone_is_dropped),
        TEST(ending_for_a_client_that_is_gone_is_no_abort),
        TEST(a_half_close_is_told_and_may_be_answered),
        TEST(closing_the_server_aborts_what_is_under_way),
        TEST(a_slow_reader_stops_the_handler),
        TEST(pieces_queued_for_a_client_that_goes_are_released_once),
        TEST(a_client_that_does_not_read_is_cut_after_send_timeout),
        TEST(requests_of_a_client_that_never_reads_wait),
        TEST(a_file_is_sent_by_its_part),
        TEST(a_file_that_became_shorter_cuts_the_connection),
        TEST(files_can_be_chunks),
        TEST(bodies_in_the_input_in_memory_and_in_a_file),
        TEST(a_file_that_cannot_be_made_is_an_error_of_ours),
        TEST(the_body_may_leave_its_request),
        TEST(a_client_that_expects_100_gets_it),
        TEST(no_100_when_the_body_is_there),
        TEST(a_silent_connection_gets_408),
        TEST(an_idle_connection_gets_408),
        TEST(a_slow_head_gets_408),
        TEST(a_slow_body_gets_408),
        TEST(a_handler_may_take_longer_than_any_deadline),
        TEST(a_refused_client_may_linger_for_so_long),
        TEST(a_refused_client_may_linger_for_so_much),
        TEST(a_413_arrives_although_the_body_is_under_way),
        TEST(heads_beyond_the_limits_are_refused),
        TEST(a_long_chunked_head_gets_a_fresh_buffer),
        TEST(unsafe_names_are_kept_when_asked),
        TEST(chunked_may_be_off),
        TEST(draining_closes_what_is_idle),
        TEST(draining_lets_a_request_end),
        TEST(draining_serves_what_had_come_already),
        TEST(draining_waits_a_moment_for_a_first_request),
        TEST(draining_another_owner_is_not_ours),
        TEST(shedding_takes_the_idle_ones),
        TEST(connections_are_counted),
        TEST(the_ends_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
