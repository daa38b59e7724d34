/*
 * listener_test.c - addresses, sockets of each kind, stale files, and running out of descriptors.
 */
#include "event/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

static char dir[] = "/tmp/listener_test.XXXXXX";

static int
make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static const char *
unix_address(void)
{
    static char text[64];

    snprintf(text, sizeof(text), "unix:%s/socket", dir);
    return text;
}

static const char *
unix_path(void)
{
    return unix_address() + strlen("unix:");
}

static void
expect_inet(const char *text, int family, const char *host, unsigned port)
{
    struct sockaddr_storage addr;
    struct br_err err = BR_ERR_NONE;
    char shown[INET6_ADDRSTRLEN];
    socklen_t len;

    assert_int_equal(listener_parse(text, &addr, &len, &err), 0);
    assert_string_equal(err.text, "");
    assert_int_equal(addr.ss_family, family);
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&addr;

        assert_int_equal(len, sizeof(*in));
        assert_int_equal(ntohs(in->sin_port), port);
        inet_ntop(family, &in->sin_addr, shown, sizeof(shown));
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;

        assert_int_equal(len, sizeof(*in6));
        assert_int_equal(ntohs(in6->sin6_port), port);
        inet_ntop(family, &in6->sin6_addr, shown, sizeof(shown));
    }
    assert_string_equal(shown, host);
}

static void
addresses_of_the_internet(void **state)
{
    (void)state;
    expect_inet("127.0.0.1:8080", AF_INET, "127.0.0.1", 8080);
    expect_inet("*:1", AF_INET, "0.0.0.0", 1);
    expect_inet("255.255.255.255:65535", AF_INET, "255.255.255.255", 65535);
    expect_inet("[::1]:8080", AF_INET6, "::1", 8080);
    expect_inet("[::]:80", AF_INET6, "::", 80);
    expect_inet("[2001:db8::ffff:192.0.2.1]:443", AF_INET6, "2001:db8::ffff:c000:201", 443);
    expect_inet("[ABCD:EF01:2345:6789:ABCD:EF01:2345:6789]:443", AF_INET6,
                "abcd:ef01:2345:6789:abcd:ef01:2345:6789", 443);
}

static void
addresses_of_files_and_names(void **state)
{
    char longest[6 + 107 + 2] = "unix:";
    struct sockaddr_storage addr;
    struct sockaddr_un *sun = (struct sockaddr_un *)&addr;
    socklen_t len;

    (void)state;
    assert_int_equal(listener_parse("unix:/run/app.sock", &addr, &len, NULL), 0);
    assert_int_equal(sun->sun_family, AF_UNIX);
    assert_string_equal(sun->sun_path, "/run/app.sock");
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 14);
    assert_int_equal(listener_parse("unix:@name", &addr, &len, NULL), 0);
    assert_memory_equal(sun->sun_path, "\0name", 5);
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 5);

    memset(longest + 5, 'x', 107);
    assert_int_equal(listener_parse(longest, &addr, &len, NULL), 0);
    assert_int_equal(len, sizeof(*sun));
    longest[5 + 107] = 'x';
    assert_int_equal(listener_parse(longest, &addr, &len, NULL), -EINVAL);
    memcpy(longest, "unix:@", 6);
    assert_int_equal(listener_parse(longest, &addr, &len, NULL), -EINVAL);
}

static void
everything_else_is_refused_with_a_sentence(void **state)
{
    static const char *const bad[] = {
        "",
        ":",
        ":80",
        "*",
        "*:",
        "127.0.0.1",
        "*:0",
        "*:65536",
        "*:-1",
        "*:+80",
        "*: 80",
        "*:80 ",
        " *:80",
        "*:http",
        "*:0x50",
        "**:80",
        "127.1:80",
        "localhost:80",
        "1.2.3:80",
        "::1:80",
        "[::1]",
        "[::1]:",
        "[::1",
        "[:80",
        "]:80",
        "[]:80",
        "[::1%lo]:80",
        "[127.0.0.1]:80",
        "unix:",
        "unix:@",
        "256.0.0.1:80",
        "*:80-90",
        "1.2.3.4.5:80",
        "*:18446744073709551696",
        "[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23:24]:80",
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct br_err err = BR_ERR_NONE;
        struct sockaddr_storage addr = {.ss_family = 12345};
        socklen_t len = 7;

        if (listener_parse(bad[i], &addr, &len, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_non_null(strstr(err.text, bad[i]));
        assert_null(strstr(err.text, "Invalid argument"));
        assert_int_equal(addr.ss_family, 12345);
        assert_int_equal(len, 7);
    }
}

/* A TCP listener on some port that is free. */
static int
open_tcp(const char *host, char ret_text[64])
{
    for (int tries = 0; tries < 200; tries++) {
        struct br_err err = BR_ERR_NONE;
        int fd;

        snprintf(ret_text, 64, "%s:%d", host, 20000 + (getpid() * 7 + tries * 101) % 40000);
        if (listener_open(ret_text, -1, &fd, &err) == 0)
            return fd;
        assert_int_equal(err.rc, -EADDRINUSE);
    }
    fail_msg("no free port");
    return -1;
}

static int
option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static int
connect_to(const char *text)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int fd;

    assert_int_equal(listener_parse(text, &addr, &len, NULL), 0);
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), 0);
    return fd;
}

