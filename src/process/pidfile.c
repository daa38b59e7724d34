/*
 * pidfile.c - the pid file: one lock, and the number of who is main at the moment.
 *
 *   write --lock--> number of the first main --claim--> number of the next one … remove
 *
 * The lock (flock(2)) tells a stale file from a live one without believing the number in it.  It
 * belongs to the open file, so a binary upgrade hands it on by inheriting the descriptor, and at no
 * moment is the file missing or unlocked.
 */
#include "process/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/logfile.h"

#define DIGITS_MAX 16

int
pidfile_claim(int fd)
{
    char text[DIGITS_MAX];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    ssize_t written = pwrite(fd, text, (size_t)n, 0);

    if (written != n)
        return written < 0 ? -errno : -EIO;
    return ftruncate(fd, n) < 0 ? -errno : 0;
}

int
pidfile_write(const char *path, int *ret_fd, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    int rc = logfile_parents(path, err);

    if (rc < 0)
        return rc;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0)
        return br_fail(err, -errno, "cannot open pid file \"%s\"", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return br_fail(err, -EBUSY, "pid file \"%s\" is held by another brood", path);
    rc = fchmod(fd, 0644) < 0 ? -errno : pidfile_claim(fd);
    if (rc < 0)
        return br_fail(err, rc, "cannot write pid file \"%s\"", path);
    *ret_fd = fd_take(&fd);
    return 0;
}

static bool
names_us(int fd)
{
    char text[DIGITS_MAX] = "";

    return pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == (int)getpid();
}

void
pidfile_remove(const char *path, int *fd)
{
    if (*fd >= 0 && names_us(*fd))
        unlink(path);
    fd_close(fd);
}
