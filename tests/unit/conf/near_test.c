/*
 * near_test.c - which name was meant.
 */
#include "conf/near.h"

#include "fixture.h"

static const char *const names[] = {"blog", "shop", "shops", "warehouse", "b"};

static struct slice
nearest(const char *wanted)
{
    struct near near = near_begin(slice_cstr(wanted));

    for (size_t i = 0; i < array_len(names); i++)
        near_offer(&near, slice_cstr(names[i]));
    return near.best;
}

static void
one_edit_in_a_short_name_and_two_in_a_long_one(void **state)
{
    (void)state;
    assert_slice_equal(nearest("blgo"), "blog");
    assert_null(nearest("lbgo").p);
    assert_slice_equal(nearest("blo"), "blog");
    assert_slice_equal(nearest("blogs"), "blog");
    assert_slice_equal(nearest("bl0g"), "blog");
    assert_slice_equal(nearest("wraehosue"), "warehouse");
    assert_slice_equal(nearest("wherehouse"), "warehouse");
}

static void
the_first_of_the_nearest_wins(void **state)
{
    (void)state;
    assert_slice_equal(nearest("shopp"), "shop");
    assert_slice_equal(nearest("shopps"), "shops");
}

static void
nothing_is_near_a_tiny_or_a_huge_name(void **state)
{
    char huge[200];

    (void)state;
    assert_null(nearest("").p);
    assert_null(nearest("ab").p);
    memset(huge, 'b', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_null(nearest(huge).p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(one_edit_in_a_short_name_and_two_in_a_long_one),
        arena_test(the_first_of_the_nearest_wins),
        arena_test(nothing_is_near_a_tiny_or_a_huge_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
