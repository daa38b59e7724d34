/*
 * cgroup.c - one application's control group in the version 2 hierarchy.
 *
 *   /sys/fs/cgroup  +  our own group (0::/PATH)  +  "apps/blog"
 *
 * Where the hierarchy is mounted is read from /proc/self/mountinfo: on a machine with both versions
 * it is a directory beside those of version 1, and has no controllers.  A limit needs its
 * controller switched on in the parent's cgroup.subtree_control, which is tried first.
 */
#include "process/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"

#define PROC_BYTES_MAX (256 * 1024)

/* The mount point of the first version 2 hierarchy.  proc(5): "… - cgroup2 SOURCE OPTIONS". */
static int
find_hierarchy(char *ret, size_t room, struct br_err *err)
{
    char *text, *line, *rest;
    size_t n;
    int rc = fd_read_path("/proc/self/mountinfo", PROC_BYTES_MAX, &text, &n);

    if (rc < 0)
        return br_fail(err, rc, "cannot read \"/proc/self/mountinfo\"");
    rc = -ENODEV;
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char point[PATH_MAX];

        if (strstr(line, " - cgroup2 ") == NULL ||
            sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1 || strlen(point) >= room)
            continue;
        strcpy(ret, point);
        rc = 0;
        break;
    }
    free(text);
    return rc < 0 ? br_fail(err, rc, "no hierarchy of cgroup version 2 is mounted") : 0;
}

/* Our own group in it, "/" at its root.  cgroups(7): the line that begins with "0::". */
static int
find_own(char *ret, size_t room, struct br_err *err)
{
    char *text, *line, *rest;
    size_t n;
    int rc = fd_read_path("/proc/self/cgroup", PROC_BYTES_MAX, &text, &n);

    if (rc < 0)
        return br_fail(err, rc, "cannot read \"/proc/self/cgroup\"");
    snprintf(ret, room, "/");
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, "0::", 3) == 0)
            snprintf(ret, room, "%s", line + 3);
    free(text);
    return 0;
}

/* The directory of the card's group; *ret_base: how much of it was there before us. */
static int
path_of(const char *group, char ret[PATH_MAX], size_t *ret_base, struct br_err *err)
{
    char own[PATH_MAX] = "";
    char point[PATH_MAX];
    int rc = find_hierarchy(point, sizeof(point), err);
    int n;

    if (rc == 0 && group[0] != '/')
        rc = find_own(own, sizeof(own), err);
    if (rc < 0)
        return rc;
    *ret_base = strlen(point) + (strcmp(own, "/") == 0 ? 0 : strlen(own));
    n = snprintf(ret, PATH_MAX, "%s%s/%s", point, strcmp(own, "/") == 0 ? "" : own,
                 group + strspn(group, "/"));
    return n < PATH_MAX ? 0 : br_fail(err, -ENAMETOOLONG, "cgroup \"%s\"", group);
}

static int
make_group(char *path, size_t base, struct br_err *err)
{
    for (char *p = path + base + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return br_fail(err, -errno, "cannot make cgroup \"%s\"", path);
        *p = c;
        if (c == '\0')
            return 0;
    }
}

static int
write_at(int dir, const char *name, const char *text)
{
    br_cleanup(fd_closep) int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* "memory.max=…" into that file of the group; the parent must lend us the controller. */
static int
set_limit(int dir, const char *limit, struct br_err *err)
{
    const char *equals = strchr(limit, '=');
    char name[64];
    char lend[64];
    int rc;

    if (equals == NULL || (size_t)(equals - limit) >= sizeof(name))
        return br_fail(err, -EINVAL, "cgroup limit \"%s\"", limit);
    snprintf(name, sizeof(name), "%.*s", (int)(equals - limit), limit);
    snprintf(lend, sizeof(lend), "+%.*s", (int)strcspn(name, "."), name);
    if (faccessat(dir, name, F_OK, 0) < 0)
        write_at(dir, "../cgroup.subtree_control", lend);
    rc = write_at(dir, name, equals + 1);
    if (rc == -ENOENT)
        return br_fail(err, rc, "the controller of \"%s\" is not available in this cgroup", name);
    return rc < 0 ? br_fail(err, rc, "cannot set %s to %s", name, equals + 1) : 0;
}

int
cgroup_open(const struct launch *card, int *ret_fd, struct br_err *err)
{
    const char *group = launch_get(card, "cgroup", NULL);
    br_cleanup(fd_closep) int dir = -1;
    char path[PATH_MAX];
    unsigned pos = 0;
    const char *limit;
    size_t base;
    int rc;

    *ret_fd = -1;
    if (group == NULL)
        return 0;
    rc = path_of(group, path, &base, err);
    if (rc == 0)
        rc = make_group(path, base, err);
    if (rc < 0)
        return rc;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return br_fail(err, -errno, "cannot open cgroup \"%s\"", path);
    while (rc == 0 && (limit = launch_next(card, "cgroup_limit", &pos)) != NULL)
        rc = set_limit(dir, limit, err);
    if (rc < 0) {
        cgroup_remove(card);
        return rc;
    }
    *ret_fd = fd_take(&dir);
    return 0;
}

int
cgroup_place(const struct launch *card, struct cgroup_place *ret)
{
    const char *group = launch_get(card, "cgroup", NULL);

    if (group == NULL)
        return -ENOENT;
    return path_of(group, ret->path, &ret->base, NULL);
}

static bool
in_hierarchy(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

int
cgroup_remove(const struct launch *card)
{
    struct cgroup_place place;

    return cgroup_place(card, &place) < 0 ? 0 : cgroup_remove_at(&place);
}

int
cgroup_remove_at(struct cgroup_place *place)
{
    char *path = place->path;
    size_t base = place->base;

    if (!in_hierarchy(path))
        return 0;
    if (rmdir(path) < 0)
        return errno == EBUSY ? -EBUSY : 0;
    for (*strrchr(path, '/') = '\0'; strlen(path) > base && rmdir(path) == 0;)
        *strrchr(path, '/') = '\0';
    return 0;
}
