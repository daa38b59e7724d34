/*
 * json_path_test.c - paths of the control API, and edits by them.
 */
#include "conf/json_path.h"

#include <errno.h>

#include "fixture.h"

#define SAMPLE "{\"a\":{\"x\":1,\"y\":2},\"list\":[10,20,30],\"f/g\":{\"%\":true},\"n\":5}"

static struct json_path
path_of(struct arena *a, const char *target)
{
    struct json_path path = {.n = 0};

    if (json_path_split(a, slice_cstr(target), &path) != 0)
        fail_msg("%s is no path", target);
    return path;
}

static const char *
normal(struct arena *a, const char *target)
{
    return json_pointer(a, path_of(a, target));
}

static void
targets_are_split_before_they_are_decoded(void **state)
{
    struct json_path path = path_of(*state, "/config/applications/foo%2Fbar/%25");

    assert_int_equal(path.n, 4);
    assert_slice_equal(path.segments[2], "foo/bar");
    assert_slice_equal(path.segments[3], "%");
    assert_slice_equal(path_of(*state, "/l/%5B::1%5D:80").segments[1], "[::1]:80");
    assert_slice_equal(path_of(*state, "/l/unix:%2Frun%2Fa.sock").segments[1], "unix:/run/a.sock");
}

static void
targets_are_normalised(void **state)
{
    assert_string_equal(normal(*state, "/"), "");
    assert_string_equal(normal(*state, "/config/"), "/config");
    assert_string_equal(normal(*state, "//config//a"), "/config/a");
    assert_string_equal(normal(*state, "/config/./a/../b"), "/config/b");
    assert_string_equal(normal(*state, "/config/.."), "");
    assert_string_equal(normal(*state, "/config?x=/y"), "/config");
    assert_string_equal(normal(*state, "/%2e%2E/x"), "/../x");
    assert_string_equal(normal(*state, "/a%2Fb/%25/%20/~/~1"), "/a~1b/%/ /~0/~01");
}

static void
bad_targets_are_refused(void **state)
{
    static const char *const bad[] = {"", "config", "/..", "/a/../..", "/%", "/%4", "/%zz", "?/"};
    struct json_path path;

    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(json_path_split(*state, slice_cstr(bad[i]), &path), -EINVAL);
}

static void
a_long_segment_names_nothing(void **state)
{
    char target[JSON_SEGMENT_MAX + 3];
    struct json_path path;

    memset(target, 'x', sizeof target);
    target[0] = '/';
    assert_int_equal(json_path_split(*state, slice_make(target, JSON_SEGMENT_MAX + 1), &path), 0);
    assert_int_equal(json_path_split(*state, slice_make(target, JSON_SEGMENT_MAX + 2), &path),
                     -ENOENT);
}

/* Names are UTF-8: what is not would be stored and could not be read again. */
static void
a_segment_that_is_not_utf8_names_nothing(void **state)
{
    struct json_path path;

    assert_int_equal(json_path_split(*state, SLICE("/config/%FF"), &path), -ENOENT);
    assert_int_equal(json_path_split(*state, SLICE("/config/%ED%A0%80"), &path), -ENOENT);
    assert_int_equal(json_path_split(*state, SLICE("/config/%C3%A9"), &path), 0);
}

static void
values_are_found(void **state)
{
    struct json *root = tree_of(*state, SAMPLE);
    struct arena *a = *state;

    assert_ptr_equal(json_path_get(root, path_of(a, "/")), root);
    assert_string_equal(text_of(a, json_path_get(root, path_of(a, "/a/y"))), "2");
    assert_string_equal(text_of(a, json_path_get(root, path_of(a, "/list/2"))), "30");
    assert_string_equal(text_of(a, json_path_get(root, path_of(a, "/f%2Fg/%25"))), "true");
    assert_string_equal(
        text_of(a, json_path_get(root, json_path_from(path_of(a, "/config/a/x"), 1))), "1");
}

static void
what_is_not_there_is_not_found(void **state)
{
    static const char *const missing[] = {
        "/b",       "/a/z", "/list/3", "/list/-1", "/list/x",
        "/list/01", "/n/0", "/n/x",    "/a/x/y",   "/list/99999999999999999999"};
    struct json *root = tree_of(*state, SAMPLE);

    for (size_t i = 0; i < array_len(missing); i++)
        assert_null(json_path_get(root, path_of(*state, missing[i])));
}

struct edit {
    const char *path;
    int rc;
    const char *result; /* NULL: unchanged */
};

