/*
 * toys.c - the toy roles, and the test's view of their processes.
 */
#include "toys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/dispatch.h"
#include "ipc/spawn.h"
#include "ipc/status.h"
#include "main/main_role.h"
#include "process/launch.h"

#define LOOK_MS 2 /* how often toys look at the stage */

static struct stage *stage;
static struct timer look; /* of the toy that this process is */
static pid_t running;     /* main of the story under way, 0: none */

/* --- discovery --- */

static int
toy_discovery(struct task *task, struct process *p, struct br_err *err)
{
    int fd = fd_memfd_sealed("modules", "[]", 2);

    (void)p, (void)err;
    dispatch_tell(task->parent, MSG_MODULES, NULL, &fd, 1);
    return channel_flush(task->parent, 1000);
}

/* --- controller --- */

static struct task *me;

/* The line is dead; its place may be another's already. */
static void
forget(atomic_int *known, const struct channel *ch)
{
    int pid = channel_peer(ch)->pid;

    atomic_compare_exchange_strong(known, &pid, 0);
}

static void
fill_answer(struct answer *a, const struct message *m)
{
    *a = (struct answer){.type = m->type, .n_fds = m->n_fds};
    if (m->type == MSG_PROCESS_READY) {
        const struct msg_process *about = m->payload;

        a->launch = about->launch;
        a->instance = about->instance;
    } else if (m->type == MSG_PROCESS_FAILED) {
        const struct msg_failed *failed = m->payload;

        a->rc = failed->rc;
        a->launch = failed->process.launch;
        snprintf(a->text, sizeof(a->text), "%.1000s", failed->text);
    } else if (m->type == MSG_STATUS) {
        struct status_main head;

        if (pread(m->fds[0], &head, sizeof(head), 0) == sizeof(head))
            a->numbers = head.n_processes;
    } else {
        const struct msg_result *result = m->payload;

        a->rc = result->rc;
        snprintf(a->text, sizeof(a->text), "%s", result->text);
    }
}

static void
on_answer(struct task *task, void *arg, struct message *m, int rc)
{
    (void)task, (void)arg;
    if (m != NULL)
        fill_answer(&stage->answer, m);
    else
        stage->answer = (struct answer){.rc = rc};
    atomic_store(&stage->answer.here, 1);
}

static void
ask(enum msg_type type, const void *payload, int *fds, unsigned n_fds)
{
    dispatch_ask(me->parent, type, payload, fds, n_fds, 10000, on_answer, NULL);
}

static int
toy_card(void)
{
    struct buf b;
    int fd = -1;

    launch_begin(&b);
    launch_put(&b, "name", SLICE("toy"));
    launch_put(&b, "what", slice_cstr(stage->what));
    launch_end(&b, &fd);
    return fd;
}

static void
obey(enum order order)
{
    struct msg_launch launch = {.launch = stage->launch};
    int fd;

    switch (order) {
    case ORDER_NONE:
        break;
    case ORDER_START:
        fd = toy_card();
        ask(MSG_PROCESS_START, &launch, &fd, 1);
        break;
    case ORDER_STOP:
        dispatch_tell(me->parent, MSG_PROCESS_STOP, &launch, NULL, 0);
        break;
    case ORDER_OPEN:
        ask(MSG_OPEN, &stage->open, NULL, 0);
        break;
    case ORDER_CLOSE:
        dispatch_tell(me->parent, MSG_CLOSE, &stage->open, NULL, 0);
        break;
    case ORDER_SAVE:
        fd = fd_memfd_sealed("conf", "{}", 2);
        ask(MSG_SAVE, &stage->open, &fd, 1);
        break;
    case ORDER_KEEP:
        ask(MSG_KEEP, &stage->open, NULL, 0);
        break;
    case ORDER_STATUS:
        ask(MSG_STATUS_ASK, NULL, NULL, 0);
        break;
    }
}

static void
controller_look(struct timer *t)
{
    obey((enum order)atomic_exchange(&stage->order, ORDER_NONE));
    loop_timer(me->loop, t, LOOK_MS);
}

static void
controller_news(struct task *task, struct channel *ch, struct message *m)
{
    (void)task, (void)ch;
    if (m->type == MSG_PROCESS_READY)
        atomic_fetch_add(&stage->news_ready, 1);
    else if (m->type == MSG_PROCESS_GONE)
        atomic_fetch_add(&stage->gone, 1);
    else if (m->type == MSG_CONF_STORED)
        atomic_fetch_add(&stage->stored, 1);
}

