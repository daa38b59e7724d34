/*
 * The Python guest, through the real chain: prototype_setup, module, interpreter, runtime, nest.
 *
 * BROOD_MODULES is where module and guest lie; BROOD_TEST_HOME, when set, the interpreter's home.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "fake_brood.h"

#define PAIRS_MAX 24

static char directory[] = "/tmp/brood-guest-XXXXXX";

/* ---- helpers ---- */

static struct fake *
begin(const char *callable, const struct pair *more)
{
    static char environment[128];
    struct pair pairs[PAIRS_MAX] = {{"module_name", "wsgi_apps"},
                                    {"callable", callable},
                                    {"path", getenv("BROOD_TEST_APPS")},
                                    {"environment", environment}};
    unsigned n = 4;

    snprintf(environment, sizeof(environment), "TEST_DIRECTORY=%s", directory);
    if (getenv("BROOD_TEST_HOME"))
        pairs[n++] = (struct pair){"home", getenv("BROOD_TEST_HOME")};
    for (; more && more->key; more++)
        pairs[n++] = *more;
    return fake_start(pairs);
}

/* One worker, started before READY. */
static const struct pair one_worker[] = {{"max", "1"}, {"spare", "1"}, {NULL, NULL}};

/* Most tests need no prototype of their own: one serves all callables, chosen by the Host's name.
 */
static struct fake *shared;

static struct fake *start(const char *callable, const struct pair *more);

static struct fake *
serve(const char *callable)
{
    if (shared == NULL)
        shared = start("by_server_name", NULL);
    fake_set_server_name(shared, callable);
    return shared;
}

static struct fake *
start(const char *callable, const struct pair *more)
{
    struct fake *f = begin(callable, more ? more : one_worker);
    const char *failure = fake_wait_ready(f);

    if (failure)
        fail_msg("%s", failure);
    return f;
}

static void
expect(struct fake *f, const char *target, unsigned status, const char *body)
{
    struct answer *a = fake_get(f, target);

    assert_false(a->aborted || a->orphaned);
    assert_int_equal(a->status, status);
    assert_string_equal(answer_body(a), body);
    answer_free(a);
}

static void
expect_post(struct fake *f, const char *target, const char *sent, bool in_file, const char *body)
{
    struct request r = {.method = "POST", .target = target, .body = sent, .body_in_file = in_file};
    struct answer *a = fake_ask(f, &r);

    assert_int_equal(a->status, 200);
    assert_string_equal(answer_body(a), body);
    answer_free(a);
}

static char *
contents(const char *name)
{
    char path[256];
    char *text;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return fd_read_path(path, 1 << 20, &text, &n) == 0 ? text : NULL;
}

