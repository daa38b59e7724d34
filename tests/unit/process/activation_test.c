/*
 * What a service manager leaves in the environment and from descriptor 3 on.
 */
#include "process/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/notify.h"

/* A listening socket at a port that the kernel chooses; v6only -1: IPv4. */
static int
listening(int v6only, unsigned *ret_port)
{
    struct sockaddr_in6 in6 = {.sin6_family = v6only < 0 ? AF_INET : AF_INET6};
    socklen_t len = v6only < 0 ? sizeof(struct sockaddr_in) : sizeof(in6);
    int fd = socket(in6.sin6_family, SOCK_STREAM, 0);

    if (v6only >= 0)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
    assert_int_equal(bind(fd, (struct sockaddr *)&in6, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in6, &len), 0);
    *ret_port = ntohs(in6.sin6_port); /* at the same place for both families */
    return fd;
}

static const char *
at(const char *host, unsigned port)
{
    static char text[64];

    snprintf(text, sizeof(text), "%s:%u", host, port);
    return text;
}

static void
sockets_are_found_by_where_they_are_bound(void **state)
{
    struct activation *a = NULL;
    unsigned v4, dual, v6;

    (void)state;
    assert_int_equal(activation_add(&a, listening(-1, &v4), "four"), 0);
    assert_int_equal(activation_add(&a, listening(0, &dual), "both"), 0);
    assert_int_equal(activation_add(&a, listening(1, &v6), "six"), 0);
    assert_string_equal(a->list[0].address, at("*", v4));
    assert_ptr_equal(activation_find(a, at("*", v4)), &a->list[0]);
    assert_ptr_equal(activation_find(a, at("0.0.0.0", v4)), &a->list[0]);
    assert_null(activation_find(a, at("127.0.0.1", v4)));
    assert_ptr_equal(activation_find(a, at("[::]", dual)), &a->list[1]);
    assert_ptr_equal(activation_find(a, at("*", dual)), &a->list[1]);
    assert_null(activation_find(a, at("127.0.0.1", dual)));
    assert_ptr_equal(activation_find(a, at("[::]", v6)), &a->list[2]);
    assert_null(activation_find(a, at("*", v6)));
    a->list[1].used = true;
    assert_null(activation_find(a, at("*", dual)));
    assert_null(activation_find(NULL, at("*", v4)));
    activation_free(a);
}

static void
what_no_listener_can_have_has_no_address(void **state)
{
    struct activation *a = NULL;
    int pipe_fds[2];

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(activation_add(&a, pipe_fds[0], "control"), 0);
    assert_int_equal(activation_add(&a, socket(AF_INET, SOCK_STREAM, 0), "deaf"), 0);
    assert_int_equal(activation_add(&a, socket(AF_UNIX, SOCK_DGRAM, 0), "packets"), 0);
    for (unsigned i = 0; i < a->n; i++)
        assert_string_equal(a->list[i].address, "");
    assert_null(activation_control(a, "unix:/nowhere"));
    close(pipe_fds[1]);
    activation_free(a);
}

static void
the_variables_are_taken_whoever_they_are_for(void **state)
{
    struct activation *a = NULL;
    struct br_err err = BR_ERR_NONE;

    (void)state;
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDNAMES", "web", 1);
    assert_int_equal(activation_take(&a, &err), 0);
    assert_null(a);
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDNAMES"));
}

static void
a_watchdog_is_ours_unless_it_names_another(void **state)
{
    struct notify manager;

    (void)state;
    setenv("NOTIFY_SOCKET", "@abstract", 1);
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_int_equal(notify_take(&manager), 0);
    assert_string_equal(manager.socket, "@abstract");
    assert_int_equal(manager.watchdog_us, 3000000);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));

    setenv("WATCHDOG_USEC", "3000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_take(&manager), 0);
    assert_int_equal(manager.watchdog_us, 0);
    assert_string_equal(manager.socket, "");
    assert_int_equal(notify_tell(&manager, "READY=1"), 0);

    setenv("WATCHDOG_USEC", "-1", 1);
    assert_int_equal(notify_take(&manager), -EINVAL);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(notify_take(&manager), -EINVAL);
    assert_null(getenv("NOTIFY_SOCKET"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_found_by_where_they_are_bound),
        cmocka_unit_test(what_no_listener_can_have_has_no_address),
        cmocka_unit_test(the_variables_are_taken_whoever_they_are_for),
        cmocka_unit_test(a_watchdog_is_ours_unless_it_names_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
