/*
 * serve_test.c - returns, files and the access log, as a client sees them.
 */
#include "service.h"

static void
write_file(struct service *s, const char *name, const char *text, size_t n)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(fd_write_all(fd, text, n), 0);
    close(fd);
}

static void
make_dir(struct service *s, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

/* Listener "*:80" and these routes; DIR in the text becomes the service's directory. */
static void
configure_routes(struct service *s, const char *routes)
{
    char conf[4096], *at = conf;

    at += sprintf(at, "{\"listeners\": {\"*:80\": {\"pass\": \"routes\"}}, \"routes\": [");
    while (*routes != '\0') {
        if (strncmp(routes, "DIR", 3) == 0) {
            at += sprintf(at, "%s", s->dir);
            routes += 3;
        } else {
            *at++ = *routes++;
        }
    }
    strcpy(at, "]}");
    service_configure(s, 1, conf, "");
}

/* One request on a connection of its own. */
static unsigned
ask(struct service *s, const char *request, struct client *c, struct reply *r)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s\r\n\r\n", request);
    client_connect(s, c, "*:80");
    client_say(c, text);
    *r = client_reply(s, c, strncmp(request, "HEAD", 4) == 0);
    return r->status;
}

static unsigned
status_of(struct service *s, const char *request)
{
    struct client c;
    struct reply r;
    unsigned status = ask(s, request, &c, &r);

    client_close(&c);
    return status;
}

#define GET(path)         "GET " path " HTTP/1.1\r\nHost: h"
#define GET_WITH(path, f) GET(path) "\r\n" f

static void
return_answers_with_its_status(void **state)
{
    struct service *s = *state;
    struct client c;
    struct reply r;

    configure_routes(s,
                     "{\"match\": {\"uri\": \"/ok\"}, \"action\": {\"return\": 200}},"
                     "{\"match\": {\"uri\": \"/go\"}, \"action\": {\"return\": 302, \"location\": "
                     "\"/new $arg_x\"}},"
                     "{\"match\": {\"uri\": \"/odd\"}, \"action\": {\"return\": 599}},"
                     "{\"match\": {\"uri\": \"/one\"}, \"action\": {\"return\": 100}},"
                     "{\"match\": {\"uri\": \"/loop\"}, \"action\": {\"pass\": \"routes\"}}");
    assert_int_equal(ask(s, GET("/ok"), &c, &r), 200);
    assert_slice(reply_field(&r, "Content-Length"), "0");
    assert_true(slice_starts(reply_field(&r, "Server"), SLICE("brood/")));
    client_close(&c);
    assert_int_equal(ask(s, GET("/go?x=a%0d%0ab"), &c, &r), 302);
    assert_slice(reply_field(&r, "Location"), "/new%20a%0D%0Ab");
    client_close(&c);
    assert_int_equal(ask(s, GET("/odd"), &c, &r), 599);
    assert_slice(r.body, "<!DOCTYPE html><title>Error 599</title><p>Error 599.\r\n");
    client_close(&c);
    assert_int_equal(status_of(s, GET("/one")), 500);
    assert_int_equal(status_of(s, GET("/loop")), 500);
    assert_int_equal(status_of(s, GET("/none")), 404);
}

static void
pass_with_variables_is_resolved_for_each_request(void **state)
{
    struct service *s = *state;

    service_configure(s, 1,
                      "{\"listeners\": {\"*:80\": {\"pass\": \"routes/$arg_r\"}}, \"routes\": {"
                      "\"a\": [{\"action\": {\"return\": 201}}], \"b\": []}}",
                      "");
    assert_int_equal(status_of(s, GET("/?r=a")), 201);
    assert_int_equal(status_of(s, GET("/?r=b")), 404);
    assert_int_equal(status_of(s, GET("/?r=c")), 404);
    assert_int_equal(status_of(s, GET("/?r=a/x")), 404);
    assert_int_equal(status_of(s, GET("/")), 404);
}