/* Let those that /hold go on, or hold again. */
static void
release(bool go)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/release", directory);
    if (!go) {
        unlink(path);
        return;
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

/* Wait until that many workers are busy. */
static void
wait_busy(struct fake *f, unsigned n, struct status_worker workers[NEST_LANES])
{
    for (unsigned busy = 0; busy < n; fake_turn(f, 10)) {
        unsigned all = fake_status(f, workers);

        busy = 0;
        for (unsigned i = 0; i < all; i++)
            busy += workers[i].state == WORKER_BUSY;
    }
}

static bool
has_line(const char *text, const char *line)
{
    const char *p = strstr(text, line);

    return p && (p == text || p[-1] == '\n') && p[strlen(line)] == '\n';
}

/* How many results were closed until now, says the application. */
static int
closed_count(struct fake *f)
{
    struct answer *a = fake_get(f, "/count");
    int n = atoi(answer_body(a));

    answer_free(a);
    return n;
}

/* ---- the answer ---- */

static void
a_small_answer_is_one_piece_with_its_length(void **state)
{
    struct fake *f = serve("hello");
    struct answer *a = fake_get(f, "/");

    (void)state;
    assert_int_equal(a->status, 200);
    assert_int_equal(a->pieces, 1);
    assert_int_equal(a->length, 13);
    assert_string_equal(answer_field(a, "Content-Type"), "text/plain");
    assert_string_equal(answer_body(a), "Hello, world!");
    answer_free(a);
}

static void
the_environ_is_that_of_the_specification(void **state)
{
    static const char *const lines[] = {"CONTENT_LENGTH='5'",
                                        "CONTENT_TYPE='text/x'",
                                        "HTTP_ACCEPT='a/b, c/d'",
                                        "HTTP_AUTHORIZATION='Basic eA=='",
                                        "HTTP_COOKIE='a=1; b=2'",
                                        "HTTP_HOST='Example.org:8080'",
                                        "HTTP_X_ONE='1, 2'",
                                        "HTTP_X_TWO='dash'",
                                        "HTTP_X_ODD='alone'",
                                        "PATH_INFO='/a b'",
                                        "QUERY_STRING='q=1?2'",
                                        "REMOTE_ADDR='192.0.2.1'",
                                        "REMOTE_PORT='54321'",
                                        "REQUEST_METHOD='POST'",
                                        "REQUEST_URI='/a%20b?q=1?2'",
                                        "SCRIPT_NAME=''",
                                        "SERVER_ADDR='127.0.0.1'",
                                        "SERVER_NAME='dump'",
                                        "SERVER_PORT='8080'",
                                        "SERVER_PROTOCOL='HTTP/1.1'",
                                        "wsgi.input_terminated=True",
                                        "wsgi.multiprocess=True",
                                        "wsgi.multithread=False",
                                        "wsgi.run_once=False",
                                        "wsgi.url_scheme='https'",
                                        "wsgi.version=(1, 0)",
                                        "wsgi.file_wrapper=<class '_brood.FileWrapper'>"};
    struct request r = {.method = "POST",
                        .target = "/a%20b?q=1?2",
                        .path = "/a b",
                        .body = "abcde",
                        .tls = true,
                        .fields = "Host: Example.org:8080\nAccept: a/b\nX-One: 1\nX_Two: line\n"
                                  "Content-Type: text/x\nContent-Length: 5\nCookie: a=1\n"
                                  "X-Two: dash\nCookie: b=2\nAccept: c/d\nX-One: 2\n"
                                  "Authorization: Basic eA==\nProxy: evil\nX_Odd: alone\n"};
    struct fake *f = serve("dump");

    (void)state;
    for (unsigned again = 0; again < 2; again++) { /* from the cache, too */
        struct answer *a = fake_ask(f, &r);

        for (unsigned i = 0; i < array_len(lines); i++) {
            if (!has_line(answer_body(a), lines[i]))
                fail_msg("no %s in\n%s", lines[i], answer_body(a));
        }
        assert_null(strstr(answer_body(a), "PROXY"));
        assert_null(strstr(answer_body(a), "HTTP_CONTENT"));
        answer_free(a);
    }
}

static void
the_next_environ_has_nothing_of_the_last(void **state)
{
    struct request first = {.target = "/first?q", .fields = "Accept: x\nX-Extra: y\n", .tls = true};
    struct fake *f = serve("dump");
    struct answer *a;

    (void)state;
    answer_free(fake_ask(f, &first));
    a = fake_get(f, "/");
    assert_null(strstr(answer_body(a), "HTTP_"));
    assert_null(strstr(answer_body(a), "CONTENT_LENGTH"));
    assert_true(has_line(answer_body(a), "PATH_INFO='/'"));
    assert_true(has_line(answer_body(a), "QUERY_STRING=''"));
    assert_true(has_line(answer_body(a), "wsgi.url_scheme='http'"));
    answer_free(a);
}

static void
a_body_without_a_length_field_gets_one(void **state)
{
    struct request r = {.method = "POST", .body = "chunks"};
    struct fake *f = serve("dump");
    struct answer *a = fake_ask(f, &r);

    (void)state;
    assert_true(has_line(answer_body(a), "CONTENT_LENGTH='6'"));
    answer_free(a);
}

static void
bytes_beyond_ascii_travel_as_latin_1(void **state)
{
    struct request r = {.target = "/x", .path = "/\xc3\xa9", .fields = "X-Latin: caf\xe9\n"};
    struct fake *f = serve("latin");
    struct answer *a = fake_ask(f, &r);

    (void)state;
    assert_string_equal(answer_field(a, "X-Back"), "caf\xe9");
    assert_string_equal(answer_body(a), "/\xc3\xa9");
    answer_free(a);
}

static void
the_body_can_be_read_in_every_way(void **state)
{
    struct fake *f = serve("reading");

    (void)state;
    for (unsigned in_file = 0; in_file < 2; in_file++) {
        expect_post(f, "/pieces", "abcdefgh", in_file, "[b'abc', b'def', b'gh']");
        expect_post(f, "/lines", "ab\ncd\n\nef", in_file, "[b'ab\\n', b'cd\\n', b'\\n', b'ef']");
        expect_post(f, "/short-lines", "abc\nd", in_file, "[b'ab', b'c\\n', b'd']");
        expect_post(f, "/list", "a\nb\n", in_file, "[b'a\\n', b'b\\n']");
        expect_post(f, "/hint", "a\nb\n", in_file, "[b'a\\n']");
        expect_post(f, "/iter", "a\nb", in_file, "[b'a\\n', b'b']");
        expect_post(f, "/all", "a\nb", in_file, "[b'a\\nb', b'', b'', b'']");
    }
    expect(f, "/all", 200, "[b'', b'', b'', b'']");
}

static void
a_large_body_comes_from_the_routers_file(void **state)
{
    size_t n = 3 << 20;
    char *body = malloc(n + 1);
    struct request r = {.method = "POST", .target = "/sum", .body = body, .body_in_file = true};
    struct fake *f = serve("reading");
    struct answer *a;

    (void)state;
    for (size_t i = 0; i < n; i++)
        body[i] = i % 100003 == 0 ? '\n' : 'a'; /* some lines are longer than the read-ahead */
    body[n] = '\0';
    a = fake_ask(f, &r);
    assert_string_equal(answer_body(a), "[b'3145728 bytes, 33 lines']");
    answer_free(a);
    free(body);
}

static void
a_generator_is_sent_as_it_comes(void **state)
{
    struct fake *f = serve("generator");
    struct answer *a = fake_get(f, "/");

    (void)state;
    assert_int_equal(a->pieces, 3); /* head and first, second, end */
    assert_int_equal(a->length, -1);
    assert_string_equal(answer_body(a), "first,second");
    answer_free(a);
}

static void
start_response_may_come_with_the_first_piece(void **state)
{
    struct fake *f = serve("late_start");
    struct answer *a = fake_get(f, "/");

    (void)state;
    assert_int_equal(a->status, 201);
    assert_string_equal(answer_field(a, "X-Late"), "yes");
    assert_string_equal(answer_body(a), "late");
    answer_free(a);
}

static void
a_known_length_ends_the_answer_with_its_last_byte(void **state)
{
    int before = closed_count(serve("closing"));
    struct answer *a = fake_get(serve("with_length"), "/");

    (void)state;
    assert_int_equal(a->pieces, 1);
    assert_int_equal(a->length, 4);
    assert_string_equal(answer_body(a), "1234");
    answer_free(a);
    assert_int_equal(closed_count(serve("closing")), before + 1);
}

static void
bytes_beyond_the_length_are_not_sent(void **state)
{
    struct fake *f = serve("too_long");
    struct answer *a = fake_get(f, "/");

    (void)state;
    assert_true(a->aborted); /* nothing was sent when the mistake was seen: 503 */
    assert_int_equal(a->status, 0);
    answer_free(a);
}

static void
write_sends_at_once(void **state)
{
    struct fake *f = serve("writer");
    struct answer *a = fake_get(f, "/");

    (void)state;
    assert_int_equal(a->pieces, 3);
    assert_string_equal(answer_body(a), "written,twice,returned");
    answer_free(a);
}

static void
a_large_answer_spreads_over_chunks(void **state)
{
    struct fake *f = serve("large");
    struct answer *a = fake_get(f, "/?5000000");

    (void)state;
    assert_int_equal(a->length, 5000000);
    assert_int_equal(a->body.n, 5000000);
    assert_true(a->pieces >= 5000000 / NEST_CHUNK_BYTES);
    assert_int_equal(strspn(answer_body(a), "x"), 5000000);
    answer_free(a);
}

static void
head_204_and_304_have_no_body(void **state)
{
    static const struct request requests[] = {
        {.method = "HEAD", .target = "/?200"}, {.target = "/?204"}, {.target = "/?304"}};
    static const int lengths[] = {6, -1, -1};
    struct fake *f = serve("statuses");

    (void)state;
    for (unsigned i = 0; i < array_len(requests); i++) {
        struct answer *a = fake_ask(f, &requests[i]);

        assert_false(a->aborted);
        assert_int_equal(a->body.n, 0);
        assert_int_equal(a->length, lengths[i]);
        assert_int_equal(a->pieces, 1);
        answer_free(a);
    }
}

static void
a_file_goes_through_the_file_wrapper(void **state)
{
    static const char *const targets[] = {"/plain?512000", "/length?512000", "/read-only?512000"};
    struct fake *f = serve("files");
    struct answer *a;

    (void)state;
    for (unsigned i = 0; i < array_len(targets); i++) {
        a = fake_get(f, targets[i]);
        assert_false(a->aborted);
        assert_int_equal(a->body.n, 512000);
        for (unsigned at = 0; at < 512000; at++)
            assert_int_equal((unsigned char)a->body.p[at], at % 256);
        answer_free(a);
    }
    a = fake_get(f, "/stringio?0");
    assert_true(a->aborted);
    answer_free(a);
}

/* ---- mistakes ---- */

static void
close_is_called_whatever_happened(void **state)
{
    struct fake *f = serve("closing");
    int before = closed_count(f);
    struct answer *a;

    (void)state;
    expect(f, "/", 200, "onetwo");
    assert_int_equal(closed_count(f), before + 1);
    a = fake_get(f, "/broken");
    assert_true(a->aborted);
    answer_free(a);
    assert_int_equal(closed_count(f), before + 2);
}

static void
exceptions_before_the_head_are_a_refusal(void **state)
{
    static const char *const targets[] = {"/before", "/twice", "/never", "/none", "/interrupt"};
    struct fake *f = serve("raises");

    (void)state;
    for (unsigned i = 0; i < array_len(targets); i++) {
        struct answer *a = fake_get(f, targets[i]);

        assert_true(a->aborted);
        assert_int_equal(a->status, 0);
        assert_int_equal(a->body.n, 0);
        answer_free(a);
    }
    expect(f, "/", 200, "fine"); /* the worker lives */
}

static void
exceptions_after_the_head_cut_the_answer(void **state)
{
    static const char *const targets[] = {"/after", "/late-replace"};
    struct fake *f = serve("raises");

    (void)state;
    for (unsigned i = 0; i < array_len(targets); i++) {
        struct answer *a = fake_get(f, targets[i]);

        assert_true(a->aborted);
        assert_int_equal(a->status, 200);
        assert_string_equal(answer_body(a), "begun");
        answer_free(a);
    }
}

static void
exc_info_replaces_a_head_that_was_not_sent(void **state)
{
    struct fake *f = serve("raises");
    struct answer *a = fake_get(f, "/replaced");

    (void)state;
    assert_int_equal(a->status, 500);
    assert_null(answer_field(a, "X-Old"));
    assert_string_equal(answer_field(a, "X-New"), "1");
    assert_string_equal(answer_body(a), "replaced");
    answer_free(a);
}

static void
system_exit_ends_the_worker_and_another_comes(void **state)
{
    struct fake *f = serve("raises");
    struct answer *a = fake_get(f, "/exit");

    (void)state;
    assert_true(a->aborted);
    answer_free(a);
    expect(f, "/", 200, "fine");
}

static void
a_wrong_head_raises_in_the_application(void **state)
{
    static const char *const rows[][2] = {{"/status-int", "TypeError"},
                                          {"/status-text", "ValueError"},
                                          {"/status-long", "ValueError"},
                                          {"/headers-tuple", "TypeError"},
                                          {"/header-list", "TypeError"},
                                          {"/value-int", "TypeError"},
                                          {"/name-space", "ValueError"},
                                          {"/value-newline", "ValueError"},
                                          {"/value-wide", "UnicodeEncodeError"},
                                          {"/length", "ValueError"},
                                          {"/huge", "ValueError"}};
    struct fake *f = serve("bad_heads");

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++)
        expect(f, rows[i][0], 200, rows[i][1]);
}

