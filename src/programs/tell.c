/*
 * tell.c - the process behind a pid file, and a signal to it.
 *
 *   open -> locked? (flock) -> number -> pidfd -> still locked? -> the signal, through the pidfd
 *
 * main holds the lock for its life, so an unlocked file was left by one that was killed, whoever
 * has its number now.  A process that the number is given to after the pidfd was opened does not
 * get the signal: the pidfd is the old one's.  See flock(2), pidfd_open(2), pidfd_send_signal(2).
 */
#include "programs/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"

static const struct {
    const char *word;
    int signal;
} words[] = {
    {"stop", SIGTERM},   {"quit", SIGQUIT},    {"reload", SIGHUP},
    {"reopen", SIGUSR1}, {"upgrade", SIGUSR2},
};

int
tell_signal(const char *word)
{
    for (size_t i = 0; i < array_len(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].signal;
    return -EINVAL;
}

/* Somebody holds the lock that main takes.  Ours, when we get it, ends with this function. */
static bool
is_held(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    flock(fd, LOCK_UN);
    return false;
}

static int
read_pid(int fd, const char *path, pid_t *ret_pid, struct br_err *err)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    uint64_t pid = 0;
    struct slice number;

    if (n < 0)
        return br_fail(err, -errno, "cannot read pid file \"%s\"", path);
    number = slice_make(text, (size_t)n);
    if (number.n > 0 && number.p[number.n - 1] == '\n')
        number.n--;
    if (slice_u64(number, &pid) < 0 || pid < 1 || pid > INT32_MAX)
        return br_fail(err, -EBADMSG, "pid file \"%s\" holds no process id", path);
    *ret_pid = (pid_t)pid;
    return 0;
}

static int
nobody(const char *path, struct br_err *err)
{
    br_fail(err, -EBADMSG, "no brood holds pid file \"%s\": it was left by one that is gone", path);
    return -ESRCH;
}

static int
open_main(const char *path, pid_t *ret_pid, int *ret_pidfd, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    br_cleanup(fd_closep) int pidfd = -1;
    int rc;

    if (fd < 0)
        return br_fail(err, -errno, "cannot open pid file \"%s\"", path);
    if (!is_held(fd))
        return nobody(path, err);
    rc = read_pid(fd, path, ret_pid, err);
    if (rc < 0)
        return rc;
    pidfd = (int)syscall(SYS_pidfd_open, *ret_pid, 0);
    if (pidfd < 0 && errno != ESRCH)
        return br_fail(err, -errno, "cannot find process %d", (int)*ret_pid);
    if (pidfd < 0 || !is_held(fd))
        return nobody(path, err);
    *ret_pidfd = fd_take(&pidfd);
    return 0;
}

int
tell_main(const char *pid_path, int sig, struct br_err *err)
{
    br_cleanup(fd_closep) int pidfd = -1;
    pid_t pid = 0;
    int rc = open_main(pid_path, &pid, &pidfd, err);

    if (rc < 0)
        return rc;
    if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0)
        return br_fail(err, -errno, "cannot send SIG%s to process %d", sigabbrev_np(sig), (int)pid);
    return 0;
}
