/*
 * spawn_test.c - what a child is born with: rights, descriptors, signals, title; and how its parent
 * hears of its end.
 *
 * Each child looks at itself and says what is wrong by PROCESS_FAILED, which the test expects not
 * to come.
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
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

struct heard {
    bool ready;
    bool dead;
    int status;
    enum proc_state was;
    char text[512];
};

static struct heard heard;

static void
on_ready(struct task *task, struct channel *ch, struct message *m)
{
    (void)task, (void)ch, (void)m;
    heard.ready = true;
}

static void
on_failed(struct task *task, struct channel *ch, struct message *m)
{
    const struct msg_failed *failed = m->payload;

    (void)task, (void)ch;
    snprintf(heard.text, sizeof(heard.text), "%.500s", failed->text);
}

static void
on_created(struct task *task, struct channel *ch, struct message *m)
{
    (void)task;
    dispatch_reply(ch, m, MSG_PROCESS_GO, NULL, NULL, 0);
}

static const struct msg_handler main_messages[] = {
    {MSG_PROCESS_READY, on_ready},
    {MSG_PROCESS_FAILED, on_failed},
    {MSG_PROCESS_CREATED, on_created},
    {0},
};
static const struct br_role main_role = {.id = ROLE_MAIN, .on_message = main_messages};

static void
on_death(struct task *task, struct process *p, int status)
{
    heard.dead = true;
    heard.status = status;
    heard.was = p->life.was;
    assert_null(p->channel);
    roster_free(p->roster, p);
    loop_stop(task->loop);
}

static const struct spawn_how how = {.on_death = on_death};

struct nursery {
    struct task task;
    struct settings settings;
    struct roster roster;
    int fds_before;
};

static int
setup(void **state)
{
    static struct nursery n;

    heard = (struct heard){0};
    clock_update();
    n = (struct nursery){.task = {.role = &main_role}, .settings = {.ready_fd = -1}};
    n.task.settings = &n.settings;
    n.task.loop = loop_new();
    n.task.dispatch = dispatch_new(&n.task);
    roster_init(&n.roster);
    n.fds_before = fd_count();
    *state = &n;
    return 0;
}

static int
teardown(void **state)
{
    struct nursery *n = *state;
    int fds = fd_count();

    dispatch_free(n->task.dispatch);
    loop_free(n->task.loop);
    return fds == n->fds_before ? 0 : -1;
}

/* One child from birth to death. */
static void
live(struct nursery *n, struct process *p)
{
    struct br_err err = BR_ERR_NONE;

    assert_int_equal(spawn(&n->task, p, &how, &err), 0);
    assert_int_equal(p->life.state, PROC_FORKED);
    assert_non_null(p->channel);
    loop_run(n->task.loop);
    assert_true(heard.dead);
}

static void
no_complaint(void)
{
    if (heard.text[0] != '\0')
        fail_msg("%s", heard.text);
    assert_true(heard.ready);
    assert_int_equal(heard.status, 0);
}

/* --- a core role: nothing of the parent's is left --- */

static int extra_fd;

static int
complain(struct br_err *err, const char *what)
{
    return br_fail(err, -EBADMSG, "%s", what);
}

static int
core_setup(struct task *task, struct process *p, struct br_err *err)
{
    struct sigaction sa;
    sigset_t mask;
    int signal_now = 0;
    char *title;
    size_t size;

    if (fcntl(extra_fd, F_GETFD) >= 0)
        return complain(err, "a descriptor of the parent is open");
    if (process_kept(p, "nest") < 0 || fcntl(process_kept(p, "nest"), F_GETFD) < 0)
        return complain(err, "a kept descriptor is not");
    sigaction(SIGUSR1, NULL, &sa);
    if (sa.sa_handler != SIG_DFL)
        return complain(err, "a handler of the parent is left");
    sigaction(SIGPIPE, NULL, &sa);
    if (sa.sa_handler != SIG_IGN)
        return complain(err, "SIGPIPE would end it");
    sigprocmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGTERM))
        return complain(err, "a signal is blocked");
    prctl(PR_GET_PDEATHSIG, &signal_now);
    if (signal_now != SIGKILL)
        return complain(err, "it would outlive its parent");
    if (getsid(0) != getpid())
        return complain(err, "it is in the parent's session");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0)
        return complain(err, "it is not confined");
    if (task->settings->creds != NULL && geteuid() != task->settings->creds->uid)
        return complain(err, "it is the wrong user");
    if (fd_read_path("/proc/self/cmdline", 65536, &title, &size) < 0 ||
        strcmp(title, "brood: thing") != 0)
        return complain(err, "its title is wrong");
    free(title);
    return 0;
}

static void
handler(int sig)
{
    (void)sig;
}