static void
it_passes_the_validator_of_the_standard_library(void **state)
{
    struct request r = {.method = "POST",
                        .target = "/x?y=1",
                        .body = "abc",
                        .fields = "Content-Length: 3\nContent-Type: text/plain\nHost: a\n"};
    struct fake *f = serve("validated");
    struct answer *a = fake_ask(f, &r);

    (void)state;
    assert_false(a->aborted);
    assert_string_equal(answer_body(a), "valid:abc");
    answer_free(a);
    a = fake_get(f, "/");
    assert_string_equal(answer_body(a), "valid:");
    answer_free(a);
}

/* ---- start ---- */

static const char *
failure_of(const char *callable, const struct pair *more)
{
    static char text[2048];
    struct fake *f = begin(callable, more ? more : one_worker);
    const char *failure = fake_wait_ready(f);

    assert_non_null(failure);
    snprintf(text, sizeof(text), "%s", failure);
    assert_int_equal(WEXITSTATUS(fake_wait_death(f)), 1);
    fake_free(f);
    return text;
}

static void
a_start_that_fails_says_why(void **state)
{
    static const struct pair no_home[] = {{"home", "/nonexistent"}, {NULL, NULL}};
    static const struct pair no_directory[] = {{"working_directory", "/nonexistent"}, {NULL, NULL}};
    static const struct pair no_user[] = {{"user", "no-such-user"}, {NULL, NULL}};

    (void)state;
    assert_non_null(strstr(failure_of("nothing", NULL), "has no \"nothing\""));
    assert_non_null(strstr(failure_of("not_callable", NULL), "cannot be called"));
    assert_non_null(strstr(failure_of("coroutine", NULL), "ASGI"));
    assert_non_null(strstr(failure_of("hello", no_directory), "/nonexistent"));
    assert_non_null(strstr(failure_of("hello", no_user), "no-such-user"));
    if (!getenv("BROOD_TEST_HOME"))
        assert_non_null(strstr(failure_of("hello", no_home), "/nonexistent"));
}

