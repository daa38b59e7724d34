/*
 * conf_store.c - the copy on disk.
 *
 *   save:  conf.json.new <- bytes, fsync
 *   keep:  rename conf.json.new -> conf.json, fsync of the directory
 *
 * After a crash at any instruction conf.json is one whole text: the rename is the only step that
 * changes it.  A conf.json.new that was left is removed by the next start.  All names are taken
 * relative to the descriptor of the directory, so that a later chdir or chroot changes nothing.
 *
 * rename(2), fsync(2): a new name is durable only once its directory is synced.
 */
#include "conf/conf_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/slice.h"
#include "conf/aside.h"

#define TEXT_NAME    "conf.json"
#define ASIDE_NAME   "conf.json.new"
#define VERSION_NAME "version"
#define VERSION_NEW  "version.new"
#define VERSION_MAX  32 /* bytes of a version file */

int
conf_store_open(struct conf_store *store, const char *path, struct br_err *err)
{
    int fd;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return br_fail(err, -errno, "cannot make state directory \"%s\"", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return br_fail(err, -errno, "cannot open state directory \"%s\"", path);
    store->dir = fd;
    unlinkat(fd, ASIDE_NAME, 0); /* what a main that was killed had not done with */
    unlinkat(fd, VERSION_NEW, 0);
    return 0;
}

void
conf_store_close(struct conf_store *store)
{
    fd_close(&store->dir);
}

/* 0 when there is none, or none that is a number. */
static uint32_t
read_version(const struct conf_store *store)
{
    br_cleanup(fd_closep) int fd = openat(store->dir, VERSION_NAME, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    uint64_t version = 0;
    size_t n = 0;

    if (fd < 0 || fd_read_file(fd, VERSION_MAX, &text, &n) < 0)
        return 0;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    if (slice_u64(slice_make(text, n), &version) < 0 || version > UINT32_MAX)
        version = 0;
    free(text);
    return (uint32_t)version;
}

int
conf_store_read(const struct conf_store *store, int *ret_fd, uint32_t *ret_version,
                struct br_err *err)
{
    int fd = openat(store->dir, TEXT_NAME, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return br_fail(err, -errno, "cannot open the stored configuration");
    *ret_fd = fd;
    *ret_version = read_version(store);
    return 0;
}

int
conf_store_save(const struct conf_store *store, int fd, struct br_err *err)
{
    return aside_copy(store->dir, ASIDE_NAME, fd, err);
}

static int
write_version(const struct conf_store *store, uint32_t version, struct br_err *err)
{
    char text[VERSION_MAX];
    int rc;

    snprintf(text, sizeof text, "%u\n", version);
    rc = aside_write(store->dir, VERSION_NEW, slice_cstr(text), err);
    return rc < 0 ? rc : aside_move(store->dir, VERSION_NEW, store->dir, VERSION_NAME, err);
}

int
conf_store_keep(const struct conf_store *store, uint32_t version, struct br_err *err)
{
    int rc = aside_move(store->dir, ASIDE_NAME, store->dir, TEXT_NAME, err);

    if (rc == 0 && read_version(store) != version)
        rc = write_version(store, version, err);
    if (rc == 0 && (INJECT(main, keep_renamed) < 0 || fsync(store->dir) < 0))
        rc = br_fail(err, -errno, "cannot sync the state directory");
    INJECT(main, keep_synced);
    return rc;
}

int
conf_store_drop(const struct conf_store *store, struct br_err *err)
{
    return aside_remove(store->dir, ASIDE_NAME, err);
}
