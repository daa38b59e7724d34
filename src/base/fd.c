/*
 * fd.c - descriptors: ownership, flags, memfds, whole reads and writes.
 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_FIRST 4096

void
fd_closep(int *fd)
{
    fd_close(fd);
}

int
fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

void
fd_close(int *fd)
{
    int saved = errno;

    /* Not repeated on EINTR: Linux has let go of the descriptor by then, see close(2). */
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

static int
change_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    int wanted = on ? flags | flag : flags & ~flag;

    if (flags < 0)
        return -errno;
    if (wanted != flags && fcntl(fd, set, wanted) < 0)
        return -errno;
    return 0;
}

int
fd_set_nonblock(int fd, bool on)
{
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int
fd_set_cloexec(int fd, bool on)
{
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int
fd_memfd(const char *name, size_t size)
{
    br_cleanup(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return -errno;
    return fd_take(&fd);
}

int
fd_memfd_sealed(const char *name, const void *p, size_t n)
{
    br_cleanup(fd_closep) int fd = fd_memfd(name, 0);
    int rc;

    if (fd < 0)
        return fd;
    rc = fd_write_all(fd, p, n);
    if (rc < 0)
        return rc;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return -errno;
    return fd_take(&fd);
}

bool
fd_is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_SHRINK)) == (F_SEAL_WRITE | F_SEAL_SHRINK);
}

int
fd_write_all(int fd, const void *p, size_t n)
{
    const char *from = p;

    while (n > 0) {
        ssize_t done = write(fd, from, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        from += done;
        n -= (size_t)done;
    }
    return 0;
}

int
fd_read_exact(int fd, void *p, size_t n)
{
    char *to = p;

    while (n > 0) {
        ssize_t done = read(fd, to, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        if (done == 0)
            return -EPIPE;
        to += done;
        n -= (size_t)done;
    }
    return 0;
}

/* What the file says it holds; files of /proc say 0. */
static size_t
size_hint(int fd, size_t limit_bytes)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_size <= 0)
        return br_min((size_t)READ_FIRST, limit_bytes);
    return br_min((size_t)st.st_size, limit_bytes);
}

/* Read until end of file; one byte over limit_bytes tells that there is more. */
static int
read_growing(int fd, size_t limit_bytes, char **text, size_t *ret_n)
{
    size_t room = size_hint(fd, limit_bytes) + 1, n = 0;

    for (;;) {
        char *p = realloc(*text, room + 1);
        ssize_t done;

        if (p == NULL)
            return -ENOMEM;
        *text = p;
        do
            done = pread(fd, p + n, room - n, (off_t)n);
        while (done < 0 && errno == EINTR);
        if (done < 0)
            return -errno;
        n += (size_t)done;
        if (n > limit_bytes)
            return -EFBIG;
        if (done == 0)
            break;
        if (n == room)
            room = br_min(room * 2, limit_bytes + 1);
    }
    (*text)[n] = '\0';
    *ret_n = n;
    return 0;
}

int
fd_read_file(int fd, size_t limit_bytes, char **ret_text, size_t *ret_n)
{
    char *text = NULL;
    size_t n = 0;
    int rc = read_growing(fd, br_min(limit_bytes, SIZE_MAX / 4), &text, &n);

    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    *ret_n = n;
    return 0;
}

int
fd_read_path(const char *path, size_t limit_bytes, char **ret_text, size_t *ret_n)
{
    br_cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return fd_read_file(fd, limit_bytes, ret_text, ret_n);
}

int
fd_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int n = 0;

    if (dir == NULL)
        return -errno;
    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* without the one that was reading */
}
