/*
 * open_test.c - what main opens for others, keeps, gives, refuses and saves.
 */
#include "toys.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"

static void
begin(struct scene *s)
{
    scene_prepare(s);
    s->settings.control_mode = 0600;
    scene_begin(s);
}

/* What the next order is about.  A name that begins with / is one in the scene's directory. */
static void
name(struct scene *s, enum open_kind kind, const char *prefix, const char *file)
{
    s->stage->open = (struct msg_open){.kind = kind, .value = 16};
    snprintf(s->stage->open.name, sizeof(s->stage->open.name), "%s%s%s", prefix,
             file[0] == '/' ? s->dir : "", file);
}

static const char *
in_dir(const struct scene *s, const char *file)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", s->dir, file);
    return path;
}

static int
dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int rc;

    strcpy(addr.sun_path, path);
    rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static void
a_router_gets_what_the_controller_asked_for_and_nothing_else(void **state)
{
    struct scene s = {0};
    const struct answer *a;

    (void)state;
    begin(&s);
    scene_wait_ready(&s);
    name(&s, OPEN_LISTENER, "unix:", "/web");
    a = scene_ask_router(&s);
    assert_int_equal(a->rc, -EACCES);
    assert_int_equal(a->n_fds, 0);

    a = scene_order(&s, ORDER_OPEN);
    assert_int_equal(a->rc, 0);
    assert_int_equal(a->n_fds, 0);
    a = scene_ask_router(&s);
    assert_int_equal(a->rc, 0);
    assert_int_equal(a->n_fds, 1);
    assert_int_equal(dial(in_dir(&s, "web")), 0);

    name(&s, OPEN_CONTROL, "", "");
    assert_int_equal(scene_ask_router(&s)->rc, -EACCES);
    scene_end(&s);
}

static void
a_listener_outlives_routers_and_ends_with_close(void **state)
{
    struct scene s = {0};
    int fds;

    (void)state;
    begin(&s);
    scene_wait_ready(&s);
    fds = scene_fds(&s);
    name(&s, OPEN_LISTENER, "unix:", "/web");
    scene_order(&s, ORDER_OPEN);
    scene_order(&s, ORDER_OPEN); /* once more: the same one */
    assert_int_equal(scene_fds(&s), fds + 1);
    kill(scene_pid(&s, "router"), SIGKILL);
    assert_int_equal(dial(in_dir(&s, "web")), 0);
    wait_until(scene_routers(&s) == 2);
    scene_order(&s, ORDER_CLOSE);
    wait_until(access(in_dir(&s, "web"), F_OK) < 0);
    wait_until(scene_fds(&s) <= fds);
    scene_end(&s);
}

static void
what_cannot_be_opened_is_said_by_name(void **state)
{
    struct scene s = {0};
    const struct answer *a;

    (void)state;
    begin(&s);
    scene_wait_ready(&s);
    name(&s, OPEN_ACCESS_LOG, "", "/no/such/dir/log");
    a = scene_order(&s, ORDER_OPEN);
    assert_int_equal(a->rc, -ENOENT);
    assert_non_null(strstr(a->text, "no/such/dir/log"));
    name(&s, OPEN_LISTENER, "", "nonsense");
    assert_true(scene_order(&s, ORDER_OPEN)->rc < 0);
    name(&s, (enum open_kind)99, "", "x");
    assert_int_equal(scene_order(&s, ORDER_OPEN)->rc, -EINVAL);
    scene_end(&s);
}

