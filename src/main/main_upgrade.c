/*
 * main_upgrade.c - the next binary, and who serves meanwhile.
 *
 *   USR2 --> controller drains (nobody changes anything from here on)
 *        --> exec of the program's path with our arguments and our sockets (main_estate.c)
 *        --> it starts all it needs beside us, applies the configuration and proves itself
 *            (main_heir.c)
 *              |- newline in the pipe: it is main now; we drain and leave, nothing is unlinked
 *              `- anything else, death, or UPGRADE_MS: it is killed, our controller starts again
 *                 and goes on from what runs, as after any death; the reason is in /status
 *
 * Our routers serve through all of it, and the next main's do not accept before its proof, so a
 * binary that is broken in whatever way meets no client.
 */
#include "main/main_upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/messages.h"
#include "main/main_estate.h"
#include "main/main_lines.h"
#include "main/main_manager.h"
#include "main/main_open.h"
#include "main/main_quit.h"
#include "main/main_spawn.h"
#include "process/activation.h"
#include "process/notify.h"
#include "process/pidfile.h"
#include "process/program.h"

#define UPGRADE_MS 60000

static struct main *
main_of_upgrade(struct upgrade *u)
{
    return container_of(u, struct main, upgrade);
}

/* Who decides what is open and what runs: it waits until we know who is main. */
static struct process *
decider(struct main *m)
{
    struct process *p;

    list_foreach (p, &m->children.all, link)
        if (message_may(MSG_PROCESS_START, p->role->id, ROLE_MAIN))
            return p;
    return NULL;
}

static bool
under_way(const struct upgrade *u)
{
    return u->state == UPGRADE_PAUSING || u->state == UPGRADE_PROVING;
}

static void
forget_child(struct upgrade *u)
{
    struct loop *loop = main_of_upgrade(u)->task.loop;

    loop_timer_cancel(loop, &u->timer);
    loop_del(loop, &u->word);
    fd_close(&u->word_fd);
    loop_child_forget(&u->child);
}

static void start_routers(struct main *m);

/* We stay main: its reason is told, and our controller goes on. */
static void br_printf(2, 3) fail(struct upgrade *u, const char *fmt, ...)
{
    struct main *m = main_of_upgrade(u);
    struct process *p = decider(m);
    va_list args;

    va_start(args, fmt);
    vsnprintf(u->reason, sizeof(u->reason), fmt, args);
    va_end(args);
    br_log(LOG_ALERT, "the upgrade failed, brood serves on: %s", u->reason);
    main_manager_serves_on(m, u->reason);
    forget_child(u);
    u->state = UPGRADE_FAILED;
    if (m->task.settings->pid_fd >= 0)
        pidfile_claim(m->task.settings->pid_fd); /* it may have died right behind its proof */
    if (u->wound_down)
        start_routers(m);
    if (p != NULL && p->life.state == PROC_REQUESTED)
        main_start_held(m, p);
}

static void
succeed(struct upgrade *u)
{
    struct main *m = main_of_upgrade(u);

    INJECT(main, upgrade_proved);
    br_log(LOG_NOTICE, "process %d is main now: draining", (int)u->pid);
    main_manager_hand_over(m, u->pid);
    forget_child(u);
    u->state = UPGRADE_DONE;
    m->owns_paths = false;
    main_drain(m);
}

/* --- what the next main says, and how it ends --- */

