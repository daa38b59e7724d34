/*
 * landlock.c - Landlock rules from paths.
 *
 * Landlock allows, it does not forbid: to hide /var/lib/brood, everything beside the way to it is
 * allowed by name, and of the way itself only that its directories may be listed.
 *
 *   /     allowed: every entry but "var"
 *   /var  allowed: every entry but "lib"
 *   …     what appears beside the way later is out of reach too
 *
 * That last line is a price, so it is paid only by those whom the file mode does not stop: root,
 * and the owner.
 *
 * See landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2).
 */
#include "process/landlock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* Debian 12's headers end before it. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define OF_FILES                                                                                 \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
     LANDLOCK_ACCESS_FS_TRUNCATE)
#define TO_READ \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* Version of the interface, or -errno. */
static int
abi(void)
{
    long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return v < 0 ? -errno : (int)v;
}

bool
landlock_works(void)
{
    return abi() > 0;
}

/* Every right over files that this kernel can watch. */
static uint64_t
all_rights(void)
{
    int version = abi();
    uint64_t rights = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1; /* the thirteen of version 1 */

    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return rights;
}

/* Allow what rights say below the open path.  0 or -errno. */
static int
allow(int rules, int path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.parent_fd = path, .allowed_access = rights};
    struct stat st;

    if (fstat(path, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        rule.allowed_access &= OF_FILES & all_rights();
    if (rule.allowed_access == 0)
        return 0;
    return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno
                                                                                           : 0;
}

/* Everything in the directory but that one entry. */
static int
allow_beside(int rules, const char *dir, struct slice entry)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int rc = 0;

    if (d == NULL)
        return -errno;
    while (rc == 0 && (e = readdir(d)) != NULL) {
        br_cleanup(fd_closep) int fd = -1;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || e->d_type == DT_LNK ||
            slice_eq(slice_cstr(e->d_name), entry))
            continue;
        fd = openat(dirfd(d), e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) /* else it has just gone */
            rc = allow(rules, fd, all_rights());
    }
    closedir(d);
    return rc;
}

/* path is absolute and without links. */
static int
hide(int rules, char *path)
{
    br_cleanup(fd_closep) int top = open("/", O_PATH | O_CLOEXEC);
    int rc = top < 0 ? -errno : allow(rules, top, LANDLOCK_ACCESS_FS_READ_DIR);

    for (char *slash = path; rc == 0 && slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t n = strcspn(slash + 1, "/");

        *slash = '\0';
        rc = allow_beside(rules, slash == path ? "/" : path, slice_make(slash + 1, n));
        *slash = '/';
    }
    return rc;
}

static int
allow_named(int rules, const struct launch *card, const char *key, uint64_t rights,
            struct br_err *err)
{
    const char *path;
    unsigned pos = 0;
    int rc = 0;

    while (rc == 0 && (path = launch_next(card, key, &pos)) != NULL) {
        br_cleanup(fd_closep) int fd = open(path, O_PATH | O_CLOEXEC);

        rc = fd < 0 ? -errno : allow(rules, fd, rights);
        if (rc < 0)
            return br_fail(err, rc, "cannot allow \"%s\"", path);
    }
    return 0;
}

static int
fill(int rules, const struct launch *card, const char *hidden, struct br_err *err)
{
    char path[PATH_MAX];
    int rc;

    if (hidden != NULL) {
        rc = realpath(hidden, path) == NULL ? -errno : hide(rules, path);
        return rc < 0 ? br_fail(err, rc, "cannot hide \"%s\"", hidden) : 0;
    }
    rc = allow_named(rules, card, "landlock_read", TO_READ, err);
    return rc < 0 ? rc : allow_named(rules, card, "landlock_write", all_rights(), err);
}

/* Would it be in reach without us?  In another root it does not even exist. */
static bool
must_hide(const char *path, uid_t uid)
{
    struct stat st;

    return path != NULL && landlock_works() && stat(path, &st) == 0 &&
           (uid == 0 || uid == st.st_uid);
}

int
landlock_apply(const struct launch *card, uid_t uid, struct br_err *err)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = all_rights()};
    bool named = launch_get(card, "landlock_read", NULL) != NULL ||
                 launch_get(card, "landlock_write", NULL) != NULL;
    const char *hidden = named ? NULL : launch_get(card, "landlock_hide", NULL);
    br_cleanup(fd_closep) int rules = -1;
    int rc;

    if (!named && !must_hide(hidden, uid))
        return 0;
    rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (rules < 0)
        return br_fail(err, -errno, "this kernel makes no Landlock rules");
    rc = fill(rules, card, hidden, err);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        rc = br_fail(err, -errno, "cannot restrict paths");
    return rc == 0 ? 1 : rc;
}
