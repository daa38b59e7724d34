/*
 * mime_test.c - the type of a file by its name.
 */
#include "conf/mime.h"

#include <errno.h>

#include "fixture.h"

static void
built_in_types_are_found(void **state)
{
    struct mime *m = mime_new(*state);

    assert_slice_equal(mime_find(m, SLICE("/www/index.html")), "text/html");
    assert_slice_equal(mime_find(m, SLICE("Photo.JPG")), "image/jpeg");
    assert_slice_equal(mime_find(m, SLICE("a.min.mjs")), "application/javascript");
    assert_slice_equal(mime_find(m, SLICE("x.rpm")), "application/octet-stream");
    assert_slice_equal(mime_find(m, SLICE(".html")), "text/html");
}

static void
unknown_names_have_no_type(void **state)
{
    static const char *const names[] = {"",          "/",  "README", "/a.html/",
                                        "/a.html/b", "x.", "x.htmlx"};
    struct mime *m = mime_new(*state);
    char name[300];

    for (size_t i = 0; i < array_len(names); i++)
        assert_int_equal(mime_find(m, slice_cstr(names[i])).n, 0);
    memset(name, 'x', sizeof name);
    assert_int_equal(mime_find(m, slice_make(name, sizeof name)).n, 0);
}

static void
user_types_win(void **state)
{
    struct mime *m = mime_new(*state);
    char type[] = "text/x-mine";

    assert_int_equal(mime_add(*state, m, slice_cstr(type), SLICE(".HTML")), 0);
    assert_int_equal(mime_add(*state, m, SLICE("text/plain"), SLICE("readme")), 0);
    type[0] = 'X';
    assert_slice_equal(mime_find(m, SLICE("a.html")), "text/x-mine");
    assert_slice_equal(mime_find(m, SLICE("/x/README")), "text/plain");
    assert_slice_equal(mime_find(m, SLICE("a.htm")), "text/html");
    assert_int_equal(mime_add(*state, m, SLICE("text/other"), SLICE(".html")), -EEXIST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(built_in_types_are_found),
        arena_test(unknown_names_have_no_type),
        arena_test(user_types_win),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
