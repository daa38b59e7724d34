/*
 * controller_role_test.c - a whole controller between a fake main and fake routers: boot, and what
 * clients of the control socket see.
 */
#include "controller/controller_role.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "peers.h"

static struct peers peers;
static int log_end; /* reading end of a pipe that the log is written to */

static void
tell_main_says(enum msg_type type, const void *payload, const char *text)
{
    int fd = text == NULL ? -1 : fd_memfd_sealed("text", text, strlen(text));

    assert_int_equal(channel_send(peers.main, type, payload, &fd, text != NULL, 0, 0), 0);
}

static void
boot(const char *stored)
{
    const struct msg_none none = {0};
    const struct msg_stored kept = {0};

    controller_on_peer(&peers.task, peers_add_router(&peers, 0));
    tell_main_says(MSG_MODULES, &none,
                   "[{\"type\":\"python\",\"version\":\"3.11\",\"path\":\"/lib/python.so\"}]");
    tell_main_says(MSG_CONF_STORED, &kept, stored);
    peers_settle(&peers);
}

static int
setup(void **state)
{
    struct br_err err = BR_ERR_NONE;
    int pipe_fds[2];

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(fd_set_nonblock(pipe_fds[0], true), 0);
    log_end = pipe_fds[0];
    log_to_fd(pipe_fds[1]);
    peers_init(&peers, controller_on_peer_gone);
    peers.settings.control = "unix:/control.sock";
    peers.role.on_message = controller_messages;
    assert_int_equal(controller_setup(&peers.task, NULL, &err), 0);
    return 0;
}

static int
teardown(void **state)
{
    int log = log_fd();

    (void)state;
    loop_stop(peers.task.loop);
    peers.role.on_peer_gone = NULL;
    assert_int_equal(controller_start(&peers.task, NULL), 0);
    peers_done(&peers);
    log_to_fd(STDERR_FILENO);
    close(log);
    close(log_end);
    return 0;
}

static bool
logged(const char *word)
{
    static char text[8192];
    ssize_t n = read(log_end, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return strstr(text, word) != NULL;
}

static int
connect_control(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&peers.control, peers.control_len), 0);
    return fd;
}

static void
send_request(int fd, const char *method, const char *path, const char *body)
{
    char request[8192];
    int n = snprintf(request, sizeof(request),
                     "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", method, path,
                     strlen(body), body);

    assert_int_equal(fd_write_all(fd, request, (size_t)n), 0);
}

/* What came until the controller hung up; "" while it says nothing. */
static const char *
answer(int fd)
{
    static char text[65536];
    size_t n = 0;

    for (int turn = 0; turn < 100; turn++) {
        ssize_t got;

        loop_once(peers.task.loop, 2);
        while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
            n += (size_t)got;
        if (got == 0)
            break;
    }
    text[n] = '\0';
    return text;
}

static const char *
call(const char *method, const char *path, const char *body)
{
    int fd = connect_control();
    const char *text;

    send_request(fd, method, path, body);
    text = answer(fd);
    close(fd);
    return text;
}

static void
answers(const char *method, const char *path, const char *body, const char *status,
        const char *contains)
{
    const char *text = call(method, path, body);

    if (strncmp(text + strlen("HTTP/1.1 "), status, 3) != 0 || strstr(text, contains) == NULL)
        fail_msg("%s %s: not %s with %s but\n%s", method, path, status, contains, text);
}

#define DONE "{\r\n\t\"success\": \"Reconfiguration done.\"\r\n}\r\n"

static void
a_fresh_one_has_the_default_configuration(void **state)
{
    const char *text;

    (void)state;
    boot(NULL);
    assert_string_equal(peers.story,
                        "OPEN certificates; STATUS_ASK; PREPARE0 1; COMMIT0 1; OPEN control; ");
    text = call("GET", "/config", "");
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\nServer: brood/"));
    assert_non_null(strstr(text, "\r\nDate: "));
    assert_non_null(strstr(text, " GMT\r\nContent-Type: application/json\r\nETag: \""));
    assert_non_null(strstr(text, "\"\r\nContent-Length: 62\r\nConnection: close\r\n\r\n"
                                 "{\r\n\t\"listeners\": {},\r\n\t\"routes\": [],\r\n"
                                 "\t\"applications\": {}\r\n}\r\n"));
    assert_true(logged("controller started"));
}

