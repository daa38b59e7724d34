/*
 * heritage_test.c - a child executes this very program and finds itself again.
 */
#include "ipc/spawn.h"

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
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

static bool ready, dead;
static char complaint[512];
static struct msg_process said;

static void
on_ready(struct task *task, struct channel *ch, struct message *m)
{
    (void)task, (void)ch;
    ready = true;
    said = *(struct msg_process *)m->payload;
}

static void
on_failed(struct task *task, struct channel *ch, struct message *m)
{
    (void)task, (void)ch;
    snprintf(complaint, sizeof(complaint), "%.500s", ((struct msg_failed *)m->payload)->text);
}

static const struct msg_handler main_messages[] = {
    {MSG_PROCESS_READY, on_ready}, {MSG_PROCESS_FAILED, on_failed}, {0}};
static const struct br_role main_role = {.id = ROLE_MAIN, .on_message = main_messages};

static int
become_another(struct task *task, struct process *p, struct br_err *err)
{
    char text[4096];
    char variable[4200];
    char name[] = "heritage_test";
    char *argv[] = {name, NULL};
    char *env[] = {variable, NULL};
    int rc = spawn_heritage(task, p, text, sizeof(text));

    if (rc < 0)
        return br_fail(err, rc, "heritage");
    if (spawn_heritage(task, p, text, 20) != -ENOSPC)
        return br_fail(err, -EBADMSG, "a short room is not noticed");
    spawn_heritage(task, p, text, sizeof(text));
    snprintf(variable, sizeof(variable), "BROOD_HERITAGE=%s", text);
    execve("/proc/self/exe", argv, env);
    return br_fail(err, -errno, "exec");
}

static const struct br_role prototype = {
    .id = ROLE_PROTOTYPE, .name = "prototype", .user = USER_CARD, .setup = become_another};

static void
on_death(struct task *task, struct process *p, int status)
{
    (void)status;
    dead = true;
    roster_free(p->roster, p);
    loop_stop(task->loop);
}

static int
card(void)
{
    struct buf b;
    int fd = -1;

    launch_begin(&b);
    launch_put(&b, "name", SLICE("blog"));
    launch_end(&b, &fd);
    return fd;
}

static void
a_process_is_itself_again_after_exec(void **state)
{
    static const struct spawn_how how = {.on_death = on_death};
    struct settings settings = {
        .ready_fd = -1, .routers = 3, .grace_ms = 1234, .tmp_dir = "/tmp/a;b=c"};
    struct task task = {.role = &main_role, .settings = &settings};
    struct roster roster;
    struct process *p;
    struct br_err err = BR_ERR_NONE;

    (void)state;
    clock_update();
    roster_init(&roster);
    task.loop = loop_new();
    task.dispatch = dispatch_new(&task);
    log_to_fd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    p = roster_new(&roster, &prototype);
    p->launch = 9;
    p->instance = 2;
    process_keep(p, "card", card());
    process_keep(p, "bell", eventfd(5, EFD_CLOEXEC));
    assert_int_equal(spawn(&task, p, &how, &err), 0);
    while (!dead)
        loop_once(task.loop, 1000);
    if (complaint[0] != '\0')
        fail_msg("%s", complaint);
    assert_true(ready);
    assert_int_equal(said.launch, 9);
    assert_int_equal(said.instance, 2);
    dispatch_free(task.dispatch);
    loop_free(task.loop);
}

static void
what_is_no_heritage_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "v=2",
        "v=3;role=4;index=0;launch=3;instance=1;parent=0:1:0;log=2:3;routers=1;grace=1;filters=0;"
        "keep=;tmp=/",
        "v=2;role=3;index=0;launch=3;instance=1;parent=0:1:0;log=2:3;routers=1;grace=1;filters=0;"
        "keep=;tmp=/",
        "v=2;role=4;index=x;launch=3;instance=1;parent=0:1:0;log=2:3;routers=1;grace=1;filters=0;"
        "keep=;tmp=/",
        "v=2;role=4;index=0;launch=3;instance=1;parent=0:1;log=2:3;routers=1;grace=1;filters=0;"
        "keep=;tmp=/",
        "v=2;role=4;index=0;launch=3;instance=1;parent=0:1:998;log=2:3;routers=1;grace=1;filters=0;"
        "keep=;tmp="
        "/",
        "v=2;role=4;index=0;launch=3;instance=1;parent=0:1:0;log=2:3;routers=1;grace=1;filters=0;"
        "keep=bell;"
        "tmp=/",
        "v=2;role=4;index=0;launch=3;instance=1;parent=0:1:0;log=2:3;routers=1;grace=1;filters=0;"
        "keep=bell:"
        "999,;tmp=/",
        "v=2;role=4;index=0;launch=3;instance=1;parent=0:1:0;log=2:3;routers=1;grace=1;filters=0;"
        "keep=",
    };

    (void)state;
    for (size_t i = 0; i < array_len(texts); i++) {
        struct task task;
        struct process self;
        struct br_err err = BR_ERR_NONE;

        if (spawn_inherit(texts[i], &prototype, &task, &self, &err) >= 0)
            fail_msg("taken for a heritage: %s", texts[i]);
        assert_true(err.text[0] != '\0');
    }
}

/* --- the other program --- */

static int
look(struct task *task, struct process *self, struct br_err *err)
{
    uint64_t value = 0;
    char *title;
    size_t n;

    if (read(process_kept(self, "bell"), &value, sizeof(value)) < 0 || value != 5)
        return br_fail(err, -EBADMSG, "the bell is another");
    if (!(fcntl(process_kept(self, "bell"), F_GETFD) & FD_CLOEXEC))
        return br_fail(err, -EBADMSG, "the bell would be inherited once more");
    if (self->card == NULL || strcmp(launch_get(self->card, "name", ""), "blog") != 0)
        return br_fail(err, -EBADMSG, "the card is another");
    if (task->settings->routers != 3 || task->settings->grace_ms != 1234 ||
        strcmp(task->settings->tmp_dir, "/tmp/a;b=c") != 0)
        return br_fail(err, -EBADMSG, "the settings are others");
    if (fd_read_path("/proc/self/cmdline", 65536, &title, &n) < 0 ||
        strcmp(title, "brood: \"blog\" prototype") != 0)
        return br_fail(err, -EBADMSG, "the title is another");
    free(title);
    return 0;
}

static int
other_program(const char *heritage)
{
    struct br_err err = BR_ERR_NONE;
    struct process self;
    struct task task;

    if (spawn_inherit(heritage, &prototype, &task, &self, &err) < 0)
        return 1;
    if (look(&task, &self, &err) < 0)
        spawn_tell_failed(&task, &err);
    else
        spawn_tell_ready(&task);
    _exit(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_itself_again_after_exec),
        cmocka_unit_test(what_is_no_heritage_is_refused),
    };
    const char *heritage = getenv("BROOD_HERITAGE");

    if (heritage != NULL)
        return other_program(heritage);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
