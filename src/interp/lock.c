/*
 * lock.c - flock on a file that may be removed while we wait for it.
 *
 *   open --flock--> still the file of that name? --no--> again
 */
#include "interp/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int
lock_take(const struct rundir *dir, const char *name, bool wait, struct br_err *err)
{
    for (;;) {
        struct stat held, named;
        br_cleanup(fd_closep) int fd =
            openat(dir->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
            return br_fail(err, -errno, "cannot open lock \"%s/%s\"", dir->path, name);
        while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
            if (errno != EINTR)
                return br_fail(err, -errno, "cannot lock \"%s/%s\"", dir->path, name);
        if (fstat(fd, &held) < 0)
            return br_fail(err, -errno, "cannot look at lock \"%s/%s\"", dir->path, name);
        if (fstatat(dir->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            held.st_dev == named.st_dev && held.st_ino == named.st_ino)
            return fd_take(&fd);
    }
}

struct found {
    char ident[RUNDIR_NAME_MAX];
    int64_t used_ns; /* socket's access time; 0: no socket */
};

static int64_t
used_ns(const struct rundir *dir, const char *ident)
{
    char name[RUNDIR_NAME_MAX + 1] = "s";
    struct stat st;

    strncat(name, ident, sizeof(name) - 2);
    if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return (int64_t)st.st_atim.tv_sec * 1000000000 + st.st_atim.tv_nsec;
}

static bool
known(const struct found *all, size_t n, const char *ident)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].ident, ident) == 0)
            return true;
    return false;
}

static int
older(const void *a, const void *b)
{
    int64_t x = ((const struct found *)a)->used_ns, y = ((const struct found *)b)->used_ns;

    return x < y ? -1 : x > y;
}

/* Different names after the first letter of s* and l*; malloc'ed. */
static struct found *
list(const struct rundir *dir, size_t *ret_n)
{
    struct found *all = NULL;
    size_t n = 0, room = 0;
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;

    while (stream != NULL && (e = readdir(stream)) != NULL) {
        const char *ident = e->d_name + 1;

        if ((e->d_name[0] != 's' && e->d_name[0] != 'l') || strcmp(e->d_name, "standing") == 0 ||
            strlen(ident) >= sizeof(all->ident) || known(all, n, ident))
            continue;
        if (n == room) {
            struct found *more = realloc(all, (room * 2 + 64) * sizeof(*all));

            if (more == NULL)
                break;
            all = more;
            room = room * 2 + 64;
        }
        strcpy(all[n].ident, ident);
        all[n].used_ns = used_ns(dir, ident);
        n++;
    }
    if (stream != NULL)
        closedir(stream);
    *ret_n = n;
    return all;
}

static void
discard(const struct rundir *dir, const struct found *f)
{
    struct names names = {{'s'}, {'l'}};
    br_cleanup(fd_closep) int fd = -1;

    strncat(names.socket, f->ident, sizeof(names.socket) - 2);
    strncat(names.lock, f->ident, sizeof(names.lock) - 2);
    fd = lock_take(dir, names.lock, false, NULL);
    if (fd < 0 || used_ns(dir, f->ident) != f->used_ns)
        return;
    unlinkat(dir->fd, names.socket, 0);
    unlinkat(dir->fd, names.lock, 0);
}

void
lock_clean(const struct rundir *dir, size_t most)
{
    size_t n;
    struct found *all = list(dir, &n);

    if (n > most) {
        qsort(all, n, sizeof(*all), older);
        for (size_t i = 0; i < n - most; i++)
            discard(dir, &all[i]);
    }
    free(all);
}