static void
controller_peer(struct task *task, struct channel *ch)
{
    (void)task;
    if (channel_peer(ch)->role == ROLE_ROUTER)
        atomic_store(&stage->routers[channel_peer(ch)->index], channel_peer(ch)->pid);
}

static void
controller_peer_gone(struct task *task, struct channel *ch)
{
    (void)task;
    if (channel_peer(ch)->role == ROLE_ROUTER)
        forget(&stage->routers[channel_peer(ch)->index], ch);
}

static int
toy_controller(struct task *task, struct process *p, struct br_err *err)
{
    (void)p;
    if (atomic_load(&stage->controller_fails))
        return br_fail(err, -EBADMSG, "the toy controller does not like it here");
    me = task;
    for (unsigned i = 0; i < TOY_ROUTERS; i++)
        atomic_store(&stage->routers[i], 0);
    atomic_store(&stage->controller, getpid());
    timer_init(&look, controller_look);
    loop_timer(task->loop, &look, 0);
    return 0;
}

static int
toy_start(struct task *task, void *data)
{
    (void)data;
    return loop_run(task->loop) < 0;
}

/* --- router --- */

static struct timer leave_timer;

static void
router_leave(struct timer *t)
{
    (void)t;
    atomic_store(&stage->router_left, atomic_fetch_add(&stage->ticket, 1) + 1);
    loop_stop(me->loop);
}

static void
router_drain(struct task *task, struct channel *ch, struct message *m)
{
    (void)ch, (void)m;
    timer_init(&leave_timer, router_leave);
    loop_timer(task->loop, &leave_timer, atomic_load(&stage->drain_ms));
}

static void
router_reopen(struct task *task, struct channel *ch, struct message *m)
{
    (void)task, (void)ch, (void)m;
    atomic_fetch_add(&stage->reopened, 1);
}

static void
router_news(struct task *task, struct channel *ch, struct message *m)
{
    (void)ch;
    if (task->index == 0 && m->type == MSG_PROCESS_FAILED)
        atomic_fetch_add(&stage->news_failed, 1);
}

static void
router_peer(struct task *task, struct channel *ch)
{
    if (task->index == 0 && channel_peer(ch)->role == ROLE_PROTOTYPE)
        atomic_store(&stage->prototype, channel_peer(ch)->pid);
}

static void
router_peer_gone(struct task *task, struct channel *ch)
{
    if (task->index == 0 && channel_peer(ch)->role == ROLE_PROTOTYPE)
        forget(&stage->prototype, ch);
}

static void
router_look(struct timer *t)
{
    if (me->index == 0 && atomic_exchange(&stage->ask_router, 0))
        ask(MSG_OPEN, &stage->open, NULL, 0);
    loop_timer(me->loop, t, LOOK_MS);
}

static int
toy_router(struct task *task, struct process *p, struct br_err *err)
{
    char name[16];

    atomic_fetch_add(&stage->starts, 1);
    if (atomic_load(&stage->router_dies))
        _exit(3);
    snprintf(name, sizeof(name), "wake%u", task->index);
    if (process_kept(p, name) < 0)
        return br_fail(err, -EBADMSG, "no eventfd of my own");
    if (task->index == 0) {
        atomic_store(&stage->prototype, 0);
        atomic_store(&stage->router, getpid());
    }
    me = task;
    timer_init(&look, router_look);
    loop_timer(task->loop, &look, 0);
    return 0;
}

/* --- prototype --- */

static int
toy_prefork(struct task *task, struct process *p, struct br_err *err)
{
    int fd = fd_memfd("toy-nest", 4096);

    (void)task, (void)err;
    return fd < 0 ? fd : process_keep(p, "nest", fd);
}

static void
toy_introduce(struct task *task, struct process *p, struct channel *peer)
{
    (void)task;
    if (channel_peer(peer)->role == ROLE_ROUTER && process_kept(p, "nest") >= 0)
        atomic_fetch_add(&stage->introduced, 1);
}

static void
prototype_leave(struct task *task, struct channel *ch, struct message *m)
{
    (void)ch, (void)m;
    if (atomic_load(&stage->deaf))
        return;
    atomic_store(&stage->prototype_left, atomic_fetch_add(&stage->ticket, 1) + 1);
    loop_stop(task->loop);
}

