/*
 * activation.c - listening sockets that a service manager opened for us.
 *
 *   $LISTEN_FDS=2, $LISTEN_FDNAMES=web:control   -> 3 "web" *:80,  4 "control" unix:/run/…
 *
 * A socket is found by where it is bound, as getsockname(2) has it, so its unit needs no words of
 * ours.  systemd.socket(5): "ListenStream=80" binds [::]:80, and by default IPv4 clients come there
 * too; nobody else can bind *:80 then.
 */
#include "process/activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"
#include "event/listener.h"

#define FIRST_FD     (STDERR_FILENO + 1)
#define CONTROL_NAME "control"

static int
option(int fd, int level, int name)
{
    int value = 0;
    socklen_t n = sizeof(value);

    return getsockopt(fd, level, name, &value, &n) < 0 ? -1 : value;
}

static void
name_unix(socklen_t len, struct activated *s)
{
    int n = (int)len - (int)offsetof(struct sockaddr_un, sun_path);
    struct sockaddr_un sun;

    memcpy(&sun, &s->addr, sizeof(sun));
    if (n > 1 && sun.sun_path[0] == '\0')
        snprintf(s->address, sizeof(s->address), "unix:@%.*s", n - 1, sun.sun_path + 1);
    else if (n > 0)
        snprintf(s->address, sizeof(s->address), "unix:%.*s", n, sun.sun_path);
}

static void
name_inet(struct activated *s)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&s->addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&s->addr;
    char host[INET6_ADDRSTRLEN] = "*";

    if (s->addr.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(s->address, sizeof(s->address), "[%s]:%u", host, ntohs(in6->sin6_port));
        s->dual = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) &&
                  option(s->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
        return;
    }
    if (in->sin_addr.s_addr != htonl(INADDR_ANY))
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
    snprintf(s->address, sizeof(s->address), "%s:%u", host, ntohs(in->sin_port));
}

/* What has no address then is a datagram socket, a FIFO, or of a family that listeners are not. */
static void
look_at(struct activated *s)
{
    socklen_t len = sizeof(s->addr);

    if (option(s->fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
        option(s->fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 ||
        getsockname(s->fd, (struct sockaddr *)&s->addr, &len) < 0)
        return;
    if (s->addr.ss_family == AF_UNIX)
        name_unix(len, s);
    else if (s->addr.ss_family == AF_INET || s->addr.ss_family == AF_INET6)
        name_inet(s);
}

int
activation_add(struct activation **a, int fd, const char *name)
{
    struct activated *s;

    if (*a == NULL)
        *a = calloc(1, sizeof(**a));
    if (*a == NULL || (*a)->n == ACTIVATION_MAX) {
        fd_close(&fd);
        return *a == NULL ? -ENOMEM : -E2BIG;
    }
    s = &(*a)->list[(*a)->n++];
    s->fd = fd;
    snprintf(s->name, sizeof(s->name), "%s", name);
    look_at(s);
    return 0;
}

void
activation_free(struct activation *a)
{
    for (unsigned i = 0; a != NULL && i < a->n; i++)
        fd_close(&a->list[i].fd);
    free(a);
}

static int
take_all(unsigned n, struct slice names, struct activation **ret, struct br_err *err)
{
    int rc = 0;

    for (unsigned i = 0; i < n && rc == 0; i++) {
        struct slice name = SLICE_NONE;
        char text[256] = "unknown"; /* as sd_listen_fds_with_names(3) has it */
        int fd = FIRST_FD + (int)i;

        if (slice_split(&names, ':', &name) && name.n > 0)
            snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(name));
        rc = fd_set_cloexec(fd, true);
        if (rc == 0)
            rc = activation_add(ret, fd, text);
        if (rc < 0)
            br_fail(err, rc, "descriptor %d of LISTEN_FDS=%u", fd, n);
    }
    return rc;
}

static bool
number(const char *variable, uint64_t most, uint64_t *ret)
{
    const char *text = getenv(variable);

    return text != NULL && slice_u64(slice_cstr(text), ret) == 0 && *ret <= most;
}

int
activation_take(struct activation **ret, struct br_err *err)
{
    const char *names = getenv("LISTEN_FDNAMES");
    const char *listed = getenv("LISTEN_FDS");
    struct activation *a = NULL;
    uint64_t n = 0, pid;
    int rc = 0;

    if (listed != NULL && number("LISTEN_PID", INT32_MAX, &pid) && (pid_t)pid == getpid()) {
        if (number("LISTEN_FDS", ACTIVATION_MAX, &n))
            rc = take_all((unsigned)n, names != NULL ? slice_cstr(names) : SLICE_NONE, &a, err);
        else
            rc = br_fail(err, -EINVAL, "LISTEN_FDS is \"%s\": not a number up to %d", listed,
                         ACTIVATION_MAX);
    }
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    if (rc < 0) {
        activation_free(a);
        return rc;
    }
    *ret = a;
    return (int)n;
}

/* --- who is it --- */

static bool
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)a;
    const struct sockaddr_in *in_b = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *in6_b = (const struct sockaddr_in6 *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return in->sin_port == in_b->sin_port && in->sin_addr.s_addr == in_b->sin_addr.s_addr;
    return in6->sin6_port == in6_b->sin6_port &&
           memcmp(&in6->sin6_addr, &in6_b->sin6_addr, sizeof(in6->sin6_addr)) == 0;
}

static bool
is_at(const struct activated *s, const char *address, const struct sockaddr_storage *addr)
{
    if (s->address[0] == '\0')
        return false;
    return addr->ss_family == AF_UNIX ? strcmp(s->address, address) == 0
                                      : same_address(&s->addr, addr);
}

/* Would binding there fail because of that one? */
static bool
is_instead(const struct activated *s, const struct sockaddr_storage *addr)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&s->addr;

    return s->dual && addr->ss_family == AF_INET && in->sin_addr.s_addr == htonl(INADDR_ANY) &&
           in->sin_port == in6->sin6_port;
}

struct activated *
activation_find(struct activation *a, const char *address)
{
    struct activated *instead = NULL;
    struct sockaddr_storage addr;
    socklen_t len;

    if (a == NULL || listener_parse(address, &addr, &len, NULL) < 0)
        return NULL;
    for (unsigned i = 0; i < a->n; i++) {
        if (a->list[i].used)
            continue;
        if (is_at(&a->list[i], address, &addr))
            return &a->list[i];
        if (is_instead(&a->list[i], &addr))
            instead = &a->list[i];
    }
    return instead;
}

struct activated *
activation_control(struct activation *a, const char *address)
{
    for (unsigned i = 0; a != NULL && i < a->n; i++)
        if (a->list[i].address[0] != '\0' && strcmp(a->list[i].name, CONTROL_NAME) == 0)
            return &a->list[i];
    return activation_find(a, address);
}
