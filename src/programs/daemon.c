/*
 * daemon.c - into the background.
 *
 *   parent --fork--> child: session, stdio -> … -> ready: "\n" into the pipe
 *      `- reads the pipe until a newline (exit 0) or its end (exit 1, with what came before)
 */
#include "programs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* In the parent: never returns. */
static br_noreturn void
wait_for_word(int fd)
{
    char text[2048];
    size_t n = 0;
    ssize_t got;

    while (n < sizeof(text) - 1) {
        got = read(fd, text + n, sizeof(text) - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
        if (text[0] == '\n')
            _exit(0);
    }
    text[n] = '\0';
    fprintf(stderr, "brood: %s\n", n > 0 ? text : "ended before it was ready, see the log");
    _exit(1);
}

static int
move_stdio(int log_fd, struct br_err *err)
{
    br_cleanup(fd_closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return br_fail(err, -errno, "cannot open \"/dev/null\"");
    if (dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
        return br_fail(err, -errno, "cannot log stdout and stderr");
    return 0;
}

int
daemon_begin(int log_fd, int *ret_ready_fd, struct br_err *err)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return br_fail(err, -errno, "cannot make a pipe");
    pid = fork();
    if (pid > 0) {
        close(ends[1]);
        wait_for_word(ends[0]);
    }
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return br_fail(err, -errno, "cannot fork");
    }
    setsid();
    *ret_ready_fd = ends[1];
    return move_stdio(log_fd, err);
}
