/*
 * map_test.c - the map against a plain array that does the same slowly.
 */
#include "base/map.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void
an_empty_map_finds_nothing(void **state)
{
    struct map m;

    (void)state;
    map_init(&m);
    assert_null(map_get(&m, SLICE("x")));
    assert_null(map_del(&m, SLICE("x")));
    map_foreach (e, &m)
        fail();
    map_done(&m);
}

static void
a_key_is_added_once(void **state)
{
    struct map m;

    (void)state;
    map_init(&m);
    assert_int_equal(map_add(&m, SLICE("a"), (char[]){"1"}), 0);
    assert_int_equal(map_add(&m, SLICE("a"), (char[]){"2"}), -EEXIST);
    assert_string_equal(map_get(&m, SLICE("a")), "1");
    assert_string_equal(map_set(&m, SLICE("a"), (char[]){"3"}), "1");
    assert_string_equal(map_get(&m, SLICE("a")), "3");
    assert_null(map_set(&m, SLICE("b"), (char[]){"4"}));
    assert_int_equal(m.n_live, 2);
    assert_string_equal(map_del(&m, SLICE("a")), "3");
    assert_null(map_get(&m, SLICE("a")));
    assert_int_equal(map_add(&m, SLICE("a"), (char[]){"5"}), 0);
    map_done(&m);
}

static void
replacing_takes_the_new_key(void **state)
{
    char *old = strdup("key"), *new = strdup("key");
    struct map m;

    (void)state;
    map_init(&m);
    map_set(&m, slice_cstr(old), old);
    free(map_set(&m, slice_cstr(new), new));
    assert_ptr_equal(map_get(&m, SLICE("key")), new);
    map_done(&m);
    free(new);
}

static void
keys_are_bytes(void **state)
{
    struct map m;

    (void)state;
    map_init(&m);
    assert_int_equal(map_add(&m, SLICE(""), (char[]){"empty"}), 0);
    assert_int_equal(map_add(&m, slice_make("\0", 1), (char[]){"nul"}), 0);
    assert_int_equal(map_add(&m, slice_make("\0\0", 2), (char[]){"two"}), 0);
    assert_string_equal(map_get(&m, SLICE_NONE), "empty");
    assert_string_equal(map_get(&m, slice_make("\0", 1)), "nul");
    assert_string_equal(map_get(&m, slice_make("\0\0", 2)), "two");
    map_done(&m);
}

static void
order_is_that_of_insertion(void **state)
{
    static char keys[100][8];
    struct map m;
    int expect = 1;

    (void)state;
    map_init(&m);
    for (int i = 0; i < 100; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i);
        assert_int_equal(map_add(&m, slice_cstr(keys[i]), keys[i]), 0);
    }
    for (int i = 0; i < 100; i += 2)
        map_del(&m, slice_cstr(keys[i]));
    map_foreach (e, &m) {
        assert_int_equal(atoi(e->value), expect);
        expect += 2;
    }
    assert_int_equal(expect, 101);
    map_done(&m);
}

static void
removed_places_do_not_pile_up(void **state)
{
    struct map m;

    (void)state;
    map_init(&m);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(map_add(&m, SLICE("come"), (char[]){"x"}), 0);
        assert_non_null(map_del(&m, SLICE("come")));
    }
    assert_true(m.room <= 16);
    map_done(&m);
}

enum { KEYS = 3000, STEPS = 200000 };

static void
it_agrees_with_a_model(void **state)
{
    static char names[KEYS][12];
    static void *model[KEYS];
    struct map m;
    size_t live = 0;

    (void)state;
    map_init(&m);
    srandom(1);
    for (int i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof(names[i]), "name-%d", i);
    for (int step = 0; step < STEPS; step++) {
        int i = (int)(random() % KEYS);
        struct slice key = slice_cstr(names[i]);
        void *value = &names[random() % KEYS];

        switch (random() % 4) {
        case 0:
            assert_int_equal(map_add(&m, key, value), model[i] != NULL ? -EEXIST : 0);
            if (model[i] == NULL)
                model[i] = value;
            break;
        case 1:
            assert_ptr_equal(map_set(&m, key, value), model[i]);
            model[i] = value;
            break;
        case 2:
            assert_ptr_equal(map_del(&m, key), model[i]);
            model[i] = NULL;
            break;
        default:
            assert_ptr_equal(map_get(&m, key), model[i]);
        }
    }
    for (int i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(&m, slice_cstr(names[i])), model[i]);
        live += model[i] != NULL;
    }
    assert_int_equal(m.n_live, live);
    map_done(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_nothing),
        cmocka_unit_test(a_key_is_added_once),
        cmocka_unit_test(replacing_takes_the_new_key),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(order_is_that_of_insertion),
        cmocka_unit_test(removed_places_do_not_pile_up),
        cmocka_unit_test(it_agrees_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
