/*
 * wire_test.c - heads that are written and read again, and records that lie.
 */
#include "nest_fixture.h"

#include <errno.h>

#include "nest/wire.h"

/* A request with two fields and a body; its length. */
static uint32_t
write_request(char *p, uint32_t room)
{
    struct wire_writer w;
    uint32_t n = 0;
    char *body;

    wire_request_begin(&w, p, room, 2);
    wire_request_text(&w, TEXT_METHOD, SLICE("POST"));
    wire_request_text(&w, TEXT_TARGET, SLICE("/a%20b?c"));
    wire_request_text(&w, TEXT_PATH, SLICE("/a b"));
    wire_request_text(&w, TEXT_QUERY, SLICE("c"));
    wire_request_field(&w, 0, NAME_HOST, SLICE_NONE, SLICE("example.org"));
    wire_request_field(&w, 1, NAME_NONE, SLICE("x-own"), SLICE(""));
    wire_request_flags(&w, WIRE_TLS | WIRE_HAS_BODY, 4);
    body = wire_request_body(&w, 4);
    if (body != NULL)
        memcpy(body, "body", 4);
    return wire_request_end(&w, &n) < 0 ? 0 : n;
}

static void
a_request_is_read_as_it_was_written(void **state)
{
    char p[1024];
    uint32_t n = write_request(p, sizeof(p));
    struct wire_request r;
    struct slice name, value;
    unsigned id;

    (void)state;
    assert_int_equal(wire_request_read(p, n, &r), 0);
    assert_true(slice_eq(r.text[TEXT_METHOD], SLICE("POST")));
    assert_true(slice_eq(r.text[TEXT_TARGET], SLICE("/a%20b?c")));
    assert_true(slice_eq(r.text[TEXT_PATH], SLICE("/a b")));
    assert_int_equal(r.text[TEXT_APP_TARGET].n, 0);
    assert_int_equal(r.flags, WIRE_TLS | WIRE_HAS_BODY);
    assert_int_equal(r.body_length, 4);
    assert_true(slice_eq(r.body, SLICE("body")));
    assert_int_equal(r.n_fields, 2);
    assert_int_equal(wire_request_field_read(&r, 0, &id, &name, &value), 0);
    assert_int_equal(id, NAME_HOST);
    assert_true(slice_eq(name, SLICE("host")));
    assert_true(slice_eq(value, SLICE("example.org")));
    assert_int_equal(wire_request_field_read(&r, 1, &id, &name, &value), 0);
    assert_int_equal(id, NAME_NONE);
    assert_true(slice_eq(name, SLICE("x-own")));
    assert_int_equal(value.n, 0);
    assert_int_equal(wire_request_field_read(&r, 2, &id, &name, &value), -EBADMSG);
}

static void
a_request_that_does_not_fit_says_so_whatever_the_room(void **state)
{
    char whole[1024];
    uint32_t n = write_request(whole, sizeof(whole));

    (void)state;
    for (uint32_t room = 0; room <= n; room++) {
        char *p = malloc(room); /* exact: the sanitizer sees a byte too many */

        assert_int_equal(write_request(p, room), room == n ? n : 0);
        free(p);
    }
}

static void
more_fields_than_announced_do_not_fit(void **state)
{
    char p[1024];
    struct wire_writer w;
    uint32_t n;

    (void)state;
    wire_request_begin(&w, p, sizeof(p), 1);
    wire_request_field(&w, 1, NAME_HOST, SLICE_NONE, SLICE("x"));
    assert_int_equal(wire_request_end(&w, &n), -EMSGSIZE);
    wire_request_begin(&w, p, sizeof(p), UINT32_MAX);
    assert_int_equal(wire_request_end(&w, &n), -EMSGSIZE);
}

/* Every place that the reader hands out lies in the record. */
static void
read_all_of_request(const char *p, uint32_t n)
{
    struct wire_request r;
    struct slice name, value;
    unsigned id;

    if (wire_request_read(p, n, &r) < 0)
        return;
    for (unsigned i = 0; i < WIRE_TEXTS; i++)
        assert_true(r.text[i].p >= p && r.text[i].n <= (size_t)(p + n - r.text[i].p));
    for (unsigned i = 0; i < r.n_fields; i++)
        if (wire_request_field_read(&r, i, &id, &name, &value) == 0) {
            assert_true(value.p >= p && value.n <= (size_t)(p + n - value.p));
            assert_true(id != NAME_NONE || (name.p >= p && name.n <= (size_t)(p + n - name.p)));
        }
}