static void
files_are_found_as_the_share_says(void **state)
{
    struct service *s = *state;
    struct client c;
    struct reply r;

    make_dir(s, "sub");
    make_dir(s, "empty");
    write_file(s, "a.txt", "hello", 5);
    write_file(s, "sub/index.html", "<p>", 3);
    configure_routes(s, "{\"action\": {\"share\": \"DIR$uri\"}}");

    assert_int_equal(ask(s, GET("/a.txt"), &c, &r), 200);
    assert_slice(r.body, "hello");
    assert_slice(reply_field(&r, "Content-Type"), "text/plain");
    assert_slice(reply_field(&r, "Accept-Ranges"), "bytes");
    assert_true(slice_ends(reply_field(&r, "ETag"), SLICE("-5\"")));
    assert_int_equal(reply_field(&r, "Last-Modified").n, 29);
    client_close(&c);
    assert_int_equal(ask(s, "HEAD /a.txt HTTP/1.1\r\nHost: h", &c, &r), 200);
    assert_slice(reply_field(&r, "Content-Length"), "5");
    assert_int_equal(r.body.n, 0);
    client_close(&c);
    assert_int_equal(ask(s, GET("/sub/"), &c, &r), 200);
    assert_slice(r.body, "<p>");
    assert_slice(reply_field(&r, "Content-Type"), "text/html");
    client_close(&c);
    assert_int_equal(ask(s, GET("/sub?q=1"), &c, &r), 301);
    assert_slice(reply_field(&r, "Location"), "/sub/?q=1");
    client_close(&c);
    assert_int_equal(ask(s, "POST /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 0", &c, &r), 405);
    assert_slice(reply_field(&r, "Allow"), "GET, HEAD");
    client_close(&c);
    assert_int_equal(status_of(s, GET("/nothing")), 404);
    assert_int_equal(status_of(s, GET("/empty/")), 404);
    assert_int_equal(status_of(s, GET("/a.txt/")), 404);
    assert_int_equal(status_of(s, GET("/a.txt/more")), 404);
    assert_int_equal(status_of(s, GET("/sub/%2e%2e/a.txt")), 200);
    assert_int_equal(status_of(s, GET("/%2e%2e/etc/passwd")), 400);
    assert_int_equal(status_of(s, GET("/..%2fetc/passwd")), 400);
    assert_int_equal(status_of(s, GET("/sub/..%5c..%5ca.txt")), 404);
    assert_int_equal(status_of(s, GET("/a.txt%00")), 400);
    assert_int_equal(status_of(s, GET("/a.txt.")), 404);
    assert_int_equal(status_of(s, GET("/a.txt%20")), 404);
}

static void
a_client_cannot_climb_by_a_variable(void **state)
{
    struct service *s = *state;

    make_dir(s, "open");
    write_file(s, "secret", "s", 1);
    write_file(s, "open/x", "x", 1);
    configure_routes(s, "{\"action\": {\"share\": \"DIR/open/$arg_f\"}}");
    assert_int_equal(status_of(s, GET("/?f=x")), 200);
    assert_int_equal(status_of(s, GET("/?f=../secret")), 404);
    assert_int_equal(status_of(s, GET("/?f=..%2Fsecret")), 404);
    assert_int_equal(status_of(s, GET("/?f=x%00y")), 404);
}

