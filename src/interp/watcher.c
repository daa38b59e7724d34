/*
 * watcher.c - wait until a socket's name means something else, or nobody cares.
 *
 *   sentinel pipe: the other end closed --> exit
 *   inotify, or every POLL_MS where there is none --> still that inode? --no--> exit
 *
 * Only servers of the original library need it; ours look themselves and close the sentinel.
 * See inotify(7).
 */
#include "interp/watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define POLL_MS 2000

struct watched {
    char path[RUNDIR_PATH_MAX + RUNDIR_NAME_MAX];
    struct stat was;
    int inotify; /* -1: there are too many already */
};

static bool
is_lost(const struct watched *w)
{
    struct stat now;

    return lstat(w->path, &now) < 0 || now.st_dev != w->was.st_dev || now.st_ino != w->was.st_ino;
}

static void
drain(int fd)
{
    char events[1024];

    while (read(fd, events, sizeof(events)) > 0)
        ;
}

static void
watch(const struct watched *w)
{
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = w->inotify, .events = POLLIN}};

    while (!is_lost(w)) {
        int n = poll(fds, 2, w->inotify >= 0 ? -1 : POLL_MS);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0 && fds[0].revents != 0)
            return;
        if (n > 0 && fds[1].revents != 0)
            drain(w->inotify);
    }
}

/* In the child: nothing of the caller's stays but the two pipe ends, as 0, 1 and 2. */
static br_noreturn void
become_watcher(struct watched *w, int sentinel, int report)
{
    if (dup2(sentinel, STDIN_FILENO) < 0 || dup2(report, STDOUT_FILENO) < 0 || setsid() < 0)
        _exit(127);
    if (fork() != 0)
        _exit(0);
    if (dup2(report, STDERR_FILENO) < 0)
        _exit(127);
    close_range(3, ~0u, 0);
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->inotify >= 0 &&
        inotify_add_watch(w->inotify, w->path, IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) < 0)
        fd_close(&w->inotify);
    watch(w);
    _exit(0);
}

int
watcher_start(const struct rundir *dir, const char *socket, struct watcher *ret, struct br_err *err)
{
    static struct watched w;
    int sentinel[2], report[2];
    pid_t pid;

    memset(&w, 0, sizeof(w));
    snprintf(w.path, sizeof(w.path), "%s/%s", dir->path, socket);
    if (lstat(w.path, &w.was) < 0)
        return br_fail(err, -errno, "cannot look at socket \"%s\"", w.path);
    if (pipe2(sentinel, O_CLOEXEC) < 0)
        return br_fail(err, -errno, "cannot make a pipe");
    if (pipe2(report, O_CLOEXEC) < 0) {
        close(sentinel[0]);
        close(sentinel[1]);
        return br_fail(err, -errno, "cannot make a pipe");
    }
    pid = fork();
    if (pid == 0)
        become_watcher(&w, sentinel[0], report[1]);
    close(sentinel[0]);
    close(report[1]);
    if (pid < 0) {
        close(sentinel[1]);
        close(report[0]);
        return br_fail(err, -errno, "cannot fork the watcher");
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    ret->sentinel = sentinel[1];
    ret->report = report[0];
    fd_set_nonblock(ret->report, true);
    return 0;
}