static void
a_request_with_any_word_changed_is_read_within_its_bounds(void **state)
{
    static const uint32_t lies[] = {0, 1, 15, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    char whole[1024];
    uint32_t n = write_request(whole, sizeof(whole));

    (void)state;
    for (uint32_t at = 0; at + 4 <= n; at += 2)
        for (unsigned i = 0; i < array_len(lies); i++) {
            char *p = malloc(n);

            memcpy(p, whole, n);
            memcpy(p + at, &lies[i], 4);
            read_all_of_request(p, n);
            free(p);
        }
}

static void
a_request_cut_anywhere_is_refused(void **state)
{
    char whole[1024];
    uint32_t n = write_request(whole, sizeof(whole));
    struct wire_request r;

    (void)state;
    for (uint32_t cut = 0; cut < n; cut++)
        assert_int_equal(wire_request_read(whole, cut, &r), -EBADMSG);
}

static uint32_t
write_response(char *p, uint32_t room)
{
    struct wire_writer w;
    uint32_t n = 0;

    wire_response_begin(&w, p, room, 404);
    wire_response_field(&w, SLICE("content-type"), SLICE("text/plain"));
    wire_response_field(&w, SLICE("Set-Cookie"), SLICE("a=1"));
    wire_response_field(&w, SLICE("x-own"), SLICE(""));
    return wire_response_end(&w, -1, &n) < 0 ? 0 : n;
}

static void
a_response_is_read_as_it_was_written_in_the_applications_spelling(void **state)
{
    char p[256];
    uint32_t n = write_response(p, sizeof(p)), at = 0;
    struct wire_response_head h;
    struct slice name, value;

    (void)state;
    assert_int_equal(wire_response_read(p, n, &h), 0);
    assert_int_equal(h.status, 404);
    assert_int_equal(h.n, n);
    assert_int_equal(h.n_fields, 3);
    assert_int_equal(h.body_length, -1);
    assert_int_equal(wire_response_next(p, &h, &at, &name, &value), 1);
    assert_true(slice_eq(name, SLICE("content-type")));
    assert_true(slice_eq(value, SLICE("text/plain")));
    assert_int_equal(wire_response_next(p, &h, &at, &name, &value), 1);
    assert_true(slice_eq(name, SLICE("Set-Cookie")));
    assert_int_equal(wire_response_next(p, &h, &at, &name, &value), 1);
    assert_true(slice_eq(name, SLICE("x-own")));
    assert_int_equal(wire_response_next(p, &h, &at, &name, &value), 0);
}

static void
a_response_that_does_not_fit_says_so_whatever_the_room(void **state)
{
    char whole[256];
    uint32_t n = write_response(whole, sizeof(whole));

    (void)state;
    for (uint32_t room = 0; room <= n; room++) {
        char *p = malloc(room);

        assert_int_equal(write_response(p, room), room == n ? n : 0);
        free(p);
    }
}

static void
a_response_that_lies_is_refused_or_read_within_its_bounds(void **state)
{
    static const uint32_t lies[] = {0, 1, 7, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    char whole[256];
    uint32_t n = write_response(whole, sizeof(whole));
    struct wire_response_head h;

    (void)state;
    for (uint32_t cut = 0; cut < n; cut++)
        assert_int_equal(wire_response_read(whole, cut, &h), -EBADMSG);
    for (uint32_t at = 0; at + 4 <= n; at++)
        for (unsigned i = 0; i < array_len(lies); i++) {
            char *p = malloc(n);
            struct slice name, value;
            uint32_t next = 0;

            memcpy(p, whole, n);
            memcpy(p + at, &lies[i], 4);
            if (wire_response_read(p, n, &h) == 0)
                while (wire_response_next(p, &h, &next, &name, &value) == 1)
                    assert_true(value.p >= p && value.n <= (size_t)(p + n - value.p));
            free(p);
        }
}

static void
statuses_and_lengths_out_of_range_are_refused(void **state)
{
    struct wire_response_head h = {.n = sizeof(h), .status = 99};

    (void)state;
    assert_int_equal(wire_response_read((char *)&h, sizeof(h), &h), -EBADMSG);
    h = (struct wire_response_head){.n = sizeof(h), .status = 1000};
    assert_int_equal(wire_response_read((char *)&h, sizeof(h), &h), -EBADMSG);
    h = (struct wire_response_head){.n = sizeof(h), .status = 200, .body_length = -2};
    assert_int_equal(wire_response_read((char *)&h, sizeof(h), &h), -EBADMSG);
    h = (struct wire_response_head){.n = sizeof(h), .status = 200, .n_fields = 1};
    assert_int_equal(wire_response_read((char *)&h, sizeof(h), &h), -EBADMSG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_as_it_was_written),
        cmocka_unit_test(a_request_that_does_not_fit_says_so_whatever_the_room),
        cmocka_unit_test(more_fields_than_announced_do_not_fit),
        cmocka_unit_test(a_request_with_any_word_changed_is_read_within_its_bounds),
        cmocka_unit_test(a_request_cut_anywhere_is_refused),
        cmocka_unit_test(a_response_is_read_as_it_was_written_in_the_applications_spelling),
        cmocka_unit_test(a_response_that_does_not_fit_says_so_whatever_the_room),
        cmocka_unit_test(a_response_that_lies_is_refused_or_read_within_its_bounds),
        cmocka_unit_test(statuses_and_lengths_out_of_range_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