static void
a_stored_configuration_is_applied_but_not_saved_again(void **state)
{
    (void)state;
    boot("{\"listeners\":{\"*:81\":{\"pass\":\"routes\"}},\"routes\":[]}");
    assert_string_equal(
        peers.story,
        "OPEN certificates; STATUS_ASK; OPEN *:81; PREPARE0 1; COMMIT0 1; OPEN control; ");
    answers("GET", "/config/listeners/*:81/pass", "", "200", "\r\n\r\n\"routes\"\r\n");
}

static void
a_damaged_one_is_kept_aside_and_an_earlier_one_is_served_and_saved(void **state)
{
    (void)state;
    boot("{\"listeners\":\n x}");
    assert_string_equal(peers.story,
                        "OPEN certificates; STATUS_ASK; SET_ASIDE; HISTORY_ASK; HISTORY_ASK; SAVE; "
                        "PREPARE0 2; COMMIT0 2; KEEP; OPEN control; ");
    assert_true(logged("brood serves what was kept as history/7.json"));
    answers("GET", "/config/routes", "", "200", "[]\r\n");
}

static void
one_that_is_not_valid_stays_and_an_earlier_one_is_served(void **state)
{
    (void)state;
    boot("{\"listners\":{},\"rutes\":[]}");
    assert_string_equal(
        peers.story,
        "OPEN certificates; STATUS_ASK; HISTORY_ASK; HISTORY_ASK; PREPARE0 2; COMMIT0 2; "
        "OPEN control; ");
    assert_true(logged("conf.json:1:16: /rutes: "));
}

static void
a_damaged_one_without_history_is_reported_and_the_default_is_served(void **state)
{
    (void)state;
    peers.refuse = "HISTORY_ASK";
    boot("{\"listeners\":\n x}");
    assert_true(logged("conf.json:2:2: "));
    answers("GET", "/config/listeners", "", "200", "{}\r\n");
}

static void
one_that_cannot_be_applied_is_reported_and_the_default_is_served(void **state)
{
    (void)state;
    peers.refuse = "OPEN *:81";
    boot("{\"listeners\":{\"*:81\":{\"pass\":\"routes\"}},\"routes\":[]}");
    assert_true(logged("cannot open listener *:81"));
    answers("GET", "/config/listeners", "", "200", "{}\r\n");
}

#define RUNS                                                             \
    "{\"conf\":{\"listeners\":{\"*:81\":{\"pass\":\"applications/a\"}}," \
    "\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\"}}},\"launch\":{\"a\":7}}"

/* Another controller was here before: what it left running is RUNS, what is on disk is older. */
static void
boot_again(void)
{
    const struct msg_conf running = {.generation = 3};

    peers.restarts = 1;
    tell_main_says(MSG_CONF_RUNNING, &running, RUNS);
    boot("{}");
    for (int turn = 0; turn < 400 && !peers_told(&peers, "OPEN control"); turn++)
        loop_once(peers.task.loop, 5);
}

static void
what_another_controller_left_running_goes_on(void **state)
{
    (void)state;
    peers.prototype = 7;
    boot_again();
    assert_string_equal(peers.story,
                        "OPEN certificates; STATUS_ASK; OPEN *:81; SAVE; PREPARE0 1000001; "
                        "COMMIT0 1000001; KEEP; OPEN control; ");
    answers("GET", "/config/applications/a/module", "", "200", "\"m\"\r\n");
}

static void
a_launch_that_is_gone_is_started_anew(void **state)
{
    (void)state;
    peers.prototype = 6;
    boot_again();
    assert_string_equal(peers.story,
                        "OPEN certificates; STATUS_ASK; OPEN *:81; START 1000001; SAVE; "
                        "PREPARE0 1000001; COMMIT0 1000001; KEEP; STOP 6; "
                        "OPEN control; ");
}

static void
what_runs_is_tried_again_and_nothing_is_closed(void **state)
{
    (void)state;
    peers.refuse = "START 1000001";
    boot_again();
    assert_string_equal(peers.story,
                        "OPEN certificates; STATUS_ASK; OPEN *:81; START 1000001; STOP 1000001; "
                        "OPEN *:81; START 1000002; SAVE; PREPARE0 1000002; "
                        "COMMIT0 1000002; KEEP; OPEN control; ");
    assert_false(logged("[alert]"));
}

static void
what_runs_goes_on_without_a_disk(void **state)
{
    (void)state;
    peers.prototype = 7;
    peers.refuse = "SAVE";
    boot_again();
    assert_string_equal(peers.story,
                        "OPEN certificates; STATUS_ASK; OPEN *:81; SAVE; PREPARE0 1000001; "
                        "COMMIT0 1000001; OPEN control; ");
    assert_true(logged("is not saved"));
}