static void
a_failed_import_carries_the_end_of_its_traceback(void **state)
{
    struct pair pairs[PAIRS_MAX] = {{"module_name", "broken"}, {"path", directory}, {"max", "1"}};
    char path[256];
    struct fake *f;
    const char *failure;
    FILE *file;

    (void)state;
    if (getenv("BROOD_TEST_HOME"))
        pairs[3] = (struct pair){"home", getenv("BROOD_TEST_HOME")};
    snprintf(path, sizeof(path), "%s/broken.py", directory);
    file = fopen(path, "w");
    fputs("def deep():\n    raise RuntimeError('no database today')\n\ndeep()\n", file);
    fclose(file);
    f = fake_start(pairs);
    failure = fake_wait_ready(f);
    assert_non_null(failure);
    assert_non_null(strstr(failure, "cannot import Python module \"broken\""));
    assert_non_null(strstr(failure, "line 2, in deep"));
    assert_non_null(strstr(failure, "RuntimeError: no database today"));
    fake_free(f);
}

static void
directory_environment_and_streams_are_the_cards(void **state)
{
    const struct pair more[] = {{"max", "1"},
                                {"spare", "1"},
                                {"working_directory", directory},
                                {"environment", "COLOUR=blue"},
                                {"stdout", "out.log"},
                                {"stderr", "err.log"},
                                {NULL, NULL}};
    struct fake *f = start("streams", more);
    char wanted[128];
    char *out, *errors;

    (void)state;
    snprintf(wanted, sizeof(wanted), "%s blueFalse", directory);
    expect(f, "/", 200, wanted);
    out = contents("out.log");
    errors = contents("err.log");
    assert_non_null(out);
    assert_non_null(errors);
    assert_string_equal(out, "to stdout\n");
    assert_non_null(strstr(errors, "to stderr\nto wsgi.errors\n"));
    free(out);
    free(errors);
    fake_free(f);
}

