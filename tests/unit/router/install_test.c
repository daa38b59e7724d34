/*
 * install_test.c - generations: built aside, made live, given up, retired; listeners across them.
 */
#include "service.h"

#define CONF(address, status)                                                               \
    "{\"listeners\": {\"" address "\": {\"pass\": \"routes\"}}, \"routes\": [{\"action\": " \
    "{\"return\": " #status "}}]}"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static unsigned
ask(struct service *s, const char *listener)
{
    struct client c;
    unsigned status;

    client_connect(s, &c, listener);
    client_say(&c, GET);
    status = client_reply(s, &c, false).status;
    client_close(&c);
    return status;
}

static void
send_abort(struct service *s, uint32_t generation)
{
    const struct msg_conf order = {.generation = generation};

    assert_int_equal(channel_send(s->controller_end, MSG_CONF_ABORT, &order, NULL, 0, 0, 0), 0);
}

static void
a_generation_serves_from_its_commit_on(void **state)
{
    struct service *s = *state;

    service_configure(s, 1, CONF("*:80", 201), "");
    assert_int_equal(ask(s, "*:80"), 201);
    service_prepare(s, 2, CONF("*:80", 202), "");
    assert_int_equal(s->result.rc, 0);
    assert_int_equal(ask(s, "*:80"), 201);
    service_commit(s, 2);
    assert_int_equal(ask(s, "*:80"), 202);
    service_until(s, s->retired == 1);
    assert_int_equal(s->n_opens, 1); /* the socket was kept */
}

static void
a_request_keeps_the_generation_that_it_began_with(void **state)
{
    struct service *s = *state;
    struct client c;
    struct reply r;

    service_configure(s, 1, CONF("*:80", 201), "");
    client_connect(s, &c, "*:80");
    client_say(&c, "GET / HT");
    service_until(s, service_router(s)->server.counters.active == 1);
    service_configure(s, 2, CONF("*:80", 202), "");
    assert_int_equal(s->retired, 0);
    client_say(&c, "TP/1.1\r\nHost: h\r\n\r\n");
    r = client_reply(s, &c, false);
    assert_int_equal(r.status, 201);
    client_next(&c, &r);
    service_until(s, s->retired == 1);
    client_say(&c, GET); /* the connection is the same, the generation is not */
    assert_int_equal(client_reply(s, &c, false).status, 202);
    client_close(&c);
}

static void
what_main_cannot_open_is_said_and_changes_nothing(void **state)
{
    struct service *s = *state;

    service_configure(s, 1, CONF("*:80", 201), "");
    s->open_rc = -EADDRINUSE;
    service_prepare(s, 2, CONF("*:81", 202), "");
    assert_true(s->result.rc < 0);
    assert_string_equal(s->result.text, "cannot open \"*:81\"");
    assert_int_equal(ask(s, "*:80"), 201);
    s->open_rc = 0;
    service_configure(s, 3, CONF("*:81", 203), "");
    assert_int_equal(ask(s, "*:81"), 203);
}

static void
what_cannot_be_read_is_refused(void **state)
{
    struct service *s = *state;

    service_prepare(s, 1, "{\"listeners\": 1}", "");
    assert_true(s->result.rc < 0);
    service_prepare(s, 2, "{", "");
    assert_true(s->result.rc < 0);
    service_prepare(s, 3, "{\"applications\": {\"a\": {\"type\": \"python\", \"module\": \"m\"}}}",
                    "");
    assert_true(s->result.rc < 0);
    assert_non_null(strstr(s->result.text, "no launch"));
    service_configure(s, 4, CONF("*:80", 204), "");
    assert_int_equal(ask(s, "*:80"), 204);
}

static void
an_aborted_generation_leaves_nothing(void **state)
{
    struct service *s = *state;

    service_configure(s, 1, CONF("*:80", 201), "");
    service_prepare(s, 2, CONF("*:81", 202), "");
    assert_int_equal(s->result.rc, 0);
    send_abort(s, 2);
    service_until(s, service_router(s)->install == NULL);
    assert_int_equal(ask(s, "*:80"), 201);
    assert_int_equal(s->retired, 0);
    service_configure(s, 3, CONF("*:81", 203), "");
    assert_int_equal(s->n_opens, 3); /* *:80, *:81, and *:81 again */
    assert_int_equal(ask(s, "*:81"), 203);
}

static void
a_controller_that_dies_takes_its_prepared_one_along(void **state)
{
    struct service *s = *state;

    service_configure(s, 1, CONF("*:80", 201), "");
    service_prepare(s, 2, CONF("*:81", 202), "");
    channel_free(s->controller_end);
    service_until(s, service_router(s)->install == NULL);
    assert_int_equal(ask(s, "*:80"), 201);
    s->controller_end = service_line(s, ROLE_CONTROLLER, &controller_ops, 0, 0);
    service_configure(s, 3, CONF("*:80", 203), "");
    assert_int_equal(ask(s, "*:80"), 203);
}

