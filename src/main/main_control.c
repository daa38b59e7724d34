/*
 * main_control.c - the control socket.
 *
 *   socket -> bind PATH.tmp -> mode, owner -> listen -> rename to PATH
 *
 * The file appears under its name when everything about it is right, and it takes the place of a
 * stale one in the same step.  A live one, whose owner answers a connect, refuses us.
 * See unix(7): permission to connect is that of writing to the file.
 */
#include "main/main_control.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "event/listener.h"
#include "process/creds.h"
#include "process/logfile.h"

#define ASIDE ".tmp"

/* The path of a Unix socket in the file system, or NULL. */
static const char *
path_of(const char *address)
{
    if (strncmp(address, "unix:", 5) != 0 || address[5] == '@')
        return NULL;
    return address + 5;
}

int
main_control_check(const char *address, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    struct sockaddr_storage addr;
    socklen_t len;
    int rc = listener_parse(address, &addr, &len, err);

    if (rc < 0 || addr.ss_family != AF_UNIX)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return br_fail(err, -errno, "cannot try the control socket");
    /* EAGAIN: somebody listens, but has a long queue. */
    if (connect(fd, (struct sockaddr *)&addr, len) == 0 || errno == EAGAIN) {
        br_fail(err, -EBADMSG, "another brood listens on \"%s\"", address);
        return -EADDRINUSE;
    }
    return 0;
}

static int
set_owner(const struct settings *settings, const char *path, struct br_err *err)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;

    if (settings->control_user != NULL) {
        struct creds c;
        int rc = creds_resolve(settings->control_user, NULL, &c, err);

        if (rc < 0)
            return rc;
        uid = c.uid;
    }
    if (settings->control_group != NULL) {
        const struct group *gr = getgrnam(settings->control_group);

        if (gr == NULL)
            return br_fail(err, -ENOENT, "no group \"%s\"", settings->control_group);
        gid = gr->gr_gid;
    }
    if (chmod(path, settings->control_mode) < 0)
        return br_fail(err, -errno, "cannot set the mode of \"%s\"", path);
    if (chown(path, uid, gid) < 0)
        return br_fail(err, -errno, "cannot set the owner of \"%s\"", path);
    return 0;
}

static int
bind_aside(int fd, const char *path, char *ret_aside, size_t room, struct br_err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int n = snprintf(ret_aside, room, "%s" ASIDE, path);

    if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
        return br_fail(err, -ENAMETOOLONG, "control socket \"%s\"", path);
    memcpy(addr.sun_path, ret_aside, (size_t)n + 1);
    unlink(ret_aside);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return br_fail(err, -errno, "cannot bind \"%s\"", ret_aside);
    return 0;
}

static int
appear(int fd, const char *aside, const char *path, const struct settings *settings,
       struct br_err *err)
{
    int rc = set_owner(settings, aside, err);

    if (rc < 0)
        return rc;
    if (listen(fd, SOMAXCONN) < 0)
        return br_fail(err, -errno, "cannot listen on \"%s\"", path);
    if (rename(aside, path) < 0)
        return br_fail(err, -errno, "cannot rename \"%s\" into place", aside);
    return 0;
}

static int
open_path(const struct settings *settings, const char *path, int *ret_fd, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    char aside[sizeof(((struct sockaddr_un *)NULL)->sun_path) + sizeof(ASIDE)];
    int rc = main_control_check(settings->control, err);

    if (rc == 0)
        rc = logfile_parents(path, err);
    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return br_fail(err, -errno, "no socket for \"%s\"", path);
    rc = bind_aside(fd, path, aside, sizeof(aside), err);
    if (rc < 0)
        return rc;
    rc = appear(fd, aside, path, settings, err);
    if (rc < 0) {
        unlink(aside);
        return rc;
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

int
main_control_open(const struct settings *settings, int *ret_fd, struct br_err *err)
{
    const char *path = path_of(settings->control);

    if (path == NULL)
        return listener_open(settings->control, -1, ret_fd, err);
    return open_path(settings, path, ret_fd, err);
}

void
main_control_close(const struct settings *settings, int *fd)
{
    const char *path = path_of(settings->control);

    /* In this order: once it is closed, the file may be another brood's. */
    if (path != NULL)
        unlink(path);
    fd_close(fd);
}