/* ---- processes ---- */

static void
the_application_is_loaded_once_and_frozen(void **state)
{
    static const struct pair two[] = {{"max", "2"}, {"spare", "2"}, {NULL, NULL}};
    struct fake *f = start("pids", two);
    struct answer *a = fake_get(f, "/");
    int loaded_in, worker;

    (void)state;
    assert_int_equal(sscanf(answer_body(a), "%d %d", &loaded_in, &worker), 2);
    assert_int_equal(loaded_in, fake_pid(f));
    assert_int_not_equal(worker, loaded_in);
    answer_free(a);
    fake_free(f);

    expect(serve("frozen"), "/", 200, "True True");
}

static void
without_preload_each_worker_loads_for_itself(void **state)
{
    static const struct pair more[] = {
        {"max", "1"}, {"spare", "1"}, {"preload", "0"}, {NULL, NULL}};
    struct fake *f = start("pids", more);
    struct answer *a = fake_get(f, "/");
    int loaded_in, worker;

    (void)state;
    assert_int_equal(sscanf(answer_body(a), "%d %d", &loaded_in, &worker), 2);
    assert_int_equal(loaded_in, worker);
    answer_free(a);
    fake_free(f);
    assert_non_null(strstr(failure_of("nothing", more), "has no \"nothing\""));
}

