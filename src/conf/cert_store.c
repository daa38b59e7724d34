/*
 * cert_store.c - certificate bundles on disk.
 *
 *   save:   certs.new <- bytes, fsync; rename certs.new -> certs/NAME, fsync of certs
 *   remove: unlink certs/NAME, fsync of certs
 *
 * The rename is the only step by which bytes get a name.  What is written aside lies beside the
 * directory, not in it: there any name may be a bundle's.
 */
#include "conf/cert_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/aside.h"

#define DIR_NAME   "certs"
#define ASIDE_NAME "certs.new"

bool
cert_store_name_ok(struct slice name)
{
    return name.n > 0 && name.n <= CERT_STORE_NAME_MAX && memchr(name.p, '/', name.n) == NULL &&
           memchr(name.p, '\0', name.n) == NULL && !slice_eq(name, SLICE(".")) &&
           !slice_eq(name, SLICE(".."));
}

/* make: the directory too, if need be.  The descriptor; -ENOENT without a sentence: there is none.
 */
static int
open_dir(const struct conf_store *store, bool make, struct br_err *err)
{
    int fd;

    if (store->dir < 0)
        return br_fail(err, -ENOTDIR, "there is no state directory");
    if (make && mkdirat(store->dir, DIR_NAME, 0700) < 0 && errno != EEXIST)
        return br_fail(err, -errno, "cannot make \"" DIR_NAME "\" in the state directory");
    fd = openat(store->dir, DIR_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return br_fail(err, -errno, "cannot open \"" DIR_NAME "\" in the state directory");
    return fd;
}

static int
check_name(const char *name, struct br_err *err)
{
    if (cert_store_name_ok(slice_cstr(name)))
        return 0;
    return br_fail(err, -EINVAL, "\"%s\" cannot be a file's name", name);
}

static int
sync_dir(int dir, struct br_err *err)
{
    if (fsync(dir) < 0)
        return br_fail(err, -errno, "cannot sync \"" DIR_NAME "\" in the state directory");
    return 0;
}

int
cert_store_save(const struct conf_store *store, const char *name, int fd, struct br_err *err)
{
    br_cleanup(fd_closep) int dir = -1;
    int rc = check_name(name, err);

    if (rc < 0)
        return rc;
    dir = open_dir(store, true, err);
    if (dir < 0)
        return dir;
    rc = aside_copy(store->dir, ASIDE_NAME, fd, err);
    if (rc < 0)
        return rc;
    rc = aside_move(store->dir, ASIDE_NAME, dir, name, err);
    if (rc < 0) {
        aside_remove(store->dir, ASIDE_NAME, NULL);
        return rc;
    }
    return sync_dir(dir, err);
}

int
cert_store_remove(const struct conf_store *store, const char *name, struct br_err *err)
{
    br_cleanup(fd_closep) int dir = -1;
    int rc = check_name(name, err);

    if (rc < 0)
        return rc;
    dir = open_dir(store, false, err);
    if (dir < 0)
        return dir;
    if (unlinkat(dir, name, 0) == 0)
        return sync_dir(dir, err);
    if (errno == ENOENT)
        return -ENOENT;
    return br_fail(err, -errno, "cannot remove \"" DIR_NAME "/%s\" in the state directory", name);
}

/* O_NONBLOCK: somebody may have put a FIFO there. */
int
cert_store_open(const struct conf_store *store, const char *name, int *ret_fd, struct br_err *err)
{
    br_cleanup(fd_closep) int dir = -1;
    int rc = check_name(name, err);
    int fd;

    if (rc < 0)
        return rc;
    dir = open_dir(store, false, err);
    if (dir < 0)
        return dir;
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return br_fail(err, -errno, "cannot open \"" DIR_NAME "/%s\" in the state directory", name);
    *ret_fd = fd;
    return 0;
}

static int
read_names(DIR *dir, struct buf *names)
{
    const struct dirent *entry;

    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (cert_store_name_ok(slice_cstr(entry->d_name)))
            buf_append(names, entry->d_name, strlen(entry->d_name) + 1);
        errno = 0;
    }
    return errno != 0 ? -errno : names->error;
}

int
cert_store_list(const struct conf_store *store, struct buf *names, struct br_err *err)
{
    int fd = open_dir(store, false, err);
    DIR *dir;
    int rc;

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    dir = fdopendir(fd);
    rc = dir == NULL ? -errno : read_names(dir, names);
    if (dir == NULL)
        fd_close(&fd);
    else
        closedir(dir);
    if (rc < 0)
        return br_fail(err, rc, "cannot read \"" DIR_NAME "\" in the state directory");
    return 0;
}
