/*
 * procstat.c - two fields of /proc/PID/stat.
 *
 *   PID (NAME) STATE ... EXIT_CODE
 *                        `-- the last; 0 for who may not look, as /proc/PID/ns tells
 */
#include "interp/procstat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"

#define STAT_BYTES 1024

/* From the state letter on, or NULL. */
static const char *
read_stat(pid_t pid, char text[STAT_BYTES])
{
    char path[32];
    const char *paren;
    ssize_t n;
    br_cleanup(fd_closep) int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, STAT_BYTES - 1) : -1;
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    paren = strrchr(text, ')'); /* the name in front of it may hold anything */
    return paren != NULL && paren[1] == ' ' ? paren + 2 : NULL;
}

char
procstat_state(pid_t pid)
{
    char text[STAT_BYTES];
    const char *state = read_stat(pid, text);

    return state != NULL ? *state : 0;
}

/* The kernel asks the same question for this link as for the field: ptrace(2), PTRACE_MODE_READ. */
static bool
may_look(pid_t pid)
{
    char path[40], target[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    return readlink(path, target, sizeof(target)) > 0;
}

int
procstat_ended(pid_t pid, int *ret_status)
{
    char text[STAT_BYTES];
    const char *state = read_stat(pid, text);
    const char *last = state != NULL ? strrchr(state, ' ') : NULL;
    int status;

    if (last == NULL || *state != 'Z')
        return -EAGAIN;
    status = atoi(last + 1);
    if (status == 0 && !may_look(pid))
        return -EAGAIN;
    *ret_status = status;
    return 0;
}
