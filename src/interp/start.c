/*
 * start.c - start a server.
 *
 *   unlink, bind, listen --> watcher --> socketpair --> fork: setup executes the interpreter
 *        `-- the socket's time of birth is the server's start time
 *
 * Setup gets 0 (/dev/null), 1 and 2 (the caller's stderr), and the four descriptors that its
 * variable PREFORK_INTERP names; nothing else of the caller's, or locks and pipelines of the first
 * caller would live as long as the server.
 */
#include "interp/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/watcher.h"
#include "interp/wire.h"

#define BACKLOG 65535 /* the kernel takes what it allows */

struct parts {
    int listener;
    struct stat born;
    struct watcher watcher;
    int server_end; /* of the first call */
    int caller_end;
};

static void
close_parts(struct parts *p)
{
    fd_close(&p->listener);
    fd_close(&p->watcher.sentinel);
    fd_close(&p->watcher.report);
    fd_close(&p->server_end);
    fd_close(&p->caller_end);
}

static int
make_listener(const struct rundir *dir, const char *name, struct parts *p, struct br_err *err)
{
    struct sockaddr_un address;
    mode_t mask;
    int rc = rundir_address(dir, name, &address);

    if (rc < 0)
        return br_fail(err, rc, "socket \"%s/%s\"", dir->path, name);
    if (unlinkat(dir->fd, name, 0) < 0 && errno != ENOENT)
        return br_fail(err, -errno, "cannot remove socket \"%s/%s\"", dir->path, name);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->listener < 0)
        return br_fail(err, -errno, "cannot make a socket");
    mask = umask(0177);
    rc = bind(p->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    umask(mask);
    if (rc < 0)
        return br_fail(err, rc, "cannot bind \"%s/%s\"", dir->path, name);
    if (fstatat(dir->fd, name, &p->born, AT_SYMLINK_NOFOLLOW) < 0 ||
        listen(p->listener, BACKLOG) < 0)
        return br_fail(err, -errno, "cannot listen on \"%s/%s\"", dir->path, name);
    return 0;
}

static int
make_parts(const struct rundir *dir, const char *name, struct parts *p, struct br_err *err)
{
    int pair[2];
    int rc = make_listener(dir, name, p, err);

    if (rc == 0)
        rc = watcher_start(dir, name, &p->watcher, err);
    if (rc < 0)
        return rc;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return br_fail(err, -errno, "cannot make a socket pair");
    p->server_end = pair[0];
    p->caller_end = pair[1];
    return 0;
}

/* The variable, as spec'ed for version 1; what follows the second word is ours. */
static char *
variable(const struct parts *p, const char *server_path)
{
    char *text;

    if (asprintf(&text, "PREFORK_INTERP=v1,%lld.%09ld," WIRE_MARK " %d,%d,%d,%d server=%s",
                 (long long)p->born.st_mtim.tv_sec, p->born.st_mtim.tv_nsec, p->listener,
                 p->server_end, p->watcher.sentinel, p->watcher.report, server_path) < 0)
        return NULL;
    return text;
}

static char **
with_variable(char **environ_, char *entry)
{
    size_t n = 0, kept = 0;
    char **all;

    while (environ_[n] != NULL)
        n++;
    all = malloc((n + 2) * sizeof(char *));
    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ_[i], "PREFORK_INTERP=", 15) != 0)
            all[kept++] = environ_[i];
    all[kept++] = entry;
    all[kept] = NULL;
    return all;
}

char **
start_command(const struct invocation *inv)
{
    size_t n_args = 0, n = 0;
    char **all;

    while (inv->args[n_args] != NULL)
        n_args++;
    all = malloc((inv->n_options + n_args + 3) * sizeof(char *));
    if (all == NULL)
        return NULL;
    all[n++] = (char *)inv->interpreter;
    for (size_t i = 0; i < inv->n_options; i++)
        all[n++] = inv->options[i];
    if (inv->script != NULL)
        all[n++] = (char *)inv->script;
    for (size_t i = 0; i < n_args; i++)
        all[n++] = inv->args[i];
    all[n] = NULL;
    return all;
}

static br_noreturn void
become_setup(const struct invocation *inv, const struct parts *p, char **words, char **environ_)
{
    const int kept[] = {p->listener, p->server_end, p->watcher.sentinel, p->watcher.report};
    int null = open("/dev/null", O_RDONLY);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        fprintf(stderr, "prefork-interp: cannot open /dev/null: %s\n", strerror(errno));
        _exit(127);
    }
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < array_len(kept); i++)
        fd_set_cloexec(kept[i], false);
    execvpe(inv->interpreter, words, environ_);
    fprintf(stderr, "prefork-interp: execute %s: %s\n", inv->interpreter, strerror(errno));
    _exit(127);
}

/* Reap it; kill it when its time is over. */
static void
await_setup(pid_t pid, int64_t limit_s, struct start *ret)
{
    if (limit_s >= 0) {
        br_cleanup(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd one = {.fd = pidfd, .events = POLLIN};
        int ms = limit_s > INT32_MAX / 1000 ? INT32_MAX : (int)limit_s * 1000;

        if (pidfd >= 0 && poll(&one, 1, ms) == 0) {
            ret->timed_out = true;
            kill(pid, SIGKILL);
        }
    }
    while (waitpid(pid, &ret->status, 0) < 0 && errno == EINTR)
        ;
}

int
start_server(const struct invocation *inv, char **environ_, const struct rundir *dir,
             const struct names *names, const char *server_path, struct start *ret,
             struct br_err *err)
{
    struct parts p = {-1, {0}, {-1, -1}, -1, -1};
    char **words = start_command(inv);
    char **setup_environ = NULL;
    char *entry = NULL;
    pid_t pid = -1;
    int rc = make_parts(dir, names->socket, &p, err);

    *ret = (struct start){.call = -1};
    if (rc == 0) {
        entry = variable(&p, server_path);
        setup_environ = entry != NULL ? with_variable(environ_, entry) : NULL;
        if (setup_environ == NULL || words == NULL)
            rc = br_fail(err, -ENOMEM, "cannot start a server");
    }
    if (rc == 0) {
        pid = fork();
        if (pid == 0)
            become_setup(inv, &p, words, setup_environ);
        if (pid < 0)
            rc = br_fail(err, -errno, "cannot fork the script's initialisation");
    }
    if (rc == 0)
        ret->call = fd_take(&p.caller_end);
    close_parts(&p);
    free(words);
    free(setup_environ);
    free(entry);
    if (rc == 0)
        await_setup(pid, inv->start_timeout_s, ret);
    return rc;
}
