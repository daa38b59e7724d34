/*
 * front_inetd.c - a program for each connection: the socket is its standard input and output.
 *
 *   accept --> too many from there? closed        at max: nobody is accepted, the kernel's queue
 * holds
 *      `-----> program --ends--> the socket closes with it
 *                  `--total over, or idle--> stop signal, SIGKILL
 *
 * The supervisor keeps no copy of the socket: the client sees its end when the program lets it go.
 * With an idle timeout it must keep one to look at, until the program ends.
 *
 * Environment, as ucspi-tcp has it: PROTO=TCP, TCPLOCALIP, TCPLOCALPORT, TCPREMOTEIP,
 * TCPREMOTEPORT; and as systemd has it: REMOTE_ADDR, REMOTE_PORT.  Of a Unix socket, as ucspi-unix:
 * PROTO=UNIX, UNIXREMOTEPID, UNIXREMOTEEUID, UNIXREMOTEEGID.
 */
#include "app/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "event/listener.h"

#define ENV_MAX  8
#define ENV_TEXT 64
#define BATCH    16

/* Whose connections are counted together. */
struct source {
    sa_family_t family;
    uint8_t bytes[16]; /* address, or uid */
};

struct inetd;

struct connection {
    struct run run;
    struct inetd *inetd;
    struct source source;
    struct timer total;
    struct idle idle;
    int fd; /* with an idle timeout: what it looks at; else -1 */
};

struct ear {
    struct listener listener;
    struct inetd *inetd;
};

struct inetd {
    struct front *front;
    struct ear ears[FRONT_LISTEN_MAX];
    bool accepting;
    unsigned max;
    unsigned per_source;
    int64_t total_ms;
    int64_t idle_ms;
    bool client_stderr;
    uint64_t accepted;
    uint64_t refused;
    int last_status;
};

/* ---- who it is ---- */

struct remote {
    char text[ENV_MAX][ENV_TEXT];
    const char *env[ENV_MAX + 1];
    unsigned n;
    struct source source;
};

br_printf(2, 3) static void add(struct remote *r, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(r->text[r->n], ENV_TEXT, fmt, args);
    va_end(args);
    r->env[r->n] = r->text[r->n];
    r->n++;
}

/* Text of an address and its port.  IPv4 that came through an IPv6 socket is IPv4. */
static void
split(const struct sockaddr_storage *addr, char ip[INET6_ADDRSTRLEN], unsigned *ret_port,
      struct source *ret_source)
{
    const struct sockaddr_in *in4 = (const void *)addr;
    const struct sockaddr_in6 *in6 = (const void *)addr;
    const void *bytes =
        addr->ss_family == AF_INET ? (const void *)&in4->sin_addr : (const void *)&in6->sin6_addr;
    int family = addr->ss_family;

    *ret_port = ntohs(family == AF_INET ? in4->sin_port : in6->sin6_port);
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        family = AF_INET;
        bytes = &in6->sin6_addr.s6_addr[12];
    }
    inet_ntop(family, bytes, ip, INET6_ADDRSTRLEN);
    *ret_source = (struct source){.family = (sa_family_t)family};
    memcpy(ret_source->bytes, bytes, family == AF_INET ? 4 : 16);
}

static void
describe_inet(struct remote *r, int fd, const struct sockaddr_storage *peer)
{
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(own);
    char ip[INET6_ADDRSTRLEN] = "";
    struct source unused;
    unsigned port;

    add(r, "PROTO=TCP");
    if (getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.ss_family != AF_UNSPEC) {
        split(&own, ip, &port, &unused);
        add(r, "TCPLOCALIP=%s", ip);
        add(r, "TCPLOCALPORT=%u", port);
    }
    split(peer, ip, &port, &r->source);
    add(r, "TCPREMOTEIP=%s", ip);
    add(r, "TCPREMOTEPORT=%u", port);
    add(r, "REMOTE_ADDR=%s", ip);
    add(r, "REMOTE_PORT=%u", port);
}