static void
workers_come_on_demand_and_go_when_idle(void **state)
{
    static const struct pair elastic[] = {
        {"max", "3"}, {"spare", "0"}, {"idle_timeout_ms", "200"}, {NULL, NULL}};
    static const struct request hold = {.target = "/hold"};
    struct status_worker workers[NEST_LANES];
    struct fake *f = start("slow", elastic);
    struct answer *a[3];

    (void)state;
    assert_int_equal(fake_status(f, workers), 0);
    for (unsigned i = 0; i < 3; i++) {
        a[i] = fake_send(f, &hold);
        fake_turn(f, 0);
    }
    wait_busy(f, 3, workers);
    release(true);
    for (unsigned i = 0; i < 3; i++) {
        fake_wait(f, a[i]);
        assert_int_equal(a[i]->status, 200);
    }
    assert_string_not_equal(answer_body(a[0]), answer_body(a[1]));
    for (unsigned i = 0; i < 3; i++)
        answer_free(a[i]);
    while (fake_status(f, workers) > 0)
        fake_turn(f, 50);
    a[0] = fake_get(f, "/"); /* and come again */
    assert_int_equal(a[0]->status, 200);
    answer_free(a[0]);
    release(false);
    fake_free(f);
}

static void
a_spare_one_is_kept_while_another_works(void **state)
{
    static const struct pair elastic[] = {
        {"max", "2"}, {"spare", "1"}, {"idle_timeout_ms", "60000"}, {NULL, NULL}};
    static const struct request hold = {.target = "/hold"};
    struct status_worker workers[NEST_LANES];
    struct fake *f = start("slow", elastic);
    struct answer *a;

    (void)state;
    assert_int_equal(fake_status(f, workers), 1);
    assert_true(workers[0].private_bytes > 0 && workers[0].shared_bytes > workers[0].private_bytes);
    a = fake_send(f, &hold);
    while (fake_status(f, workers) < 2)
        fake_turn(f, 10);
    assert_false(a->done);
    fake_free(f);
}

static void
threads_serve_at_once_and_end_together(void **state)
{
    static const struct pair three[] = {
        {"max", "1"}, {"spare", "1"}, {"threads", "3"}, {NULL, NULL}};
    struct request r = {.target = "/"};
    struct fake *f = start("threaded", three);
    struct answer *a[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        a[i] = fake_send(f, &r);
    for (unsigned i = 0; i < 3; i++) {
        fake_wait(f, a[i]);
        assert_int_equal(strncmp(answer_body(a[i]), "True ", 5), 0);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(answer_body(a[i]), answer_body(a[k]));
    }
    for (unsigned i = 0; i < 3; i++)
        answer_free(a[i]);
    fake_drain(f);
    assert_int_equal(fake_wait_death(f), 0);
    fake_free(f);
}

static void
a_killed_worker_leaves_an_orphan_and_is_replaced(void **state)
{
    static const struct request hold = {.target = "/hold"};
    struct status_worker workers[NEST_LANES];
    struct fake *f = start("slow", NULL);
    struct answer *a = fake_send(f, &hold);

    (void)state;
    wait_busy(f, 1, workers);
    kill(workers[0].pid, SIGKILL);
    fake_wait(f, a);
    assert_true(a->orphaned && a->entered);
    answer_free(a);
    a = fake_get(f, "/");
    assert_int_equal(a->status, 200);
    answer_free(a);
    fake_free(f);
}

static void
a_worker_ends_after_its_number_of_requests(void **state)
{
    static const struct pair three[] = {
        {"max", "1"}, {"spare", "1"}, {"requests", "3"}, {NULL, NULL}};
    struct fake *f = start("slow", three);
    char first[32] = "";

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct answer *a = fake_get(f, "/");

        assert_int_equal(a->status, 200);
        if (i % 3 == 0)
            assert_string_not_equal(answer_body(a), first);
        else
            assert_string_equal(answer_body(a), first);
        snprintf(first, sizeof(first), "%s", answer_body(a));
        answer_free(a);
    }
    fake_free(f);
}

