/*
 * launch_test.c - what is written is read, and every broken card is refused.
 */
#include "process/launch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "base/fd.h"

static int
card_fd(void)
{
    struct buf b;
    int fd = -1;

    launch_begin(&b);
    launch_put(&b, "name", SLICE("blog"));
    launch_put(&b, "path", SLICE("/a"));
    launch_put(&b, "path", SLICE(""));
    launch_put_int(&b, "max", 4);
    launch_put_int(&b, "least", INT64_MIN);
    assert_int_equal(launch_end(&b, &fd), 0);
    return fd;
}

static void
what_was_written_is_read(void **state)
{
    br_cleanup(fd_closep) int fd = card_fd();
    struct launch *card;
    unsigned pos = 0;

    (void)state;
    assert_int_equal(launch_read(fd, &card, NULL), 0);
    assert_string_equal(launch_get(card, "name", NULL), "blog");
    assert_null(launch_get(card, "type", NULL));
    assert_string_equal(launch_get(card, "type", "x"), "x");
    assert_int_equal(launch_int(card, "max", 1), 4);
    assert_int_equal(launch_int(card, "least", 1), INT64_MIN);
    assert_int_equal(launch_int(card, "name", 7), 7);
    assert_int_equal(launch_int(card, "none", 8), 8);
    assert_string_equal(launch_next(card, "path", &pos), "/a");
    assert_string_equal(launch_next(card, "path", &pos), "");
    assert_null(launch_next(card, "path", &pos));
    launch_free(card);
}

static void
a_bad_put_is_remembered(void **state)
{
    struct buf b;
    int fd = -1;

    (void)state;
    launch_begin(&b);
    assert_int_equal(launch_put(&b, "name", slice_make("a\0b", 3)), -EINVAL);
    assert_int_equal(launch_put(&b, "type", SLICE("x")), -EINVAL);
    assert_int_equal(launch_end(&b, &fd), -EINVAL);
    assert_int_equal(fd, -1);

    launch_begin(&b);
    for (int i = 0; i < LAUNCH_PAIRS_MAX; i++)
        assert_int_equal(launch_put(&b, "k", SLICE("v")), 0);
    assert_int_equal(launch_put(&b, "k", SLICE("v")), -EMSGSIZE);
    assert_int_equal(launch_end(&b, &fd), -EMSGSIZE);
}

static int
read_bytes(const char *p, size_t n)
{
    br_cleanup(fd_closep) int fd = fd_memfd_sealed("test", p, n);
    struct launch *card = NULL;
    struct br_err err = BR_ERR_NONE;
    int rc = launch_read(fd, &card, &err);

    if (rc < 0)
        assert_true(err.text[0] != '\0');
    launch_free(card);
    return rc;
}

static void
every_cut_and_every_flipped_byte_is_survived(void **state)
{
    br_cleanup(fd_closep) int fd = card_fd();
    char *whole;
    size_t n;

    (void)state;
    assert_int_equal(fd_read_file(fd, LAUNCH_BYTES_MAX, &whole, &n), 0);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(read_bytes(whole, cut), -EBADMSG);
    for (size_t i = 0; i < n; i++) {
        char was = whole[i];

        whole[i] = (char)0xff;
        read_bytes(whole, n);
        whole[i] = 0;
        read_bytes(whole, n);
        whole[i] = was;
    }
    assert_int_equal(read_bytes(whole, n), 0);
    free(whole);
}

static void
a_file_that_may_still_change_is_refused(void **state)
{
    br_cleanup(fd_closep) int sealed = card_fd();
    br_cleanup(fd_closep) int fd = fd_memfd("test", 0);
    struct launch *card;
    char *whole;
    size_t n;

    (void)state;
    assert_int_equal(fd_read_file(sealed, LAUNCH_BYTES_MAX, &whole, &n), 0);
    assert_int_equal(fd_write_all(fd, whole, n), 0);
    assert_int_equal(launch_read(fd, &card, NULL), -EBADMSG);
    free(whole);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_bad_put_is_remembered),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_survived),
        cmocka_unit_test(a_file_that_may_still_change_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
