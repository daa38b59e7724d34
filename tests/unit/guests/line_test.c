/*
 * line_test.c - what the wrapper says in its variable, and what the server is told.
 */
#include "guests/prefork_interp/common/line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void
the_variable_is_read(br_unused void **state)
{
    struct given g;

    assert_int_equal(given_read(&g, "v1,17.000000005,brood1 3,4,5,6 server=/a b"), 0);
    assert_string_equal(g.start, "17.000000005");
    assert_true(g.mark);
    assert_int_equal(g.fds[0], 3);
    assert_int_equal(g.fds[3], 6);
    assert_string_equal(g.server, "/a b");
}

static void
an_original_wrapper_says_less_and_a_later_one_more(br_unused void **state)
{
    struct given g;

    assert_int_equal(given_read(&g, "v1,1.5 3,4,5,6"), 0);
    assert_false(g.mark);
    assert_string_equal(g.server, "");
    assert_int_equal(given_read(&g, "v1,1.5,brood12,x,brood1 10,11,12,13,14 else"), 0);
    assert_true(g.mark);
    assert_int_equal(g.fds[3], 13);
    assert_int_equal(given_read(&g, "v1,1.5,brood12 10,11,12,13"), 0);
    assert_false(g.mark);
}

static void
a_malformed_variable_is_refused(br_unused void **state)
{
    static const char *const wrong[] = {
        "",
        "v1",
        "v2,1.5 3,4,5,6",
        "v1,15 3,4,5,6",
        "v1,1.5",
        "v1,1.5 3,4,5",
        "v1,x.5 3,4,5,6",
        "v1,1.5x 3,4,5,6",
        "v1,1.5 a,b,c,d",
        "v1,1.5 -3,4,5,6",
    };
    struct given g;

    for (size_t i = 0; i < array_len(wrong); i++)
        assert_int_equal(given_read(&g, wrong[i]), -EINVAL);
}

static void
the_hello_has_its_length_in_front_and_comes_in_pieces(br_unused void **state)
{
    struct given g;
    struct buf hello, seen;
    char piece[65536];
    int ends[2];
    ssize_t n;

    assert_int_equal(given_read(&g, "v1,1.5,brood1 3,4,5,6"), 0);
    buf_init(&hello, HELLO_MAX);
    for (int i = 0; i < 2000; i++)
        hello_add(&hello, "file", "/somewhere/that/has/a/long/name");
    hello_add_number(&hello, "spare", -1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(line_hello(ends[0], &g, &hello), 0);
    close(ends[0]);
    buf_init(&seen, HELLO_MAX);
    while ((n = read(ends[1], piece, sizeof(piece))) > 0) {
        assert_true(n <= 32768);
        assert_int_equal(buf_append(&seen, piece, (size_t)n), 0);
    }
    assert_int_equal(seen.n, hello.n + 4);
    assert_int_equal((uint8_t)seen.p[1] << 16 | (uint8_t)seen.p[2] << 8 | (uint8_t)seen.p[3],
                     hello.n);
    assert_memory_equal(seen.p + 4, hello.p, hello.n);
    assert_non_null(memmem(hello.p, hello.n, "\0spare=-1\0", 10));
    assert_non_null(memmem(hello.p, hello.n, "\0mark=brood1\0", 13));
    assert_non_null(memmem(hello.p, hello.n, "\0listen=3\0", 10));
    close(ends[1]);
    buf_done(&seen);
    buf_done(&hello);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variable_is_read),
        cmocka_unit_test(an_original_wrapper_says_less_and_a_later_one_more),
        cmocka_unit_test(a_malformed_variable_is_refused),
        cmocka_unit_test(the_hello_has_its_length_in_front_and_comes_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
