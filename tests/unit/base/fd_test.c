/*
 * fd_test.c - ownership, flags, memfds, and whole reads and writes.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int
open_and_forget(void)
{
    br_cleanup(fd_closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void
a_descriptor_ends_with_its_scope(void **state)
{
    int before = fd_count();

    (void)state;
    assert_int_equal(fcntl(open_and_forget(), F_GETFD), -1);
    assert_int_equal(fd_count(), before);
}

static void
taking_leaves_nothing_behind(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), before = fd_count();
    int taken = fd_take(&fd);

    (void)state;
    assert_int_equal(fd, -1);
    fd_close(&fd);
    assert_int_equal(fd_count(), before);
    errno = EXDEV;
    fd_close(&taken);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(taken, -1);
    assert_int_equal(fd_count(), before - 1);
}

static void
flags_go_on_and_off(void **state)
{
    br_cleanup(fd_closep) int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(fd_set_nonblock(fd, true), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fd_set_nonblock(fd, true), 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fd_set_cloexec(fd, true), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fd_set_cloexec(fd, false), 0);
    assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fd_set_cloexec(-1, true), -EBADF);
    assert_int_equal(fd_set_nonblock(-1, false), -EBADF);
}

static void
a_memfd_has_its_size_and_can_be_sealed(void **state)
{
    br_cleanup(fd_closep) int fd = fd_memfd("test", 12345);
    struct stat st;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 12345);
    assert_false(fd_is_sealed(fd));
    assert_false(fd_is_sealed(-1));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
    assert_int_equal(ftruncate(fd, 1), -1);
}

static void
a_sealed_memfd_is_read_and_never_written(void **state)
{
    br_cleanup(fd_closep) int fd = fd_memfd_sealed("test", "hello", 5);
    char *text;
    size_t n;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "j", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_true(fd_is_sealed(fd));
    assert_int_equal(fd_read_file(fd, 100, &text, &n), 0);
    assert_int_equal(n, 5);
    assert_string_equal(text, "hello");
    free(text);
}

static void
a_file_is_read_up_to_its_limit(void **state)
{
    br_cleanup(fd_closep) int fd = fd_memfd("test", 10000);
    char *text = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(fd_read_file(fd, 10000, &text, &n), 0);
    assert_int_equal(n, 10000);
    assert_int_equal(text[10000], '\0');
    free(text);
    text = NULL;
    assert_int_equal(fd_read_file(fd, 9999, &text, &n), -EFBIG);
    assert_int_equal(fd_read_file(fd, 0, &text, &n), -EFBIG);
    assert_null(text);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(fd_read_file(fd, 0, &text, &n), 0);
    assert_int_equal(n, 0);
    assert_string_equal(text, "");
    free(text);
}

static void
a_file_that_does_not_say_its_size_is_read_whole(void **state)
{
    char *text;
    size_t n;

    (void)state;
    assert_int_equal(fd_read_path("/proc/self/status", 1 << 20, &text, &n), 0);
    assert_true(n > 100);
    assert_int_equal(strlen(text), n);
    free(text);
    assert_int_equal(fd_read_path("/proc/self/smaps", 1 << 28, &text, &n), 0);
    assert_true(n > 10000);
    assert_int_equal(strlen(text), n);
    free(text);
    assert_int_equal(fd_read_path("/nonexistent/x", 100, &text, &n), -ENOENT);
    assert_int_equal(fd_read_path("/", 100, &text, &n), -EISDIR);
}

static void
a_pipe_carries_more_than_it_holds(void **state)
{
    enum { SIZE = 1 << 20 };
    char *sent = malloc(SIZE), *got = malloc(SIZE);
    int ends[2], status;
    pid_t pid;

    (void)state;
    for (int i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 7 + (i >> 9));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0)
        _exit(fd_write_all(ends[1], sent, SIZE) == 0 ? 0 : 1);
    close(ends[1]);
    assert_int_equal(fd_read_exact(ends[0], got, SIZE), 0);
    assert_memory_equal(sent, got, SIZE);
    assert_int_equal(fd_read_exact(ends[0], got, 1), -EPIPE);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    free(sent);
    free(got);
}

static void
errors_of_the_kernel_are_returned(void **state)
{
    char c;

    (void)state;
    assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
    assert_int_equal(fd_read_exact(-1, &c, 1), -EBADF);
    assert_int_equal(fd_write_all(-1, "x", 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_ends_with_its_scope),
        cmocka_unit_test(taking_leaves_nothing_behind),
        cmocka_unit_test(flags_go_on_and_off),
        cmocka_unit_test(a_memfd_has_its_size_and_can_be_sealed),
        cmocka_unit_test(a_sealed_memfd_is_read_and_never_written),
        cmocka_unit_test(a_file_is_read_up_to_its_limit),
        cmocka_unit_test(a_file_that_does_not_say_its_size_is_read_whole),
        cmocka_unit_test(a_pipe_carries_more_than_it_holds),
        cmocka_unit_test(errors_of_the_kernel_are_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
