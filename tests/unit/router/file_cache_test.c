/*
 * file_cache_test.c - what is kept, for how long it is believed, what is given up first.
 *
 * Time comes in as an argument: `later` is far enough from every change that a file is kept.
 */
#include "router/file_cache.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/brood-files-XXXXXX";
static time_t later;

static struct slice
path_of(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *to = path[turn++ % 4];

    return slice_make(to, (size_t)snprintf(to, 128, "%s/%s", dir, name));
}

static void
write_file(const char *name, char byte, size_t n)
{
    int fd = open(path_of(name).p, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    while (n > 0) {
        char block[4096];
        size_t some = br_min(n, sizeof(block));

        memset(block, byte, some);
        assert_int_equal(write(fd, block, some), some);
        n -= some;
    }
    close(fd);
}

static int
make_cache(void **state)
{
    struct file_cache *c = malloc(sizeof(*c));

    file_cache_init(c);
    *state = c;
    return 0;
}

static int
drop_cache(void **state)
{
    file_cache_done(*state);
    free(*state);
    return 0;
}

static int
make_dir(void **state br_unused)
{
    later = time(NULL) + 3600;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
drop_dir(void **state br_unused)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

static struct file *
load(const char *name)
{
    struct slice path = path_of(name);
    struct file_state s;
    struct file *f;
    int fd;

    assert_int_equal(share_open(path.p, &fd, &s), 0);
    assert_int_equal(file_load(path, fd, &s, SLICE("text/plain"), &f), 0);
    return f;
}

static void
put(struct file_cache *c, const char *name)
{
    struct file *f = load(name);

    file_cache_put(c, f, later);
    file_unref(f);
}

static bool
has(struct file_cache *c, const char *name)
{
    struct file *f = file_cache_get(c, path_of(name));

    if (f != NULL)
        file_unref(f);
    return f != NULL;
}

static void
a_small_file_is_kept_in_memory(void **state)
{
    struct file_cache *c = *state;
    struct file *f;

    write_file("small", 's', 1000);
    assert_false(has(c, "small"));
    put(c, "small");
    f = file_cache_get(c, path_of("small"));
    assert_non_null(f);
    assert_int_equal(f->fd, -1);
    assert_int_equal(f->state.size, 1000);
    assert_int_equal(f->bytes[0], 's');
    assert_int_equal(f->bytes[999], 's');
    assert_true(slice_eq(f->type, SLICE("text/plain")));
    file_unref(f);
}

static void
a_large_file_is_kept_by_descriptor(void **state)
{
    struct file_cache *c = *state;
    struct file *f;

    write_file("edge", 'e', FILE_SMALL_BYTES);
    write_file("large", 'l', FILE_SMALL_BYTES + 1);
    put(c, "edge");
    put(c, "large");
    assert_int_equal(c->n_fds, 1);
    f = file_cache_get(c, path_of("large"));
    assert_non_null(f);
    assert_null(f->bytes);
    assert_true(f->fd >= 0);
    file_unref(f);
}

static void
an_empty_file_is_a_file(void **state)
{
    struct file_cache *c = *state;
    struct file *f;

    write_file("empty", 'x', 0);
    put(c, "empty");
    f = file_cache_get(c, path_of("empty"));
    assert_non_null(f);
    assert_non_null(f->bytes);
    assert_int_equal(f->state.size, 0);
    file_unref(f);
}

static void
validators_are_made_of_the_state(void **state br_unused)
{
    const struct timespec times[2] = {{784111777, 5}, {784111777, 5}};
    struct file *f;

    write_file("dated", 'd', 18);
    assert_int_equal(utimensat(AT_FDCWD, path_of("dated").p, times, 0), 0);
    f = load("dated");
    assert_true(slice_eq(f->etag, SLICE("\"2ebc98a1-12\"")));
    assert_true(slice_eq(f->modified, SLICE("Sun, 06 Nov 1994 08:49:37 GMT")));
    file_unref(f);
}

static void
a_file_that_has_just_changed_is_not_kept(void **state)
{
    struct file_cache *c = *state;
    struct file *f;

    write_file("fresh", 'f', 10);
    f = load("fresh");
    file_cache_put(c, f, (time_t)f->state.ctime_s + 2);
    assert_false(has(c, "fresh"));
    file_cache_put(c, f, (time_t)f->state.ctime_s + 3);
    assert_true(has(c, "fresh"));
    file_unref(f);
}

static void
any_change_makes_an_entry_void(void **state)
{
    struct file_cache *c = *state;
    struct slice path = path_of("changing");

    write_file("changing", 'a', 10);
    put(c, "changing");
    assert_true(has(c, "changing"));
    write_file("changing", 'b', 10); /* the same size */
    assert_false(has(c, "changing"));

    put(c, "changing");
    assert_int_equal(chmod(path.p, 0600), 0);
    assert_false(has(c, "changing"));

    put(c, "changing");
    write_file("other", 'o', 10);
    assert_int_equal(rename(path_of("other").p, path.p), 0);
    assert_false(has(c, "changing"));

    put(c, "changing");
    assert_int_equal(unlink(path.p), 0);
    assert_false(has(c, "changing"));
    assert_int_equal(c->n_files, 0);
    assert_int_equal(c->bytes, 0);
}

static void
the_least_recently_used_goes_first(void **state)
{
    struct file_cache *c = *state;

    c->limit_files = 2;
    write_file("one", '1', 1);
    write_file("two", '2', 1);
    write_file("three", '3', 1);
    put(c, "one");
    put(c, "two");
    assert_true(has(c, "one"));
    put(c, "three");
    assert_true(has(c, "one"));
    assert_false(has(c, "two"));
    assert_true(has(c, "three"));
}

static void
bytes_and_descriptors_have_limits(void **state)
{
    struct file_cache *c = *state;

    write_file("big1", '1', 20000);
    write_file("big2", '2', 20000);
    c->limit_fds = 1;
    put(c, "big1");
    put(c, "big2");
    assert_false(has(c, "big1"));
    assert_true(has(c, "big2"));

    c->limit_bytes = 4096;
    write_file("nine", '9', 9000);
    put(c, "nine");
    assert_false(has(c, "nine"));
    assert_true(c->bytes <= 4096);
}

static void
an_evicted_file_lives_until_it_is_sent(void **state)
{
    struct file_cache *c = *state;
    struct file *f;

    c->limit_files = 1;
    write_file("held", 'h', 5);
    write_file("next", 'n', 5);
    put(c, "held");
    f = file_cache_get(c, path_of("held"));
    put(c, "next");
    assert_false(has(c, "held"));
    assert_memory_equal(f->bytes, "hhhhh", 5);
    file_unref(f);
}

static void
a_file_that_shrank_while_it_was_read_is_an_error(void **state br_unused)
{
    struct slice path = path_of("shrunk");
    struct file_state s;
    struct file *f;
    int fd;

    write_file("shrunk", 's', 100);
    assert_int_equal(share_open(path.p, &fd, &s), 0);
    assert_int_equal(truncate(path.p, 50), 0);
    assert_true(file_load(path, fd, &s, SLICE_NONE, &f) < 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_cache, drop_cache)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_file_is_kept_in_memory),
        TEST(a_large_file_is_kept_by_descriptor),
        TEST(an_empty_file_is_a_file),
        cmocka_unit_test(validators_are_made_of_the_state),
        TEST(a_file_that_has_just_changed_is_not_kept),
        TEST(any_change_makes_an_entry_void),
        TEST(the_least_recently_used_goes_first),
        TEST(bytes_and_descriptors_have_limits),
        TEST(an_evicted_file_lives_until_it_is_sent),
        cmocka_unit_test(a_file_that_shrank_while_it_was_read_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