/* All that is in the pipe by now; true: it has proved itself. */
static bool
read_word(struct upgrade *u)
{
    ssize_t n;

    while (u->n < sizeof(u->said) - 1) {
        n = read(u->word_fd, u->said + u->n, sizeof(u->said) - 1 - u->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        u->n += (size_t)n;
    }
    u->said[u->n] = '\0';
    return u->said[0] == '\n';
}

static void
on_word(struct watch *w, uint32_t events)
{
    struct upgrade *u = container_of(w, struct upgrade, word);

    if (read_word(u))
        succeed(u);
    else if (events & (EPOLLHUP | EPOLLERR))
        loop_del(main_of_upgrade(u)->task.loop, &u->word); /* its end follows */
}

static void
on_end(struct child *c, int status)
{
    struct upgrade *u = container_of(c, struct upgrade, child);

    if (read_word(u))
        fail(u, "process %d ended right after it was ready", (int)u->pid);
    else if (u->n > 0)
        fail(u, "%s", u->said);
    else if (WIFSIGNALED(status))
        fail(u, "process %d was killed by signal %d (SIG%s) before it was ready", (int)u->pid,
             WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
    else
        fail(u, "process %d exited with code %d before it was ready, see the log", (int)u->pid,
             WEXITSTATUS(status));
}

static void
kill_child(struct upgrade *u)
{
    if (u->child.pidfd >= 0)
        syscall(SYS_pidfd_send_signal, u->child.pidfd, SIGKILL, NULL, 0);
}

static void
on_timeout(struct timer *t)
{
    struct upgrade *u = container_of(t, struct upgrade, timer);

    if (u->n == 0)
        u->n = (size_t)snprintf(u->said, sizeof(u->said), "it was not ready within %d s",
                                UPGRADE_MS / 1000);
    kill_child(u); /* on_end follows */
}

/* --- its start --- */

/* What it inherits, under the numbers that we have. */
struct legacy {
    struct buf text;
    struct program_fd fds[PROGRAM_FDS_MAX];
    unsigned n;
};

static void
leave(struct legacy *legacy, int fd)
{
    if (legacy->n < PROGRAM_FDS_MAX)
        legacy->fds[legacy->n++] = (struct program_fd){fd, fd};
    else
        legacy->text.error = -EMFILE;
}

static void
leave_listener(void *arg, const struct estate_listener *l)
{
    struct legacy *legacy = arg;

    estate_put_listener(&legacy->text, l);
    leave(legacy, l->fd);
}

static void
leave_named(struct legacy *legacy, const char *what, int fd)
{
    estate_put(&legacy->text, what, fd);
    leave(legacy, fd);
}

static void
leave_given(struct legacy *legacy, const struct activated *s)
{
    if (s->fd < 0)
        return;
    estate_put_given(&legacy->text, s->fd, s->name);
    leave(legacy, s->fd);
}

/* Returns the sealed text, or -errno. */
static int
leave_all(struct main *m, struct legacy *legacy, int ready_fd)
{
    const struct activation *given = m->task.settings->given;
    int fd;

    estate_begin(&legacy->text);
    for (int std = STDIN_FILENO; std <= STDERR_FILENO; std++)
        leave(legacy, std);
    leave_named(legacy, "ready", ready_fd);
    leave_named(legacy, "pidfile", m->task.settings->pid_fd);
    leave_named(legacy, "control", m->control_fd);
    main_open_each(m, leave_listener, legacy);
    for (unsigned i = 0; given != NULL && i < given->n; i++)
        leave_given(legacy, &given->list[i]);
    fd = legacy->text.error != 0 ? legacy->text.error
                                 : fd_memfd_sealed("brood-estate", legacy->text.p, legacy->text.n);
    if (fd >= 0)
        leave(legacy, fd);
    return legacy->text.error != 0 ? legacy->text.error : fd;
}

/* What we say in its environment: where the estate lies, and who manages us. */
struct words {
    char estate[48];
    char socket[sizeof("NOTIFY_SOCKET=") + sizeof(((struct notify *)NULL)->socket)];
    char watchdog[48];
};

static void
say(struct words *words, const struct notify *manager, int estate_fd)
{
    *words = (struct words){.socket = ""};
    snprintf(words->estate, sizeof(words->estate), ESTATE_VARIABLE "=%d", estate_fd);
    if (manager != NULL && manager->socket[0] != '\0')
        snprintf(words->socket, sizeof(words->socket), "NOTIFY_SOCKET=%s", manager->socket);
    if (manager != NULL && manager->watchdog_us > 0)
        snprintf(words->watchdog, sizeof(words->watchdog), "WATCHDOG_USEC=%" PRIu64,
                 manager->watchdog_us);
}

/* Our environment, and these words.  The array is the caller's. */
static const char **
environment(const struct words *words)
{
    const char *const ours[] = {words->estate, words->socket, words->watchdog};
    size_t n = 0, kept = 0;
    const char **env;

    while (environ[n] != NULL)
        n++;
    env = calloc(n + array_len(ours) + 1, sizeof(*env));
    if (env == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], ESTATE_VARIABLE "=", sizeof(ESTATE_VARIABLE)) != 0)
            env[kept++] = environ[i];
    for (size_t i = 0; i < array_len(ours); i++)
        if (*ours[i] != '\0')
            env[kept++] = ours[i];
    return env;
}

