/*
 * chunked_test.c - the coding both ways.  What is refused, at every cut: rows 1 to 10 of rows.def.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/chunked.h"

static void
sizes_are_written_in_hexadecimal(br_unused void **state)
{
    static const uint64_t sizes[] = {
        1,    9,    10,    15,         16,         255,        256,
        4095, 4096, 65535, 0x10000000, UINT32_MAX, UINT64_MAX, UINT64_MAX >> 1};

    for (size_t i = 0; i < array_len(sizes); i++) {
        char have[CHUNKED_HEAD_MAX], want[32];
        int n = sprintf(want, "%llX\r\n", (unsigned long long)sizes[i]);

        assert_int_equal(chunked_head(have, sizes[i]), n);
        assert_memory_equal(have, want, n);
    }
}

/* Decode by pieces of `by` bytes; the result, how much was left over. */
static enum chunked_result
decode(const char *p, size_t n, size_t by, struct buf *body, size_t *ret_left)
{
    enum chunked_result result = CHUNKED_MORE;
    struct chunked c;

    chunked_init(&c);
    for (size_t at = 0; at < n && result == CHUNKED_MORE; at += by) {
        struct slice in = slice_sub(slice_make(p, n), at, at + by), data;

        while ((result = chunked_next(&c, &in, &data)) == CHUNKED_DATA)
            buf_put(body, data);
        *ret_left = n - (size_t)(in.p - p);
    }
    return result;
}

static void
what_is_encoded_decodes_to_itself(br_unused void **state)
{
    srandom(1);
    for (unsigned round = 0; round < 300; round++) {
        struct buf wire, body, back;
        size_t left = 0;

        buf_init(&wire, 1 << 20);
        buf_init(&body, 1 << 20);
        for (long chunks = random() % 6; chunks > 0; chunks--) {
            char head[CHUNKED_HEAD_MAX], data[300];
            size_t n = 1 + (size_t)random() % sizeof(data);

            for (size_t i = 0; i < n; i++)
                data[i] = (char)random();
            buf_append(&wire, head, chunked_head(head, n));
            buf_append(&wire, data, n);
            buf_puts(&wire, "\r\n");
            buf_append(&body, data, n);
        }
        buf_put(&wire, CHUNKED_LAST);
        buf_puts(&wire, "next");
        for (size_t by = 1; by <= wire.n; by = by * 2 + 1) {
            buf_init(&back, 1 << 20);
            assert_int_equal(decode(wire.p, wire.n, by, &back, &left), CHUNKED_DONE);
            assert_int_equal(left, 4);
            assert_true(slice_eq(buf_slice(&back), buf_slice(&body)));
            buf_done(&back);
        }
        buf_done(&wire);
        buf_done(&body);
    }
}

static void
what_is_due_counts_down(br_unused void **state)
{
    struct slice in = SLICE("5\r\nhe"), data;
    struct chunked c;

    chunked_init(&c);
    assert_int_equal(chunked_due(&c), 0);
    assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_DATA);
    assert_int_equal(chunked_due(&c), 3);
    assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_MORE);
    in = SLICE("llo\r\n0\r\n\r\n");
    assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_DATA);
    assert_int_equal(chunked_due(&c), 0);
    assert_int_equal(chunked_next(&c, &in, &data), CHUNKED_DONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_written_in_hexadecimal),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
        cmocka_unit_test(what_is_due_counts_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
