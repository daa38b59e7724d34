/*
 * share_open_test.c - what can stand at the end of a path, in a directory of our own.
 */
#include "router/share_open.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/brood-share-XXXXXX";

static const char *
at(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *to = path[turn++ % 4];

    snprintf(to, 512, "%s/%s", dir, name);
    return to;
}

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int
make_tree(void **state br_unused)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);

    if (mkdtemp(dir) == NULL || mkdir(at("sub"), 0755) < 0 || mkfifo(at("fifo"), 0644) < 0)
        return -1;
    write_file(at("file"), "twelve bytes");
    write_file(at("sub/inner"), "x");
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", at("sock"));
    if (bind(s, (struct sockaddr *)&sun, sizeof(sun)) < 0)
        return -1;
    close(s);
    if (symlink("file", at("link")) < 0 || symlink("loop", at("loop")) < 0 ||
        symlink("fifo", at("to-fifo")) < 0 || symlink("nowhere", at("dangling")) < 0 ||
        symlink("sub", at("to-sub")) < 0)
        return -1;
    return 0;
}

static int
drop_tree(void **state br_unused)
{
    static const char *const names[] = {"file", "sub/inner", "fifo",     "sock",  "link",
                                        "loop", "to-fifo",   "dangling", "to-sub"};

    for (size_t i = 0; i < array_len(names); i++)
        unlink(at(names[i]));
    rmdir(at("sub"));
    return rmdir(dir);
}

static int
try_open(const char *path)
{
    struct file_state state;
    int fd, rc = share_open(path, &fd, &state);

    if (rc == 0)
        close(fd);
    return rc;
}

static void
a_regular_file_is_opened_for_reading_with_its_state(void **state br_unused)
{
    struct file_state s;
    struct stat st;
    char text[32];
    int fd;

    assert_int_equal(share_open(at("file"), &fd, &s), 0);
    assert_int_equal(read(fd, text, sizeof(text)), 12);
    assert_memory_equal(text, "twelve bytes", 12);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(s.size, 12);
    assert_int_equal(s.ino, st.st_ino);
    assert_int_equal(s.dev, st.st_dev);
    assert_int_equal(s.mtime_s, st.st_mtim.tv_sec);
    assert_int_equal(s.mtime_ns, st.st_mtim.tv_nsec);
    assert_int_equal(s.ctime_s, st.st_ctim.tv_sec);
    assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
}

static void
symbolic_links_are_followed(void **state br_unused)
{
    assert_int_equal(try_open(at("link")), 0);
    assert_int_equal(try_open(at("to-sub/inner")), 0);
    assert_int_equal(try_open(at("sub/../file")), 0);
    assert_int_equal(try_open(at("loop")), -ELOOP);
    assert_int_equal(try_open(at("dangling")), -ENOENT);
}

static void
magic_links_are_not_followed(void **state br_unused)
{
    char path[64];
    int fd = open(at("file"), O_RDONLY | O_CLOEXEC);

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(try_open(path), -ELOOP);
    assert_int_equal(try_open("/proc/self/exe"), -ELOOP);
    assert_int_equal(try_open("/proc/self/root/etc/passwd"), -ELOOP);
    close(fd);
}

static void
what_is_no_regular_file_is_not_opened(void **state br_unused)
{
    alarm(10); /* a FIFO that is waited for ends the test */
    assert_int_equal(try_open(at("fifo")), -ENXIO);
    assert_int_equal(try_open(at("to-fifo")), -ENXIO);
    assert_int_equal(try_open(at("sock")), -ENXIO);
    assert_int_equal(try_open("/dev/null"), -ENXIO);
    assert_int_equal(try_open("/dev/tty"), -ENXIO);
    assert_int_equal(try_open(at("sub")), -EISDIR);
    assert_int_equal(try_open(at("sub/")), -EISDIR);
    assert_int_equal(try_open(at("to-sub")), -EISDIR);
    alarm(0);
}

static void
what_is_not_there_says_so(void **state br_unused)
{
    char name[400];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(try_open(at("nothing")), -ENOENT);
    assert_int_equal(try_open(at("file/")), -ENOTDIR);
    assert_int_equal(try_open(at("file/below")), -ENOTDIR);
    assert_int_equal(try_open(at(name)), -ENAMETOOLONG);
    assert_int_equal(try_open(""), -ENOENT);
}

static void
the_state_changes_with_the_file(void **state br_unused)
{
    struct file_state before, after;

    assert_int_equal(share_state(at("file"), &before), 0);
    assert_int_equal(share_state(at("link"), &after), 0);
    assert_true(file_state_eq(&before, &after));
    assert_int_equal(chmod(at("file"), 0600), 0);
    assert_int_equal(share_state(at("file"), &after), 0);
    assert_false(file_state_eq(&before, &after));
    assert_int_equal(share_state(at("sub"), &after), -EISDIR);
    assert_int_equal(share_state(at("fifo"), &after), -ENXIO);
    assert_int_equal(share_state(at("nothing"), &after), -ENOENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_regular_file_is_opened_for_reading_with_its_state),
        cmocka_unit_test(symbolic_links_are_followed),
        cmocka_unit_test(magic_links_are_not_followed),
        cmocka_unit_test(what_is_no_regular_file_is_not_opened),
        cmocka_unit_test(what_is_not_there_says_so),
        cmocka_unit_test(the_state_changes_with_the_file),
    };

    return cmocka_run_group_tests(tests, make_tree, drop_tree);
}