static void
logs_are_opened_for_each_asker_and_again_after_rotation(void **state)
{
    struct scene s = {0};
    struct stat st;
    char old[256];

    (void)state;
    begin(&s);
    scene_wait_ready(&s);
    name(&s, OPEN_ACCESS_LOG, "", "/access.log");
    assert_int_equal(scene_order(&s, ORDER_OPEN)->rc, 0);
    assert_int_equal(stat(in_dir(&s, "access.log"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(old, sizeof(old), "%s.1", in_dir(&s, "access.log"));
    assert_int_equal(rename(in_dir(&s, "access.log"), old), 0);
    kill(s.main, SIGUSR1);
    wait_until(s.stage->reopened == 2);
    assert_int_equal(scene_ask_router(&s)->n_fds, 1);
    assert_int_equal(access(in_dir(&s, "access.log"), F_OK), 0);
    scene_end(&s);
}

static void
what_is_saved_is_kept_by_the_rename_and_told_to_the_next_controller(void **state)
{
    struct scene s = {0};
    char dir[80];

    (void)state;
    scene_prepare(&s);
    snprintf(dir, sizeof(dir), "%s/state", s.dir);
    s.settings.state_dir = dir;
    scene_begin(&s);
    scene_wait_ready(&s);
    name(&s, OPEN_CONF, "", "");
    assert_int_equal(scene_order(&s, ORDER_SAVE)->rc, 0);
    assert_true(access(in_dir(&s, "state/conf.json"), F_OK) < 0);
    assert_int_equal(scene_order(&s, ORDER_KEEP)->rc, 0);
    assert_int_equal(access(in_dir(&s, "state/conf.json"), F_OK), 0);
    kill(scene_pid(&s, "controller"), SIGKILL);
    wait_until(s.stage->stored == 2);
    name(&s, OPEN_LISTENER, "", "");
    wait_until(scene_routers(&s) == 2);
    assert_int_equal(scene_order(&s, ORDER_SAVE)->rc, -EINVAL);
    scene_end(&s);
}

static void
the_control_socket_appears_ready_and_goes_with_main(void **state)
{
    struct scene s = {0};
    char address[96];
    struct stat st;

    (void)state;
    scene_prepare(&s);
    snprintf(address, sizeof(address), "unix:%s/run/control", s.dir);
    s.settings.control = address;
    s.settings.control_mode = 0640;
    scene_begin(&s);
    wait_until(scene_routers(&s) == 2);
    name(&s, OPEN_CONTROL, "", "");
    assert_int_equal(scene_order(&s, ORDER_OPEN)->n_fds, 1);
    scene_wait_ready(&s);
    assert_int_equal(stat(in_dir(&s, "run/control"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(dial(in_dir(&s, "run/control")), 0);
    assert_true(access(in_dir(&s, "run/control.tmp"), F_OK) < 0);

    /* A new controller gets the same one. */
    kill(scene_pid(&s, "controller"), SIGKILL);
    wait_until(s.stage->stored == 2 && scene_routers(&s) == 2);
    assert_int_equal(scene_order(&s, ORDER_OPEN)->n_fds, 1);
    kill(s.main, SIGTERM);
    assert_int_equal(scene_exit_code(&s), 0);
    assert_true(access(in_dir(&s, "run/control"), F_OK) < 0);
    scene_clear(&s);
}

static void
what_only_a_dead_controller_wanted_is_closed(void **state)
{
    struct scene s = {0};
    char address[96];

    (void)state;
    scene_prepare(&s);
    snprintf(address, sizeof(address), "unix:%s/control", s.dir);
    s.settings.control = address;
    scene_begin(&s);
    wait_until(scene_routers(&s) == 2);
    name(&s, OPEN_LISTENER, "unix:", "/old");
    assert_int_equal(scene_order(&s, ORDER_OPEN)->rc, 0);
    name(&s, OPEN_LISTENER, "unix:", "/both");
    assert_int_equal(scene_order(&s, ORDER_OPEN)->rc, 0);
    kill(scene_pid(&s, "controller"), SIGKILL);
    wait_until(s.stage->stored == 2 && scene_routers(&s) == 2);
    assert_int_equal(scene_order(&s, ORDER_OPEN)->rc, 0);
    assert_int_equal(access(in_dir(&s, "old"), F_OK), 0);
    name(&s, OPEN_CONTROL, "", "");
    assert_int_equal(scene_order(&s, ORDER_OPEN)->rc, 0);
    assert_true(access(in_dir(&s, "old"), F_OK) < 0);
    assert_int_equal(dial(in_dir(&s, "both")), 0);
    scene_end(&s);
}

static void
a_control_address_in_use_is_the_end_of_the_start(void **state)
{
    struct scene s = {0};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char address[96], text[2048];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    scene_prepare(&s);
    snprintf(address, sizeof(address), "unix:%s/control", s.dir);
    strcpy(addr.sun_path, in_dir(&s, "control"));
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    s.settings.control = address;
    scene_begin(&s);
    wait_until(scene_routers(&s) == 2);
    name(&s, OPEN_CONTROL, "", "");
    atomic_store(&s.stage->order, ORDER_OPEN);
    scene_word(&s, text, sizeof(text));
    assert_non_null(strstr(text, "another brood listens on"));
    assert_int_equal(scene_exit_code(&s), 1);
    assert_int_equal(access(in_dir(&s, "control"), F_OK), 0);
    close(fd);
    scene_clear(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(a_router_gets_what_the_controller_asked_for_and_nothing_else),
        scene_test(a_listener_outlives_routers_and_ends_with_close),
        scene_test(what_cannot_be_opened_is_said_by_name),
        scene_test(logs_are_opened_for_each_asker_and_again_after_rotation),
        scene_test(what_is_saved_is_kept_by_the_rename_and_told_to_the_next_controller),
        scene_test(the_control_socket_appears_ready_and_goes_with_main),
        scene_test(what_only_a_dead_controller_wanted_is_closed),
        scene_test(a_control_address_in_use_is_the_end_of_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
