/*
 * fixture.h - what the tests of the room share: an arena for each test, and trees from text.
 */
#ifndef TESTS_CONF_FIXTURE_H
#define TESTS_CONF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/json.h"
#include "conf/json_write.h"

/* *state is a struct arena. */
static inline int
arena_setup(void **state)
{
    struct arena *a = calloc(1, sizeof *a);

    arena_init(a, 0);
    *state = a;
    return 0;
}

static inline int
arena_teardown(void **state)
{
    arena_done(*state);
    free(*state);
    return 0;
}

#define arena_test(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

/* The tree of a text that must parse. */
static inline struct json *
tree_of(struct arena *a, const char *text)
{
    struct br_err err = BR_ERR_NONE;
    struct json *root = NULL;
    size_t offset = 0;

    if (json_parse(a, slice_cstr(text), &root, &offset, &err) < 0)
        fail_msg("%s (byte %zu of %s)", err.text, offset, text);
    return root;
}

/* The compact text, NUL-terminated. */
static inline const char *
text_of(struct arena *a, const struct json *value)
{
    struct buf b;
    char *text;

    buf_init(&b, SIZE_MAX);
    assert_int_equal(json_write_compact(&b, value), 0);
    text = arena_cstr(a, buf_slice(&b));
    buf_done(&b);
    return text;
}

#define assert_slice_equal(s, text)                \
    do {                                           \
        struct slice got_ = (s);                   \
                                                   \
        assert_int_equal(got_.n, strlen(text));    \
        assert_memory_equal(got_.p, text, got_.n); \
    } while (0)

#endif
