/*
 * uri_test.c - targets, paths and hosts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "http/uri.h"

static void
targets(br_unused void **state)
{
    static const struct {
        const char *target;
        int rc;
        const char *authority, *path, *query; /* query NULL: none */
    } cases[] = {
        {"/", 0, "", "/", NULL},
        {"/a?b", 0, "", "/a", "b"},
        {"/a?b?c", 0, "", "/a", "b?c"},
        {"/a?", 0, "", "/a", ""},
        {"/a#b?c", 0, "", "/a", NULL},
        {"/a?b#c", 0, "", "/a", "b"},
        {"/#", 0, "", "/", NULL},
        {"//a/b", 0, "", "//a/b", NULL},
        {"http://h/p?q", 0, "h", "/p", "q"},
        {"HTTPS://h:1/p", 0, "h:1", "/p", NULL},
        {"http://h", 0, "h", "/", NULL},
        {"http://h?q", 0, "h", "/", "q"},
        {"http://h#f", 0, "h", "/", NULL},
        {"http:///p", -EBADMSG, NULL, NULL, NULL},
        {"http://", -EBADMSG, NULL, NULL, NULL},
        {"http:/h/p", -EBADMSG, NULL, NULL, NULL},
        {"ftp://h/p", -EBADMSG, NULL, NULL, NULL},
        {"", -EBADMSG, NULL, NULL, NULL},
        {"*", -EBADMSG, NULL, NULL, NULL},
        {"a", -EBADMSG, NULL, NULL, NULL},
        {"?a", -EBADMSG, NULL, NULL, NULL},
        {"h:80", -EBADMSG, NULL, NULL, NULL},
        {"/a b", -EBADMSG, NULL, NULL, NULL},
        {"/\x7f", -EBADMSG, NULL, NULL, NULL},
        {"/\xc3\xa9", -EBADMSG, NULL, NULL, NULL},
        {"/?\x01", -EBADMSG, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct uri uri;

        if (uri_parse(slice_cstr(cases[i].target), &uri) != cases[i].rc)
            fail_msg("target %s", cases[i].target);
        if (cases[i].rc < 0)
            continue;
        assert_true(slice_eq(uri.authority, slice_cstr(cases[i].authority)));
        assert_true(slice_eq(uri.raw_path, slice_cstr(cases[i].path)));
        assert_int_equal(uri.has_query, cases[i].query != NULL);
        assert_true(!uri.has_query || slice_eq(uri.query, slice_cstr(cases[i].query)));
    }
}

static const struct {
    const char *raw, *path; /* NULL: refused */
} paths[] = {
    {"/", "/"},
    {"/a/b.c/d..e/.f/g.", "/a/b.c/d..e/.f/g."},
    {"//", "/"},
    {"///a//b///", "/a/b/"},
    {"/.", "/"},
    {"/./", "/"},
    {"/a/.", "/a/"},
    {"/a/./b", "/a/b"},
    {"/a/..", "/"},
    {"/a/../", "/"},
    {"/a/b/..", "/a/"},
    {"/a/b/../c", "/a/c"},
    {"/a/b/../../c", "/c"},
    {"/a//../b", "/b"},
    {"/a/...", "/a/..."},
    {"/a/..b", "/a/..b"},
    {"/..", NULL},
    {"/../a", NULL},
    {"/./../a", NULL},
    {"/a/../../b", NULL},
    {"/a/../..", NULL},
    {"//..", NULL},
    {"/%61%2F%2e%2E/b", "/b"},
    {"/a%2f%2e%2e%2f..", NULL},
    {"/%2e", "/"},
    {"/%2e%2e", NULL},
    {"/a%20b+c", "/a b+c"},
    {"/%25%32%35", "/%25"},
    {"/%e2%82%ac", "/\xe2\x82\xac"},
    {"/%3f%23", "/?#"},
    {"/%5c..", "/\\.."},
    {"/%0d%0a", "/\r\n"},
    {"/%00", NULL},
    {"/%", NULL},
    {"/%4", NULL},
    {"/%4g", NULL},
    {"/%g4", NULL},
    {"/a%", NULL},
    {"/%u0041", NULL},
};