static int
execute(struct main *m, struct legacy *legacy, int estate_fd, int *ret_pidfd, struct br_err *err)
{
    const struct settings *s = m->task.settings;
    struct program program = {.file = s->program, .argv = s->argv};
    enum program_step step = PROGRAM_OK;
    struct words words;
    int rc;

    say(&words, s->manager, estate_fd);
    program.env = environment(&words);
    if (program.env == NULL)
        return br_fail(err, -ENOMEM, "no environment for the next main");
    program.fds = legacy->fds;
    program.n_fds = legacy->n;
    rc = program_start(&program, &m->upgrade.pid, ret_pidfd, &step, err);
    free((void *)program.env);
    return rc < 0 ? br_fail(err, rc, "cannot execute \"%s\"", s->program) : 0;
}

static int
start_next(struct main *m, int ready_fd, int *ret_pidfd, struct br_err *err)
{
    struct legacy *legacy = calloc(1, sizeof(*legacy));
    br_cleanup(fd_closep) int estate_fd = -1;
    int rc;

    if (legacy == NULL)
        return br_fail(err, -ENOMEM, "no list of what the next main inherits");
    estate_fd = leave_all(m, legacy, ready_fd);
    rc = estate_fd < 0 ? br_fail(err, estate_fd, "cannot list what the next main inherits")
                       : execute(m, legacy, estate_fd, ret_pidfd, err);
    buf_done(&legacy->text);
    free(legacy);
    return rc;
}

static int
watch_next(struct upgrade *u, int pidfd, struct br_err *err)
{
    struct loop *loop = main_of_upgrade(u)->task.loop;
    int rc = loop_child(loop, &u->child, u->pid, pidfd, on_end);

    if (rc == 0)
        rc = loop_add(loop, &u->word, u->word_fd, EPOLLIN, on_word);
    if (rc < 0) {
        loop_child_forget(&u->child);
        kill(u->pid, SIGKILL);
        while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return br_fail(err, rc, "cannot watch the next main");
    }
    loop_timer(loop, &u->timer, UPGRADE_MS);
    return 0;
}

static void
begin_proving(struct upgrade *u)
{
    struct main *m = main_of_upgrade(u);
    struct br_err err = BR_ERR_NONE;
    int ends[2] = {-1, -1};
    int pidfd = -1;
    int rc;

    u->n = 0;
    INJECT(main, upgrade_paused);
    rc = pipe2(ends, O_CLOEXEC) < 0 ? br_fail(&err, -errno, "no pipe for the next main") : 0;
    if (rc == 0)
        rc = start_next(m, ends[1], &pidfd, &err);
    u->word_fd = ends[0];
    fd_close(&ends[1]);
    if (rc == 0)
        rc = fd_set_nonblock(u->word_fd, true);
    if (rc == 0)
        rc = watch_next(u, pidfd, &err);
    if (rc < 0) {
        fail(u, "%s", err.text);
        return;
    }
    u->state = UPGRADE_PROVING;
    br_log(LOG_NOTICE, "upgrade: process %d is to take over", (int)u->pid);
    INJECT(main, upgrade_started);
}

/* --- orders --- */

