/*
 * cert_store_test.c - bundles in a state directory of their own.
 */
#include "conf/cert_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#include "fixture.h"

struct place {
    char path[64];
    struct conf_store store;
    struct buf names;
};

static int
setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->path, "/tmp/cert_store_XXXXXX");
    assert_non_null(mkdtemp(p->path));
    assert_int_equal(conf_store_open(&p->store, p->path, NULL), 0);
    buf_init(&p->names, 65536);
    *state = p;
    return 0;
}

static void
list(struct place *p)
{
    buf_clear(&p->names);
    assert_int_equal(cert_store_list(&p->store, &p->names, NULL), 0);
}

static int
teardown(void **state)
{
    struct place *p = *state;

    list(p);
    for (size_t at = 0; at < p->names.n; at += strlen(p->names.p + at) + 1)
        assert_int_equal(cert_store_remove(&p->store, p->names.p + at, NULL), 0);
    unlinkat(p->store.dir, "certs", AT_REMOVEDIR);
    unlinkat(p->store.dir, "certs.new", 0);
    buf_done(&p->names);
    conf_store_close(&p->store);
    assert_int_equal(rmdir(p->path), 0);
    free(p);
    return 0;
}

static void
save(struct place *p, const char *name, const char *text)
{
    br_cleanup(fd_closep) int fd = fd_memfd_sealed("text", text, strlen(text));

    assert_int_equal(cert_store_save(&p->store, name, fd, NULL), 0);
}

static void
assert_holds(struct place *p, const char *name, const char *text)
{
    br_cleanup(fd_closep) int fd = -1;
    char *found;
    size_t n;

    assert_int_equal(cert_store_open(&p->store, name, &fd, NULL), 0);
    assert_int_equal(fd_read_file(fd, 4096, &found, &n), 0);
    assert_string_equal(found, text);
    free(found);
}

static void
what_is_saved_is_for_its_owner_alone(void **state)
{
    struct place *p = *state;
    struct stat st;

    save(p, "site", "one");
    assert_holds(p, "site", "one");
    assert_int_equal(fstatat(p->store.dir, "certs/site", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fstatat(p->store.dir, "certs", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(faccessat(p->store.dir, "certs.new", F_OK, 0), -1);
}

static void
saving_again_replaces(void **state)
{
    struct place *p = *state;

    save(p, "site", "one");
    save(p, "site", "two");
    assert_holds(p, "site", "two");
    list(p);
    assert_int_equal(p->names.n, sizeof("site"));
}

static void
what_was_left_aside_is_no_bundle(void **state)
{
    struct place *p = *state;
    br_cleanup(fd_closep) int fd = -1;

    save(p, "site", "old");
    fd = openat(p->store.dir, "certs.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(fd, "half of a new o", 15), 0);
    assert_holds(p, "site", "old");
    list(p);
    assert_int_equal(p->names.n, sizeof("site"));
    save(p, "site", "new");
    assert_holds(p, "site", "new");
}

static void
removing_tells_what_was_not_there(void **state)
{
    struct place *p = *state;

    assert_int_equal(cert_store_remove(&p->store, "site", NULL), -ENOENT);
    save(p, "site", "one");
    assert_int_equal(cert_store_remove(&p->store, "site", NULL), 0);
    assert_int_equal(cert_store_remove(&p->store, "site", NULL), -ENOENT);
    list(p);
    assert_int_equal(p->names.n, 0);
}

static void
names_stay_in_the_directory(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/etc/passwd", "../conf.json"};
    struct place *p = *state;
    char large[CERT_STORE_NAME_MAX + 2];
    int fd = -1;

    for (size_t i = 0; i < array_len(bad); i++) {
        assert_int_equal(cert_store_save(&p->store, bad[i], -1, NULL), -EINVAL);
        assert_int_equal(cert_store_open(&p->store, bad[i], &fd, NULL), -EINVAL);
        assert_int_equal(cert_store_remove(&p->store, bad[i], NULL), -EINVAL);
    }
    memset(large, 'x', sizeof large);
    assert_false(cert_store_name_ok(slice_make(large, CERT_STORE_NAME_MAX + 1)));
    assert_true(cert_store_name_ok(slice_make(large, CERT_STORE_NAME_MAX)));
    assert_false(cert_store_name_ok(slice_make("a\0b", 3)));
    save(p, "new", "a bundle may have any other name");
    save(p, "...", "also this");
    assert_holds(p, "new", "a bundle may have any other name");
}

static void
links_are_not_followed(void **state)
{
    struct place *p = *state;
    int fd = -1;

    save(p, "site", "one");
    assert_int_equal(symlinkat("/etc/passwd", p->store.dir, "certs/link"), 0);
    assert_int_equal(cert_store_open(&p->store, "link", &fd, NULL), -ELOOP);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_for_its_owner_alone), TEST(saving_again_replaces),
        TEST(what_was_left_aside_is_no_bundle),     TEST(removing_tells_what_was_not_there),
        TEST(names_stay_in_the_directory),          TEST(links_are_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
