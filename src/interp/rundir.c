/*
 * rundir.c - find the directory of sockets and locks, and believe nothing about it.
 *
 *   candidate --parent right?--> open O_NOFOLLOW --ours, 0700?--> struct rundir
 *
 * Part of the fast path: three system calls where there is a /run/user/UID.
 */
#include "interp/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"

#define NODE_MAX       32
#define SOCKET_RESERVE 12 /* of sun_path: slash, letter, NUL, and some for names yet to come */

/* What strcat would be with a bound; false when it does not fit. */
static bool
append(char *path, size_t room, const char *more)
{
    size_t n = strlen(path), m = strlen(more);

    if (n + m >= room)
        return false;
    memcpy(path + n, more, m + 1);
    return true;
}

static bool
append_uid(char *path, size_t room, uid_t uid)
{
    char digits[12];
    char *p = digits + sizeof(digits) - 1;

    *p = '\0';
    do
        *--p = (char)('0' + uid % 10);
    while ((uid /= 10) != 0);
    return append(path, room, p);
}

/* XDG_RUNTIME_DIR of the caller, or NULL. */
static const char *
announced(void)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");

    return dir != NULL && dir[0] == '/' ? dir : NULL;
}

static bool
runtime_candidate(uid_t uid, bool xdg, struct rundir_candidate *c)
{
    const char *dir = xdg ? announced() : "/run/user/";

    c->owned_parent = true;
    c->make = true;
    return dir != NULL && append(c->parent, sizeof(c->parent), dir) &&
           (xdg || append_uid(c->parent, sizeof(c->parent), uid)) &&
           append(c->path, sizeof(c->path), c->parent) &&
           append(c->path, sizeof(c->path), "/brood-interp");
}

static bool
home_candidate(uid_t uid, struct rundir_candidate *c)
{
    struct utsname uts;
    char *dot;

    c->owned_parent = true;
    c->make_parent = true;
    c->make = true;
    if (uname(&uts) < 0 || !rundir_home(uid, c->parent, sizeof(c->parent)))
        return false;
    dot = strchr(uts.nodename, '.');
    if (dot != NULL)
        *dot = '\0';
    uts.nodename[NODE_MAX] = '\0';
    return append(c->parent, sizeof(c->parent), "/.brood-interp") &&
           append(c->path, sizeof(c->path), c->parent) && append(c->path, sizeof(c->path), "/") &&
           append(c->path, sizeof(c->path), uts.nodename);
}

/* The two whose parent is everybody's; what matters is then the directory itself. */
static bool
shared_candidate(uid_t uid, const char *parent, const char *prefix, bool make,
                 struct rundir_candidate *c)
{
    c->make = make;
    return append(c->parent, sizeof(c->parent), parent) &&
           append(c->path, sizeof(c->path), prefix) && append_uid(c->path, sizeof(c->path), uid);
}

bool
rundir_candidate(unsigned n, uid_t uid, struct rundir_candidate *c)
{
    bool usable;

    c->parent[0] = '\0';
    c->path[0] = '\0';
    c->owned_parent = c->make_parent = c->make = false;
    switch (n) {
    case 0:
    case 1:
        usable = runtime_candidate(uid, n == 0, c);
        break;
    case 2:
        usable = shared_candidate(uid, "/run/brood-interp", "/run/brood-interp/", false, c);
        break;
    case 3:
        usable = home_candidate(uid, c);
        break;
    case 4:
        usable = shared_candidate(uid, "/tmp", "/tmp/brood-interp-", true, c);
        break;
    default:
        return false;
    }
    if (!usable)
        c->path[0] = '\0';
    return true;
}

bool
rundir_allowed(const struct rundir_candidate *c, uid_t uid)
{
    struct stat st;

    if (c->path[0] == '\0')
        return false;
    if (lstat(c->parent, &st) < 0)
        return c->make_parent && errno == ENOENT;
    if (!S_ISDIR(st.st_mode))
        return false;
    if (c->owned_parent && (st.st_uid != uid || (st.st_mode & 077) != 0))
        return false;
    /* An administrator's directory counts only once it has a place for us. */
    return c->make || lstat(c->path, &st) == 0;
}

int
rundir_open(const char *path, uid_t uid, struct rundir *ret)
{
    struct stat st;
    size_t n = strlen(path);
    br_cleanup(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != uid || (st.st_mode & 022) != 0)
        return -EPERM;
    if (n >= sizeof(ret->path))
        return -ENAMETOOLONG;
    memcpy(ret->path, path, n + 1);
    ret->fd = fd_take(&fd);
    return 0;
}

int
rundir_find(uid_t uid, struct rundir *ret)
{
    static struct rundir_candidate c; /* two paths: too great for the stack's first page */

    for (unsigned n = 0; rundir_candidate(n, uid, &c); n++)
        if (rundir_allowed(&c, uid))
            return rundir_open(c.path, uid, ret);
    return -ENOENT;
}

void
rundir_close(struct rundir *dir)
{
    fd_close(&dir->fd);
}

bool
rundir_ordinary(const struct rundir *dir, char ret_hex[IDENTITY_STANDING + 1])
{
    br_cleanup(fd_closep) int fd = openat(dir->fd, "standing", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    ret_hex[IDENTITY_STANDING] = '\0';
    return fd >= 0 && read(fd, ret_hex, IDENTITY_STANDING) == IDENTITY_STANDING;
}

size_t
rundir_room(const struct rundir *dir)
{
    size_t n = strlen(dir->path) + SOCKET_RESERVE;
    size_t all = sizeof(((struct sockaddr_un *)NULL)->sun_path);

    /* Too long a path is no reason to fail: the address goes by way of the descriptor. */
    if (n + IDENTITY_LEAST > all)
        return IDENTITY_HEX;
    return all - n;
}

int
rundir_address(const struct rundir *dir, const char *name, struct sockaddr_un *ret_address)
{
    char *path = ret_address->sun_path;
    size_t room = sizeof(ret_address->sun_path);

    ret_address->sun_family = AF_UNIX;
    path[0] = '\0';
    if (append(path, room, dir->path) && append(path, room, "/") && append(path, room, name))
        return 0;
    path[0] = '\0';
    if (append(path, room, "/proc/self/fd/") && append_uid(path, room, (uid_t)dir->fd) &&
        append(path, room, "/") && append(path, room, name))
        return 0;
    return -ENAMETOOLONG;
}