static void
main_is_told_what_runs(void **state)
{
    char *text;
    size_t n;

    (void)state;
    boot(NULL);
    assert_int_equal(fd_read_file(peers.running, 1000, &text, &n), 0);
    assert_string_equal(text, "{\"conf\":{\"listeners\":{},\"routes\":[],\"applications\":{}},"
                              "\"launch\":{}}");
    free(text);
}

static void
changes_are_made_by_put_post_and_delete(void **state)
{
    (void)state;
    boot(NULL);
    answers("PUT", "/config/routes", "{\"a\":[],\"x/y\":[]}", "200", DONE);
    answers("PUT", "/config/routes/a/0", "{\"action\":{\"return\":1e2}}", "200", DONE);
    answers("POST", "/config/routes/x%2Fy", "{\"action\":{\"return\":404}} // said", "200", DONE);
    answers("GET", "/config/routes/a/0/action/return", "", "200", "\r\n\r\n1e2\r\n");
    answers("GET", "/config/routes/x%2Fy/0/action/return?q", "", "200", "\r\n\r\n404\r\n");
    answers("DELETE", "/config/routes/a", "", "200", DONE);
    answers("GET", "/config/routes/a", "", "404", "Value doesn't exist.");
    answers("DELETE", "/config", "", "200", DONE);
    answers("GET", "/config", "", "200", "\r\n\r\n{}\r\n");
}

static void
what_cannot_be_done_changes_nothing(void **state)
{
    (void)state;
    boot(NULL);
    peers.story[0] = '\0';
    answers("PUT", "/config/a/b", "{}", "404", "Value doesn't exist.");
    answers("PUT", "/config/routes/1", "{}", "404", "Value doesn't exist.");
    answers("POST", "/config/applications", "{}", "405", "Method isn't allowed.");
    answers("POST", "/config/x", "{}", "404", "Value doesn't exist.");
    answers("DELETE", "/config/routes/0", "", "404", "Value doesn't exist.");
    answers("PATCH", "/config", "", "405", "Method isn't allowed.");
    answers("DELETE", "/status", "", "405", "Invalid method.");
    assert_string_equal(peers.story, "");
}

static void
what_cannot_be_read_is_answered_in_json(void **state)
{
    static const char nonsense[] = "NONSENSE\r\n\r\n";
    int fd;

    (void)state;
    boot(NULL);
    answers("GET", "/config/../..", "", "400", "{\r\n\t\"error\": \"Invalid request.\"");
    fd = connect_control();
    assert_int_equal(fd_write_all(fd, nonsense, strlen(nonsense)), 0);
    assert_non_null(strstr(answer(fd), "{\r\n\t\"error\": \"Invalid request.\""));
    close(fd);
}

static void
an_old_client_without_host_is_served_and_told_that_the_connection_closes(void **state)
{
    static const char request[] = "GET /config/routes HTTP/1.0\r\n\r\n";
    const char *text;
    int fd;

    (void)state;
    boot(NULL);
    fd = connect_control();
    assert_int_equal(fd_write_all(fd, request, strlen(request)), 0);
    text = answer(fd);
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n\r\n[]\r\n"));
    close(fd);
}

static void
a_chunked_body_is_taken(void **state)
{
    static const char request[] =
        "PUT /config/routes HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\n{ \r\n1\r\n}\r\n0\r\n\r\n";
    int fd;

    (void)state;
    boot(NULL);
    fd = connect_control();
    assert_int_equal(fd_write_all(fd, request, strlen(request)), 0);
    assert_non_null(strstr(answer(fd), DONE));
    close(fd);
    answers("GET", "/config/routes", "", "200", "\r\n\r\n{}\r\n");
}

static void
a_fault_is_located(void **state)
{
    (void)state;
    boot(NULL);
    answers(
        "PUT", "/config/a/b", "{\n \"x\": tru }", "400",
        "\"location\": {\r\n\t\t\"offset\": 8,\r\n\t\t\"line\": 2,\r\n\t\t\"column\": 7\r\n\t}");
    answers("PUT", "/config", "{\"routes\": [], \"listners\": {}}", "400",
            "\"error\": \"Invalid configuration.\"");
    answers("PUT", "/config", "{\"routes\": [], \"listners\": {}}", "400", "\"offset\": 15");
    answers("PUT", "/config/routes", "[{\"action\": {\"return\": -1}}]", "400",
            "\"path\": \"/routes/0/action/return\"");
}

