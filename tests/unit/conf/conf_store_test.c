/*
 * conf_store_test.c - the copy on disk, in a directory of its own.
 */
#include "conf/conf_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#include "fixture.h"

struct place {
    char path[64];
    struct conf_store store;
};

static int
setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->path, "/tmp/conf_store_XXXXXX");
    assert_non_null(mkdtemp(p->path));
    assert_int_equal(conf_store_open(&p->store, p->path, NULL), 0);
    *state = p;
    return 0;
}

static int
teardown(void **state)
{
    struct place *p = *state;

    conf_store_drop(&p->store, NULL);
    unlinkat(p->store.dir, "conf.json", 0);
    unlinkat(p->store.dir, "version", 0);
    conf_store_close(&p->store);
    assert_int_equal(rmdir(p->path), 0);
    free(p);
    return 0;
}

static int
save(struct place *p, const char *text)
{
    br_cleanup(fd_closep) int fd = fd_memfd_sealed("text", text, strlen(text));

    return conf_store_save(&p->store, fd, NULL);
}

/* What is stored, or NULL; of brood. */
static char *
stored(struct place *p, uint32_t *ret_version)
{
    br_cleanup(fd_closep) int fd = -1;
    struct conf_kept kept;
    char *text = NULL;
    size_t n;

    *ret_version = 0;
    if (conf_store_read(&p->store, &fd, &kept, NULL) < 0)
        return NULL;
    *ret_version = kept.version;
    assert_false(kept.unit);
    assert_int_equal(fd_read_file(fd, 1 << 20, &text, &n), 0);
    return text;
}

static void
assert_stored(struct place *p, const char *text, uint32_t version)
{
    uint32_t got_version;
    char *got = stored(p, &got_version);

    assert_non_null(got);
    assert_string_equal(got, text);
    assert_int_equal(got_version, version);
    free(got);
}

static void
nothing_is_stored_at_first(void **state)
{
    struct place *p = *state;
    struct br_err err = BR_ERR_NONE;
    struct conf_kept kept;
    int fd = -1;

    assert_int_equal(conf_store_read(&p->store, &fd, &kept, &err), -ENOENT);
    assert_int_equal(fd, -1);
    assert_string_equal(err.text, "");
}

static void
what_was_kept_is_read(void **state)
{
    struct place *p = *state;

    assert_int_equal(save(p, "{\"a\":1}"), 0);
    assert_int_equal(conf_store_keep(&p->store, 100, NULL), 0);
    assert_stored(p, "{\"a\":1}", 100);
    assert_int_equal(save(p, "{}"), 0);
    assert_int_equal(conf_store_keep(&p->store, 200, NULL), 0);
    assert_stored(p, "{}", 200);
}

static void
what_was_only_saved_is_not(void **state)
{
    struct place *p = *state;

    assert_int_equal(save(p, "old"), 0);
    assert_int_equal(conf_store_keep(&p->store, 1, NULL), 0);
    assert_int_equal(save(p, "a longer new text"), 0);
    assert_stored(p, "old", 1);
    assert_int_equal(conf_store_drop(&p->store, NULL), 0);
    assert_int_equal(conf_store_drop(&p->store, NULL), 0);
    assert_stored(p, "old", 1);
    assert_int_equal(conf_store_keep(&p->store, 1, NULL), -ENOENT);
    assert_stored(p, "old", 1);
}

/* What a crash left aside does not show through a shorter text. */
static void
a_left_over_is_overwritten_whole(void **state)
{
    struct place *p = *state;

    assert_int_equal(save(p, "a long text of a change that never was"), 0);
    assert_int_equal(save(p, "short"), 0);
    assert_int_equal(conf_store_keep(&p->store, 1, NULL), 0);
    assert_stored(p, "short", 1);
}

static void
only_the_owner_may_read_it(void **state)
{
    struct place *p = *state;
    mode_t mask = umask(0);
    struct stat st;

    assert_int_equal(save(p, "{}"), 0);
    assert_int_equal(conf_store_keep(&p->store, 1, NULL), 0);
    umask(mask);
    assert_int_equal(fstatat(p->store.dir, "conf.json", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fstatat(p->store.dir, "version", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void
write_file(struct place *p, const char *name, const char *text)
{
    br_cleanup(fd_closep) int fd = openat(p->store.dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void
an_odd_version_counts_as_none(void **state)
{
    static const struct {
        const char *text;
        uint32_t version;
    } cases[] = {{"9999\n", 9999}, {"9999", 9999}, {"13500\nbrood\n", 13500}, {"", 0}, {"x\n", 0},
                 {"-1", 0},        {"1 2", 0},     {"99999999999", 0}};
    struct place *p = *state;

    write_file(p, "conf.json", "{}");
    assert_stored(p, "{}", 0);
    for (size_t i = 0; i < array_len(cases); i++) {
        write_file(p, "version", cases[i].text);
        assert_stored(p, "{}", cases[i].version);
    }
}

static void
a_long_text_is_stored_whole(void **state)
{
    struct place *p = *state;
    size_t n = 300000;
    char *text = malloc(n + 1);

    memset(text, 'x', n);
    text[n] = '\0';
    assert_int_equal(save(p, text), 0);
    assert_int_equal(conf_store_keep(&p->store, 1, NULL), 0);
    assert_stored(p, text, 1);
    free(text);
}

static void
the_directory_is_made_for_the_owner_only(void **state)
{
    struct place *p = *state;
    struct conf_store store;
    struct stat st;
    char path[80];

    snprintf(path, sizeof path, "%s/deeper", p->path);
    assert_int_equal(conf_store_open(&store, path, NULL), 0);
    assert_int_equal(fstat(store.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    conf_store_close(&store);
    assert_int_equal(store.dir, -1);
    assert_int_equal(rmdir(path), 0);
}

static void
failures_have_a_sentence(void **state)
{
    struct place *p = *state;
    struct br_err err = BR_ERR_NONE;
    struct conf_store store;
    char path[80];

    snprintf(path, sizeof path, "%s/not/there", p->path);
    assert_int_equal(conf_store_open(&store, path, &err), -ENOENT);
    assert_non_null(strstr(err.text, path));

    br_err_clear(&err);
    assert_int_equal(conf_store_save(&p->store, -1, &err), -EBADF);
    assert_non_null(strstr(err.text, "conf.json.new"));
}

#define store_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(nothing_is_stored_at_first),
        store_test(what_was_kept_is_read),
        store_test(what_was_only_saved_is_not),
        store_test(a_left_over_is_overwritten_whole),
        store_test(only_the_owner_may_read_it),
        store_test(an_odd_version_counts_as_none),
        store_test(a_long_text_is_stored_whole),
        store_test(the_directory_is_made_for_the_owner_only),
        store_test(failures_have_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
