/*
 * conf_file_test.c - a configuration out of files: what is read, what is expanded, what is merged,
 * and where a fault is said to be.
 */
#include "conf/conf_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>

#include "base/fd.h"
#include "conf/conf_include.h"
#include "fixture.h"

struct place {
    struct conf_file file;
    struct conf_faults faults;
    struct buf said; /* "PLACE POINTER REASON\n" for each fault */
    char dir[64];
    char path[96]; /* of the configuration file */
};

static void
on_fault(struct conf_faults *faults, const struct conf_fault *fault)
{
    struct place *p = container_of(faults, struct place, faults);
    const char *at = sources_place(&p->file.sources, fault->offset);

    if (strncmp(at, p->dir, strlen(p->dir)) == 0)
        at += strlen(p->dir) + 1;
    buf_printf(&p->said, "%s %s %s\n", at, fault->has_path ? fault->path : "-", fault->err.text);
}

static int
setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    strcpy(p->dir, "/tmp/conf_file_XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/brood.json", p->dir);
    buf_init(&p->said, 1 << 20);
    p->faults.on_fault = on_fault;
    *state = p;
    return 0;
}

static int
teardown(void **state)
{
    struct place *p = *state;
    char command[128];

    conf_file_done(&p->file);
    buf_done(&p->said);
    snprintf(command, sizeof(command), "rm -r '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static void
write_file(struct place *p, const char *name, const char *text)
{
    char path[160];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    fd_close(&fd);
}

static void
make_dir(struct place *p, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void
read_all(struct place *p, const char *text)
{
    const char *pattern;

    conf_file_begin(&p->file, p->path, slice_cstr(text), &p->faults);
    while (conf_file_next_include(&p->file, &pattern)) {
        struct br_err err = BR_ERR_NONE;
        char *files = NULL;
        size_t n = 0;
        int fd = -1;

        if (conf_include_read(p->path, pattern, &fd, &err) < 0) {
            conf_file_cannot(&p->file, err.text);
            continue;
        }
        assert_true(fd_is_sealed(fd));
        assert_int_equal(fd_read_file(fd, CONF_INCLUDE_BYTES_MAX, &files, &n), 0);
        conf_file_add(&p->file, slice_make(files, n));
        free(files);
        fd_close(&fd);
    }
    buf_putc(&p->said, '\0');
}

static void
environment_is_expanded_where_it_is_asked_for(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"{\"a\":\"${env:T_ONE}\"}", "{\"a\":\"1\"}"},
        {"{\"a\":\"x${env:T_ONE}y${env:T_NONE:-z}\"}", "{\"a\":\"x1yz\"}"},
        {"{\"a\":\"${env:T_EMPTY}${env:T_EMPTY:-or}${env:T_NONE:-}\"}", "{\"a\":\"or\"}"},
        {"{\"a\":\"$${env:T_ONE} $uri ${uri} $ { ${env\"}",
         "{\"a\":\"${env:T_ONE} $uri ${uri} $ { ${env\"}"},
        {"{\"a\":\"${env:T_TWICE}\"}", "{\"a\":\"${env:T_ONE}\"}"},
        {"{\"${env:T_ONE}\":[\"${env:T_ONE}\",{\"b\":\"${env:T_ONE}\"}]}",
         "{\"1\":[\"1\",{\"b\":\"1\"}]}"},
        {"{\"routes\":[{\"action\":{\"return\":\"${env:T_ONE}\"}}]}",
         "{\"routes\":[{\"action\":{\"return\":1}}]}"},
        {"{\"routes\":{\"${env:T_ONE}\":[{\"action\":{\"return\":\"${env:T_NONE:-204}\"}}]}}",
         "{\"routes\":{\"1\":[{\"action\":{\"return\":204}}]}}"},
        {"{\"settings\":{\"http\":{\"server_version\":\"${env:T_NO}\"}}}",
         "{\"settings\":{\"http\":{\"server_version\":false}}}"},
        {"{\"settings\":{\"http\":{\"server_version\":\" ${env:T_NO}\"}}}",
         "{\"settings\":{\"http\":{\"server_version\":\" false\"}}}"},
        {"{\"access_log\":\"${env:T_ONE}\"}", "{\"access_log\":\"1\"}"},
        {"{\"applications\":{\"a\":{\"type\":\"python\",\"threads\":\"${env:T_ONE}\",\"path\":[\"${"
         "env:T_ONE}\"]}}}",
         "{\"applications\":{\"a\":{\"type\":\"python\",\"threads\":1,\"path\":[\"1\"]}}}"},
    };
    struct place *p = *state;

    setenv("T_ONE", "1", 1);
    setenv("T_EMPTY", "", 1);
    setenv("T_NO", "false", 1);
    setenv("T_TWICE", "${env:T_ONE}", 1);
    for (size_t i = 0; i < array_len(cases); i++) {
        read_all(p, cases[i].text);
        assert_string_equal(text_of(&p->file.arena, p->file.root), cases[i].wanted);
        assert_int_equal(p->faults.n, 0);
        if (i + 1 < array_len(cases))
            conf_file_done(&p->file);
    }
}

static void
each_variable_that_is_wrong_has_a_place(void **state)
{
    struct place *p = *state;

    setenv("T_BAD", "\xff", 1);
    read_all(p, "{\"a\": \"${env:T_NONE}\",\n \"b\": \"${env:T_BAD}\", \"c\": \"${env:2}\",\n"
                "\"${env:\": 1, \"d\": \"${env:x\"}");
    assert_string_equal(p->said.p,
                        "brood.json:1:7 /a There is no environment variable \"T_NONE\".\n"
                        "brood.json:2:7 /b Not valid UTF-8: the environment variable \"T_BAD\".\n"
                        "brood.json:2:28 /c No environment variable can have the name \"2\".\n"
                        "brood.json:3:1 /${env: There is no closing brace in \"${env:\".\n"
                        "brood.json:3:19 /d There is no closing brace in \"${env:x\".\n");
}

static void
included_files_come_in_the_order_of_their_names(void **state)
{
    struct place *p = *state;

    make_dir(p, "d");
    write_file(p, "d/b.json", "{\"listeners\": {\"b\": 2}}");
    write_file(p, "d/a.json", "{\"listeners\": {\"a\": 1}, \"settings\": {\"http\": {\"x\": 1}}}");
    write_file(p, "d/.c.json", "{");
    write_file(p, "d/c.txt", "{");
    write_file(p, "one.json", "{\"upstreams\": {}}");
    read_all(p, "{\"listeners\": {\"z\": 0}, \"include\": [\"d\", \"one.json\", \"none-*\"],"
                " \"settings\": {\"http\": {\"y\": 2}}}");
    assert_int_equal(p->faults.n, 0);
    assert_string_equal(text_of(&p->file.arena, p->file.root),
                        "{\"listeners\":{\"z\":0,\"a\":1,\"b\":2},"
                        "\"settings\":{\"http\":{\"y\":2,\"x\":1}},\"upstreams\":{}}");
}

static void
a_name_that_is_given_twice_names_both_places(void **state)
{
    struct place *p = *state;

    make_dir(p, "d");
    write_file(p, "d/a.json", "{\"applications\":\n {\"x\": {}}, \"access_log\": {}}");
    write_file(p, "d/b.json", "{\"applications\":\n\n {\"x\": {}}, \"access_log\": {}}");
    read_all(p, "{\"include\": \"d/[ab].json\"}");
    assert_non_null(strstr(p->said.p, "d/b.json:3:3 /applications/x \"x\" is in "));
    assert_non_null(strstr(p->said.p, "d/a.json:2:3 already.\n"));
    assert_non_null(strstr(p->said.p, "d/b.json:3:13 /access_log \"access_log\" is in "));
    assert_int_equal(p->faults.n, 2);
}

static void
paths_lead_nowhere_else(void **state)
{
    static const char *const patterns[] = {"",     "/etc/passwd", "..",       "../x", "a/../b",
                                           "d/..", "d",           "link/x*y", "none", "fifo"};
    struct place *p = *state;
    char path[160];

    make_dir(p, "dir.json");
    snprintf(path, sizeof(path), "%s/fifo", p->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    for (size_t i = 0; i < array_len(patterns); i++) {
        struct br_err err = BR_ERR_NONE;
        int fd = -1;

        assert_true(conf_include_read(p->path, patterns[i], &fd, &err) < 0);
        assert_int_equal(fd, -1);
        assert_true(err.text[0] != '\0');
    }
    read_all(p, "{\"include\": \"*\"}");
    assert_int_equal(p->faults.n, 1);
    assert_true(p->file.partial);
}

static void
bytes_that_were_cut_are_no_files(void **state)
{
    struct place *p = *state;
    struct br_err err = BR_ERR_NONE;
    char *files = NULL;
    size_t n = 0;
    int fd = -1;

    write_file(p, "a.json", "{}");
    assert_int_equal(conf_include_read(p->path, "a.json", &fd, &err), 0);
    assert_int_equal(fd_read_file(fd, 1000, &files, &n), 0);
    fd_close(&fd);
    for (size_t cut = 0; cut < n; cut++) {
        struct slice rest = slice_make(files, cut), path, text;

        assert_false(conf_include_next(&rest, &path, &text));
        assert_int_equal(rest.n, cut);
    }
    free(files);
    read_all(p, "{}");
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(environment_is_expanded_where_it_is_asked_for),
        FILE_TEST(each_variable_that_is_wrong_has_a_place),
        FILE_TEST(included_files_come_in_the_order_of_their_names),
        FILE_TEST(a_name_that_is_given_twice_names_both_places),
        FILE_TEST(paths_lead_nowhere_else),
        FILE_TEST(bytes_that_were_cut_are_no_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
