/*
 * listener.c - addresses, listening sockets, and accepting from them.
 *
 *   parse --> open: socket, options, bind (a stale Unix socket is replaced), listen
 *   start --> EPOLLIN --> accept4 up to batch times --> on_accept
 *                          `- no descriptor left: out of the loop for 100 ms, then again
 *
 * accept(2) reports errors of the connection that was about to be taken as its own; those and
 * aborted connections are passed over.
 */
#include "event/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/slice.h"

#define PAUSE_MS 100

static void on_ready(struct watch *w, uint32_t events);

static int
resume(struct listener *l)
{
    return loop_add(l->loop, &l->watch, l->fd, EPOLLIN | EPOLLEXCLUSIVE, on_ready);
}

static void
on_retry(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, retry);

    if (resume(l) < 0)
        loop_timer(l->loop, t, PAUSE_MS);
}

/* Descriptors or memory ran out.  Said once, until a connection could be taken again. */
static void
pause_accepting(struct listener *l, int error)
{
    loop_del(l->loop, &l->watch);
    loop_timer(l->loop, &l->retry, PAUSE_MS);
    if (!l->paused)
        br_log(LOG_ERROR, "cannot accept connections for now: %s", strerrordesc_np(error));
    l->paused = true;
    if (l->on_short != NULL)
        l->on_short(l);
}

/* false: nothing more to be had now. */
static bool
accept_one(struct listener *l)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    int fd = accept4(l->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (br_likely(fd >= 0)) {
        l->paused = false;
        l->on_accept(l, fd, (struct sockaddr *)&addr, len);
        return l->loop != NULL;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        pause_accepting(l, errno);
        return false;
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM: /* a firewall's rule */
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
        return true;
    default: /* EAGAIN, or a socket that its owner has shut down */
        return false;
    }
}

static void
on_ready(struct watch *w, br_unused uint32_t events)
{
    struct listener *l = container_of(w, struct listener, watch);

    for (int i = 0; i < l->batch && accept_one(l); i++)
        ;
}

int
listener_start(struct listener *l, struct loop *loop, int fd, int batch, listener_fn *on_accept,
               listener_short_fn *on_short)
{
    int rc;

    *l = (struct listener){
        .loop = loop, .fd = fd, .batch = batch, .on_accept = on_accept, .on_short = on_short};
    timer_init(&l->retry, on_retry);
    rc = fd_set_nonblock(fd, true); /* a program that had it may have liked it otherwise */
    if (rc == 0)
        rc = resume(l);
    if (rc < 0)
        l->loop = NULL;
    return rc;
}

void
listener_stop(struct listener *l)
{
    if (l->loop == NULL)
        return;
    loop_del(l->loop, &l->watch);
    loop_timer_cancel(l->loop, &l->retry);
    l->loop = NULL;
}

/* In a segment's own bytes, which is what a filter of a TCP socket sees (RFC 9293, 3.1). */
#define TCP_FLAGS 13
#define TCP_SYN   0x02

void
listener_hush(int fd, bool on)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    static const int unused = 0;
    const struct sock_fprog program = {.len = array_len(code), .filter = code};

    if (on)
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    else
        setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
}

void
listener_drain(struct listener *l)
{
    while (l->loop != NULL && accept_one(l))
        ;
}

/* -EINVAL without its text: the sentence says it all. */
static int
bad_address(struct br_err *err, const char *text, const char *why)
{
    br_fail(err, -EBADMSG, "address \"%s\" %s", text, why);
    return -EINVAL;
}

static int
parse_unix(const char *text, const char *path, struct sockaddr_storage *ret_addr,
           socklen_t *ret_len, struct br_err *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    bool abstract = path[0] == '@';
    size_t n = strlen(path);

    if (n == (abstract ? 1 : 0))
        return bad_address(err, text, "has no name after \"unix:\"");
    if (n >= sizeof(sun.sun_path))
        return bad_address(err, text, "is longer than the 107 bytes that a path may have");
    memcpy(sun.sun_path, path, n);
    if (abstract)
        sun.sun_path[0] = '\0'; /* unix(7): and the name has no NUL at its end */
    *ret_addr = (struct sockaddr_storage){0};
    memcpy(ret_addr, &sun, sizeof(sun));
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
    return 0;
}

static int
parse_host(const char *host, struct sockaddr_storage *addr, in_port_t port)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
    struct sockaddr_in *in = (struct sockaddr_in *)addr;
    size_t n = strlen(host);
    char inner[INET6_ADDRSTRLEN];

    *addr = (struct sockaddr_storage){0};
    if (host[0] == '[') {
        if (host[n - 1] != ']' || n - 2 >= sizeof(inner))
            return -EINVAL;
        memcpy(inner, host + 1, n - 2);
        inner[n - 2] = '\0';
        in6->sin6_family = AF_INET6;
        in6->sin6_port = port;
        return inet_pton(AF_INET6, inner, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
    }
    in->sin_family = AF_INET;
    in->sin_port = port;
    if (strcmp(host, "*") == 0)
        return 0; /* INADDR_ANY is zero */
    return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -EINVAL;
}