static void
a_worker_that_cannot_end_is_replaced_and_killed(void **state)
{
    static const struct pair once[] = {
        {"max", "1"}, {"spare", "1"}, {"requests", "1"}, {NULL, NULL}};
    struct fake *f = start("lingering", once);
    struct answer *a = fake_get(f, "/");
    pid_t pid = atoi(answer_body(a));

    (void)state;
    answer_free(a);
    a = fake_get(f, "/"); /* the next one is there before the first is gone */
    assert_int_equal(a->status, 200);
    assert_int_equal(kill(pid, 0), 0);
    answer_free(a);
    while (kill(pid, 0) == 0)
        fake_turn(f, 100);
    fake_free(f);
}

static void
a_drain_finishes_what_waits_and_runs_exit_functions(void **state)
{
    struct fake *f = start("leaving", NULL);
    struct request r = {.target = "/"};
    struct answer *a[4];
    char *mark;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        a[i] = fake_send(f, &r);
    fake_drain(f);
    assert_int_equal(fake_wait_death(f), 0);
    for (unsigned i = 0; i < 4; i++) {
        fake_wait(f, a[i]);
        assert_int_equal(a[i]->status, 200);
        answer_free(a[i]);
    }
    mark = contents("mark");
    assert_non_null(mark);
    assert_true(has_line(mark, "left"));
    free(mark);
    fake_free(f);
}

static void
stop_does_not_wait_for_the_application(void **state)
{
    static const struct request hold = {.target = "/hold"};
    struct status_worker workers[NEST_LANES];
    struct fake *f = start("slow", NULL);

    (void)state;
    fake_send(f, &hold);
    wait_busy(f, 1, workers);
    fake_stop(f);
    assert_int_equal(fake_wait_death(f), 0);
    fake_free(f);
}

static void
a_stuck_worker_is_ended(void **state)
{
    static const struct pair stubborn[] = {
        {"max", "1"}, {"spare", "1"}, {"environment", "STUBBORN=1"}, {NULL, NULL}};
    static const struct request hold = {.target = "/hold"};
    struct status_worker workers[NEST_LANES];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct fake *f = start("slow", i == 0 ? NULL : stubborn);
        struct answer *a = fake_send(f, &hold);

        wait_busy(f, 1, workers);
        fake_stuck(f, a);
        fake_wait(f, a);
        assert_true(a->orphaned);
        answer_free(a);
        fake_free(f);
    }
}

static bool
is_paused(void *arg)
{
    struct answer *a = arg;

    return a->pieces >= NEST_CHUNKS;
}

static void
an_endless_answer_waits_for_chunks_and_ends_with_its_client(void **state)
{
    struct request r = {.target = "/", .pause_after = 1};
    struct fake *f = serve("streaming");
    int before = closed_count(f);
    struct answer *a = fake_send(f, &r);
    unsigned pieces;

    (void)state;
    fake_run_until(f, is_paused, a);
    pieces = a->pieces;
    for (unsigned i = 0; i < 5; i++)
        fake_turn(f, 20);
    assert_int_equal(a->pieces, pieces); /* all chunks are out: it sleeps */
    fake_resume(f);
    for (unsigned i = 0; a->pieces < 3 * NEST_CHUNKS && i < 1000; i++)
        fake_turn(f, 20);
    assert_true(a->pieces >= 3 * NEST_CHUNKS);
    fake_cancel(f, a);
    fake_wait(f, a);
    answer_free(a);
    assert_int_equal(closed_count(f), before + 1); /* close() was called, the worker serves on */
}

static long
ask_memory(struct fake *f, const char *target)
{
    static const char fields[] = "Host: a\nX-Unknown: caf\xe9\nX_Odd: 1\nCookie: a\nCookie: b\n";
    struct request r = {.method = "POST", .target = target, .fields = fields, .body = "abc"};
    struct answer *a = fake_ask(f, &r);
    long kib = atol(answer_field(a, "X-Own"));

    answer_free(a);
    return kib;
}

