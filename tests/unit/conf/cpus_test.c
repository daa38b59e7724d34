/*
 * cpus_test.c - lists of processors.
 */
#include "conf/cpus.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
lists_become_masks(void **state)
{
    static const struct {
        const char *text;
        uint64_t low, high;
    } rows[] = {
        {"0", 1, 0},
        {"0-3,6", 0x4F, 0},
        {"63", UINT64_C(1) << 63, 0},
        {"64", 0, 1},
        {"62-65", UINT64_C(3) << 62, 3},
        {"5,5", 0x20, 0},
        {"0-127", UINT64_MAX, UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        uint64_t mask[2] = {0};

        assert_int_equal(cpus_parse(slice_cstr(rows[i].text), mask, 2), 0);
        assert_true(mask[0] == rows[i].low && mask[1] == rows[i].high);
    }
}

static void
what_is_no_list_is_refused(void **state)
{
    static const char *const texts[] = {"",    ",",   "0,",    ",0",   "-",
                                        "1-",  "-1",  "3-1",   "a",    "0x1",
                                        "0 1", "128", "0-128", "1--2", "99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < array_len(texts); i++) {
        uint64_t mask[2] = {0};

        assert_int_equal(cpus_parse(slice_cstr(texts[i]), mask, 2), -EINVAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_become_masks),
        cmocka_unit_test(what_is_no_list_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
