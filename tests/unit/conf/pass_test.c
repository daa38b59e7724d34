/*
 * pass_test.c - the text of a destination.
 */
#include "conf/pass.h"

#include <errno.h>

#include "fixture.h"

static struct pass
parsed(const char *text, char *room)
{
    struct br_err err = BR_ERR_NONE;
    struct pass to;

    if (pass_parse(slice_cstr(text), room, &to, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return to;
}

static void
destinations_are_read(void **state)
{
    char room[PASS_TEXT_MAX];
    struct pass to;

    (void)state;
    to = parsed("routes", room);
    assert_int_equal(to.kind, PASS_ROUTES);
    to = parsed("routes/main", room);
    assert_int_equal(to.kind, PASS_ROUTE);
    assert_slice_equal(to.name, "main");
    to = parsed("applications/a", room);
    assert_int_equal(to.kind, PASS_APPLICATION);
    assert_slice_equal(to.name, "a");
    assert_null(to.target.p);
    to = parsed("applications/a/t", room);
    assert_slice_equal(to.target, "t");
}

static void
names_are_decoded_after_the_split(void **state)
{
    char room[PASS_TEXT_MAX];
    struct pass to;

    (void)state;
    to = parsed("applications/a%2Fb/%25%20c", room);
    assert_slice_equal(to.name, "a/b");
    assert_slice_equal(to.target, "% c");
    to = parsed("r%6futes/x", room);
    assert_int_equal(to.kind, PASS_ROUTE);
}

static void
what_is_no_destination_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "routes/",
                                      "/routes",
                                      "applications",
                                      "applications/",
                                      "applications//t",
                                      "applications/a/",
                                      "applications/a/t/u",
                                      "routes/a/b",
                                      "upstreams/a",
                                      "Routes",
                                      "routes ",
                                      "applications/%",
                                      "applications/%4",
                                      "applications/%gg",
                                      "application/a"};
    char room[PASS_TEXT_MAX];
    struct pass to;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct br_err err = BR_ERR_NONE;

        assert_int_equal(pass_parse(slice_cstr(bad[i]), room, &to, &err), -EBADMSG);
        assert_true(strlen(err.text) > 0);
        assert_int_equal(pass_parse(slice_cstr(bad[i]), room, &to, NULL), -EBADMSG);
    }
    assert_int_equal(pass_parse(SLICE_NONE, room, &to, NULL), -EBADMSG);
}

static void
a_text_that_is_too_long_leads_nowhere(void **state)
{
    char text[PASS_TEXT_MAX + 1], room[PASS_TEXT_MAX];
    struct pass to;

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "routes/", 7);
    assert_int_equal(pass_parse(slice_make(text, PASS_TEXT_MAX), room, &to, NULL), 0);
    assert_int_equal(to.name.n, PASS_TEXT_MAX - 7);
    assert_int_equal(pass_parse(slice_make(text, sizeof text), room, &to, NULL), -EBADMSG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destinations_are_read),
        cmocka_unit_test(names_are_decoded_after_the_split),
        cmocka_unit_test(what_is_no_destination_is_refused),
        cmocka_unit_test(a_text_that_is_too_long_leads_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
