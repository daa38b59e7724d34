/*
 * front_run.c - one running program: start, stop, death.
 *
 *   start -> runs -> [ stop: the signal -> grace -> SIGKILL ] -> on_end
 *
 * Each is the leader of a session of its own.  Signals go to its process group, so that what a
 * shell script started ends with it; what has left the group is not ours.  See setsid(2), kill(2).
 */
#include "app/front.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

static void
on_exit_of_run(struct child *c, int status)
{
    struct run *r = container_of(c, struct run, child);
    struct front *f = r->front;

    if (r->stopping)
        kill(-r->pid, SIGKILL); /* what is left of its group */
    loop_timer_cancel(f->task->loop, &r->timer);
    list_del(&r->link);
    f->n_runs--;
    r->pid = 0;
    r->on_end(r, status);
    front_settle(f);
}

/* The server's environment, and what is added to it.  Of what is there twice the last counts for
 * most, so names that are added are left out before.  NULL: no memory. */
static const char **
environment(const char *const *more)
{
    size_t n = 0, n_more = 0, to = 0;
    const char **env;

    for (char **e = environ; *e != NULL; e++)
        n++;
    while (more != NULL && more[n_more] != NULL)
        n_more++;
    env = calloc(n + n_more + 1, sizeof(*env));
    if (env == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t name = strcspn(environ[i], "=") + 1;
        bool replaced = false;

        for (size_t j = 0; j < n_more && !replaced; j++)
            replaced = strncmp(environ[i], more[j], name) == 0;
        if (!replaced)
            env[to++] = environ[i];
    }
    for (size_t j = 0; j < n_more; j++)
        env[to++] = more[j];
    return env;
}

static bool
gives(const struct run_start *how, int number)
{
    for (unsigned i = 0; i < how->n_fds; i++) {
        if (how->fds[i].to == number)
            return true;
    }
    return false;
}

/* Standard input from /dev/null and the pipes for the rest, where the start brings nothing else. */
static unsigned
all_fds(const struct front *f, const struct run_start *how, struct program_fd *fds)
{
    const struct program_fd standard[] = {{-1, STDIN_FILENO},
                                          {output_fd(f, STDOUT_FILENO), STDOUT_FILENO},
                                          {output_fd(f, STDERR_FILENO), STDERR_FILENO}};
    unsigned n = 0;

    for (unsigned i = 0; i < how->n_fds; i++)
        fds[n++] = how->fds[i];
    for (unsigned i = 0; i < array_len(standard); i++) {
        if (!gives(how, standard[i].to))
            fds[n++] = standard[i];
    }
    return n;
}

void
run_activate(const struct front *f, struct activation *act, struct program_fd *fds,
             const char **env, struct run_start *how)
{
    unsigned n = 0;

    if (f->n_listen == 0)
        return;
    for (unsigned i = 0; i < f->n_listen; i++) {
        fd_set_nonblock(f->listen[i], false);
        fds[how->n_fds++] = (struct program_fd){f->listen[i], STDERR_FILENO + 1 + (int)i};
    }
    snprintf(act->count, sizeof(act->count), "LISTEN_FDS=%u", f->n_listen);
    snprintf(act->pid, sizeof(act->pid), "LISTEN_PID=");
    while (env[n] != NULL)
        n++;
    env[n++] = act->count;
    env[n++] = act->pid;
    env[n] = NULL;
    how->own_pid = act->pid + strlen(act->pid);
}

int
run_start(struct front *f, struct run *r, const struct run_start *how,
          void (*on_end)(struct run *r, int status), struct br_err *err)
{
    struct program_fd fds[FRONT_LISTEN_MAX + 4];
    const char **env = environment(how->env);
    struct program p = {.file = f->executable,
                        .argv = f->argv,
                        .env = env,
                        .own_pid = how->own_pid,
                        .fds = fds,
                        .n_fds = all_fds(f, how, fds),
                        .flags = PROGRAM_NEW_SESSION | PROGRAM_DIE_WITH_PARENT};
    enum program_step step;
    int pidfd;
    int rc = env == NULL ? br_fail(err, -ENOMEM, "cannot start \"%s\"", f->executable)
                         : program_start(&p, &r->pid, &pidfd, &step, err);

    free(env);
    if (rc < 0)
        return rc;
    r->front = f;
    r->on_end = on_end;
    r->since_ms = clock_ms();
    r->stopping = r->asked = false;
    timer_init(&r->timer, NULL);
    rc = loop_child(f->task->loop, &r->child, r->pid, pidfd, on_exit_of_run);
    if (rc < 0) {
        kill(-r->pid, SIGKILL);
        while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        r->pid = 0;
        return br_fail(err, rc, "cannot watch \"%s\"", f->executable);
    }
    list_add_tail(&f->runs, &r->link);
    f->n_runs++;
    return 0;
}

static void
on_patience(struct timer *t)
{
    struct run *r = container_of(t, struct run, timer);

    br_log(LOG_WARN, "\"%s\": process %d does not end: killed", r->front->name, (int)r->pid);
    kill(-r->pid, SIGKILL);
}

void
run_stop(struct run *r, int64_t grace_ms)
{
    struct front *f = r->front;

    if (r->pid == 0)
        return;
    if (!r->stopping)
        kill(-r->pid, f->stop_signal);
    r->stopping = true;
    timer_cancel(loop_timers(f->task->loop), &r->timer);
    timer_init(&r->timer, on_patience);
    loop_timer(f->task->loop, &r->timer, grace_ms);
}

void
runs_stop(struct front *f, int64_t grace_ms)
{
    struct run *r;

    list_foreach (r, &f->runs, link) {
        r->asked = true;
        run_stop(r, grace_ms);
    }
}

const char *
run_status_text(int status, char text[64])
{
    if (WIFSIGNALED(status))
        snprintf(text, 64, "was ended by signal %d (SIG%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)) != NULL ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(text, 64, "exited with code %d", WEXITSTATUS(status));
    return text;
}

void
run_number(const struct run *r, struct status_program *row)
{
    *row = (struct status_program){.pid = r->pid,
                                   .state = r->stopping ? RUN_STOPPING : RUN_RUNNING,
                                   .last_status = -1,
                                   .age_ms = (uint64_t)(clock_ms() - r->since_ms)};
}

int
run_check(const struct front *f, struct br_err *err)
{
    const struct program p = {.file = f->executable, .argv = f->argv};

    return program_check(&p, err);
}