static void
describe_unix(struct remote *r, int fd)
{
    struct ucred cred = {.uid = UINT32_MAX};
    socklen_t len = sizeof(cred);

    add(r, "PROTO=UNIX");
    r->source.family = AF_UNIX;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
        add(r, "UNIXREMOTEPID=%d", (int)cred.pid);
        add(r, "UNIXREMOTEEUID=%u", cred.uid);
        add(r, "UNIXREMOTEEGID=%u", cred.gid);
    }
    memcpy(r->source.bytes, &cred.uid, sizeof(cred.uid));
}

static void
describe(struct remote *r, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};

    *r = (struct remote){.n = 0};
    if (len > 0)
        memcpy(&peer, addr, br_min((size_t)len, sizeof(peer)));
    if (peer.ss_family == AF_INET || peer.ss_family == AF_INET6)
        describe_inet(r, fd, &peer);
    else
        describe_unix(r, fd);
}

/* ---- connections ---- */

static void on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len);

static void
stop_accepting(struct inetd *in)
{
    for (unsigned i = 0; i < in->front->n_listen && in->accepting; i++)
        listener_stop(&in->ears[i].listener);
    in->accepting = false;
}

static void
start_accepting(struct inetd *in)
{
    struct front *f = in->front;

    if (in->accepting || f->draining || f->n_runs >= in->max)
        return;
    in->accepting = true;
    for (unsigned i = 0; i < f->n_listen; i++) {
        int rc = listener_start(&in->ears[i].listener, f->task->loop, f->listen[i], BATCH,
                                on_accept, NULL);

        if (rc < 0)
            br_log(LOG_ALERT, "\"%s\" cannot accept: %s", f->name, strerror(-rc));
    }
}

static void
on_connection_end(struct run *r, int status)
{
    struct connection *c = container_of(r, struct connection, run);
    struct inetd *in = c->inetd;
    struct loop *loop = in->front->task->loop;
    char text[64];

    in->last_status = status;
    br_log(status == 0 || r->stopping ? LOG_DEBUG : LOG_INFO, "\"%s\": process %d %s",
           in->front->name, (int)r->child.pid, run_status_text(status, text));
    loop_timer_cancel(loop, &c->total);
    idle_end(&c->idle);
    fd_close(&c->fd);
    loop_free_later(loop, free, c);
    start_accepting(in);
}

static void
on_total(struct timer *t)
{
    struct connection *c = container_of(t, struct connection, total);

    br_log(LOG_INFO, "\"%s\": process %d had its time", c->inetd->front->name, (int)c->run.pid);
    run_stop(&c->run, c->inetd->front->stop_grace_ms);
}

static void
on_idle(struct idle *idle)
{
    struct connection *c = container_of(idle, struct connection, idle);

    br_log(LOG_INFO, "\"%s\": the connection of process %d is idle", c->inetd->front->name,
           (int)c->run.pid);
    run_stop(&c->run, c->inetd->front->stop_grace_ms);
}

static unsigned
count_from(const struct inetd *in, const struct source *source)
{
    const struct run *r;
    unsigned n = 0;

    list_foreach (r, &in->front->runs, link) {
        const struct connection *c = container_of(r, struct connection, run);

        n += memcmp(&c->source, source, sizeof(*source)) == 0;
    }
    return n;
}

static void
watch_idle(struct connection *c, int fd)
{
    struct inetd *in = c->inetd;
    int rc;

    if (in->idle_ms == 0)
        return;
    c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    rc = c->fd < 0 ? -errno
                   : idle_begin(&c->idle, in->front->task->loop, c->fd, in->idle_ms, on_idle);
    if (rc < 0)
        br_log(LOG_ERROR, "\"%s\": nobody can tell if the connection of process %d is idle: %s",
               in->front->name, (int)c->run.pid, strerror(-rc));
}