static void
a_change_that_fails_says_which_step_and_why(void **state)
{
    (void)state;
    boot(NULL);
    peers.refuse = "START 1";
    answers("PUT", "/config/applications/a", "{\"type\":\"python\",\"module\":\"m\"}", "500",
            "{\r\n\t\"error\": \"Failed to apply new configuration.\",\r\n"
            "\t\"detail\": \"cannot start application \\\"a\\\": ImportError: no such module\"");
    answers("GET", "/config/applications", "", "200", "\r\n\r\n{}\r\n");
}

static void
a_dry_run_answers_the_steps(void **state)
{
    (void)state;
    boot(NULL);
    peers.story[0] = '\0';
    answers("PUT", "/config/applications/a?dry_run", "{\"type\":\"python\",\"module\":\"m\"}",
            "200",
            "{\r\n\t\"success\": \"Valid.\",\r\n\t\"plan\": [\r\n\t\t{\r\n"
            "\t\t\t\"step\": \"start application\",\r\n\t\t\t\"name\": \"a\"\r\n\t\t}");
    answers("DELETE", "/config?a=b&dry_run=yes", "", "400", "dry_run");
    assert_string_equal(peers.story, "");
    answers("DELETE", "/config?a=b&dry_run=0", "", "200", DONE);
}

static void
history_is_read_and_applied(void **state)
{
    (void)state;
    boot(NULL);
    answers("GET", "/history", "", "200",
            "[\r\n\t{\r\n\t\t\"number\": 7,\r\n\t\t\"time\": \"1970-01-02T00:00:00Z\",\r\n"
            "\t\t\"size\": 13\r\n\t}\r\n]\r\n");
    answers("GET", "/history/7", "", "200", "{\r\n\t\"routes\": []\r\n}\r\n");
    answers("GET", "/history/8", "", "404", "Value doesn't exist.");
    answers("POST", "/history/8/apply", "", "404", "Value doesn't exist.");
    peers.story[0] = '\0';
    answers("POST", "/history/7/apply", "", "200", DONE);
    assert_string_equal(peers.story, "HISTORY_ASK; SAVE; PREPARE0 2; COMMIT0 2; KEEP; ");
    peers.refuse = "HISTORY_ASK";
    answers("GET", "/history", "", "500", "it is not my day");
}

static void
the_end_answers_who_waits_for_history(void **state)
{
    int gone, waits;

    (void)state;
    boot(NULL);
    peers.ignore = "HISTORY_ASK";
    gone = connect_control();
    waits = connect_control();
    send_request(gone, "GET", "/history/7", "");
    send_request(waits, "POST", "/history/7/apply", "");
    assert_string_equal(answer(gone), "");
    close(gone);
    assert_string_equal(answer(waits), "");
    close(waits); /* teardown ends the controller */
}

static void
reads_go_on_while_a_change_waits(void **state)
{
    int fd;

    (void)state;
    boot(NULL);
    peers.ignore = "PREPARE0 2";
    fd = connect_control();
    send_request(fd, "PUT", "/config/routes", "{}");
    assert_string_equal(answer(fd), "");
    answers("GET", "/config/routes", "", "200", "[]");
    answers("GET", "/status/requests/total", "", "200", "\r\n\r\n9\r\n");
    close(fd);
}

static void
a_client_that_leaves_does_not_undo_its_change(void **state)
{
    int fd;

    (void)state;
    boot(NULL);
    peers.ignore = "PREPARE0 2";
    fd = connect_control();
    send_request(fd, "PUT", "/config/routes", "{}");
    assert_string_equal(answer(fd), "");
    close(fd);
    peers_settle(&peers);
    peers_kill_router(&peers, 0);
    peers_settle(&peers);
    controller_on_peer(&peers.task, peers_add_router(&peers, 0));
    peers.ignore = NULL;
    peers_settle(&peers);
    answers("GET", "/config/routes", "", "200", "\r\n\r\n{}\r\n");
}

static void
an_application_is_restarted(void **state)
{
    (void)state;
    boot("{\"applications\":{\"a/b\":{\"type\":\"python\",\"module\":\"m\"}}}");
    answers("GET", "/control/applications/a%2Fb/restart", "", "200", "\"success\": \"Ok\"");
    assert_true(peers_told(&peers, "START 2; "));
    answers("POST", "/control/applications/a%2Fb/restart", "", "200", "\"success\": \"Ok\"");
    answers("GET", "/control/applications/b/restart", "", "404", "Value doesn't exist.");
    peers.refuse = "START 4";
    answers("GET", "/control/applications/a%2Fb/restart", "", "500", "Failed to restart app.");
}

