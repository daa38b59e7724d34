/*
 * mounts.c - a new root out of a directory, by descriptors and without writing into it.
 *
 *   rootfs --bind--> tree;  deps, /proc, /tmp, binds on top;  pivot_root(".", ".");  detach the old
 *
 * A place to mount on may be missing in rootfs, which is not ours to write into.  Then the deepest
 * directory that is there gets a shadow: a small tmpfs in its place, with every entry of it mounted
 * back by name, and room for the missing one.
 *
 *   rootfs/            (no /proc)         shadow of /   bin -> bind   etc -> bind   lib -> symlink
 *     bin etc lib                                       proc  <- made here
 *
 * Paths are walked by openat2(2) inside the new root, so that an absolute link in it leads to where
 * the application will see it, and never out of it.
 */
#include "process/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define TMPFS_OF_ROOT "size=1m,mode=1777"
#define TMPFS_PRIVATE "mode=1777"

/* The root in the making. */
struct new_root {
    const char *path; /* of rootfs; NULL: the root that we have */
    int fd;           /* what is on top there: O_PATH */
    dev_t tmp;        /* of the /tmp that we mounted, where places can be made; 0: none */
};

/* --- small steps --- */

static int
mount_fs(int at, const char *type, unsigned long flags, const char *data, const char *what,
         struct br_err *err)
{
    char place[64];

    snprintf(place, sizeof(place), "/proc/self/fd/%d", at);
    if (mount(type, place, type, flags, data) < 0)
        return br_fail(err, -errno, "cannot mount a %s at \"%s\"", type, what);
    return 0;
}

