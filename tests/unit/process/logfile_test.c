/*
 * logfile_test.c - rotation: the number stays, the file changes, stdio follows only where it was
 * the log.
 */
#include "process/logfile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"

static char dir[] = "/tmp/brood-logfile-XXXXXX";

static const char *
in_dir(const char *name)
{
    static char path[2][256];
    static int which;

    which = !which;
    snprintf(path[which], sizeof(path[which]), "%s/%s", dir, name);
    return path[which];
}

static void
a_log_is_made_with_its_directory_and_for_its_owner_alone(void **state)
{
    struct stat st;
    int fd = -1;

    (void)state;
    assert_int_equal(logfile_open(in_dir("new/deep/brood.log"), &fd, NULL), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(fcntl(fd, F_GETFL) & O_APPEND);
    fd_close(&fd);
    assert_int_equal(stat(in_dir("new/deep"), &st), 0);
    assert_int_equal(st.st_mode & 0755, 0755);
}

static void
a_path_that_cannot_be_is_named(void **state)
{
    struct br_err err = BR_ERR_NONE;
    int fd = -1;

    (void)state;
    assert_true(logfile_open("/dev/null/brood.log", &fd, &err) < 0);
    assert_non_null(strstr(err.text, "/dev/null"));
    assert_int_equal(fd, -1);
}

static bool
holds(const char *path, const char *what)
{
    char *text;
    size_t n;
    bool found;

    if (fd_read_path(path, 65536, &text, &n) < 0)
        return false;
    found = strstr(text, what) != NULL;
    free(text);
    return found;
}

/* In a child, since it moves stdio. */
static int
rotate(void)
{
    int old = -1, new = -1, out = -1, number;

    if (logfile_open(in_dir("a.log"), &old, NULL) < 0 ||
        logfile_open(in_dir("out"), &out, NULL) < 0)
        return 1;
    dup2(old, STDERR_FILENO);
    dup2(out, STDOUT_FILENO);
    log_to_fd(old);
    number = log_fd();
    br_log(LOG_NOTICE, "before");
    rename(in_dir("a.log"), in_dir("a.log.1"));
    if (logfile_open(in_dir("a.log"), &new, NULL) < 0 || logfile_adopt(new) < 0)
        return 2;
    fd_close(&new);
    br_log(LOG_NOTICE, "after");
    dprintf(STDERR_FILENO, "library\n");
    dprintf(STDOUT_FILENO, "elsewhere\n");
    return log_fd() == number ? 0 : 3;
}

static void
rotation_moves_what_was_the_log_and_nothing_else(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        _exit(rotate());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(holds(in_dir("a.log.1"), "before"));
    assert_false(holds(in_dir("a.log.1"), "after"));
    assert_true(holds(in_dir("a.log"), "after"));
    assert_true(holds(in_dir("a.log"), "library"));
    assert_true(holds(in_dir("out"), "elsewhere"));
}

static int
make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
    static const char *const names[] = {
        "new/deep/brood.log", "new/deep", "new", "a.log", "a.log.1", "out"};

    (void)state;
    for (size_t i = 0; i < array_len(names); i++)
        remove(in_dir(names[i]));
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_is_made_with_its_directory_and_for_its_owner_alone),
        cmocka_unit_test(a_path_that_cannot_be_is_named),
        cmocka_unit_test(rotation_moves_what_was_the_log_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