static void
a_core_role_is_born_with_what_it_was_given_only(void **state)
{
    struct nursery *n = *state;
    static const struct br_role role = {.id = ROLE_ROUTER,
                                        .name = "router",
                                        .title = "thing",
                                        .user = USER_BROOD,
                                        .confined = true,
                                        .setup = core_setup};
    struct process *p = roster_new(&n->roster, &role);
    static struct creds creds;
    sigset_t blocked, old;

    extra_fd = open("/dev/null", O_RDONLY);
    assert_int_equal(process_keep(p, "nest", open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
    if (creds_privileged() && creds_resolve("nobody", NULL, &creds, NULL) == 0)
        n->settings.creds = &creds;
    signal(SIGUSR1, handler);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    live(n, p);
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGUSR1, SIG_DFL);
    fd_close(&extra_fd);
    no_complaint();
}

/* --- a fork of an application --- */

static int
foreign_setup(struct task *task, struct process *p, struct br_err *err)
{
    struct process *other;

    (void)task;
    if (fcntl(extra_fd, F_GETFD) < 0)
        return complain(err, "a descriptor of the application was closed");
    list_foreach (other, &p->roster->all, link)
        if (other != p && other->n_keep > 0)
            return complain(err, "what a sibling keeps is open");
    if (process_kept(p, "nest") < 0)
        return complain(err, "a kept descriptor is not");
    return 0;
}

static void
a_worker_keeps_what_is_not_ours(void **state)
{
    struct nursery *n = *state;
    static const struct br_role role = {.id = ROLE_ROUTER,
                                        .name = "router",
                                        .user = USER_CARD,
                                        .keep_foreign = true,
                                        .setup = foreign_setup};
    struct process *sibling = roster_new(&n->roster, &role);
    struct process *p = roster_new(&n->roster, &role);

    extra_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(process_keep(p, "nest", open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
    assert_int_equal(process_keep(sibling, "nest", open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
    live(n, p);
    fd_close(&extra_fd);
    roster_free(&n->roster, sibling);
    no_complaint();
}

/* --- ends --- */

static int
failing_setup(struct task *task, struct process *p, struct br_err *err)
{
    (void)task, (void)p;
    return br_fail(err, -ENOENT, "no such thing");
}

static void
a_failing_setup_is_heard_before_the_death(void **state)
{
    struct nursery *n = *state;
    static const struct br_role role = {
        .id = ROLE_ROUTER, .name = "router", .setup = failing_setup};

    live(n, roster_new(&n->roster, &role));
    assert_string_equal(heard.text, "no such thing: No such file or directory");
    assert_false(heard.ready);
    assert_int_equal(WEXITSTATUS(heard.status), 1);
    assert_int_equal(heard.was, PROC_FORKED);
}

static int
going_setup(struct task *task, struct process *p, struct br_err *err)
{
    (void)p;
    return spawn_wait_go(task, err);
}

static int
exit_7(struct task *task, void *data)
{
    (void)task, (void)data;
    return 7;
}

static void
the_outside_work_is_waited_for(void **state)
{
    struct nursery *n = *state;
    static const struct br_role role = {
        .id = ROLE_ROUTER, .name = "router", .setup = going_setup, .start = exit_7};

    live(n, roster_new(&n->roster, &role));
    assert_true(heard.ready);
    assert_int_equal(WEXITSTATUS(heard.status), 7);
}

static pid_t
no_fork(void *arg)
{
    (void)arg;
    errno = EAGAIN;
    return -1;
}

static int
no_prefork(struct task *task, struct process *p, struct br_err *err)
{
    (void)task, (void)p;
    return br_fail(err, -EMFILE, "no nest");
}

static void
what_cannot_be_born_leaves_nothing(void **state)
{
    struct nursery *n = *state;
    static const struct br_role role = {.id = ROLE_ROUTER, .name = "router"};
    static const struct br_role poor = {.id = ROLE_ROUTER, .name = "router", .prefork = no_prefork};
    static const struct spawn_how never = {.fork = no_fork};
    struct process *p = roster_new(&n->roster, &role);
    struct br_err err = BR_ERR_NONE;

    assert_int_equal(spawn(&n->task, p, &never, &err), -EAGAIN);
    assert_non_null(strstr(err.text, "cannot fork"));
    assert_int_equal(p->life.state, PROC_REQUESTED);
    assert_null(p->channel);
    p->role = &poor;
    err = BR_ERR_NONE;
    assert_int_equal(spawn(&n->task, p, &how, &err), -EMFILE);
    roster_free(&n->roster, p);
}

static int
wait_for_ever(struct task *task, void *data)
{
    (void)data;
    return loop_run(task->loop) < 0;
}

static int
tell_pid_and_wait(struct task *task, void *data)
{
    static const struct br_role role = {
        .id = ROLE_ROUTER, .name = "router", .start = wait_for_ever};
    struct roster roster;
    struct process *p;

    (void)data;
    roster_init(&roster);
    p = roster_new(&roster, &role);
    if (spawn(task, p, NULL, NULL) < 0 || write(extra_fd, &p->pid, sizeof(p->pid)) < 0)
        return 1;
    return loop_run(task->loop) < 0;
}

static void
a_grandchild_ends_with_its_parent(void **state)
{
    struct nursery *n = *state;
    static const struct br_role role = {
        .id = ROLE_ROUTER, .name = "router", .keep_foreign = true, .start = tell_pid_and_wait};
    struct process *p = roster_new(&n->roster, &role);
    pid_t grandchild = 0;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    extra_fd = ends[1];
    assert_int_equal(spawn(&n->task, p, &how, NULL), 0);
    assert_int_equal(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    kill(p->pid, SIGKILL);
    loop_run(n->task.loop);
    assert_int_equal(WTERMSIG(heard.status), SIGKILL);
    for (int i = 0; i < 5000 && kill(grandchild, 0) == 0; i++)
        usleep(1000);
    assert_true(kill(grandchild, 0) < 0 && errno == ESRCH);
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_core_role_is_born_with_what_it_was_given_only),
        T(a_worker_keeps_what_is_not_ours),
        T(a_failing_setup_is_heard_before_the_death),
        T(the_outside_work_is_waited_for),
        T(what_cannot_be_born_leaves_nothing),
        T(a_grandchild_ends_with_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