static void
paths_are_decoded_and_resolved(br_unused void **state)
{
    for (size_t i = 0; i < array_len(paths); i++) {
        struct slice raw = slice_cstr(paths[i].raw), path;
        char room[64];
        int rc = uri_path(raw, room, &path);

        if ((rc == 0) != (paths[i].path != NULL) ||
            (rc == 0 && !slice_eq(path, slice_cstr(paths[i].path))))
            fail_msg("path %s", paths[i].raw);
    }
}

static void
paths_may_be_resolved_in_place(br_unused void **state)
{
    for (size_t i = 0; i < array_len(paths); i++) {
        char room[64];
        struct slice path;

        strcpy(room, paths[i].raw);
        if (uri_path(slice_cstr(room), room, &path) == 0)
            assert_true(slice_eq(path, slice_cstr(paths[i].path)));
    }
}

static void
plain_means_that_resolving_changes_nothing(br_unused void **state)
{
    static const char letters[] = "/.%a2f?";

    srandom(1);
    for (unsigned round = 0; round < 200000; round++) {
        char text[12] = "/", room[12];
        struct slice path;
        struct uri uri;

        for (long n = random() % 10, i = 1; i <= n; i++)
            text[i] = letters[random() % 7];
        assert_int_equal(uri_parse(slice_cstr(text), &uri), 0);
        if (uri.plain) {
            assert_int_equal(uri_path(uri.raw_path, room, &path), 0);
            assert_true(slice_eq(path, uri.raw_path));
        }
    }
}

static void
text_is_decoded_without_resolving(br_unused void **state)
{
    char room[16];
    struct slice text;

    assert_int_equal(uri_decode(SLICE("a+%2F..%00"), room, &text), 0);
    assert_true(slice_eq(text, SLICE("a+/..\0")));
    assert_int_equal(uri_decode(SLICE("a%2"), room, &text), -EBADMSG);
}

static void
hosts(br_unused void **state)
{
    static const struct {
        const char *value, *name; /* NULL: refused */
    } cases[] = {
        {"", ""},           {"a", "a"},
        {"A.b", "a.b"},     {"a.b.", "a.b"},
        {"a:80", "a"},      {"a:", "a"},
        {"A.:80", "a"},     {"127.0.0.1:80", "127.0.0.1"},
        {"[::1]", "[::1]"}, {"[::FFFF:1.2.3.4]:8", "[::ffff:1.2.3.4]"},
        {"a%20b", "a%20b"}, {"a_b~c!$&'()*+;=", "a_b~c!$&'()*+;="},
        {".a", ".a"},       {"a..b", NULL},
        {"a/b", NULL},      {"a b", NULL},
        {"a,b", NULL},      {"a@b", NULL},
        {"a\\b", NULL},     {"a\"b", NULL},
        {"a<b", NULL},      {"a%", NULL},
        {"a%2", NULL},      {"a%2x", NULL},
        {"a:x", NULL},      {"a:1:2", NULL},
        {":80", NULL},      {"[", NULL},
        {"[]", NULL},       {"[1]", NULL},
        {"[::1", NULL},     {"[::g]", NULL},
        {"[::1]a", NULL},   {"[::1]:x", NULL},
        {"::1", NULL},      {"\xe9", NULL},
        {"a\x7f", NULL},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct slice name;
        char room[64];
        int rc = host_parse(slice_cstr(cases[i].value), room, &name);

        if ((rc == 0) != (cases[i].name != NULL) ||
            (rc == 0 && !slice_eq(name, slice_cstr(cases[i].name))))
            fail_msg("host %s", cases[i].value);
    }
}

static void
a_host_in_lower_case_needs_no_room(br_unused void **state)
{
    struct slice name;

    assert_int_equal(host_parse(SLICE("a.b:80"), NULL, &name), 0);
    assert_true(slice_eq(name, SLICE("a.b")));
    assert_int_equal(host_parse(SLICE("A.b:80"), NULL, &name), -ENOBUFS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(paths_are_decoded_and_resolved),
        cmocka_unit_test(paths_may_be_resolved_in_place),
        cmocka_unit_test(plain_means_that_resolving_changes_nothing),
        cmocka_unit_test(text_is_decoded_without_resolving),
        cmocka_unit_test(hosts),
        cmocka_unit_test(a_host_in_lower_case_needs_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
