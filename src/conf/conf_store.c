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

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/slice.h"
#include "conf/aside.h"

#define TEXT_NAME    "conf.json"
#define ASIDE_NAME   "conf.json.new"
#define VERSION_NAME "version"
#define VERSION_NEW  "version.new"
#define VERSION_MAX  64 /* bytes of a version file */
#define FIRST_NAME   "initial"
#define VERSION_OURS "brood"
#define UNIT_NAME    "conf.json.unit"
#define UNIT_NEW     "conf.json.unit.new"
#define UNIT_VERSION 10000 /* Unit 1.0.0; a number without our name that is not lower is Unit's */
#define DAMAGED_NAME "conf.json.damaged-%Y%m%dT%H%M%SZ"

static bool
is_trusted(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/* 1: others could look into it. */
static int
check_dir(int fd, const char *path, struct br_err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return br_fail(err, -errno, "cannot look at state directory \"%s\"", path);
    if (!is_trusted(&st))
        return br_fail(
            err, -EPERM,
            "state directory \"%s\" belongs to user %u, who decides by it what brood runs", path,
            (unsigned)st.st_uid);
    if ((st.st_mode & 077) == 0)
        return 0;
    if (fchmod(fd, 0700) < 0 && (st.st_mode & 022) != 0)
        return br_fail(err, -errno, "others can write to state directory \"%s\" (mode %03o)", path,
                       (unsigned)st.st_mode & 0777);
    return 1;
}

int
conf_store_open(struct conf_store *store, const char *path, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    int rc;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return br_fail(err, -errno, "cannot make state directory \"%s\"", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return br_fail(err, -errno, "cannot open state directory \"%s\"", path);
    rc = check_dir(fd, path, err);
    if (rc < 0)
        return rc;
    store->dir = fd_take(&fd);
    unlinkat(store->dir, ASIDE_NAME, 0); /* what a main that was killed had not done with */
    unlinkat(store->dir, VERSION_NEW, 0);
    return rc;
}

void
conf_store_close(struct conf_store *store)
{
    fd_close(&store->dir);
}

int
conf_store_is_first(const struct conf_store *store, struct br_err *err)
{
    int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool empty = true;

    if (dir == NULL) {
        fd_close(&fd);
        return br_fail(err, -errno, "cannot read the state directory");
    }
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(dir);
    return empty || faccessat(store->dir, FIRST_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int
conf_store_begin_first(const struct conf_store *store, struct br_err *err)
{
    int rc = aside_write(store->dir, FIRST_NAME, SLICE_NONE, err);

    if (rc == 0 && fsync(store->dir) < 0)
        rc = br_fail(err, -errno, "cannot sync the state directory");
    return rc;
}

int
conf_store_end_first(const struct conf_store *store, struct br_err *err)
{
    return aside_remove(store->dir, FIRST_NAME, err);
}

/* "13500", or with our name in a second line.  Version 0 when there is none, or no number. */
static void
read_version(const struct conf_store *store, struct conf_kept *ret)
{
    br_cleanup(fd_closep) int fd =
        openat(store->dir, VERSION_NAME, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct slice rest, line = SLICE_NONE;
    char *text = NULL;
    uint64_t version = 0;
    size_t n = 0;

    *ret = (struct conf_kept){.version = 0};
    if (fd < 0 || fd_read_file(fd, VERSION_MAX, &text, &n) < 0)
        return;
    rest = slice_make(text, n);
    slice_split(&rest, '\n', &line);
    if (slice_u64(slice_trim(line), &version) == 0 && version <= UINT32_MAX)
        ret->version = (uint32_t)version;
    line = SLICE_NONE;
    slice_split(&rest, '\n', &line);
    ret->unit = ret->version >= UNIT_VERSION && !slice_eq(slice_trim(line), SLICE(VERSION_OURS));
    free(text);
}

/* 1: others could read it. */
static int
check_file(int fd, struct br_err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return br_fail(err, -errno, "cannot look at the stored configuration");
    if (!S_ISREG(st.st_mode))
        return br_fail(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
                       "the stored configuration is no regular file");
    if (!is_trusted(&st))
        return br_fail(err, -EPERM, "the stored configuration belongs to user %u",
                       (unsigned)st.st_uid);
    if ((st.st_mode & 077) == 0)
        return 0;
    fchmod(fd, 0600); /* where the disk is read-only, it stays as it is */
    return 1;
}

int
conf_store_read(const struct conf_store *store, int *ret_fd, struct conf_kept *ret_kept,
                struct br_err *err)
{
    br_cleanup(fd_closep) int fd =
        openat(store->dir, TEXT_NAME, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    int rc;

    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return br_fail(err, -errno, "cannot open the stored configuration");
    rc = check_file(fd, err);
    if (rc < 0)
        return rc;
    read_version(store, ret_kept);
    ret_kept->was_open = rc > 0;
    *ret_fd = fd_take(&fd);
    return 0;
}

int
conf_store_set_aside(const struct conf_store *store, struct br_err *err)
{
    time_t now = time(NULL);
    char name[64];
    struct stat st;
    struct tm tm;

    if (fstatat(store->dir, TEXT_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return br_fail(err, -errno, "cannot look at the stored configuration");
    if (S_ISREG(st.st_mode) && st.st_nlink > 1)
        return 0;
    gmtime_r(&now, &tm);
    strftime(name, sizeof name, DAMAGED_NAME, &tm);
    if (S_ISREG(st.st_mode) && is_trusted(&st) &&
        linkat(store->dir, TEXT_NAME, store->dir, name, 0) == 0)
        return 0;
    if (renameat2(store->dir, TEXT_NAME, store->dir, name, RENAME_NOREPLACE) < 0)
        return br_fail(err, -errno, "cannot rename the stored configuration to \"%s\"", name);
    return 0;
}

int
conf_store_save_foreign(const struct conf_store *store, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    struct conf_kept kept;
    int rc;

    if (faccessat(store->dir, UNIT_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
        conf_store_read(store, &fd, &kept, NULL) < 0 || !kept.unit)
        return 0;
    rc = aside_copy(store->dir, UNIT_NEW, fd, err);
    return rc < 0 ? rc : aside_move(store->dir, UNIT_NEW, store->dir, UNIT_NAME, err);
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

    snprintf(text, sizeof text, "%u\n" VERSION_OURS "\n", version);
    rc = aside_write(store->dir, VERSION_NEW, slice_cstr(text), err);
    return rc < 0 ? rc : aside_move(store->dir, VERSION_NEW, store->dir, VERSION_NAME, err);
}

int
conf_store_keep(const struct conf_store *store, uint32_t version, struct br_err *err)
{
    int rc = aside_move(store->dir, ASIDE_NAME, store->dir, TEXT_NAME, err);
    struct conf_kept kept;

    read_version(store, &kept);
    if (rc == 0 && (kept.version != version || kept.unit))
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
