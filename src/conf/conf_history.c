/*
 * conf_history.c - the last configurations that were kept, beside the copy on disk.
 *
 *   save:  history/new <- bytes, fsync
 *   keep:  rename history/new -> history/42.json, fsync of the directory, unlink 26.json
 *
 * The rename is the only step by which a text enters, so each file is whole whatever dies.  A crash
 * between the two renames of a change (conf.json, then this) leaves the history one text behind;
 * the next start finds that what was saved is conf.json, and puts it there.  So does the next save
 * with a conf.json that came otherwise.
 *
 * Copies, not links: an editor that writes conf.json in place must not change the past.
 */
#include "conf/conf_history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"
#include "conf/aside.h"

#define DIR_NAME    "history"
#define ASIDE_NAME  "new"
#define NAME_SUFFIX ".json"
#define NAME_ROOM   32 /* the longest number, and the suffix */
#define BLOCK_BYTES (16 * 1024)

struct history {
    int dir;
    struct conf_history_entry entries[CONF_HISTORY_MAX + 1]; /* newest first */
    size_t n;
};

static void
name_of(uint64_t number, char ret_name[NAME_ROOM])
{
    snprintf(ret_name, NAME_ROOM, "%" PRIu64 NAME_SUFFIX, number);
}

/* The number of such a name, 0: it is none. */
static uint64_t
number_of(const char *name)
{
    struct slice text = slice_cstr(name);
    uint64_t number;

    if (!slice_ends(text, SLICE(NAME_SUFFIX)) || name[0] == '0')
        return 0;
    text.n -= strlen(NAME_SUFFIX);
    return slice_u64(text, &number) == 0 ? number : 0;
}

/* Keep the list in order; what has no room in it is too old to be remembered. */
static void
insert(struct history *h, uint64_t number)
{
    size_t at = h->n;

    while (at > 0 && h->entries[at - 1].number < number)
        at--;
    if (at == array_len(h->entries))
        return;
    h->n = br_min(h->n + 1, array_len(h->entries));
    memmove(&h->entries[at + 1], &h->entries[at], (h->n - at - 1) * sizeof(h->entries[0]));
    h->entries[at] = (struct conf_history_entry){.number = number};
}

static int
read_dir(struct history *h)
{
    int fd = openat(h->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int rc;

    if (dir == NULL) {
        rc = -errno;
        fd_close(&fd);
        return rc;
    }
    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        uint64_t number = number_of(entry->d_name);

        if (number != 0)
            insert(h, number);
    }
    rc = -errno;
    closedir(dir);
    return rc;
}

static void
done(struct history *h)
{
    fd_close(&h->dir);
}

