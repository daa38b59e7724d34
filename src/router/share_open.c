/*
 * share_open.c - the safe path walk of static files.
 *
 *   path --openat2 O_PATH--> what is it? --openat2 O_RDONLY--> is it still one?
 *
 * Symbolic links are followed (that is how sites are deployed), magic ones such as /proc/self/fd/3
 * never: the kernel refuses them during the walk.  A path is looked at before it is opened for
 * reading, because opening a device can have effects; should it be exchanged in between, O_NONBLOCK
 * keeps a FIFO from holding us up and the second look refuses it.  See openat2(2), statx(2).
 */
#include "router/share_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"

#define LOOK_FLAGS (O_PATH | O_CLOEXEC)
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int
open_path(const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags, .resolve = RESOLVE_NO_MAGICLINKS};
    long fd;

    do {
        fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : (int)fd;
}

/* The state of a regular file; else -EISDIR, -ENXIO or statx's error. */
static int
state_of(int dir, const char *path, int flags, struct file_state *ret)
{
    struct statx st;

    if (statx(dir, path, flags | AT_STATX_SYNC_AS_STAT | AT_NO_AUTOMOUNT,
              STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME, &st) < 0)
        return -errno;
    if (S_ISDIR(st.stx_mode))
        return -EISDIR;
    if (!S_ISREG(st.stx_mode))
        return -ENXIO;
    *ret = (struct file_state){
        .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
        .ino = st.stx_ino,
        .size = st.stx_size,
        .mtime_s = st.stx_mtime.tv_sec,
        .mtime_ns = st.stx_mtime.tv_nsec,
        .ctime_s = st.stx_ctime.tv_sec,
        .ctime_ns = st.stx_ctime.tv_nsec,
    };
    return 0;
}

int
share_open(const char *path, int *ret_fd, struct file_state *ret)
{
    br_cleanup(fd_closep) int seen = open_path(path, LOOK_FLAGS);
    br_cleanup(fd_closep) int fd = -1;
    int rc;

    if (seen < 0)
        return seen;
    rc = state_of(seen, "", AT_EMPTY_PATH, ret);
    if (rc < 0)
        return rc;
    fd = open_path(path, READ_FLAGS);
    if (fd < 0)
        return fd;
    rc = state_of(fd, "", AT_EMPTY_PATH, ret);
    if (rc < 0)
        return rc;
    *ret_fd = fd_take(&fd);
    return 0;
}

int
share_state(const char *path, struct file_state *ret)
{
    return state_of(AT_FDCWD, path, 0, ret);
}
