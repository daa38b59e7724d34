/*
 * broodctl_diff_test.c - the differences of two texts are all there, and no more than there are.
 */
#include "programs/broodctl_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void
diff_is(const char *old_text, const char *new_text, const char *wanted)
{
    struct arena a;
    struct buf b;
    bool differs;

    arena_init(&a, 0);
    buf_init(&b, 1 << 20);
    differs = diff_unified(&a, slice_cstr(old_text), slice_cstr(new_text), "old", "new", &b);
    buf_putc(&b, '\0');
    assert_string_equal(b.p, wanted);
    assert_int_equal(differs, wanted[0] != '\0');
    buf_done(&b);
    arena_done(&a);
}

static void
equal_texts_have_none(void **state)
{
    (void)state;
    diff_is("", "", "");
    diff_is("a\nb\n", "a\nb\n", "");
}

static void
one_side_may_be_empty(void **state)
{
    (void)state;
    diff_is("", "a\n\n", "--- old\n+++ new\n@@ -0,0 +1,2 @@\n+a\n+\n");
    diff_is("a\n", "", "--- old\n+++ new\n@@ -1,1 +0,0 @@\n-a\n");
}

static void
three_lines_stand_around_a_change(void **state)
{
    (void)state;
    diff_is("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
            "--- old\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

/* The classic example of the paper: 5 edits, of which these are the greedy ones. */
static void
the_shortest_edit_is_found(void **state)
{
    (void)state;
    diff_is("A\nB\nC\nA\nB\nB\nA\n", "C\nB\nA\nB\nA\nC\n",
            "--- old\n+++ new\n@@ -1,7 +1,6 @@\n-A\n-B\n C\n+B\n A\n B\n-B\n A\n+C\n");
}

static void
near_changes_share_a_hunk_and_far_ones_do_not(void **state)
{
    (void)state;
    diff_is("x\n1\n2\n3\n4\n5\n6\ny\n", "X\n1\n2\n3\n4\n5\n6\nY\n",
            "--- old\n+++ new\n@@ -1,8 +1,8 @@\n-x\n+X\n 1\n 2\n 3\n 4\n 5\n 6\n-y\n+Y\n");
    diff_is("x\n1\n2\n3\n4\n5\n6\n7\ny\n", "X\n1\n2\n3\n4\n5\n6\n7\nY\n",
            "--- old\n+++ new\n@@ -1,4 +1,4 @@\n-x\n+X\n 1\n 2\n 3\n"
            "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-y\n+Y\n");
}

/* 5000 lines that have nothing in common are one change, not 10000 edits counted. */
static void
too_many_changes_are_one(void **state)
{
    struct arena a;
    struct buf old_text, new_text, b;

    (void)state;
    arena_init(&a, 0);
    buf_init(&old_text, 1 << 20);
    buf_init(&new_text, 1 << 20);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        buf_printf(&old_text, "old %d\n", i);
        buf_printf(&new_text, "new %d\n", i);
    }
    assert_true(diff_unified(&a, buf_slice(&old_text), buf_slice(&new_text), "old", "new", &b));
    assert_true(
        slice_starts(buf_slice(&b), SLICE("--- old\n+++ new\n@@ -1,5000 +1,5000 @@\n-old 0\n")));
    assert_true(slice_ends(buf_slice(&b), SLICE("+new 4999\n")));
    buf_done(&old_text);
    buf_done(&new_text);
    buf_done(&b);
    arena_done(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_none),
        cmocka_unit_test(one_side_may_be_empty),
        cmocka_unit_test(three_lines_stand_around_a_change),
        cmocka_unit_test(the_shortest_edit_is_found),
        cmocka_unit_test(near_changes_share_a_hunk_and_far_ones_do_not),
        cmocka_unit_test(too_many_changes_are_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