/* make: the directory too, if need be.  -ENOENT without a sentence: there is none. */
static int
look(const struct conf_store *store, bool make, struct history *ret, struct br_err *err)
{
    int rc;

    *ret = (struct history){.dir = -1};
    if (make && mkdirat(store->dir, DIR_NAME, 0700) < 0 && errno != EEXIST)
        return br_fail(err, -errno, "cannot make \"" DIR_NAME "\" in the state directory");
    ret->dir = openat(store->dir, DIR_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (ret->dir < 0 && errno == ENOENT)
        return -ENOENT;
    rc = ret->dir < 0 ? -errno : read_dir(ret);
    if (rc < 0) {
        done(ret);
        return br_fail(err, rc, "cannot read \"" DIR_NAME "\" in the state directory");
    }
    return 0;
}

static ssize_t
read_block(int fd, char *block, off_t at)
{
    ssize_t n;

    do
        n = pread(fd, block, BLOCK_BYTES, at);
    while (n < 0 && errno == EINTR);
    return n;
}

/* The same bytes?  What cannot be read is not. */
static bool
same(int a, int b)
{
    char x[BLOCK_BYTES], y[BLOCK_BYTES];
    off_t at = 0;
    ssize_t n;

    do {
        n = read_block(a, x, at);
        if (n < 0 || read_block(b, y, at) != n || memcmp(x, y, (size_t)n) != 0)
            return false;
        at += n;
    } while (n > 0);
    return true;
}

static bool
is_newest(const struct history *h, int fd)
{
    br_cleanup(fd_closep) int newest = -1;
    char name[NAME_ROOM];

    if (h->n == 0)
        return false;
    name_of(h->entries[0].number, name);
    newest = openat(h->dir, name, O_RDONLY | O_CLOEXEC);
    return newest >= 0 && same(fd, newest);
}

/* What was written aside becomes the newest. */
static int
enter(struct history *h, struct br_err *err)
{
    uint64_t number = h->n == 0 ? 1 : h->entries[0].number + 1;
    char name[NAME_ROOM];
    int rc;

    name_of(number, name);
    rc = aside_move(h->dir, ASIDE_NAME, h->dir, name, err);
    if (rc < 0)
        return rc;
    if (fsync(h->dir) < 0)
        return br_fail(err, -errno, "cannot sync \"" DIR_NAME "\" in the state directory");
    insert(h, number);
    return 0;
}

/*
 * conf.json, if the history does not end with it.  One that has a second name is kept by that, and
 * is a damaged one (conf_store_set_aside); what is no file of ours has nothing that could be kept.
 */
static int
enter_current(const struct conf_store *store, struct history *h, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    struct conf_kept kept;
    struct stat st;
    int rc;

    if (conf_store_read(store, &fd, &kept, NULL) < 0 || is_newest(h, fd))
        return 0;
    if (fstat(fd, &st) == 0 && st.st_nlink > 1)
        return 0;
    rc = aside_copy(h->dir, ASIDE_NAME, fd, err);
    return rc < 0 ? rc : enter(h, err);
}

int
conf_history_save(const struct conf_store *store, int fd, struct br_err *err)
{
    struct history h;
    int rc = look(store, true, &h, err);

    if (rc < 0)
        return rc;
    rc = enter_current(store, &h, err);
    if (rc == 0)
        rc = is_newest(&h, fd) ? aside_remove(h.dir, ASIDE_NAME, err)
                               : aside_copy(h.dir, ASIDE_NAME, fd, err);
    done(&h);
    return rc;
}

/* All but the newest ones: none is more than one too many, but for what somebody copied there. */
static int
forget_old(struct history *h, struct br_err *err)
{
    int rc = 0;

    while (rc == 0 && h->n > CONF_HISTORY_MAX) {
        char name[NAME_ROOM];

        name_of(h->entries[--h->n].number, name);
        rc = aside_remove(h->dir, name, err);
    }
    return rc;
}

int
conf_history_keep(const struct conf_store *store, struct br_err *err)
{
    struct history h;
    int rc = look(store, false, &h, err);

    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    if (faccessat(h.dir, ASIDE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        rc = enter(&h, err);
    if (rc == 0)
        rc = forget_old(&h, err);
    done(&h);
    return rc;
}

/* Are the bytes that were saved those of conf.json? */
static bool
is_current(const struct conf_store *store, int saved)
{
    br_cleanup(fd_closep) int current = -1;
    struct conf_kept kept;

    return conf_store_read(store, &current, &kept, NULL) == 0 && same(saved, current);
}

int
conf_history_mend(const struct conf_store *store, struct br_err *err)
{
    br_cleanup(fd_closep) int saved = -1;
    struct history h;
    int rc = look(store, false, &h, err);

    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    saved = openat(h.dir, ASIDE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (saved >= 0 && is_current(store, saved))
        rc = enter(&h, err);
    else if (saved >= 0)
        rc = aside_remove(h.dir, ASIDE_NAME, err);
    if (rc == 0)
        rc = forget_old(&h, err);
    done(&h);
    return rc;
}

int
conf_history_list(const struct conf_store *store,
                  struct conf_history_entry ret_entries[CONF_HISTORY_MAX], size_t *ret_n,
                  struct br_err *err)
{
    struct history h;
    int rc = look(store, false, &h, err);

    *ret_n = 0;
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    for (size_t i = 0; i < h.n && i < CONF_HISTORY_MAX; i++) {
        struct conf_history_entry *e = &h.entries[i];
        char name[NAME_ROOM];
        struct stat st;

        name_of(e->number, name);
        if (fstatat(h.dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        e->time_s = st.st_mtime;
        e->size = (uint64_t)st.st_size;
        ret_entries[(*ret_n)++] = *e;
    }
    done(&h);
    return 0;
}

int
conf_history_open(const struct conf_store *store, uint64_t number, int *ret_fd, struct br_err *err)
{
    char path[sizeof(DIR_NAME "/") + NAME_ROOM];
    char name[NAME_ROOM];
    int fd;

    name_of(number, name);
    snprintf(path, sizeof path, DIR_NAME "/%s", name);
    fd = openat(store->dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return br_fail(err, -errno, "cannot open \"%s\" in the state directory", path);
    *ret_fd = fd;
    return 0;
}
