/*
 * aside.c - files that are replaced whole: written under another name, synced, then renamed.
 *
 * What a crash left under that name is removed, not truncated: nobody but us ever sees a part of a
 * file.  A disk that is full gets back what was written.
 */
#include "conf/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"

#define BLOCK_BYTES (64 * 1024)

/* From offset 0 of one to the end of the other. */
static int
copy_bytes(int from, int to)
{
    char block[BLOCK_BYTES];
    off_t at = 0;

    for (;;) {
        ssize_t n = pread(from, block, sizeof block, at);
        int rc;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        at += n;
        if (at > (off_t)ASIDE_BYTES_MAX)
            return -EFBIG;
        rc = fd_write_all(to, block, (size_t)n);
        if (rc < 0)
            return rc;
    }
}

static int
open_new(int dir, const char *name, struct br_err *err)
{
    int fd;

    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return br_fail(err, -errno, "cannot replace \"%s\" in the state directory", name);
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    INJECT(main, save_opened);
    return fd < 0 ? br_fail(err, -errno, "cannot write \"%s\" in the state directory", name) : fd;
}

/* The last step of writing; rc is that of the steps before. */
static int
finish(int dir, const char *name, int fd, int rc, struct br_err *err)
{
    if (rc == 0 && (INJECT(main, save_written) < 0 || fsync(fd) < 0))
        rc = -errno;
    INJECT(main, save_synced);
    if (rc == 0)
        return 0;
    unlinkat(dir, name, 0);
    return br_fail(err, rc, "cannot write \"%s\" in the state directory", name);
}

int
aside_copy(int dir, const char *name, int from, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = open_new(dir, name, err);

    return fd < 0 ? fd : finish(dir, name, fd, copy_bytes(from, fd), err);
}

int
aside_write(int dir, const char *name, struct slice text, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = open_new(dir, name, err);

    return fd < 0 ? fd : finish(dir, name, fd, fd_write_all(fd, text.p, text.n), err);
}

int
aside_move(int dir, const char *from, int to_dir, const char *to, struct br_err *err)
{
    if (renameat(dir, from, to_dir, to) < 0)
        return br_fail(err, -errno, "cannot rename \"%s\" to \"%s\"", from, to);
    return 0;
}

int
aside_remove(int dir, const char *name, struct br_err *err)
{
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return br_fail(err, -errno, "cannot remove \"%s\" in the state directory", name);
    return 0;
}