static void
put_replaces_and_creates(void **state)
{
    static const struct edit edits[] = {
        {"/", 0, "0"},
        {"/a/x", 0, "{\"a\":{\"x\":0,\"y\":2},\"l\":[1,2]}"},
        {"/a/y", 0, "{\"a\":{\"x\":1,\"y\":0},\"l\":[1,2]}"},
        {"/a/z", 0, "{\"a\":{\"x\":1,\"y\":2,\"z\":0},\"l\":[1,2]}"},
        {"/a", 0, "{\"a\":0,\"l\":[1,2]}"},
        {"/l", 0, "{\"a\":{\"x\":1,\"y\":2},\"l\":0}"},
        {"/l/0", 0, "{\"a\":{\"x\":1,\"y\":2},\"l\":[0,2]}"},
        {"/l/1", 0, "{\"a\":{\"x\":1,\"y\":2},\"l\":[1,0]}"},
        {"/l/2", 0, "{\"a\":{\"x\":1,\"y\":2},\"l\":[1,2,0]}"},
        {"/new", 0, "{\"a\":{\"x\":1,\"y\":2},\"l\":[1,2],\"new\":0}"},
        {"/l/3", -ENOENT, NULL},
        {"/l/x", -ENOENT, NULL},
        {"/b/c", -ENOENT, NULL},
        {"/a/x/y", -ENOENT, NULL},
        {"/a/x/0", -ENOENT, NULL},
    };
    static const char text[] = "{\"a\":{\"x\":1,\"y\":2},\"l\":[1,2]}";

    for (size_t i = 0; i < array_len(edits); i++) {
        struct json *root = tree_of(*state, text), *value = tree_of(*state, "0");

        assert_int_equal(json_path_put(*state, &root, path_of(*state, edits[i].path), value),
                         edits[i].rc);
        assert_string_equal(text_of(*state, root),
                            edits[i].result != NULL ? edits[i].result : text);
    }
}

/* The list stays sound behind an edit of its end. */
static void
a_replaced_last_element_is_followed_by_the_next(void **state)
{
    struct json *root = tree_of(*state, "[1,2]");

    assert_int_equal(json_path_put(*state, &root, path_of(*state, "/1"), tree_of(*state, "9")), 0);
    assert_int_equal(json_path_append(root, path_of(*state, "/"), tree_of(*state, "10")), 0);
    assert_string_equal(text_of(*state, root), "[1,9,10]");
    assert_int_equal(json_path_delete(*state, &root, path_of(*state, "/2")), 0);
    assert_int_equal(json_path_append(root, path_of(*state, "/"), tree_of(*state, "11")), 0);
    assert_string_equal(text_of(*state, root), "[1,9,11]");
}

static void
append_wants_an_array(void **state)
{
    struct json *root = tree_of(*state, SAMPLE);

    assert_int_equal(json_path_append(root, path_of(*state, "/list"), tree_of(*state, "{}")), 0);
    assert_string_equal(text_of(*state, json_get(root, SLICE("list"))), "[10,20,30,{}]");
    assert_int_equal(json_path_append(root, path_of(*state, "/a"), tree_of(*state, "1")), -ENOTDIR);
    assert_int_equal(json_path_append(root, path_of(*state, "/n"), tree_of(*state, "1")), -ENOTDIR);
    assert_int_equal(json_path_append(root, path_of(*state, "/"), tree_of(*state, "1")), -ENOTDIR);
    assert_int_equal(json_path_append(root, path_of(*state, "/zz"), tree_of(*state, "1")), -ENOENT);
}

static void
delete_removes(void **state)
{
    static const struct edit edits[] = {
        {"/", 0, "{}"},
        {"/a", 0, "{\"l\":[1,2,3]}"},
        {"/l", 0, "{\"a\":1}"},
        {"/l/0", 0, "{\"a\":1,\"l\":[2,3]}"},
        {"/l/1", 0, "{\"a\":1,\"l\":[1,3]}"},
        {"/l/2", 0, "{\"a\":1,\"l\":[1,2]}"},
        {"/l/3", -ENOENT, NULL},
        {"/b", -ENOENT, NULL},
        {"/a/x", -ENOENT, NULL},
        {"/b/c", -ENOENT, NULL},
    };
    static const char text[] = "{\"a\":1,\"l\":[1,2,3]}";

    for (size_t i = 0; i < array_len(edits); i++) {
        struct json *root = tree_of(*state, text);

        assert_int_equal(json_path_delete(*state, &root, path_of(*state, edits[i].path)),
                         edits[i].rc);
        assert_string_equal(text_of(*state, root),
                            edits[i].result != NULL ? edits[i].result : text);
    }
}

/* What is stored must be readable again, so an edit may not nest deeper than a text may. */
static void
an_edit_does_not_nest_too_deep(void **state)
{
    char deepest[2 * JSON_DEPTH_MAX + 1];
    struct json *root = tree_of(*state, "{\"a\":[]}");

    memset(deepest, '[', JSON_DEPTH_MAX);
    memset(deepest + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    deepest[2 * JSON_DEPTH_MAX] = '\0';
    assert_int_equal(json_path_put(*state, &root, path_of(*state, "/b"), tree_of(*state, deepest)),
                     -ELOOP);
    assert_int_equal(json_path_append(root, path_of(*state, "/a"), tree_of(*state, deepest)),
                     -ELOOP);
    assert_string_equal(text_of(*state, root), "{\"a\":[]}");
    assert_int_equal(json_path_put(*state, &root, path_of(*state, "/"), tree_of(*state, deepest)),
                     0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(targets_are_split_before_they_are_decoded),
        arena_test(targets_are_normalised),
        arena_test(bad_targets_are_refused),
        arena_test(a_long_segment_names_nothing),
        arena_test(a_segment_that_is_not_utf8_names_nothing),
        arena_test(values_are_found),
        arena_test(what_is_not_there_is_not_found),
        arena_test(put_replaces_and_creates),
        arena_test(a_replaced_last_element_is_followed_by_the_next),
        arena_test(append_wants_an_array),
        arena_test(delete_removes),
        arena_test(an_edit_does_not_nest_too_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
