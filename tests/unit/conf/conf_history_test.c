/*
 * conf_history_test.c - the configurations before this one, in a directory of their own.
 */
#include "conf/conf_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#include "fixture.h"

struct place {
    char path[64];
    struct conf_store store;
    struct conf_history_entry list[CONF_HISTORY_MAX];
    size_t n;
};

static int
setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->path, "/tmp/conf_history_XXXXXX");
    assert_non_null(mkdtemp(p->path));
    assert_int_equal(conf_store_open(&p->store, p->path, NULL), 0);
    *state = p;
    return 0;
}

static void
look(struct place *p)
{
    assert_int_equal(conf_history_list(&p->store, p->list, &p->n, NULL), 0);
}

static int
teardown(void **state)
{
    struct place *p = *state;
    char name[64];

    look(p);
    for (size_t i = 0; i < p->n; i++) {
        snprintf(name, sizeof name, "history/%llu.json", (unsigned long long)p->list[i].number);
        assert_int_equal(unlinkat(p->store.dir, name, 0), 0);
    }
    unlinkat(p->store.dir, "history/new", 0);
    unlinkat(p->store.dir, "history", AT_REMOVEDIR);
    conf_store_drop(&p->store, NULL);
    unlinkat(p->store.dir, "conf.json", 0);
    unlinkat(p->store.dir, "version", 0);
    conf_store_close(&p->store);
    assert_int_equal(rmdir(p->path), 0);
    free(p);
    return 0;
}

static void
save(struct place *p, const char *text)
{
    br_cleanup(fd_closep) int fd = fd_memfd_sealed("text", text, strlen(text));

    assert_int_equal(conf_store_save(&p->store, fd, NULL), 0);
    assert_int_equal(conf_history_save(&p->store, fd, NULL), 0);
}

static void
keep(struct place *p, const char *text)
{
    save(p, text);
    assert_int_equal(conf_store_keep(&p->store, 1, NULL), 0);
    assert_int_equal(conf_history_keep(&p->store, NULL), 0);
}

static void
assert_text(struct place *p, uint64_t number, const char *text)
{
    br_cleanup(fd_closep) int fd = -1;
    char *got = NULL;
    size_t n;

    assert_int_equal(conf_history_open(&p->store, number, &fd, NULL), 0);
    assert_int_equal(fd_read_file(fd, 1 << 20, &got, &n), 0);
    assert_string_equal(got, text);
    free(got);
}

static void
there_is_none_at_first(void **state)
{
    struct place *p = *state;
    int fd = -1;

    look(p);
    assert_int_equal(p->n, 0);
    assert_int_equal(conf_history_keep(&p->store, NULL), 0);
    assert_int_equal(conf_history_open(&p->store, 1, &fd, NULL), -ENOENT);
    assert_int_equal(fd, -1);
}

static void
what_was_kept_is_there_newest_first(void **state)
{
    struct place *p = *state;

    keep(p, "one");
    keep(p, "second");
    look(p);
    assert_int_equal(p->n, 2);
    assert_int_equal(p->list[0].number, 2);
    assert_int_equal(p->list[0].size, 6);
    assert_int_equal(p->list[1].number, 1);
    assert_true(p->list[1].time_s > 0);
    assert_text(p, 1, "one");
    assert_text(p, 2, "second");
}

static void
what_was_only_saved_is_not(void **state)
{
    struct place *p = *state;

    keep(p, "one");
    save(p, "never");
    look(p);
    assert_int_equal(p->n, 1);
    keep(p, "two");
    assert_text(p, 2, "two");
}

static void
start_again(struct place *p)
{
    conf_store_close(&p->store);
    assert_int_equal(conf_store_open(&p->store, p->path, NULL), 0);
    assert_int_equal(conf_history_mend(&p->store, NULL), 0);
    assert_int_equal(faccessat(p->store.dir, "conf.json.new", F_OK, 0), -1);
    assert_int_equal(faccessat(p->store.dir, "history/new", F_OK, 0), -1);
}

static void
the_next_start_forgets_what_was_only_saved(void **state)
{
    struct place *p = *state;

    start_again(p);
    keep(p, "one");
    save(p, "never");
    start_again(p);
    look(p);
    assert_int_equal(p->n, 1);
    assert_text(p, 1, "one");
}