static void
a_tcp_listener_has_its_options_and_its_connections_too(void **state)
{
    br_cleanup(fd_closep) int fd = -1, client = -1, server = -1;
    char text[64];

    (void)state;
    fd = open_tcp("127.0.0.1", text);
    assert_true(option(fd, SOL_SOCKET, SO_ACCEPTCONN));
    assert_true(option(fd, SOL_SOCKET, SO_REUSEADDR));
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    client = connect_to(text);
    server = accept(fd, NULL, NULL);
    assert_true(server >= 0);
    assert_true(option(server, IPPROTO_TCP, TCP_NODELAY));
}

static void
ipv6_is_only_ipv6(void **state)
{
    br_cleanup(fd_closep) int fd = -1, probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    char text[64];

    (void)state;
    if (probe < 0 || bind(probe, (struct sockaddr *)&loopback, sizeof(loopback)) < 0)
        skip();
    fd = open_tcp("[::]", text);
    assert_true(option(fd, IPPROTO_IPV6, IPV6_V6ONLY));
}

static void
an_address_in_use_says_so(void **state)
{
    br_cleanup(fd_closep) int fd = -1;
    struct br_err err = BR_ERR_NONE;
    char text[64], expect[128];
    int other = -7;

    (void)state;
    fd = open_tcp("127.0.0.1", text);
    assert_int_equal(listener_open(text, -1, &other, &err), -EADDRINUSE);
    snprintf(expect, sizeof(expect), "cannot bind \"%s\": Address already in use", text);
    assert_string_equal(err.text, expect);
    assert_int_equal(other, -7);
}

