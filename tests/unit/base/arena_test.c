/*
 * arena_test.c - bump allocation, the cap, hooks, and the chunks that come back.
 */
#include "base/arena.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int
make_arena(void **state)
{
    struct arena *a = malloc(sizeof(*a));

    arena_init(a, 0);
    *state = a;
    return 0;
}

static int
drop_arena(void **state)
{
    arena_done(*state);
    free(*state);
    return 0;
}

static void
pieces_are_aligned_and_do_not_overlap(void **state)
{
    struct arena *a = *state;
    unsigned char *pieces[500];

    for (size_t i = 0; i < array_len(pieces); i++) {
        pieces[i] = arena_alloc(a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i % 251), i);
    }
    for (size_t i = 0; i < array_len(pieces); i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(pieces[i][k], i % 251);
}

static void
nothing_has_an_address_too(void **state)
{
    struct arena *a = *state;
    void *first = arena_alloc(a, 0), *second = arena_alloc(a, 0);

    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
}

static void
a_big_piece_leaves_the_newest_chunk_in_use(void **state)
{
    struct arena *a = *state;
    char *small = arena_alloc(a, 16);
    char *big = arena_alloc(a, 100000);

    memset(big, 'x', 100000);
    assert_ptr_equal(arena_alloc(a, 16), small + 16);
}

static void
a_big_piece_may_come_first(void **state)
{
    struct arena *a = *state;
    char *big = arena_alloc(a, 5000);
    char *small = arena_zalloc(a, 10);

    memset(big, 'x', 5000);
    assert_int_equal(small[9], 0);
    assert_int_equal(a->used, 5008 + 16);
}

static void
the_cap_is_kept_to_the_byte_rounded_up(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 100);
    assert_non_null(arena_alloc(&a, 60));
    assert_null(arena_alloc(&a, 49));
    assert_non_null(arena_alloc(&a, 48));
    assert_null(arena_alloc(&a, 1));
    assert_null(arena_alloc(&a, 0));
    assert_null(arena_dup(&a, SLICE("x")).p);
    assert_null(arena_cstr(&a, SLICE("x")));
    assert_null(arena_printf(&a, "%d", 1));
    assert_int_equal(arena_on_done(&a, free, NULL), -ENOMEM);
    arena_done(&a);
    assert_non_null(arena_alloc(&a, 100));
    arena_done(&a);
}

static void
the_cap_counts_over_all_chunks_and_big_pieces(void **state)
{
    struct arena a;
    size_t n = 0;

    (void)state;
    arena_init(&a, 20000);
    assert_non_null(arena_alloc(&a, 32));
    assert_non_null(arena_alloc(&a, 15000));
    while (arena_alloc(&a, 16) != NULL)
        n++;
    assert_int_equal(n, (20000 - 32 - 15008) / 16);
    assert_int_equal(a.used, 20000);
    arena_done(&a);
}

static void
a_big_piece_takes_from_what_the_newest_chunk_may_give(void **state)
{
    struct arena a;
    size_t n = 0;

    (void)state;
    arena_init(&a, 6000);
    assert_non_null(arena_alloc(&a, 16));
    assert_non_null(arena_alloc(&a, 5000));
    while (arena_alloc(&a, 16) != NULL)
        n++;
    assert_int_equal(n, (6000 - 16 - 5008) / 16);
    arena_done(&a);
}

static void
a_size_near_the_end_of_size_t_is_refused(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 1000);
    for (size_t less = 0; less < 40; less++)
        assert_null(arena_alloc(&a, SIZE_MAX - less));
    assert_null(arena_cstr(&a, slice_make("x", SIZE_MAX)));
    assert_int_equal(a.used, 0);
    arena_done(&a);
    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 1));
    arena_done(&a);
}

static void
copies_are_their_own(void **state)
{
    struct arena *a = *state;
    char text[] = "hello, world";
    struct slice copy = arena_dup(a, slice_make(text, 5));
    char *c_string = arena_cstr(a, slice_make(text, 5));

    text[0] = 'j';
    assert_true(slice_eq(copy, SLICE("hello")));
    assert_string_equal(c_string, "hello");
    assert_string_equal(arena_cstr(a, SLICE_NONE), "");
    assert_string_equal(arena_printf(a, "%s-%05d", text, 42), "jello, world-00042");
    assert_int_equal(arena_dup(a, SLICE_NONE).n, 0);
}

static char order[8];

static void
note(void *arg)
{
    strcat(order, arg);
}

static void
hooks_run_in_reverse(void **state)
{
    struct arena *a = *state;

    order[0] = '\0';
    assert_int_equal(arena_on_done(a, note, (char[]){"1"}), 0);
    assert_int_equal(arena_on_done(a, note, (char[]){"2"}), 0);
    assert_int_equal(arena_on_done(a, note, (char[]){"3"}), 0);
    arena_done(a);
    assert_string_equal(order, "321");
    arena_done(a);
    assert_string_equal(order, "321");
}

static struct arena *hooked;

static void
add_a_hook(void *arg)
{
    strcat(order, "a");
    assert_int_equal(arena_on_done(hooked, note, arg), 0);
}

static void
a_hook_may_add_a_hook(void **state)
{
    hooked = *state;
    order[0] = '\0';
    assert_int_equal(arena_on_done(hooked, add_a_hook, (char[]){"b"}), 0);
    arena_done(hooked);
    assert_string_equal(order, "ab");
    assert_null(hooked->chunks);
}

static void
a_chunk_is_used_again(void **state)
{
    struct arena *a = *state;
    void *first = arena_alloc(a, 64);

    arena_done(a);
    assert_ptr_equal(arena_alloc(a, 64), first);
}

static void
more_chunks_than_are_kept_come_and_go(void **state)
{
    struct arena *a = *state;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++)
            assert_non_null(arena_alloc(a, 1000));
        arena_done(a);
    }
}

static void *
fill_and_drop(void *arg)
{
    struct arena a;

    arena_init(&a, 0);
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 20; i++) {
            unsigned char *p = arena_alloc(&a, 500);

            memset(p, *(unsigned char *)arg, 500);
            if (p[499] != *(unsigned char *)arg)
                return arg;
        }
        arena_done(&a);
    }
    return NULL;
}

static void
threads_share_the_free_chunks(void **state)
{
    unsigned char marks[4] = {1, 2, 3, 4};
    pthread_t threads[4];
    void *failed;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill_and_drop, &marks[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void
memory_out_without_a_cap_aborts(void **state)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        arena_alloc(*state, SIZE_MAX / 2 + 1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#define with_arena(test) cmocka_unit_test_setup_teardown(test, make_arena, drop_arena)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_arena(pieces_are_aligned_and_do_not_overlap),
        with_arena(nothing_has_an_address_too),
        with_arena(a_big_piece_leaves_the_newest_chunk_in_use),
        with_arena(a_big_piece_may_come_first),
        cmocka_unit_test(the_cap_is_kept_to_the_byte_rounded_up),
        cmocka_unit_test(the_cap_counts_over_all_chunks_and_big_pieces),
        cmocka_unit_test(a_big_piece_takes_from_what_the_newest_chunk_may_give),
        cmocka_unit_test(a_size_near_the_end_of_size_t_is_refused),
        with_arena(copies_are_their_own),
        with_arena(hooks_run_in_reverse),
        with_arena(a_hook_may_add_a_hook),
        with_arena(a_chunk_is_used_again),
        with_arena(more_chunks_than_are_kept_come_and_go),
        cmocka_unit_test(threads_share_the_free_chunks),
        with_arena(memory_out_without_a_cap_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
