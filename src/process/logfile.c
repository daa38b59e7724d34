/*
 * logfile.c - open, and replace in place.
 *
 * Rotation: mv LOG LOG.1, then USR1 to main.  main opens LOG anew, adopts it, and sends it to every
 * child, which adopts it too; numbers of descriptors never change, so nobody else has to know.
 */
#include "process/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

int
logfile_parents(const char *path, struct br_err *err)
{
    char part[PATH_MAX];

    if (snprintf(part, sizeof(part), "%s", path) >= PATH_MAX)
        return br_fail(err, -ENAMETOOLONG, "path \"%s\"", path);
    for (char *p = part + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return br_fail(err, -errno, "cannot make directory \"%s\"", part);
        *p = '/';
    }
    return 0;
}

int
logfile_open(const char *path, int *ret_fd, struct br_err *err)
{
    int fd;
    int rc = logfile_parents(path, err);

    if (rc < 0)
        return rc;
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return br_fail(err, -errno, "cannot open log \"%s\"", path);
    *ret_fd = fd;
    return 0;
}

static bool
same_file(int fd, const struct stat *other)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_dev == other->st_dev && st.st_ino == other->st_ino;
}

int
logfile_adopt(int fd)
{
    struct stat old;
    bool known = fstat(log_fd(), &old) == 0;

    for (int std = STDOUT_FILENO; known && std <= STDERR_FILENO; std++)
        if (std != log_fd() && same_file(std, &old) && dup2(fd, std) < 0)
            return -errno;
    if (dup3(fd, log_fd(), log_fd() > STDERR_FILENO ? O_CLOEXEC : 0) < 0)
        return -errno;
    return 0;
}