/* What is at path inside root: O_PATH descriptor or -errno. */
static int
open_inside(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, root, path[0] != '\0' ? path : "/", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/* A copy of the tree of mounts at source, in no place yet.  Descriptor or -errno. */
static int
copy_tree(int source)
{
    int tree = open_tree(
        source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | (unsigned)AT_EMPTY_PATH);

    return tree < 0 ? -errno : tree;
}

/* Mount such a copy on the place. */
static int
attach(int tree, int place, bool read_only)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (read_only && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return -errno;
    return move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? -errno
               : 0;
}

static bool
is_directory(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* --- shadows --- */

/* An empty place of that name, to mount on.  0 or -errno. */
static int
make_place(int dir, const char *name, bool directory)
{
    int fd;

    if (directory)
        return mkdirat(dir, name, 0755) < 0 ? -errno : 0;
    fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* The entry of that name of the old directory, in the new one. */
static int
mirror(int old, int new, const char *name)
{
    br_cleanup(fd_closep) int from = openat(old, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    br_cleanup(fd_closep) int tree = -1;
    br_cleanup(fd_closep) int to = -1;
    char target[PATH_MAX];
    struct stat st;
    ssize_t n;
    int rc;

    if (from < 0 || fstat(from, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode)) {
        n = readlinkat(from, "", target, sizeof(target) - 1);
        target[br_max(n, 0)] = '\0';
        return n < 0 || symlinkat(target, new, name) < 0 ? -errno : 0;
    }
    rc = make_place(new, name, S_ISDIR(st.st_mode));
    if (rc < 0)
        return rc;
    to = openat(new, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return -errno;
    tree = copy_tree(from);
    return tree < 0 ? tree : attach(tree, to, false);
}

static int
mirror_all(int old, int new)
{
    int fd = openat(old, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    int rc = 0;

    if (d == NULL) {
        rc = -errno;
        fd_close(&fd);
        return rc;
    }
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = mirror(old, new, e->d_name);
    closedir(d);
    return rc;
}

/* Put a tmpfs with the same entries in the place of old, the directory at path of the root. */
static int
shadow(struct new_root *root, const char *path, int old, struct br_err *err)
{
    br_cleanup(fd_closep) int new = -1;
    struct stat st;
    char data[32];
    int rc;

    if (fstat(old, &st) < 0)
        return br_fail(err, -errno, "cannot look at \"%s\" of the new root", path);
    snprintf(data, sizeof(data), "mode=%o", st.st_mode & 07777);
    rc = mount_fs(old, "tmpfs", MS_NOSUID | MS_NODEV, data, path, err);
    if (rc < 0)
        return rc;
    /* A descriptor stays below what is mounted over it; a walk ends on top. */
    new = path[0] != '\0' ? open_inside(root->fd, path)
                          : open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    rc = new < 0 ? -errno : mirror_all(old, new);
    if (rc < 0)
        return br_fail(err, rc, "cannot make room in \"%s/\" of the new root", path);
    if (path[0] == '\0') {
        fd_close(&root->fd);
        root->fd = fd_take(&new);
    }
    return 0;
}

/* The missing rest of a path: directories, and the last one as asked.  Its parent is a shadow. */
static int
make_rest(int root, char *path, size_t have, bool directory)
{
    int rc = 0;

    for (size_t at = have; rc == 0 && path[at] != '\0';) {
        size_t n = at + 1 + strcspn(path + at + 1, "/");
        bool last = path[n] == '\0';
        br_cleanup(fd_closep) int dir = -1;
        char c = path[n];

        path[at] = '\0';
        dir = open_inside(root, path);
        path[at] = '/';
        path[n] = '\0';
        rc = dir < 0 ? dir : make_place(dir, path + at + 1, !last || directory);
        path[n] = c;
        at = n;
    }
    return rc;
}

/* The deepest part of the path that is there: path is cut to it.  Its descriptor, or -errno. */
static int
open_deepest(int root, char *path)
{
    int there = -ENOENT;

    for (size_t n = strlen(path); there == -ENOENT && n > 0;) {
        do
            n--;
        while (n > 0 && path[n] != '/');
        path[n] = '\0';
        there = open_inside(root, path);
    }
    return there;
}

static bool
is_ours(const struct new_root *root, int fd)
{
    struct stat st;

    return root->tmp != 0 && fstat(fd, &st) == 0 && st.st_dev == root->tmp;
}

/* Make what is missing of the path; nothing is made in a file system that is not ours. */
static int
make_missing(struct new_root *root, const char *wanted, bool directory, struct br_err *err)
{
    char path[PATH_MAX];
    br_cleanup(fd_closep) int there = -1;
    size_t have;
    int rc = 0;

    if (snprintf(path, sizeof(path), "%s", wanted) >= PATH_MAX)
        return br_fail(err, -ENAMETOOLONG, "\"%s\"", wanted);
    there = open_deepest(root->fd, path);
    if (there < 0)
        return br_fail(err, there, "no way to \"%s\"", wanted);
    if (!is_ours(root, there)) {
        if (root->path == NULL)
            return br_fail(err, -ENOENT, "no \"%s\" to mount on", wanted);
        rc = shadow(root, path, there, err);
    }
    have = strlen(path);
    strcpy(path, wanted);
    if (rc == 0) {
        rc = make_rest(root->fd, path, have, directory);
        if (rc < 0)
            br_fail(err, rc, "cannot make \"%s\" in the new root", wanted);
    }
    return rc;
}

/* The place of that path, made if it is missing.  Its descriptor, or -errno. */
static int
place_for(struct new_root *root, const char *wanted, bool directory, struct br_err *err)
{
    int there = open_inside(root->fd, wanted);
    int rc;

    if (there == -ENOENT) {
        rc = make_missing(root, wanted, directory, err);
        if (rc < 0)
            return rc;
        there = open_inside(root->fd, wanted);
    }
    return there < 0 ? br_fail(err, there, "no \"%s\" to mount on", wanted) : there;
}

/* --- what is mounted --- */

static int
attach_at(struct new_root *root, int tree, const char *target, bool read_only, struct br_err *err)
{
    br_cleanup(fd_closep) int to = place_for(root, target, is_directory(tree), err);
    int rc;

    if (to < 0)
        return to;
    rc = attach(tree, to, read_only);
    return rc < 0 ? br_fail(err, rc, "cannot mount on \"%s\"", target) : 0;
}

/* What is at path, as it is now.  Descriptor or -errno. */
static int
copy_path(const char *path, struct br_err *err)
{
    br_cleanup(fd_closep) int at = open(path, O_PATH | O_CLOEXEC);
    int tree;

    if (at < 0)
        return br_fail(err, -errno, "cannot open \"%s\"", path);
    tree = copy_tree(at);
    return tree < 0 ? br_fail(err, tree, "cannot copy the mounts of \"%s\"", path) : tree;
}

static int
bind_path(struct new_root *root, const char *path, bool read_only, struct br_err *err)
{
    br_cleanup(fd_closep) int tree = copy_path(path, err);

    return tree < 0 ? tree : attach_at(root, tree, path, read_only, err);
}

static int
mount_on(struct new_root *root, const char *target, const char *type, unsigned long flags,
         const char *data, struct br_err *err)
{
    int at = place_for(root, target, true, err);
    int rc = at < 0 ? at : mount_fs(at, type, flags, data, target, err);

    fd_close(&at);
    return rc;
}

/* A new one needs a pid namespace of our own, or privilege; else what we see is shown. */
static int
mount_proc(struct new_root *root, bool own_pids, struct br_err *err)
{
    struct br_err why = BR_ERR_NONE;
    int rc = mount_on(root, "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, &why);

    if (rc == -EPERM && !own_pids)
        return bind_path(root, "/proc", false, err);
    if (rc < 0)
        *err = why;
    return rc;
}

static bool
automounts(const struct launch *card, const char *what)
{
    const char *name;
    unsigned pos = 0;

    while ((name = launch_next(card, "automount", &pos)) != NULL)
        if (strcmp(name, what) == 0)
            return true;
    return false;
}

static int
bind_deps(struct new_root *root, const char *const *deps, struct br_err *err)
{
    int rc = 0;

    for (; rc == 0 && *deps != NULL; deps++)
        if (access(*deps, F_OK) == 0)
            rc = bind_path(root, *deps, true, err);
    return rc;
}

/* The sources of the card's binds, before anything covers them or makes them read-only. */
static int
copy_sources(const struct launch *card, int sources[MOUNTS_BINDS_MAX], struct br_err *err)
{
    const char *path;
    unsigned pos = 0, n = 0;

    while ((path = launch_next(card, "bind_source", &pos)) != NULL) {
        if (n == MOUNTS_BINDS_MAX)
            return br_fail(err, -E2BIG, "more than %d binds", MOUNTS_BINDS_MAX);
        sources[n] = copy_path(path, err);
        if (sources[n++] < 0)
            return err->rc;
    }
    return 0;
}

static int
bind_more(struct new_root *root, const struct launch *card, const int *sources, struct br_err *err)
{
    unsigned from = 0, to = 0, how = 0;
    const char *source;
    int rc = 0;

    while (rc == 0 && (source = launch_next(card, "bind_source", &from)) != NULL) {
        const char *target = launch_next(card, "bind_target", &to);
        const char *mode = launch_next(card, "bind_mode", &how);

        if (target == NULL || mode == NULL)
            return br_fail(err, -EINVAL, "bind of \"%s\"", source);
        rc = attach_at(root, *sources++, target, strcmp(mode, "ro") == 0, err);
    }
    return rc;
}

/* What is mounted later stays writable. */
static int
set_read_only(const struct new_root *root, struct br_err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (mount_setattr(root->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return br_fail(err, -errno, "cannot make the root read-only");
    return 0;
}

static int
mount_tmp(struct new_root *root, unsigned long flags, const char *data, struct br_err *err)
{
    int rc = mount_on(root, "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | flags, data, err);
    br_cleanup(fd_closep) int tmp = rc < 0 ? -1 : open_inside(root->fd, "/tmp");
    struct stat st;

    if (tmp >= 0 && fstat(tmp, &st) == 0)
        root->tmp = st.st_dev;
    return rc;
}

/* What is needed and lies in the old /tmp, read-only in the new one: deps that are there. */
static int
bind_covered(struct new_root *root, int old, const char *const *deps, struct br_err *err)
{
    int rc = 0;

    for (; rc == 0 && *deps != NULL; deps++) {
        br_cleanup(fd_closep) int at = -1;
        br_cleanup(fd_closep) int tree = -1;

        if (strncmp(*deps, "/tmp/", 5) != 0)
            continue;
        at = openat(old, *deps + 5, O_PATH | O_CLOEXEC);
        tree = at < 0 ? -errno : copy_tree(at);
        if (tree >= 0)
            rc = attach_at(root, tree, *deps, true, err);
        else if (tree != -ENOENT)
            rc = br_fail(err, tree, "cannot copy the mounts of \"%s\"", *deps);
    }
    return rc;
}

/* Over the root that we have it covers what may be needed. */
static int
mount_private_tmp(struct new_root *root, const char *const *deps, struct br_err *err)
{
    br_cleanup(fd_closep) int old = root->path == NULL ? open("/tmp", O_PATH | O_CLOEXEC) : -1;
    int rc = mount_tmp(root, 0, TMPFS_PRIVATE, err);

    return rc < 0 || old < 0 ? rc : bind_covered(root, old, deps, err);
}

static int
furnish(struct new_root *root, const struct launch *card, bool own_pids, const char *const *deps,
        const int *sources, struct br_err *err)
{
    int rc = 0;

    if (launch_int(card, "read_only", 0) != 0)
        rc = set_read_only(root, err);
    /* First, since what follows may lie below it. */
    if (rc == 0 && launch_int(card, "private_tmp", 0) != 0)
        rc = mount_private_tmp(root, deps, err);
    else if (rc == 0 && root->path != NULL && automounts(card, "tmpfs"))
        rc = mount_tmp(root, MS_NOEXEC, TMPFS_OF_ROOT, err);
    if (rc == 0 && root->path != NULL)
        rc = bind_deps(root, deps, err);
    if (rc == 0 && (root->path != NULL ? automounts(card, "procfs") : own_pids))
        rc = mount_proc(root, own_pids, err);
    return rc < 0 ? rc : bind_more(root, card, sources, err);
}

/* --- the change of root --- */

/* pivot_root(2), NOTES: new and old on one place, then the old one is what lies on top. */
static int
pivot(const struct new_root *root, struct br_err *err)
{
    if (fchdir(root->fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return br_fail(err, -errno, "cannot change the root to \"%s\"", root->path);
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return br_fail(err, -errno, "cannot leave the old root");
    return 0;
}

static int
open_root(struct new_root *root, struct br_err *err)
{
    const char *at = root->path != NULL ? root->path : "/";

    if (root->path != NULL && mount(root->path, root->path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return br_fail(err, -errno, "cannot mount rootfs \"%s\"", root->path);
    root->fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root->fd < 0 ? br_fail(err, -errno, "cannot open rootfs \"%s\"", at) : 0;
}

static int
build(const char *rootfs, const struct launch *card, bool own_pids, const char *const *deps,
      struct br_err *err)
{
    struct new_root root = {.path = rootfs, .fd = -1};
    int sources[MOUNTS_BINDS_MAX];
    int rc;

    memset(sources, -1, sizeof(sources));
    /* What is unmounted outside goes here too, and nothing of ours is seen outside. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return br_fail(err, -errno, "cannot make mounts private");
    rc = copy_sources(card, sources, err);
    if (rc == 0)
        rc = open_root(&root, err);
    if (rc == 0)
        rc = furnish(&root, card, own_pids, deps, sources, err);
    if (rc == 0 && rootfs != NULL)
        rc = pivot(&root, err);
    fd_close(&root.fd);
    for (unsigned i = 0; i < MOUNTS_BINDS_MAX; i++)
        fd_close(&sources[i]);
    return rc;
}

/* Without CAP_SYS_ADMIN nothing can be mounted, but CAP_SYS_CHROOT may be there. */
static int
change_root(const char *rootfs, struct br_err *err)
{
    br_log(LOG_WARN, "rootfs \"%s\" by chroot, with nothing mounted in it: no right to mount",
           rootfs);
    if (chroot(rootfs) < 0 || chdir("/") < 0)
        return br_fail(err, -errno, "cannot change the root to \"%s\"", rootfs);
    return 0;
}

static bool
needs_mounts(const struct launch *card)
{
    return launch_get(card, "rootfs", NULL) != NULL ||
           launch_get(card, "bind_source", NULL) != NULL ||
           launch_int(card, "private_tmp", 0) != 0 || launch_int(card, "read_only", 0) != 0;
}

int
mounts_make(const struct launch *card, bool own_mounts, bool own_pids, const char *const *deps,
            struct br_err *err)
{
    const char *rootfs = launch_get(card, "rootfs", NULL);

    if (!own_mounts && !needs_mounts(card))
        return 0;
    if (!own_mounts && unshare(CLONE_NEWNS) < 0)
        return errno == EPERM && rootfs != NULL ? change_root(rootfs, err)
                                                : br_fail(err, -errno, "no mount namespace");
    return build(rootfs, card, own_pids, deps, err);
}