static int
parse_inet(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len,
           struct br_err *err)
{
    const char *colon = strrchr(text, ':');
    struct sockaddr_storage addr;
    char host[INET6_ADDRSTRLEN + 2]; /* with brackets */
    uint64_t port;
    size_t n;

    if (colon == NULL || strchr(colon, ']') != NULL)
        return bad_address(err, text, "has no port");
    if (slice_u64(slice_cstr(colon + 1), &port) < 0 || port < 1 || port > 65535)
        return bad_address(err, text, "has a port that is not a number from 1 to 65535");
    n = (size_t)(colon - text);
    if (n >= sizeof(host))
        return bad_address(err, text, "is neither an IPv4 nor an [IPv6] address nor \"*\"");
    memcpy(host, text, n);
    host[n] = '\0';
    if (parse_host(host, &addr, htons((in_port_t)port)) < 0)
        return bad_address(err, text, "is neither an IPv4 nor an [IPv6] address nor \"*\"");
    *ret_addr = addr;
    *ret_len = addr.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    return 0;
}

int
listener_parse(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len,
               struct br_err *err)
{
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text, text + 5, ret_addr, ret_len, err);
    return parse_inet(text, ret_addr, ret_len, err);
}

static int
set_options(int fd, int family)
{
    static const int on = 1;

    if (family == AF_UNIX)
        return 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return -errno;
    /* tcp(7): accepted sockets inherit it, which saves them a call each. */
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        return -errno;
    return 0;
}

/* NULL for addresses that are no file. */
static const char *
socket_path(const struct sockaddr_storage *addr)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)addr;

    return addr->ss_family == AF_UNIX && sun->sun_path[0] != '\0' ? sun->sun_path : NULL;
}

/*
 * Remove the socket of a process that is gone.  0, -EADDRINUSE (it lives), or what stopped us.
 * A file that is no socket would refuse a connect as well, hence the lstat.
 */
static int
remove_stale(const char *path, int type, const struct sockaddr *addr, socklen_t len)
{
    br_cleanup(fd_closep) int fd = -1;
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, addr, len) == 0 || errno != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * A socket file gets 0777 less the umask.  chmod(2) afterwards would do too, but whoever owns the
 * directory could put a link there in between, and we may be root.
 */
static int
bind_open_to_all(int fd, const struct sockaddr *addr, socklen_t len)
{
    mode_t before = umask(0111);
    int rc = bind(fd, addr, len) < 0 ? -errno : 0;

    umask(before);
    return rc;
}

static int
bind_address(int fd, int type, const char *text, const struct sockaddr_storage *addr, socklen_t len,
             struct br_err *err)
{
    const struct sockaddr *sa = (const struct sockaddr *)addr;
    const char *path = socket_path(addr);
    int rc = bind_open_to_all(fd, sa, len);

    if (rc == -EADDRINUSE && path != NULL) {
        rc = remove_stale(path, type, sa, len);
        if (rc == 0)
            rc = bind_open_to_all(fd, sa, len);
    }
    if (rc < 0)
        return br_fail(err, rc, "cannot bind \"%s\"", text);
    return 0;
}

void
listener_share_port(int fd, bool on)
{
    const int value = on;

    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value)); /* a Unix socket may refuse */
}

static int
open_bound(const char *text, int type, bool shared, struct sockaddr_storage *addr, int *ret_fd,
           struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    socklen_t len;
    int rc = listener_parse(text, addr, &len, err);

    if (rc < 0)
        return rc;
    fd = socket(addr->ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return br_fail(err, -errno, "cannot make a socket for \"%s\"", text);
    rc = set_options(fd, addr->ss_family);
    if (rc < 0)
        return br_fail(err, rc, "cannot set the options of \"%s\"", text);
    if (shared)
        listener_share_port(fd, true);
    rc = bind_address(fd, type, text, addr, len, err);
    if (rc < 0)
        return rc;
    if (shared)
        listener_share_port(fd, false);
    *ret_fd = fd_take(&fd);
    return 0;
}

void
listener_prepare(int fd)
{
    static const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* a Unix socket has none */
}

int
listener_reserve(const char *text, int *ret_fd, struct br_err *err)
{
    struct sockaddr_storage addr;

    return open_bound(text, SOCK_STREAM, true, &addr, ret_fd, err);
}

static int
open_socket(const char *text, int type, int backlog, int *ret_fd, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    struct sockaddr_storage addr;
    const char *path;
    int rc = open_bound(text, type, false, &addr, &fd, err);

    if (rc < 0)
        return rc;
    if (listen(fd, backlog) < 0) {
        rc = br_fail(err, -errno, "cannot listen on \"%s\"", text);
        path = socket_path(&addr);
        if (path != NULL)
            unlink(path);
        return rc;
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

int
listener_open(const char *text, int backlog, int *ret_fd, struct br_err *err)
{
    return open_socket(text, SOCK_STREAM, backlog, ret_fd, err);
}

int
listener_open_packets(const char *text, int backlog, int *ret_fd, struct br_err *err)
{
    return open_socket(text, SOCK_SEQPACKET, backlog, ret_fd, err);
}