static void
ask_many(struct fake *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char target[32];

        snprintf(target, sizeof(target), "/%u?%u", i, i);
        ask_memory(f, target);
    }
}

/* An object lost per request would be a block each. */
static void
no_object_is_lost_over_many_requests(void **state)
{
    struct fake *f = serve("memory");
    long before;

    (void)state;
    ask_many(f, 200);
    before = ask_memory(f, "/blocks");
    assert_true(before > 0);
    ask_many(f, 2000);
    assert_in_range(ask_memory(f, "/blocks"), 0, before + 500);
}

/* What is not Python's; BROOD_TEST_MANY=1 finds 16 bytes lost per request, else it takes 512. */
static void
memory_stays_the_same_over_many_requests(void **state)
{
    struct fake *f = serve("memory");
    unsigned n = getenv("BROOD_TEST_MANY") ? 200000 : 2000;
    long before;

    (void)state;
    ask_many(f, n / 10);
    before = ask_memory(f, "/measure");
    ask_many(f, n);
    assert_in_range(ask_memory(f, "/measure"), 0, before + 1024);
}

/* ---- the rest ---- */

static int
make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL || chmod(directory, 0777) < 0 ? -1 : 0;
}

static int
remove_directory(void **state)
{
    char command[128];

    (void)state;
    if (shared)
        fake_free(shared);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

/* An argument is a pattern: run only those tests. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_answer_is_one_piece_with_its_length),
        cmocka_unit_test(the_environ_is_that_of_the_specification),
        cmocka_unit_test(the_next_environ_has_nothing_of_the_last),
        cmocka_unit_test(a_body_without_a_length_field_gets_one),
        cmocka_unit_test(bytes_beyond_ascii_travel_as_latin_1),
        cmocka_unit_test(the_body_can_be_read_in_every_way),
        cmocka_unit_test(a_large_body_comes_from_the_routers_file),
        cmocka_unit_test(a_generator_is_sent_as_it_comes),
        cmocka_unit_test(start_response_may_come_with_the_first_piece),
        cmocka_unit_test(a_known_length_ends_the_answer_with_its_last_byte),
        cmocka_unit_test(bytes_beyond_the_length_are_not_sent),
        cmocka_unit_test(write_sends_at_once),
        cmocka_unit_test(a_large_answer_spreads_over_chunks),
        cmocka_unit_test(head_204_and_304_have_no_body),
        cmocka_unit_test(a_file_goes_through_the_file_wrapper),
        cmocka_unit_test(close_is_called_whatever_happened),
        cmocka_unit_test(exceptions_before_the_head_are_a_refusal),
        cmocka_unit_test(exceptions_after_the_head_cut_the_answer),
        cmocka_unit_test(exc_info_replaces_a_head_that_was_not_sent),
        cmocka_unit_test(system_exit_ends_the_worker_and_another_comes),
        cmocka_unit_test(a_wrong_head_raises_in_the_application),
        cmocka_unit_test(it_passes_the_validator_of_the_standard_library),
        cmocka_unit_test(a_start_that_fails_says_why),
        cmocka_unit_test(a_failed_import_carries_the_end_of_its_traceback),
        cmocka_unit_test(directory_environment_and_streams_are_the_cards),
        cmocka_unit_test(the_application_is_loaded_once_and_frozen),
        cmocka_unit_test(without_preload_each_worker_loads_for_itself),
        cmocka_unit_test(workers_come_on_demand_and_go_when_idle),
        cmocka_unit_test(a_spare_one_is_kept_while_another_works),
        cmocka_unit_test(threads_serve_at_once_and_end_together),
        cmocka_unit_test(a_killed_worker_leaves_an_orphan_and_is_replaced),
        cmocka_unit_test(a_worker_ends_after_its_number_of_requests),
        cmocka_unit_test(a_worker_that_cannot_end_is_replaced_and_killed),
        cmocka_unit_test(a_drain_finishes_what_waits_and_runs_exit_functions),
        cmocka_unit_test(stop_does_not_wait_for_the_application),
        cmocka_unit_test(a_stuck_worker_is_ended),
        cmocka_unit_test(an_endless_answer_waits_for_chunks_and_ends_with_its_client),
        cmocka_unit_test(no_object_is_lost_over_many_requests),
        cmocka_unit_test(memory_stays_the_same_over_many_requests),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
