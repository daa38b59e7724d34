/*
 * idmap.c - uid_map and gid_map of a new user namespace, written by a helper thread.
 *
 * Without maps in the options our effective ids become 0 inside, which needs no privilege.  Who has
 * none must give up setgroups(2) there before gid_map may be written (user_namespaces(7)).
 */
#include "process/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/creds.h"

#define MAP_BYTES 4096 /* the kernel takes one page in one write */

int
idmap_write(pid_t pid, const char *file, const char *text)
{
    br_cleanup(fd_closep) int fd = -1;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int
write_map(pid_t pid, const char *name, const struct program_map *map, unsigned n, uint32_t self)
{
    struct program_map only = {.inside = 0, .outside = self, .count = 1};
    char text[MAP_BYTES];
    size_t used = 0;

    if (n == 0) {
        map = &only;
        n = 1;
    }
    for (unsigned i = 0; i < n; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%u %u %u\n", map[i].inside,
                                 map[i].outside, map[i].count);
        if (used >= sizeof(text))
            return -EINVAL;
    }
    return idmap_write(pid, name, text);
}

static int
write_maps(const struct program *p, pid_t pid)
{
    int rc = 0;

    if (!creds_privileged())
        rc = idmap_write(pid, "setgroups", "deny");
    if (rc == 0)
        rc = write_map(pid, "gid_map", p->gid_map, p->n_gid_map, getegid());
    if (rc == 0)
        rc = write_map(pid, "uid_map", p->uid_map, p->n_uid_map, geteuid());
    return rc;
}

static void *
helper(void *arg)
{
    struct idmap *m = arg;
    char called;
    int rc;

    /* idmap_end closes the other end when there is no child to wait for: an empty read. */
    if (read(m->told[0], &called, 1) != 1)
        return NULL;
    rc = write_maps(m->p, m->pid);
    (void)!write(m->done[1], &rc, sizeof(rc));
    return NULL;
}

int
idmap_begin(struct idmap *m, const struct program *p)
{
    int rc;

    *m = (struct idmap){.p = p, .told = {-1, -1}, .done = {-1, -1}};
    if (pipe2(m->told, O_CLOEXEC) < 0)
        return -errno;
    rc = pipe2(m->done, O_CLOEXEC) < 0 ? -errno : -pthread_create(&m->thread, NULL, helper, m);
    if (rc == 0)
        return 0;
    for (unsigned i = 0; i < 2; i++) {
        fd_close(&m->told[i]);
        fd_close(&m->done[i]);
    }
    return rc;
}

void
idmap_end(struct idmap *m)
{
    fd_close(&m->told[1]);
    pthread_join(m->thread, NULL);
    fd_close(&m->told[0]);
    fd_close(&m->done[0]);
    fd_close(&m->done[1]);
}
