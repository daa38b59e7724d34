/*
 * notify.c - readiness, told to a service manager and to a descriptor.
 *
 * The protocol is one datagram to a Unix socket, the name of which begins with "/" or, abstract,
 * with "@" (sd_notify(3)); no library is needed for it.
 */
#include "process/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"

int
notify_manager(const char *state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path != NULL ? strlen(path) : 0;
    br_cleanup(fd_closep) int fd = -1;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);

    if (n == 0)
        return 0;
    if ((path[0] != '/' && path[0] != '@') || n >= sizeof(addr.sun_path))
        return -EINVAL;
    memcpy(addr.sun_path, path, n);
    if (path[0] == '@')
        addr.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, len) < 0)
        return -errno;
    return 1;
}

static int
tell_descriptor(void)
{
    const char *text = getenv("READY_FD");
    uint64_t number;
    int fd, rc;

    if (text == NULL)
        return 0;
    rc = slice_u64(slice_cstr(text), &number);
    unsetenv("READY_FD"); /* children do not inherit the duty; the text is gone with it */
    if (rc < 0 || number > INT32_MAX)
        return -EINVAL;
    fd = (int)number;
    rc = fd_write_all(fd, "\n", 1);
    fd_close(&fd);
    return rc;
}

int
notify_ready(void)
{
    int rc = notify_manager("READY=1");
    int rc_fd = tell_descriptor();

    return rc < 0 ? rc : rc_fd;
}