static void
the_next_start_keeps_what_was_about_to_be_kept(void **state)
{
    struct place *p = *state;

    keep(p, "one");
    save(p, "second");
    assert_int_equal(conf_store_keep(&p->store, 1, NULL), 0);
    start_again(p);
    start_again(p);
    look(p);
    assert_int_equal(p->n, 2);
    assert_text(p, 2, "second");
}

static void
the_same_again_is_no_new_one(void **state)
{
    struct place *p = *state;

    keep(p, "one");
    save(p, "never"); /* is not kept in the other's place */
    keep(p, "one");
    look(p);
    assert_int_equal(p->n, 1);
    keep(p, "two");
    keep(p, "one");
    look(p);
    assert_int_equal(p->n, 3);
}

static void
sixteen_stay_and_numbers_go_on(void **state)
{
    struct place *p = *state;
    char text[16];
    int fd = -1;

    for (int i = 1; i <= 20; i++) {
        snprintf(text, sizeof text, "text %d", i);
        keep(p, text);
    }
    look(p);
    assert_int_equal(p->n, CONF_HISTORY_MAX);
    assert_int_equal(p->list[0].number, 20);
    assert_int_equal(p->list[CONF_HISTORY_MAX - 1].number, 5);
    assert_text(p, 5, "text 5");
    assert_int_equal(conf_history_open(&p->store, 4, &fd, NULL), -ENOENT);
}

static void
write_conf(struct place *p, const char *text)
{
    br_cleanup(fd_closep) int fd =
        openat(p->store.dir, "conf.json", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void
what_the_history_does_not_know_is_entered_before_it_is_replaced(void **state)
{
    struct place *p = *state;

    write_conf(p, "before there was a history");
    keep(p, "one");
    write_conf(p, "by hand");
    keep(p, "two");
    look(p);
    assert_int_equal(p->n, 4);
    assert_text(p, 1, "before there was a history");
    assert_text(p, 2, "one");
    assert_text(p, 3, "by hand");
    assert_text(p, 4, "two");
}

static void
it_is_for_its_owner_alone(void **state)
{
    struct place *p = *state;
    mode_t mask = umask(0);
    struct stat st;

    keep(p, "one");
    umask(mask);
    assert_int_equal(fstatat(p->store.dir, "history", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fstatat(p->store.dir, "history/1.json", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void
other_files_there_are_nobodys(void **state)
{
    static const char *const names[] = {"history/x.json", "history/7", "history/07.json"};
    struct place *p = *state;

    keep(p, "one");
    for (size_t i = 0; i < array_len(names); i++)
        close(openat(p->store.dir, names[i], O_CREAT | O_WRONLY, 0600));
    keep(p, "two");
    look(p);
    assert_int_equal(p->n, 2);
    for (size_t i = 0; i < array_len(names); i++)
        assert_int_equal(unlinkat(p->store.dir, names[i], 0), 0);
}

static void
what_stands_in_the_way_is_said(void **state)
{
    br_cleanup(fd_closep) int fd = fd_memfd_sealed("text", "x", 1);
    struct br_err err = BR_ERR_NONE;
    struct place *p = *state;

    close(openat(p->store.dir, "history", O_CREAT | O_WRONLY, 0600));
    assert_int_equal(conf_history_save(&p->store, fd, &err), -ENOTDIR);
    assert_non_null(strstr(err.text, "\"history\""));
    assert_int_equal(unlinkat(p->store.dir, "history", 0), 0);
}

#define history_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        history_test(there_is_none_at_first),
        history_test(what_was_kept_is_there_newest_first),
        history_test(what_was_only_saved_is_not),
        history_test(the_next_start_forgets_what_was_only_saved),
        history_test(the_next_start_keeps_what_was_about_to_be_kept),
        history_test(the_same_again_is_no_new_one),
        history_test(sixteen_stay_and_numbers_go_on),
        history_test(what_the_history_does_not_know_is_entered_before_it_is_replaced),
        history_test(it_is_for_its_owner_alone),
        history_test(other_files_there_are_nobodys),
        history_test(what_stands_in_the_way_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
