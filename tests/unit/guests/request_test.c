/*
 * request_test.c - a call as the server sends it: lists, descriptors, what is broken in it.
 */
#include "guests/prefork_interp/common/request.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define TEXT(literal) literal, sizeof(literal) - 1

/* The executor's end, with this sent to it; the other end is closed. */
static int
sent(const int *fds, size_t n_fds, uint32_t announced, const char *text, size_t n)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int) * 8)];
    } control = {0};
    uint8_t head[4] = {(uint8_t)(announced >> 24), (uint8_t)(announced >> 16),
                       (uint8_t)(announced >> 8), (uint8_t)announced};
    struct iovec part = {head, sizeof(head)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    if (n_fds > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * n_fds);
    }
    assert_int_equal(sendmsg(ends[1], &m, 0), sizeof(head));
    if (n > 0)
        assert_int_equal(write(ends[1], text, n), (ssize_t)n);
    close(ends[1]);
    return ends[0];
}

static int
received(struct request *r, const char *text, size_t n)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[] = {null, null, null};
    int socket = sent(fds, 3, (uint32_t)n, text, n);
    int rc = request_receive(r, socket);

    close(null);
    close(socket);
    return rc;
}

static void
three_lists_are_cut(br_unused void **state)
{
    struct request r;

    assert_int_equal(received(&r, TEXT("umask=0022\0sigign=1000\0\0A=1\0B=\0\0one\0\0three\0")), 0);
    assert_string_equal(request_attribute(&r, "umask"), "0022");
    assert_null(request_attribute(&r, "uma"));
    assert_true(request_tells(&r));
    assert_int_equal(request_ignored(&r), 0x1000);
    assert_string_equal(r.environment[0], "A=1");
    assert_string_equal(r.environment[1], "B=");
    assert_null(r.environment[2]);
    assert_string_equal(r.arguments[0], "one");
    assert_string_equal(r.arguments[1], "");
    assert_string_equal(r.arguments[2], "three");
    assert_null(r.arguments[3]);
    assert_int_equal(r.n_fds, 3);
    request_done(&r);
}

static void
lists_may_be_empty(br_unused void **state)
{
    static const struct {
        const char *text;
        size_t n;
    } all[] = {{TEXT("")}, {TEXT("\0")}, {TEXT("\0\0")}};

    for (size_t i = 0; i < array_len(all); i++) {
        struct request r;

        assert_int_equal(received(&r, all[i].text, all[i].n), 0);
        assert_null(r.attributes[0]);
        assert_null(r.environment[0]);
        assert_null(r.arguments[0]);
        assert_false(request_tells(&r));
        request_done(&r);
    }
}

static void
a_text_without_its_end_is_refused(br_unused void **state)
{
    struct request r;

    assert_int_equal(received(&r, TEXT("\0\0abc")), -EBADMSG);
    request_done(&r);
}

static void
a_server_that_goes_has_no_call(br_unused void **state)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[] = {null, null, null}, socket;
    struct request r;

    socket = sent(fds, 2, 0, NULL, 0); /* too few */
    assert_int_equal(request_receive(&r, socket), -ENODATA);
    request_done(&r);
    close(socket);
    socket = sent(fds, 3, 100, TEXT("\0\0")); /* then nothing more */
    assert_int_equal(request_receive(&r, socket), -ENODATA);
    request_done(&r);
    close(socket);
    socket = sent(fds, 3, UINT32_MAX, NULL, 0);
    assert_int_equal(request_receive(&r, socket), -EMSGSIZE);
    request_done(&r);
    close(socket);
    close(null);
}

/* In a child, whose descriptors 0, 1 and 2 are replaced. */
static int
take_in_a_child(void)
{
    int ends[2], fds[3], null = open("/dev/null", O_RDWR | O_CLOEXEC), socket;
    struct request r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return 1;
    fds[0] = fds[2] = null;
    fds[1] = ends[1];
    socket = sent(fds, 3, 27, TEXT("umask=0027\0fd=1:5\0fd=0:6\0\0\0"));
    if (request_receive(&r, socket) < 0 || request_take(&r, 6) < 0)
        return 2;
    if (umask(0) != 027 || write(5, "x", 1) != 1 || write(1, "y", 1) != 1)
        return 3;
    if (r.n_fds != 0 || fcntl(5, F_GETFD) != 0)
        return 4;
    return 0;
}

static void
descriptors_and_umask_are_taken(br_unused void **state)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(take_in_a_child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_lists_are_cut),
        cmocka_unit_test(lists_may_be_empty),
        cmocka_unit_test(a_text_without_its_end_is_refused),
        cmocka_unit_test(a_server_that_goes_has_no_call),
        cmocka_unit_test(descriptors_and_umask_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
