/*
 * rundir_make.c - make the directory of sockets and locks where it is missing.
 *
 *   candidate --parent right?--> mkdir 0700 --> open O_NOFOLLOW, ours and closed? --> "standing"
 */
#include "interp/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* What the user's processes may ordinarily do: those of the one that made the directory. */
static void
record_standing(const struct rundir *dir)
{
    char hex[IDENTITY_STANDING + 1];
    br_cleanup(fd_closep) int fd =
        openat(dir->fd, "standing", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    /* Without it -g adds no digits: nothing else depends on it. */
    if (fd >= 0 && identity_standing(hex) == 0)
        (void)fd_write_all(fd, hex, IDENTITY_STANDING);
}

static int
make_one(const char *path, struct br_err *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return br_fail(err, -errno, "cannot make directory \"%s\"", path);
    return 0;
}

static int
make_candidate(const struct rundir_candidate *c, uid_t uid, struct rundir *ret, struct br_err *err)
{
    int rc = c->make_parent ? make_one(c->parent, err) : 0;

    if (rc == 0 && c->make)
        rc = make_one(c->path, err);
    if (rc < 0)
        return rc;
    rc = rundir_open(c->path, uid, ret);
    if (rc == -EPERM)
        return br_fail(err, rc, "directory \"%s\" is not ours alone", c->path);
    if (rc < 0)
        return br_fail(err, rc, "cannot open directory \"%s\"", c->path);
    record_standing(ret);
    return 0;
}

int
rundir_make(uid_t uid, struct rundir *ret, struct br_err *err)
{
    struct rundir_candidate *c = malloc(sizeof(*c));
    int rc = -ENOENT;

    if (c == NULL)
        return br_fail(err, -ENOMEM, "cannot look for a directory of sockets");
    for (unsigned n = 0; rundir_candidate(n, uid, c); n++) {
        if (!rundir_allowed(c, uid))
            continue;
        br_err_clear(err);
        rc = make_candidate(c, uid, ret, err);
        break;
    }
    free(c);
    return rc == -ENOENT ? br_fail(err, rc, "there is no place for a directory of sockets") : rc;
}
