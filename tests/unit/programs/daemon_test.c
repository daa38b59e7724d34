/*
 * daemon_test.c - the pid file, and what the daemonising parent tells its caller.
 */
#include "programs/daemon.h"
#include "process/pidfile.h"

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

static char dir[] = "/tmp/brood-daemon-XXXXXX";
static char path[128];

static void
the_pid_file_is_ours_until_we_let_go(void **state)
{
    struct br_err err = BR_ERR_NONE;
    struct stat st;
    char *text;
    char pid[16];
    size_t n;
    int fd = -1, other = -1;

    (void)state;
    snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    assert_int_equal(pidfile_write(path, &fd, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(fd_read_path(path, 100, &text, &n), 0);
    assert_string_equal(text, pid);
    free(text);

    assert_int_equal(pidfile_write(path, &other, &err), -EBUSY);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(fd_read_path(path, 100, &text, &n), 0);
    assert_string_equal(text, pid); /* the refused one has not touched it */
    free(text);

    pidfile_remove(path, &fd);
    assert_int_equal(fd, -1);
    assert_true(access(path, F_OK) < 0);
}

static void
a_stale_pid_file_is_overwritten_whole(void **state)
{
    char *text;
    char pid[16];
    size_t n;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    (void)state;
    snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    assert_int_equal(fd_write_all(fd, "123456789012345\n", 16), 0);
    fd_close(&fd);
    assert_int_equal(pidfile_write(path, &fd, NULL), 0);
    assert_int_equal(fd_read_path(path, 100, &text, &n), 0);
    assert_string_equal(text, pid);
    free(text);
    pidfile_remove(path, &fd);
}

/* What a shell sees of a daemon that says word (NULL: nothing) and leaves. */
static int
daemonised(const char *word, char *ret_text, size_t room)
{
    int ends[2];
    ssize_t n;
    pid_t pid;
    int status;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        int ready = -1;

        dup2(ends[1], STDERR_FILENO);
        if (daemon_begin(open("/dev/null", O_WRONLY), &ready, NULL) == 0 && word != NULL)
            fd_write_all(ready, word, strlen(word));
        _exit(0);
    }
    close(ends[1]);
    n = read(ends[0], ret_text, room - 1);
    ret_text[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void
the_parent_says_what_became_of_the_start(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(daemonised("\n", text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(daemonised("no such user", text, sizeof(text)), 1);
    assert_string_equal(text, "brood: no such user\n");
    assert_int_equal(daemonised(NULL, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "see the log"));
}

static int
make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/run/brood.pid", dir);
    return 0;
}

static int
remove_dir(void **state)
{
    char run[128];

    (void)state;
    snprintf(run, sizeof(run), "%s/run", dir);
    return rmdir(run) == 0 ? rmdir(dir) : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pid_file_is_ours_until_we_let_go),
        cmocka_unit_test(a_stale_pid_file_is_overwritten_whole),
        cmocka_unit_test(the_parent_says_what_became_of_the_start),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