static void
status_is_one_object_with_parts(void **state)
{
    (void)state;
    boot("{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\"}}}");
    answers("GET", "/status", "", "200",
            "{\r\n\t\"modules\": {\r\n\t\t\"python\": {\r\n\t\t\t\"version\": \"3.11\",\r\n"
            "\t\t\t\"lib\": \"/lib/python.so\"\r\n\t\t}\r\n\t},\r\n\r\n"
            "\t\"connections\": {\r\n\t\t\"accepted\": 5,\r\n\t\t\"active\": 1,\r\n"
            "\t\t\"idle\": 1,\r\n\t\t\"closed\": 3\r\n\t},\r\n\r\n"
            "\t\"requests\": {\r\n\t\t\"total\": 9\r\n\t},\r\n\r\n"
            "\t\"applications\": {\r\n\t\t\"a\": {\r\n\t\t\t\"processes\": {\r\n"
            "\t\t\t\t\"running\": 0,\r\n\t\t\t\t\"starting\": 0,\r\n\t\t\t\t\"idle\": 0\r\n"
            "\t\t\t},\r\n\r\n\t\t\t\"requests\": {\r\n\t\t\t\t\"active\": 0,\r\n"
            "\t\t\t\t\"total\": 0\r\n\t\t\t},\r\n\r\n\t\t\t\"workers\": []\r\n");
    answers("GET", "/status/applications/a/processes/idle", "", "200", "\r\n\r\n0\r\n");
    answers("GET", "/status/applications/b", "", "404", "Invalid path.");
    answers("GET", "/", "", "200", "{\r\n\t\"certificates\": {},\r\n\t\"config\": {\r\n");
}

static void
certificates_are_none(void **state)
{
    (void)state;
    boot(NULL);
    answers("GET", "/certificates", "", "200", "\r\n\r\n{}\r\n");
    answers("GET", "/certificates/a", "", "404", "Certificate doesn't exist.");
    answers("PUT", "/certificates/a", "x", "400", "there is no certificate in it");
    answers("PUT", "/certificates/a?dry_run", "x", "400", "Invalid certificate.");
    answers("PUT", "/certificates/a?replace=no", "x", "400", "must be true or false");
    answers("PUT", "/certificates/a/b", "x", "400", "Invalid certificate name.");
    answers("DELETE", "/certificates/a", "", "404", "Certificate doesn't exist.");
    answers("DELETE", "/certificates", "", "400", "Invalid certificate name.");
    answers("POST", "/certificates", "", "405", "Invalid method.");
}

#define A_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(a_fresh_one_has_the_default_configuration),
        A_TEST(a_stored_configuration_is_applied_but_not_saved_again),
        A_TEST(a_damaged_one_is_kept_aside_and_an_earlier_one_is_served_and_saved),
        A_TEST(one_that_is_not_valid_stays_and_an_earlier_one_is_served),
        A_TEST(a_damaged_one_without_history_is_reported_and_the_default_is_served),
        A_TEST(one_that_cannot_be_applied_is_reported_and_the_default_is_served),
        A_TEST(what_another_controller_left_running_goes_on),
        A_TEST(a_launch_that_is_gone_is_started_anew),
        A_TEST(what_runs_is_tried_again_and_nothing_is_closed),
        A_TEST(what_runs_goes_on_without_a_disk),
        A_TEST(main_is_told_what_runs),
        A_TEST(changes_are_made_by_put_post_and_delete),
        A_TEST(what_cannot_be_done_changes_nothing),
        A_TEST(what_cannot_be_read_is_answered_in_json),
        A_TEST(an_old_client_without_host_is_served_and_told_that_the_connection_closes),
        A_TEST(a_chunked_body_is_taken),
        A_TEST(a_fault_is_located),
        A_TEST(a_change_that_fails_says_which_step_and_why),
        A_TEST(a_dry_run_answers_the_steps),
        A_TEST(history_is_read_and_applied),
        A_TEST(the_end_answers_who_waits_for_history),
        A_TEST(reads_go_on_while_a_change_waits),
        A_TEST(a_client_that_leaves_does_not_undo_its_change),
        A_TEST(an_application_is_restarted),
        A_TEST(status_is_one_object_with_parts),
        A_TEST(certificates_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