static int
toy_prototype(struct task *task, struct process *p, struct br_err *err)
{
    const char *what = launch_get(p->card, "what", "");
    struct launch *again = NULL;
    int rc = spawn_wait_go(task, err);

    if (rc == 0)
        rc = launch_read(process_kept(p, "card"), &again, err);
    launch_free(again);
    if (rc < 0)
        return rc;
    atomic_store(&stage->last_instance, (int)task->instance);
    if (strcmp(what, "fail") == 0)
        return br_fail(err, -EBADMSG, "no module named toy");
    if (strcmp(what, "exit") == 0)
        _exit(3);
    if (strcmp(what, "crash") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(what, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(what, "once") == 0 && task->instance > 1)
        return br_fail(err, -EBADMSG, "not a second time");
    return 0;
}

/* --- the table --- */

static const struct msg_handler controller_messages[] = {
    {MSG_PROCESS_READY, controller_news},
    {MSG_PROCESS_GONE, controller_news},
    {MSG_CONF_STORED, controller_news},
    {0},
};

static const struct msg_handler router_messages[] = {
    {MSG_DRAIN, router_drain},
    {MSG_LOG_REOPEN, router_reopen},
    {MSG_PROCESS_FAILED, router_news},
    {0},
};

static const struct msg_handler prototype_messages[] = {
    {MSG_DRAIN, prototype_leave},
    {MSG_STOP, prototype_leave},
    {0},
};

static const struct br_role toy_roles[ROLES] = {
    [ROLE_MAIN] = {.id = ROLE_MAIN, .name = "main", .on_message = main_messages},
    [ROLE_DISCOVERY] = {.id = ROLE_DISCOVERY, .name = "discovery", .setup = toy_discovery},
    [ROLE_CONTROLLER] =
        {
            .id = ROLE_CONTROLLER,
            .name = "controller",
            .respawn = RESPAWN_ALWAYS,
            .leaves = 3,
            .setup = toy_controller,
            .start = toy_start,
            .on_message = controller_messages,
            .on_peer = controller_peer,
            .on_peer_gone = controller_peer_gone,
        },
    [ROLE_ROUTER] =
        {
            .id = ROLE_ROUTER,
            .name = "router",
            .respawn = RESPAWN_ALWAYS,
            .numbered = true,
            .wakes = WAKES_OWN,
            .leaves = 1,
            .setup = toy_router,
            .start = toy_start,
            .on_message = router_messages,
            .on_peer = router_peer,
            .on_peer_gone = router_peer_gone,
        },
    [ROLE_PROTOTYPE] =
        {
            .id = ROLE_PROTOTYPE,
            .name = "prototype",
            .user = USER_CARD,
            .respawn = RESPAWN_ALWAYS,
            .outside_work = true,
            .wakes = WAKES_ALL,
            .leaves = 2,
            .prefork = toy_prefork,
            .introduce = toy_introduce,
            .setup = toy_prototype,
            .start = toy_start,
            .on_message = prototype_messages,
        },
};

static const struct br_role *const toys[ROLES] = {
    &toy_roles[ROLE_MAIN],   &toy_roles[ROLE_DISCOVERY], &toy_roles[ROLE_CONTROLLER],
    &toy_roles[ROLE_ROUTER], &toy_roles[ROLE_PROTOTYPE], NULL,
};

/* --- the test's side --- */

int64_t
stage_now_ms(void)
{
    return clock_us() / 1000;
}

void
stage_nap(void)
{
    usleep(1000);
}

void
scene_prepare(struct scene *s)
{
    s->stage =
        mmap(NULL, sizeof(*s->stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s->stage != MAP_FAILED);
    strcpy(s->dir, "/tmp/brood-main-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
}

void
scene_begin(struct scene *s)
{
    int ends[2];

    if (s->stage == NULL)
        scene_prepare(s);
    stage = s->stage;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    s->settings.ready_fd = ends[1];
    if (s->settings.routers == 0)
        s->settings.routers = TOY_ROUTERS;
    if (s->settings.grace_ms == 0)
        s->settings.grace_ms = 10000;
    fflush(NULL);
    s->main = fork();
    assert_true(s->main >= 0);
    if (s->main == 0) {
        close(ends[0]);
        log_after_fork();
        if (getenv("BROOD_TEST_LOG") == NULL)
            log_set_level(LOG_ALERT);
        exit(main_run(&s->settings, toys, NULL)); /* and be looked at for leaks */
    }
    close(ends[1]);
    s->ready = ends[0];
    running = s->main;
}

void
scene_wait_ready(struct scene *s)
{
    char word = 0;

    assert_int_equal(read(s->ready, &word, 1), 1);
    assert_int_equal(word, '\n');
}

void
scene_word(struct scene *s, char *ret_text, size_t room)
{
    size_t n = 0;
    ssize_t got;

    while (n < room - 1 && (got = read(s->ready, ret_text + n, room - 1 - n)) > 0)
        n += (size_t)got;
    ret_text[n] = '\0';
}

int
scene_exit_code(struct scene *s)
{
    int status;

    assert_int_equal(waitpid(s->main, &status, 0), s->main);
    s->main = 0;
    running = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void
scene_end(struct scene *s)
{
    kill(s->main, SIGTERM);
    assert_int_equal(scene_exit_code(s), 0);
    scene_clear(s);
}

void
scene_clear(struct scene *s)
{
    char path[128];

    if (s->main > 0) {
        kill(s->main, SIGKILL);
        waitpid(s->main, NULL, 0);
    }
    close(s->ready);
    snprintf(path, sizeof(path), "rm -rf %s", s->dir);
    assert_int_equal(system(path), 0);
    munmap(s->stage, sizeof(*s->stage));
    *s = (struct scene){0};
    running = 0;
}

int
scene_abandon(void **state)
{
    (void)state;
    if (running != 0) {
        kill(running, SIGKILL);
        waitpid(running, NULL, 0);
    }
    running = 0;
    return 0;
}

static pid_t
parent_of(pid_t pid)
{
    char path[64];
    char *text, *p;
    size_t n;
    int ppid = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (fd_read_path(path, 65536, &text, &n) < 0)
        return 0;
    p = strrchr(text, ')');
    if (p == NULL || sscanf(p + 1, " %*c %d", &ppid) != 1 || strncmp(p + 1, " Z", 2) == 0)
        ppid = 0;
    free(text);
    return ppid;
}

static bool
has_title(pid_t pid, const char *title)
{
    char path[64], wanted[128];
    char *text;
    size_t n;
    bool same;

    if (title == NULL)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    snprintf(wanted, sizeof(wanted), "brood: %s", title);
    if (fd_read_path(path, 65536, &text, &n) < 0)
        return false;
    same = strcmp(text, wanted) == 0;
    free(text);
    return same;
}

static unsigned
children(const struct scene *s, const char *title, pid_t *ret_last)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    unsigned n = 0;

    assert_non_null(proc);
    while ((e = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)atoi(e->d_name);

        if (pid <= 0 || parent_of(pid) != s->main || !has_title(pid, title))
            continue;
        *ret_last = pid;
        n++;
    }
    closedir(proc);
    return n;
}

pid_t
scene_pid(const struct scene *s, const char *title)
{
    pid_t pid = 0;

    children(s, title, &pid);
    return pid;
}

unsigned
scene_children(const struct scene *s)
{
    pid_t pid;

    return children(s, NULL, &pid);
}

bool
scene_is_child(const struct scene *s, pid_t pid)
{
    return pid > 0 && parent_of(pid) == s->main;
}

unsigned
scene_routers(const struct scene *s)
{
    unsigned n = 0;

    if (!scene_is_child(s, atomic_load(&s->stage->controller)))
        return 0;
    for (unsigned i = 0; i < TOY_ROUTERS; i++)
        n += scene_is_child(s, atomic_load(&s->stage->routers[i]));
    return n;
}

bool
scene_prototype(const struct scene *s)
{
    return scene_is_child(s, atomic_load(&s->stage->router)) &&
           scene_is_child(s, atomic_load(&s->stage->prototype));
}

int
scene_fds(const struct scene *s)
{
    char path[64];
    struct dirent *e;
    DIR *dir;
    int n = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)s->main);
    dir = opendir(path);
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL)
        n++;
    closedir(dir);
    return n;
}

const struct answer *
scene_order(struct scene *s, enum order order)
{
    atomic_store(&s->stage->answer.here, 0);
    atomic_store(&s->stage->order, (int)order);
    wait_until(atomic_load(&s->stage->order) == ORDER_NONE);
    if (order != ORDER_STOP && order != ORDER_CLOSE)
        wait_until(atomic_load(&s->stage->answer.here));
    return &s->stage->answer;
}

const struct answer *
scene_start(struct scene *s, uint32_t launch, const char *what)
{
    s->stage->launch = launch;
    snprintf(s->stage->what, sizeof(s->stage->what), "%s", what);
    return scene_order(s, ORDER_START);
}

const struct answer *
scene_ask_router(struct scene *s)
{
    atomic_store(&s->stage->answer.here, 0);
    atomic_store(&s->stage->ask_router, 1);
    wait_until(atomic_load(&s->stage->answer.here));
    return &s->stage->answer;
}