static const char *
refusal(const struct main *m)
{
    if (under_way(&m->upgrade))
        return "another one is under way";
    if (m->phase == MAIN_STARTING)
        return "brood is not ready yet";
    if (m->phase > MAIN_RUNNING)
        return "brood is about to leave";
    if (getpid() == 1)
        return "process 1 cannot be replaced by a child: start a new container";
    return NULL;
}

/* Of one that cannot be at all the status tells, too. */
static void
refuse(struct main *m, struct process *p, const char *why)
{
    br_log(LOG_ERROR, "no upgrade: %s", why);
    if (under_way(&m->upgrade) || m->phase != MAIN_RUNNING)
        return;
    m->upgrade.state = UPGRADE_FAILED;
    snprintf(m->upgrade.reason, sizeof(m->upgrade.reason), "%s", why);
    if (p != NULL && p->channel != NULL)
        main_upgrade_tell(m, p);
}

static void
pause_decider(struct main *m, struct process *p)
{
    if (p->life.state == PROC_REQUESTED) {
        loop_timer_cancel(m->task.loop, &p->timer);
        begin_proving(&m->upgrade);
    } else {
        main_pause(m, p);
    }
}

void
main_upgrade(struct main *m)
{
    struct process *p = decider(m);
    const char *why = refusal(m);

    if (why != NULL) {
        refuse(m, p, why);
        return;
    }
    br_log(LOG_NOTICE, "upgrade: starting \"%s\"", m->task.settings->program);
    m->upgrade.state = UPGRADE_PAUSING;
    m->upgrade.reason[0] = '\0';
    INJECT(main, upgrade_asked);
    if (p != NULL)
        pause_decider(m, p);
    else
        begin_proving(&m->upgrade);
}

bool
main_upgrade_holds(const struct main *m, const struct process *p)
{
    return under_way(&m->upgrade) && message_may(MSG_PROCESS_START, p->role->id, ROLE_MAIN);
}

void
main_upgrade_held(struct main *m, br_unused struct process *p)
{
    if (m->upgrade.state == UPGRADE_PAUSING)
        begin_proving(&m->upgrade);
}

void
main_upgrade_wind_down(struct main *m)
{
    struct process *p, *next;

    if (m->upgrade.state != UPGRADE_PROVING) {
        br_log(LOG_NOTICE, "SIGWINCH means nothing without an upgrade under way");
        return;
    }
    m->upgrade.wound_down = true;
    list_foreach_safe (p, next, &m->children.all, link)
        if (p->role->numbered)
            main_retire(m, p);
}

/* Those that WINCH sent away. */
static void
start_routers(struct main *m)
{
    m->upgrade.wound_down = false;
    for (uint32_t i = 0; i < m->cohort.how.n; i++)
        if (main_start_router(m, m->cohort.number, i) < 0)
            br_log(LOG_ALERT, "no memory to start router %u again", i);
}

void
main_upgrade_tell(struct main *m, struct process *p)
{
    const struct upgrade *u = &m->upgrade;
    struct msg_result result = {.rc = u->state == UPGRADE_FAILED ? -ECANCELED : 0};

    if ((u->state != UPGRADE_FAILED && u->state != UPGRADE_DONE) ||
        !message_may(MSG_UPGRADED, ROLE_MAIN, p->role->id))
        return;
    snprintf(result.text, sizeof(result.text), "%s", u->reason);
    main_tell(m, p, MSG_UPGRADED, &result, NULL, 0);
}

void
main_upgrade_cancel(struct main *m)
{
    if (m->upgrade.state == UPGRADE_PROVING)
        kill_child(&m->upgrade);
    if (under_way(&m->upgrade)) {
        forget_child(&m->upgrade);
        m->upgrade.state = UPGRADE_NONE;
    }
}

void
main_upgrade_init(struct main *m)
{
    m->upgrade = (struct upgrade){.word_fd = -1, .child.pidfd = -1};
    timer_init(&m->upgrade.timer, on_timeout);
}

void
main_upgrade_done(struct main *m)
{
    if (m->task.loop != NULL)
        forget_child(&m->upgrade);
}