static void
a_unix_socket_may_be_used_by_everybody(void **state)
{
    br_cleanup(fd_closep) int fd = -1;
    mode_t before = umask(077);
    struct stat st;

    (void)state;
    assert_int_equal(listener_open(unix_address(), -1, &fd, NULL), 0);
    umask(before);
    assert_int_equal(stat(unix_path(), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
    assert_int_equal(unlink(unix_path()), 0);
}

static void
a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
    br_cleanup(fd_closep) int fd = -1, second = -1;
    struct br_err err = BR_ERR_NONE;

    (void)state;
    assert_int_equal(listener_open(unix_address(), -1, &fd, NULL), 0);
    assert_int_equal(listener_open(unix_address(), -1, &second, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "Address already in use"));
    fd_close(&fd);
    assert_int_equal(access(unix_path(), F_OK), 0);
    assert_int_equal(listener_open(unix_address(), -1, &second, NULL), 0);
    fd = connect_to(unix_address());
    assert_int_equal(unlink(unix_path()), 0);
}

static void
a_live_socket_with_a_full_queue_is_live(void **state)
{
    br_cleanup(fd_closep) int fd = -1, first = -1, second = -1;

    (void)state;
    assert_int_equal(listener_open(unix_address(), 0, &fd, NULL), 0);
    first = connect_to(unix_address());
    assert_int_equal(listener_open(unix_address(), -1, &second, NULL), -EADDRINUSE);
    assert_int_equal(unlink(unix_path()), 0);
}

static void
a_file_that_is_no_socket_is_left_alone(void **state)
{
    br_cleanup(fd_closep) int file = open(unix_path(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    struct br_err err = BR_ERR_NONE;
    int fd = -7;

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(listener_open(unix_address(), -1, &fd, &err), -EEXIST);
    assert_non_null(strstr(err.text, unix_address()));
    assert_int_equal(fd, -7);
    assert_int_equal(unlink(unix_path()), 0);
}

static void
abstract_names_have_no_file(void **state)
{
    br_cleanup(fd_closep) int fd = -1, second = -1, client = -1;
    char text[64];

    (void)state;
    snprintf(text, sizeof(text), "unix:@listener_test.%d", getpid());
    assert_int_equal(listener_open(text, -1, &fd, NULL), 0);
    assert_int_equal(listener_open(text, -1, &second, NULL), -EADDRINUSE);
    client = connect_to(text);
}

static void
a_bad_directory_is_an_error(void **state)
{
    struct br_err err = BR_ERR_NONE;
    int fd = -7, before = fd_count();

    (void)state;
    assert_int_equal(listener_open("unix:/nonexistent/x", -1, &fd, &err), -ENOENT);
    assert_string_equal(err.text, "cannot bind \"unix:/nonexistent/x\": No such file or directory");
    assert_int_equal(listener_open("nowhere", -1, &fd, &err), -EINVAL);
    assert_int_equal(fd_count(), before);
}

/* A listener on a Unix socket, in a loop, that counts. */
struct door {
    struct listener l;
    struct loop *loop;
    int fd;
    int accepted;
    int shorts;
    int log;
    bool stop_when_asked;
    bool keep; /* accepted ones stay open, in kept */
    int kept[64];
};

static void
on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct door *d = container_of(l, struct door, l);

    assert_int_equal(addr->sa_family, AF_UNIX);
    assert_true(len >= sizeof(addr->sa_family));
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    if (d->keep)
        d->kept[d->accepted] = fd;
    else
        close(fd);
    d->accepted++;
    if (d->stop_when_asked)
        listener_stop(l);
}

static void
on_short(struct listener *l)
{
    container_of(l, struct door, l)->shorts++;
}

static int
open_door(void **state)
{
    struct door *d = calloc(1, sizeof(*d));

    d->loop = loop_new();
    d->log = fd_memfd("log", 0);
    log_to_fd(d->log);
    assert_int_equal(listener_open(unix_address(), -1, &d->fd, NULL), 0);
    assert_int_equal(listener_start(&d->l, d->loop, d->fd, 1, on_accept, on_short), 0);
    *state = d;
    return 0;
}

static int
close_door(void **state)
{
    struct door *d = *state;

    listener_stop(&d->l);
    listener_stop(&d->l);
    fd_close(&d->fd);
    unlink(unix_path());
    log_to_fd(STDERR_FILENO);
    fd_close(&d->log);
    loop_free(d->loop);
    free(d);
    return 0;
}

static void
connect_many(int *fds, int n)
{
    for (int i = 0; i < n; i++)
        fds[i] = connect_to(unix_address());
}

static void
close_many(int *fds, int n)
{
    for (int i = 0; i < n; i++)
        close(fds[i]);
}

static void
one_connection_is_taken_per_event(void **state)
{
    struct door *d = *state;
    int clients[5];

    connect_many(clients, 5);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(loop_once(d->loop, -1), 0);
        assert_int_equal(d->accepted, i);
    }
    assert_int_equal(loop_once(d->loop, 0), 0);
    assert_int_equal(d->accepted, 5);
    close_many(clients, 5);
}

static void
a_larger_batch_takes_more(void **state)
{
    struct door *d = *state;
    int clients[5];

    d->l.batch = 3;
    connect_many(clients, 5);
    assert_int_equal(loop_once(d->loop, -1), 0);
    assert_int_equal(d->accepted, 3);
    assert_int_equal(loop_once(d->loop, -1), 0);
    assert_int_equal(d->accepted, 5);
    close_many(clients, 5);
}

static void
draining_takes_all(void **state)
{
    struct door *d = *state;
    int clients[20];

    connect_many(clients, 20);
    listener_drain(&d->l);
    assert_int_equal(d->accepted, 20);
    close_many(clients, 20);
}

static void
a_listener_may_be_stopped_by_its_own_connection(void **state)
{
    struct door *d = *state;
    int clients[3];

    d->l.batch = 3;
    d->stop_when_asked = true;
    connect_many(clients, 3);
    assert_int_equal(loop_once(d->loop, -1), 0);
    listener_drain(&d->l);
    assert_int_equal(loop_once(d->loop, 0), 0);
    assert_int_equal(d->accepted, 1);
    close_many(clients, 3);
}

static int
lines_logged(struct door *d)
{
    char text[4096];
    ssize_t n = pread(d->log, text, sizeof(text), 0);
    int lines = 0;

    for (ssize_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

/* Let this many more descriptors be opened. */
static void
allow_descriptors(int n)
{
    struct rlimit limit;
    int next = dup(STDERR_FILENO); /* the lowest number that is free; tests leave no holes above */

    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)(next + n);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
allow_all_descriptors(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
without_descriptors_it_pauses_says_so_once_and_goes_on(void **state)
{
    struct door *d = *state;
    int clients[4];
    int64_t started;

    d->keep = true;
    connect_many(clients, 4);
    allow_descriptors(2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_once(d->loop, -1), 0);
    assert_int_equal(d->accepted, 2);
    assert_int_equal(d->shorts, 1);
    assert_true(d->l.paused);

    /* Two connections still wait, but there is no event before the pause is over. */
    started = clock_us();
    assert_int_equal(loop_once(d->loop, 20), 0);
    assert_true(clock_us() - started >= 20000);
    while (d->shorts < 3)
        assert_int_equal(loop_once(d->loop, -1), 0);
    assert_true(clock_us() - started >= 190000);
    assert_int_equal(lines_logged(d), 1);

    allow_all_descriptors();
    while (d->accepted < 4)
        assert_int_equal(loop_once(d->loop, -1), 0);
    assert_false(d->l.paused);
    assert_int_equal(lines_logged(d), 1);
    close_many(d->kept, 4);
    close_many(clients, 4);
}

static void
a_paused_listener_can_be_stopped(void **state)
{
    struct door *d = *state;
    int client = connect_to(unix_address());

    allow_descriptors(0);
    assert_int_equal(loop_once(d->loop, -1), 0);
    allow_all_descriptors();
    assert_true(d->l.paused);
    listener_stop(&d->l);
    assert_int_equal(loop_once(d->loop, 110), 0);
    assert_int_equal(d->accepted, 0);
    close(client);
}

static void
a_connection_that_is_gone_already_is_taken_or_passed_over(void **state)
{
    struct door *d = *state;
    int clients[3];

    d->l.batch = 10;
    connect_many(clients, 3);
    close_many(clients, 3);
    assert_int_equal(loop_once(d->loop, -1), 0);
    assert_int_equal(d->accepted, 3);
    assert_false(d->l.paused);
}

/* Several processes, one socket: each connection is taken by exactly one of them. */
static void
processes_share_a_listener(void **state)
{
    enum { PROCESSES = 3, CLIENTS = 60 };
    struct door *d = *state;
    int clients[CLIENTS], report[2], status;
    pid_t pids[PROCESSES];
    unsigned char taken;
    int sum = 0;

    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        loop_after_fork(d->loop);
        if (listener_start(&d->l, d->loop, d->fd, 1, on_accept, NULL) < 0)
            _exit(1);
        while (loop_once(d->loop, 200) == 0) {
            taken = (unsigned char)d->accepted;
            if (d->accepted > 0 && write(report[1], &taken, 1) != 1)
                _exit(1);
            d->accepted = 0;
        }
        _exit(2);
    }
    listener_stop(&d->l);
    connect_many(clients, CLIENTS);
    while (sum < CLIENTS) {
        assert_int_equal(read(report[0], &taken, 1), 1);
        sum += taken;
    }
    assert_int_equal(sum, CLIENTS);
    for (int i = 0; i < PROCESSES; i++) {
        kill(pids[i], SIGKILL);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFSIGNALED(status));
    }
    close_many(clients, CLIENTS);
    close_many(report, 2);
}

static void
a_descriptor_that_is_no_socket_is_refused(void **state)
{
    br_cleanup(fd_closep) int file = fd_memfd("file", 0);
    struct loop *loop = loop_new();
    struct listener l;

    (void)state;
    assert_int_equal(listener_start(&l, loop, file, 1, on_accept, NULL), -EPERM);
    listener_stop(&l);
    loop_free(loop);
}

#define with_door(test) cmocka_unit_test_setup_teardown(test, open_door, close_door)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_internet),
        cmocka_unit_test(addresses_of_files_and_names),
        cmocka_unit_test(everything_else_is_refused_with_a_sentence),
        cmocka_unit_test(a_tcp_listener_has_its_options_and_its_connections_too),
        cmocka_unit_test(ipv6_is_only_ipv6),
        cmocka_unit_test(an_address_in_use_says_so),
        cmocka_unit_test(a_unix_socket_may_be_used_by_everybody),
        cmocka_unit_test(a_stale_socket_is_replaced_and_a_live_one_is_not),
        cmocka_unit_test(a_live_socket_with_a_full_queue_is_live),
        cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
        cmocka_unit_test(abstract_names_have_no_file),
        cmocka_unit_test(a_bad_directory_is_an_error),
        with_door(one_connection_is_taken_per_event),
        with_door(a_larger_batch_takes_more),
        with_door(draining_takes_all),
        with_door(a_listener_may_be_stopped_by_its_own_connection),
        with_door(without_descriptors_it_pauses_says_so_once_and_goes_on),
        with_door(a_paused_listener_can_be_stopped),
        with_door(a_connection_that_is_gone_already_is_taken_or_passed_over),
        with_door(processes_share_a_listener),
        cmocka_unit_test(a_descriptor_that_is_no_socket_is_refused),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