static void
what_is_no_file_is_not_served(void **state)
{
    struct service *s = *state;
    char path[256];

    snprintf(path, sizeof(path), "%s/fifo", s->dir);
    assert_int_equal(mkfifo(path, 0644), 0);
    snprintf(path, sizeof(path), "%s/magic", s->dir);
    assert_int_equal(symlink("/proc/self/exe", path), 0);
    snprintf(path, sizeof(path), "%s/index.html", s->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    configure_routes(s,
                     "{\"match\": {\"uri\": \"/abs/*\"}, \"action\": {\"share\": \"/dev/null\"}},"
                     "{\"match\": {\"uri\": \"/fix*\"}, \"action\": {\"share\": \"DIR\"}},"
                     "{\"action\": {\"share\": \"DIR$uri\"}}");
    assert_int_equal(status_of(s, GET("/fifo")), 404);
    assert_int_equal(status_of(s, GET("/magic")), 403);
    assert_int_equal(status_of(s, GET("/abs/x")), 404);
    assert_int_equal(status_of(s, GET("/")), 404); /* the index is a directory */
    assert_int_equal(status_of(s, GET("/fix")), 301);
    assert_int_equal(status_of(s, GET("/fix/")), 404); /* and not 301 for ever */
}

static void
several_shares_types_and_fallbacks(void **state)
{
    struct service *s = *state;

    make_dir(s, "one");
    make_dir(s, "two");
    write_file(s, "one/a.css", "1", 1);
    write_file(s, "two/b.css", "2", 1);
    write_file(s, "two/c.php", "3", 1);
    configure_routes(
        s, "{\"match\": {\"uri\": \"/t/*\"}, \"action\": {\"share\": \"DIR/two/c.php\", \"types\": "
           "[\"!application/x-httpd-php\"]}},"
           "{\"action\": {\"share\": [\"DIR/one$uri\", \"DIR/two$uri\"], \"fallback\": {\"share\": "
           "\"DIR/none$uri\", \"fallback\": {\"return\": 418}}}}");
    assert_int_equal(status_of(s, GET("/a.css")), 200);
    assert_int_equal(status_of(s, GET("/b.css")), 200);
    assert_int_equal(status_of(s, GET("/x.css")), 418);
    assert_int_equal(status_of(s, "DELETE /a.css HTTP/1.1\r\nHost: h"), 418);
    assert_int_equal(status_of(s, GET("/t/x")), 403);
}

static void
conditions_and_ranges(void **state)
{
    struct service *s = *state;
    struct client c;
    struct reply r;
    char request[256], etag[64];

    write_file(s, "digits.txt", "0123456789", 10);
    configure_routes(s, "{\"action\": {\"share\": \"DIR$uri\"}}");
    assert_int_equal(ask(s, GET("/digits.txt"), &c, &r), 200);
    snprintf(etag, sizeof(etag), SLICE_FMT, SLICE_ARG(reply_field(&r, "ETag")));
    client_close(&c);

    snprintf(request, sizeof(request),
             GET_WITH("/digits.txt", "If-None-Match: \"x\"\r\nIf-None-Match: %s"), etag);
    assert_int_equal(ask(s, request, &c, &r), 304);
    assert_slice(reply_field(&r, "ETag"), etag);
    assert_null(reply_field(&r, "Content-Type").p);
    client_close(&c);
    assert_int_equal(status_of(s, GET_WITH("/digits.txt", "If-Match: \"x\"")), 412);
    assert_int_equal(
        status_of(s, GET_WITH("/digits.txt", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT")),
        200);

    assert_int_equal(ask(s, GET_WITH("/digits.txt", "Range: bytes=2-4"), &c, &r), 206);
    assert_slice(r.body, "234");
    assert_slice(reply_field(&r, "Content-Range"), "bytes 2-4/10");
    assert_slice(reply_field(&r, "Content-Type"), "text/plain");
    client_close(&c);
    assert_int_equal(ask(s, GET_WITH("/digits.txt", "Range: bytes=10-"), &c, &r), 416);
    assert_slice(reply_field(&r, "Content-Range"), "bytes */10");
    client_close(&c);
    assert_int_equal(status_of(s, GET_WITH("/digits.txt", "Range: bytes=0-1\r\nIf-Range: \"x\"")),
                     200);
    snprintf(request, sizeof(request), GET_WITH("/digits.txt", "Range: bytes=0-1\r\nIf-Range: %s"),
             etag);
    assert_int_equal(status_of(s, request), 206);
    assert_int_equal(status_of(s, "HEAD /digits.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=2-4"), 200);
}

static void
several_ranges_come_as_parts(void **state)
{
    struct service *s = *state;
    struct client c;
    struct reply r;
    struct slice type;
    char want[512];

    write_file(s, "digits.txt", "0123456789", 10);
    configure_routes(s, "{\"action\": {\"share\": \"DIR$uri\"}}");
    assert_int_equal(ask(s, GET_WITH("/digits.txt", "Range: bytes=0-0,-2"), &c, &r), 206);
    type = reply_field(&r, "Content-Type");
    assert_true(slice_starts(type, SLICE("multipart/byteranges; boundary=")));
    type = slice_sub(type, 31, type.n);
    snprintf(
        want, sizeof(want),
        "\r\n--" SLICE_FMT "\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n0"
        "\r\n--" SLICE_FMT "\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89"
        "\r\n--" SLICE_FMT "--\r\n",
        SLICE_ARG(type), SLICE_ARG(type), SLICE_ARG(type));
    assert_slice(r.body, want);
    client_close(&c);
}

static void
a_large_file_arrives_whole(void **state)
{
    struct service *s = *state;
    size_t n = 3 << 20;
    char *text = malloc(n);
    struct client c;
    struct reply r;

    for (size_t i = 0; i < n; i++)
        text[i] = (char)(i * 7 + i / 251);
    write_file(s, "large.bin", text, n);
    configure_routes(s, "{\"action\": {\"share\": \"DIR$uri\"}}");
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(ask(s, GET("/large.bin"), &c, &r), 200);
        assert_int_equal(r.body.n, n);
        assert_memory_equal(r.body.p, text, n);
        client_close(&c);
    }
    assert_int_equal(ask(s, GET_WITH("/large.bin", "Range: bytes=1000000-1999999,0-9"), &c, &r),
                     206);
    assert_non_null(memmem(r.body.p, r.body.n, text + 1000000, 1000000));
    client_close(&c);
    assert_int_equal(ask(s, "HEAD /large.bin HTTP/1.1\r\nHost: h", &c, &r), 200);
    assert_slice(reply_field(&r, "Content-Length"), "3145728");
    client_close(&c);
    free(text);
}

static struct slice
read_log(struct service *s)
{
    char path[128], *text;
    size_t n;

    snprintf(path, sizeof(path), "%s/access.log", s->dir);
    assert_int_equal(fd_read_path(path, 65536, &text, &n), 0);
    return slice_make(text, n);
}

/* The line without its time, which stands between brackets. */
static void
assert_line(struct slice *rest, const char *addr, const char *tail)
{
    struct slice line;

    assert_true(slice_split(rest, '\n', &line));
    assert_true(slice_starts(line, slice_cstr(addr)));
    assert_slice(slice_sub(line, slice_find(line, 0, ']'), line.n), tail);
}

static void
each_request_is_one_line_in_the_access_log(void **state)
{
    struct service *s = *state;
    struct slice text, rest;
    struct client c;
    struct reply r;

    service_configure(
        s, 1,
        "{\"listeners\": {\"*:80\": {\"pass\": \"routes\"}}, \"routes\": [{\"match\": "
        "{\"uri\": \"/a*\"}, \"action\": {\"return\": 204}}], \"access_log\": \"/log\"}",
        "");
    assert_int_equal(ask(s, GET("/a?\"x"), &c, &r), 204);
    client_close(&c);
    assert_int_equal(ask(s, GET_WITH("/ab", "Referer: http://r/\r\nUser-Agent: a\\\"b"), &c, &r),
                     204);
    client_next(&c, &r);
    client_say(&c, GET("/none") "\r\n\r\n");
    r = client_reply(s, &c, false);
    assert_int_equal(r.status, 404);
    client_close(&c);
    service_turn(s);
    text = rest = read_log(s);
    assert_line(&rest, "127.0.0.1 - - [", "] \"GET /a?\\x22x HTTP/1.1\" 204 0 \"-\" \"-\"");
    assert_line(&rest, "127.0.0.1 - - [",
                "] \"GET /ab HTTP/1.1\" 204 0 \"http://r/\" \"a\\x5C\\x22b\"");
    assert_line(&rest, "127.0.0.1 - - [", "] \"GET /none HTTP/1.1\" 404 54 \"-\" \"-\"");
    assert_int_equal(rest.n, 0);
    free((char *)text.p);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, service_start, service_stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(return_answers_with_its_status),
        TEST(pass_with_variables_is_resolved_for_each_request),
        TEST(files_are_found_as_the_share_says),
        TEST(a_client_cannot_climb_by_a_variable),
        TEST(what_is_no_file_is_not_served),
        TEST(several_shares_types_and_fallbacks),
        TEST(conditions_and_ranges),
        TEST(several_ranges_come_as_parts),
        TEST(a_large_file_arrives_whole),
        TEST(each_request_is_one_line_in_the_access_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
