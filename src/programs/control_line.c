/*
 * control_line.c - a blocking connection to the control API.
 *
 *   unix:/run/b.sock, 127.0.0.1:8900    socket
 *   https://build.example:8900          getaddrinfo(3) --> socket --> TLS, the name is verified
 *                                       --cacert, --cert, --key
 *
 * TLS 1.3: a server says that it does not like our certificate only after its own handshake is
 * over, so that the reason may come instead of the answer.
 */
#include "programs/control_line.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "event/listener.h"
#include "tls/bundle.h"
#include "tls/tls_context.h"
#include "tls/tls_stream.h"

#define HTTPS      "https://"
#define READ_BYTES 65536

static int
connect_one(const struct sockaddr *addr, socklen_t len, int timeout_ms, int *ret_fd)
{
    const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000L};
    br_cleanup(fd_closep) int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && timeout_ms > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    }
    if (fd < 0 || connect(fd, addr, len) < 0)
        return -errno;
    *ret_fd = fd_take(&fd);
    return 0;
}

/* --- TLS --- */

static int
use_ca(struct tls_context *context, const char *path, struct br_err *err)
{
    char *p;
    size_t n;
    int rc;

    if (path == NULL)
        return tls_context_system_ca(context, err);
    rc = fd_read_path(path, BUNDLE_BYTES_MAX, &p, &n);
    if (rc < 0)
        return br_fail(err, rc, "cannot read \"%s\"", path);
    rc = tls_context_ca(context, slice_make(p, n), err);
    free(p);
    return rc < 0 ? br_fail(err, rc, "--cacert \"%s\"", path) : 0;
}

/* The certificate with its key, which may be in the same file. */
static int
use_certificate(struct tls_context *context, const struct ctl *ctl, struct br_err *err)
{
    const char *const paths[] = {ctl->cert_path, ctl->key_path};
    struct buf b;
    int rc = 0;

    if (ctl->cert_path == NULL)
        return ctl->key_path == NULL ? 0 : br_fail(err, -EBADMSG, "--key needs --cert");
    buf_init(&b, 2 * BUNDLE_BYTES_MAX + 2);
    for (size_t i = 0; i < array_len(paths) && rc == 0 && paths[i] != NULL; i++) {
        char *p;
        size_t n;

        rc = fd_read_path(paths[i], BUNDLE_BYTES_MAX, &p, &n);
        if (rc < 0) {
            br_fail(err, rc, "cannot read \"%s\"", paths[i]);
            break;
        }
        buf_append(&b, p, n);
        buf_putc(&b, '\n');
        bundle_wipe(p, n);
        free(p);
    }
    if (rc == 0) {
        rc = tls_context_bundle(context, buf_slice(&b), err);
        if (rc < 0)
            br_fail(err, rc, "--cert \"%s\"", ctl->cert_path);
    }
    if (b.p != NULL)
        bundle_wipe(b.p, b.n);
    buf_done(&b);
    return rc;
}

/* "HOST:PORT", "[IPV6]:PORT". */
static int
split_host(const char *address, char *host, size_t room, const char **ret_port, struct br_err *err)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon != NULL ? (size_t)(colon - address) : 0;
    bool bracket = n > 2 && address[0] == '[' && address[n - 1] == ']';

    if (bracket) {
        address++;
        n -= 2;
    }
    if (n == 0 || n >= room || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") < strlen(colon + 1))
        return br_fail(err, -EBADMSG, "not an address: \"" HTTPS "%s\" is not https://HOST:PORT",
                       address);
    memcpy(host, address, n);
    host[n] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static int
connect_host(const char *host, const char *port, int timeout_ms, int *ret_fd, struct br_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(host, port, &hints, &list);

    if (rc != 0)
        return br_fail(err, -EBADMSG, "cannot find \"%s\": %s", host, gai_strerror(rc));
    rc = -ENOENT;
    for (const struct addrinfo *at = list; at != NULL && rc < 0; at = at->ai_next)
        rc = connect_one(at->ai_addr, at->ai_addrlen, timeout_ms, ret_fd);
    freeaddrinfo(list);
    return rc < 0 ? br_fail(err, rc, "cannot connect to \"" HTTPS "%s:%s\"", host, port) : 0;
}

static int
open_tls(struct ctl_line *line, const struct ctl *ctl, int timeout_ms, struct br_err *err)
{
    char host[NI_MAXHOST];
    const char *port = "";
    int rc = split_host(ctl->control + strlen(HTTPS), host, sizeof(host), &port, err);

    if (rc < 0)
        return rc;
    line->context = tls_context_client();
    rc = use_ca(line->context, ctl->ca_path, err);
    if (rc == 0)
        rc = use_certificate(line->context, ctl, err);
    if (rc == 0)
        rc = connect_host(host, port, timeout_ms, &line->fd, err);
    if (rc < 0)
        return rc;
    line->tls = tls_stream_new_client(line->context, line->fd, host);
    rc = tls_stream_handshake(line->tls, err);
    return rc < 0 ? br_fail(err, -EPROTO, "TLS with \"%s\"", ctl->control) : 0;
}

/* --- any --- */

int
line_open(struct ctl_line *line, const struct ctl *ctl, int timeout_ms, struct br_err *err)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int rc;

    *line = (struct ctl_line){.fd = -1};
    if (strncmp(ctl->control, HTTPS, strlen(HTTPS)) == 0)
        return open_tls(line, ctl, timeout_ms, err);
    rc = listener_parse(ctl->control, &addr, &len, err);
    if (rc < 0)
        return rc;
    rc = connect_one((struct sockaddr *)&addr, len, timeout_ms, &line->fd);
    return rc < 0 ? br_fail(err, rc, "cannot connect to \"%s\"", ctl->control) : 0;
}

void
line_close(struct ctl_line *line)
{
    if (line->tls != NULL)
        tls_stream_free(line->tls);
    tls_context_free(line->context);
    fd_close(&line->fd);
    *line = (struct ctl_line){.fd = -1};
}

static ssize_t
send_some(struct ctl_line *line, struct slice data)
{
    struct stream_filter *filter;
    ssize_t n;

    if (line->tls == NULL) {
        n = send(line->fd, data.p, data.n, MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
    }
    filter = tls_stream_filter(line->tls);
    return filter->ops->write(filter, data.p, data.n);
}

static ssize_t
read_some(struct ctl_line *line, char *p, size_t room)
{
    struct stream_filter *filter;
    ssize_t n;

    if (line->tls == NULL) {
        n = read(line->fd, p, room);
        return n < 0 ? -errno : n;
    }
    filter = tls_stream_filter(line->tls);
    return filter->ops->read(filter, p, room);
}

void
line_send(struct ctl_line *line, struct slice data)
{
    while (data.n > 0) {
        ssize_t n = send_some(line, data);

        if (n < 0 && n != -EINTR)
            return;
        if (n > 0)
            data = slice_make(data.p + n, data.n - (size_t)n);
    }
}

int
line_receive(struct ctl_line *line, struct buf *b, struct br_err *err)
{
    for (;;) {
        ssize_t n;
        int rc = buf_reserve(b, READ_BYTES);

        if (rc < 0)
            return rc;
        n = read_some(line, b->p + b->n, READ_BYTES);
        if (n == 0)
            return 0;
        if (n > 0) {
            b->n += (size_t)n;
        } else if (n != -EINTR) {
            if (line->tls != NULL && tls_stream_fault(line->tls)[0] != '\0')
                br_fail(err, -EBADMSG, "%s", tls_stream_fault(line->tls));
            return b->n > 0 ? 0 : (int)n;
        }
    }
}
