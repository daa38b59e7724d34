/*
 * inject_test.c - a point does what its file says, once; always built with points.
 */
#include "base/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/brood-inject-XXXXXX";

static const char *
path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void
arm(const char *name, const char *what)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, what, strlen(what)), (ssize_t)strlen(what));
    close(fd);
}

static bool
is_armed(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

/* How a process ends that comes to the point. */
static int
end_at_keep_asked(void)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(INJECT(main, keep_asked) == 0 ? 7 : 8);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) + 1000;
}

static int
begin(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL || setenv("BROOD_INJECT", dir, 1) < 0;
}

static int
end(void **state)
{
    (void)state;
    return rmdir(dir);
}

static void
a_point_that_is_not_armed_does_nothing(void **state)
{
    (void)state;
    arm("router.switched.1", "errno 5");
    assert_int_equal(INJECT(main, keep_asked), 0);
    assert_int_equal(INJECT(router, switched), 0);
    assert_int_equal(INJECT_OF(router, switched, 0), 0);
    assert_true(is_armed("router.switched.1"));
    assert_int_equal(INJECT_OF(router, switched, 1), -1);
    assert_int_equal(errno, EIO);
}

static void
it_fails_once(void **state)
{
    (void)state;
    arm("main.keep_asked", "errno 28\n");
    assert_int_equal(INJECT(main, keep_asked), -1);
    assert_int_equal(errno, ENOSPC);
    assert_false(is_armed("main.keep_asked"));
    assert_int_equal(INJECT(main, keep_asked), 0);
}

static void
it_ends_the_process(void **state)
{
    (void)state;
    arm("main.keep_asked", "");
    assert_int_equal(end_at_keep_asked(), SIGKILL);
    arm("main.keep_asked", "kill");
    assert_int_equal(end_at_keep_asked(), SIGKILL);
    assert_int_equal(end_at_keep_asked(), 1007);
    arm("main.keep_asked", "sleep 1");
    assert_int_equal(end_at_keep_asked(), 1007);
    arm("main.keep_asked", "errno 1");
    assert_int_equal(end_at_keep_asked(), 1008);
}

static void
it_stops_the_process_until_it_is_continued(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    arm("main.keep_asked", "stop");
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(INJECT(main, keep_asked));
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    kill(pid, SIGCONT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
}

static void
what_a_caller_finds_in_errno_stays(void **state)
{
    (void)state;
    errno = EAGAIN;
    INJECT(main, keep_asked);
    assert_int_equal(errno, EAGAIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_that_is_not_armed_does_nothing),
        cmocka_unit_test(it_fails_once),
        cmocka_unit_test(it_ends_the_process),
        cmocka_unit_test(it_stops_the_process_until_it_is_continued),
        cmocka_unit_test(what_a_caller_finds_in_errno_stays),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
