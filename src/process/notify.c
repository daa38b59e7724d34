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
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"

static bool
is_address(const char *path)
{
    return (path[0] == '/' || path[0] == '@') &&
           strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

/* A manager whose queue is full gets a second to empty it: it may be started anew just now. */
static int
send_to(const char *path, const char *state)
{
    static const struct timeval patience = {.tv_sec = 1};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    br_cleanup(fd_closep) int fd = -1;
    size_t n = strlen(path);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);

    if (!is_address(path))
        return -EINVAL;
    memcpy(addr.sun_path, path, n);
    if (path[0] == '@')
        addr.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, len) < 0)
        return -errno;
    return 1;
}

int
notify_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");

    return path == NULL || *path == '\0' ? 0 : send_to(path, state);
}

int
notify_tell(const struct notify *to, const char *state)
{
    return to->socket[0] == '\0' ? 0 : send_to(to->socket, state);
}

/* sd_watchdog_enabled(3): a number, and perhaps whose it is. */
static int
take_watchdog(uint64_t *ret_us)
{
    const char *interval = getenv("WATCHDOG_USEC");
    const char *whose = getenv("WATCHDOG_PID");
    uint64_t us = 0, pid = (uint64_t)getpid();

    if (interval != NULL && (slice_u64(slice_cstr(interval), &us) < 0 || us == 0))
        return -EINVAL;
    if (whose != NULL && slice_u64(slice_cstr(whose), &pid) < 0)
        return -EINVAL;
    *ret_us = pid == (uint64_t)getpid() ? us : 0;
    return 0;
}

int
notify_take(struct notify *ret)
{
    const char *path = getenv("NOTIFY_SOCKET");
    int rc;

    *ret = (struct notify){.watchdog_us = 0};
    rc = take_watchdog(&ret->watchdog_us);
    if (path != NULL && *path != '\0' && is_address(path))
        memcpy(ret->socket, path, strlen(path) + 1);
    else if (path != NULL && *path != '\0')
        rc = -EINVAL;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return rc;
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