static void
a_removed_listener_still_serves_what_waits_in_its_queue(void **state)
{
    struct service *s = *state;
    const struct msg_conf order = {.generation = 2};
    struct client waiting, idle;

    service_configure(s, 1, CONF("*:80", 201), "");
    client_connect(s, &idle, "*:80");
    client_say(&idle, GET);
    client_next(&idle, &(struct reply){.status = client_reply(s, &idle, false).status});
    service_prepare(s, 2, CONF("*:81", 202), "");

    /* Both are there when the router wakes up next: the order to switch, and a connection. */
    assert_int_equal(channel_send(s->controller_end, MSG_CONF_COMMIT, &order, NULL, 0, 2, 0), 0);
    client_connect(s, &waiting, "*:80");
    client_say(&waiting, GET);
    assert_int_equal(client_reply(s, &waiting, false).status, 201);
    service_until(s, (client_read(&idle), idle.eof));
    service_until(s, s->retired == 1);
    assert_int_equal(ask(s, "*:81"), 202);
    client_close(&waiting);
    client_close(&idle);
}

static void
a_listener_may_come_back_while_its_old_connections_end(void **state)
{
    struct service *s = *state;
    struct client slow;

    service_configure(s, 1, CONF("*:80", 201), "");
    client_connect(s, &slow, "*:80");
    client_say(&slow, "GET / HT");
    service_until(s, service_router(s)->server.counters.active == 1);
    service_configure(s, 2, CONF("*:81", 202), "");
    service_configure(s, 3, CONF("*:80", 203), "");
    assert_int_equal(ask(s, "*:80"), 203);
    client_say(&slow, "TP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(client_reply(s, &slow, false).status, 201);
    service_until(s, (client_read(&slow), slow.eof));
    service_until(s, s->retired == 1);
    client_close(&slow);
}

static void
access_logs_are_kept_by_path_and_reopened(void **state)
{
    static const char conf[] =
        "{\"listeners\": {\"*:80\": {\"pass\": \"routes\"}}, \"routes\": [], "
        "\"access_log\": \"/log\"}";
    struct service *s = *state;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), saved = dup(STDERR_FILENO);
    const struct msg_none none = {0};

    service_configure(s, 1, conf, "");
    service_configure(s, 2, conf, "");
    assert_int_equal(s->n_opens, 2); /* socket and log */
    assert_int_equal(service_router(s)->live->log->refs, 1);
    assert_int_equal(channel_send(s->main_end, MSG_LOG_REOPEN, &none, &fd, 1, 0, 0), 0);
    service_until(s, s->n_opens == 3);
    service_until(s, service_router(s)->live->log->refs == 1);
    dup2(saved, STDERR_FILENO); /* the error log of this test is its stderr */
    close(saved);
    assert_int_equal(ask(s, "*:80"), 404);
}

static void
draining_ends_with_the_last_request(void **state)
{
    struct service *s = *state;
    const struct msg_drain order = {.grace_ms = 60000};
    struct client c;

    service_configure(s, 1, CONF("*:80", 201), "");
    client_connect(s, &c, "*:80");
    client_say(&c, "GET / HT");
    service_until(s, service_router(s)->server.counters.active == 1);
    assert_int_equal(channel_send(s->main_end, MSG_DRAIN, &order, NULL, 0, 0, 0), 0);
    service_until(s, service_router(s)->draining);
    assert_false(loop_stopped(s->task.loop));
    client_say(&c, "TP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(client_reply(s, &c, false).status, 201);
    service_until(s, loop_stopped(s->task.loop));
    client_close(&c);
}

static void
grace_has_an_end(void **state)
{
    struct service *s = *state;
    const struct msg_drain order = {.grace_ms = 10};
    struct client c;

    service_configure(s, 1, CONF("*:80", 201), "");
    client_connect(s, &c, "*:80");
    client_say(&c, "GET / HT");
    service_until(s, service_router(s)->server.counters.active == 1);
    assert_int_equal(channel_send(s->main_end, MSG_DRAIN, &order, NULL, 0, 0, 0), 0);
    service_until(s, loop_stopped(s->task.loop));
    client_close(&c);
}

static void
without_main_a_router_leaves(void **state)
{
    struct service *s = *state;

    service_configure(s, 1, CONF("*:80", 201), "");
    channel_free(s->main_end);
    service_until(s, loop_stopped(s->task.loop));
    s->main_end = NULL;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, service_start, service_stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_generation_serves_from_its_commit_on),
        TEST(a_request_keeps_the_generation_that_it_began_with),
        TEST(what_main_cannot_open_is_said_and_changes_nothing),
        TEST(what_cannot_be_read_is_refused),
        TEST(an_aborted_generation_leaves_nothing),
        TEST(a_controller_that_dies_takes_its_prepared_one_along),
        TEST(a_removed_listener_still_serves_what_waits_in_its_queue),
        TEST(a_listener_may_come_back_while_its_old_connections_end),
        TEST(access_logs_are_kept_by_path_and_reopened),
        TEST(draining_ends_with_the_last_request),
        TEST(grace_has_an_end),
        TEST(without_main_a_router_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