/* fd stays the caller's. */
static int
serve(struct inetd *in, int fd, const struct remote *remote, struct br_err *err)
{
    const struct program_fd fds[] = {{fd, STDIN_FILENO}, {fd, STDOUT_FILENO}, {fd, STDERR_FILENO}};
    const struct run_start how = {
        .fds = fds, .n_fds = in->client_stderr ? 3 : 2, .env = remote->env};
    struct connection *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return br_fail(err, -ENOMEM, "cannot start \"%s\"", in->front->executable);
    c->inetd = in;
    c->source = remote->source;
    c->fd = -1;
    timer_init(&c->total, on_total);
    fd_set_nonblock(fd, false);
    rc = run_start(in->front, &c->run, &how, on_connection_end, err);
    if (rc < 0) {
        free(c);
        return rc;
    }
    in->accepted++;
    watch_idle(c, fd);
    if (in->total_ms > 0)
        loop_timer(in->front->task->loop, &c->total, in->total_ms);
    return 0;
}

static void
on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct inetd *in = container_of(l, struct ear, listener)->inetd;
    struct front *f = in->front;
    struct br_err err = BR_ERR_NONE;
    struct remote remote;

    describe(&remote, fd, addr, len);
    if (in->per_source > 0 && count_from(in, &remote.source) >= in->per_source) {
        br_log(LOG_INFO, "\"%s\": more than %u connections from one source", f->name,
               in->per_source);
        in->refused++;
    } else if (serve(in, fd, &remote, &err) < 0) {
        br_log(LOG_ERROR, "\"%s\": %s", f->name, err.text);
        in->refused++;
    }
    fd_close(&fd);
    if (f->n_runs >= in->max)
        stop_accepting(in);
}

static int
inetd_open(struct front *f, struct br_err *err)
{
    struct inetd *in = calloc(1, sizeof(*in));

    if (in == NULL)
        return br_fail(err, -ENOMEM, "cannot supervise a program");
    f->data = in;
    in->front = f;
    in->max = (unsigned)launch_int(f->card, "connections_max", 256);
    in->per_source = (unsigned)launch_int(f->card, "connections_per_source", 0);
    in->total_ms = launch_int(f->card, "total_timeout_ms", 0);
    in->idle_ms = launch_int(f->card, "connection_idle_ms", 0);
    in->client_stderr = launch_int(f->card, "client_stderr", 0) != 0;
    in->last_status = -1;
    for (unsigned i = 0; i < array_len(in->ears); i++)
        in->ears[i].inetd = in;
    return run_check(f, err);
}

static void
inetd_live(struct front *f)
{
    start_accepting(f->data);
}

/* What waits in a queue is still ours, unless somebody else accepts from it. */
static void
inetd_drain(struct front *f)
{
    struct inetd *in = f->data;

    for (unsigned i = 0; i < f->n_listen && in->accepting; i++) {
        if (!(f->staying >> i & 1))
            listener_drain(&in->ears[i].listener);
    }
    stop_accepting(in);
    for (unsigned i = 0; i < f->n_listen; i++)
        fd_close(&f->listen[i]);
}

static void
inetd_numbers(const struct front *f, struct status_front *ret_sums, struct status_program *ret_rows,
              uint32_t *ret_n)
{
    const struct inetd *in = f->data;
    const struct run *r;
    uint32_t n = 0;

    *ret_sums = (struct status_front){.accepted = in->accepted,
                                      .refused = in->refused,
                                      .started = in->accepted,
                                      .last_status = in->last_status};
    list_foreach (r, &f->runs, link) {
        if (n < *ret_n)
            run_number(r, &ret_rows[n++]);
    }
    *ret_n = n;
}

const struct front_kind front_inetd = {
    .open = inetd_open,
    .live = inetd_live,
    .drain = inetd_drain,
    .numbers = inetd_numbers,
};
