/*
 * nest_test.c - what may be attached as a nest and what may not.
 */
#include <fcntl.h>
#include <errno.h>

#include "nest_fixture.h"

#include "base/fd.h"

static void
a_new_nest_can_be_attached_twice_and_is_the_same_memory(void **state)
{
    int fd = nest_make();
    struct nest *one, *two;

    (void)state;
    assert_int_equal(nest_attach(fd, &one, NULL), 0);
    assert_int_equal(nest_attach(fd, &two, NULL), 0);
    assert_false(nest_bell_wanted(two));
    nest_want_bell(one, true);
    assert_true(nest_bell_wanted(two));
    nest_detach(one);
    nest_detach(two);
    close(fd);
}

static void
nobody_can_resize_it(void **state)
{
    int fd = nest_make();

    (void)state;
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, (off_t)nest_size() + 1), -1);
    close(fd);
}

static void
a_memfd_that_can_still_be_cut_is_refused(void **state)
{
    int fd = fd_memfd("loose", nest_size());
    struct br_err err = BR_ERR_NONE;
    struct nest *nest = NULL;

    (void)state;
    assert_int_equal(nest_attach(fd, &nest, &err), -EBADMSG);
    assert_string_equal(err.text, "the nest is not sealed");
    assert_null(nest);
    close(fd);
}

static void
another_size_or_another_version_is_refused(void **state)
{
    int small = fd_memfd("small", 4096);
    int other = fd_memfd("other", nest_size());
    struct br_err err = BR_ERR_NONE;
    struct nest *nest = NULL;

    (void)state;
    assert_int_equal(nest_attach(small, &nest, NULL), -EBADMSG);
    assert_int_equal(fcntl(other, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(nest_attach(other, &nest, &err), -EBADMSG);
    assert_string_equal(err.text, "the nest was made by another version of brood");
    assert_null(nest);
    close(small);
    close(other);
}

static void
what_is_not_a_memfd_is_refused(void **state)
{
    int pair[2];
    struct nest *nest = NULL;

    (void)state;
    assert_int_equal(pipe(pair), 0);
    assert_true(nest_attach(pair[0], &nest, NULL) < 0);
    assert_null(nest);
    close(pair[0]);
    close(pair[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_nest_can_be_attached_twice_and_is_the_same_memory),
        cmocka_unit_test(nobody_can_resize_it),
        cmocka_unit_test(a_memfd_that_can_still_be_cut_is_refused),
        cmocka_unit_test(another_size_or_another_version_is_refused),
        cmocka_unit_test(what_is_not_a_memfd_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
