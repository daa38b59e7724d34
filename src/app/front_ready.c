/*
 * front_ready.c - when a program says that it is ready.
 *
 *   fd:N     a pipe: a newline is the word (so does s6)
 *   notify   a datagram socket with a name of the kernel's choice, in NOTIFY_SOCKET: READY=1 in a
 *            line of its own, from a process of our own user or of root; sd_notify(3), unix(7)
 */
#include "app/front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"

#define DATAGRAM_BYTES 4096

enum ready_kind
ready_parse(const char *text, int *ret_number)
{
    if (strncmp(text, "fd:", 3) == 0) {
        *ret_number = (int)strtol(text + 3, NULL, 10);
        return READY_FD;
    }
    return strcmp(text, "notify") == 0 ? READY_NOTIFY : READY_START;
}

static void
on_line(struct watch *w, uint32_t events br_unused)
{
    struct ready *ready = container_of(w, struct ready, watch);
    char bytes[512];
    ssize_t n = read(ready->fd, bytes, sizeof(bytes));

    if (n > 0 && memchr(bytes, '\n', (size_t)n) != NULL)
        ready->on_ready(ready);
    else if (n == 0)
        ready_close(ready); /* it never will; its time runs out */
}

static bool
is_trusted(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    struct ucred cred;

    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
        return false;
    memcpy(&cred, CMSG_DATA(c), sizeof(cred));
    return cred.uid == 0 || cred.uid == geteuid();
}

static bool
has_line(struct slice text, struct slice wanted)
{
    struct slice line;

    while (slice_split(&text, '\n', &line)) {
        if (slice_eq(line, wanted))
            return true;
    }
    return false;
}

static void
on_datagram(struct watch *w, uint32_t events br_unused)
{
    struct ready *ready = container_of(w, struct ready, watch);
    char bytes[DATAGRAM_BYTES];
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(ready->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n > 0 && is_trusted(&m) && has_line(slice_make(bytes, (size_t)n), SLICE("READY=1")))
        ready->on_ready(ready);
}

static int
open_socket(struct ready *ready)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(addr);
    int on = 1;
    br_cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return -errno;
    snprintf(ready->env, sizeof(ready->env), "NOTIFY_SOCKET=@%.*s",
             (int)(len - offsetof(struct sockaddr_un, sun_path) - 1), addr.sun_path + 1);
    ready->fd = fd_take(&fd);
    return 0;
}

static int
open_pipe(struct ready *ready, int *ret_fd)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    ready->fd = fds[0];
    *ret_fd = fds[1];
    return fd_set_nonblock(fds[0], true);
}

int
ready_open(struct ready *ready, struct loop *loop, enum ready_kind kind,
           void (*on_ready)(struct ready *ready), int *ret_fd, struct br_err *err)
{
    int rc;

    *ready = (struct ready){.loop = loop, .kind = kind, .fd = -1, .on_ready = on_ready};
    *ret_fd = -1;
    if (kind == READY_START)
        return 0;
    rc = kind == READY_FD ? open_pipe(ready, ret_fd) : open_socket(ready);
    if (rc == 0)
        rc = loop_add(loop, &ready->watch, ready->fd, EPOLLIN,
                      kind == READY_FD ? on_line : on_datagram);
    if (rc == 0)
        return 0;
    ready_close(ready);
    fd_close(ret_fd);
    return br_fail(err, rc, "cannot wait for the program to be ready");
}

void
ready_close(struct ready *ready)
{
    if (ready->fd < 0)
        return;
    loop_del(ready->loop, &ready->watch);
    fd_close(&ready->fd);
}
