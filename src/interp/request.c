/*
 * request.c - the wrapper's half of the protocol: connect, greeting, request.
 *
 *   connect --SO_PEERCRED--> greeting --> [byte][fd][fd][fd]...[length + message] in one sendmmsg
 *                `------------------------^ where the socket says that its server is one of ours
 *
 * Part of the fast path: no formatting, one copy of the environment.
 */
#include "interp/request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/attributes.h"
#include "interp/relay.h"
#include "interp/wire.h"

#define AHEAD_MOST 32768 /* surely fits into the socket, with its descriptors */

int
request_connect(const struct rundir *dir, const char *name, bool asks,
                enum request_outcome *ret_why)
{
    struct sockaddr_un address;
    struct ucred peer;
    socklen_t n = sizeof(peer);
    br_cleanup(fd_closep) int fd = -1;
    int rc;

    *ret_why = REQUEST_UNAVAILABLE;
    rc = rundir_address(dir, name, &address);
    if (rc < 0) {
        errno = -rc;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* Without a path the kernel chooses an abstract name; see unix(7), autobind. */
    if (asks && bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) < 0)
        return -1;
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == EINTR)
            continue;
        if (errno == ENOENT || errno == ECONNREFUSED)
            *ret_why = REQUEST_NO_SERVER;
        return -1;
    }
    /* Whoever answers gets our environment and our files. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
        return -1;
    if (peer.uid != getuid()) {
        *ret_why = REQUEST_BAD_PEER;
        return -1;
    }
    return fd_take(&fd);
}

/* n bytes; fewer than that when the connection ended. */
static size_t
read_some(int fd, void *p, size_t n)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = recv(fd, (char *)p + have, n - have, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    return have;
}

/* Is word among the space-separated words of text? */
static bool
has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = text; *p != '\0';) {
        size_t m = 0;

        while (p[m] != '\0' && p[m] != ' ' && p[m] != ',' && p[m] != '=')
            m++;
        if (m == n && memcmp(p, word, n) == 0)
            return true;
        p += m + (p[m] != '\0');
    }
    return false;
}

enum request_outcome
request_greeting(int fd, int wait_ms, struct greeting *ret, uint8_t magic[4])
{
    uint8_t head[8];
    char text[WIRE_GREETING_MAX + 1];
    struct pollfd poll_one = {.fd = fd, .events = POLLIN};
    size_t n;

    memset(ret, 0, sizeof(*ret));
    if (wait_ms >= 0 && poll(&poll_one, 1, wait_ms) == 0)
        return REQUEST_TOO_SLOW;
    n = read_some(fd, head, sizeof(head));
    if (n < sizeof(head))
        return REQUEST_NO_SERVER;
    memcpy(magic, head, 4);
    if (memcmp(head, WIRE_MAGIC, WIRE_MAGIC_LEN) != 0)
        return REQUEST_BAD_MAGIC;
    n = wire_u32(head + 4);
    if (n == 0)
        return REQUEST_SENT;
    if (n > WIRE_GREETING_MAX)
        return REQUEST_BAD_MAGIC;
    if (read_some(fd, text, n) < n)
        return REQUEST_NO_SERVER;
    text[n] = '\0';
    ret->extended = has_word(text, WIRE_MARK);
    ret->signals = has_word(text, "sig");
    ret->cwd = has_word(text, "cwd");
    return REQUEST_SENT;
}

/* The message: u32 length, then the strings. */
struct message {
    char *p;
    size_t n;
};

static size_t
strings_size(char **strings, bool only_entries)
{
    size_t n = 0;

    for (char **s = strings; *s != NULL; s++)
        if (!only_entries || strchr(*s, '=') != NULL)
            n += strlen(*s) + 1;
    return n;
}

static char *
put_strings(char *to, char **strings, bool only_entries)
{
    for (char **s = strings; *s != NULL; s++) {
        size_t n = strlen(*s) + 1;

        if (only_entries && strchr(*s, '=') == NULL)
            continue;
        memcpy(to, *s, n);
        to += n;
    }
    return to;
}

static bool
compose(struct message *m, const struct attributes *attributes, const struct invocation *inv,
        char **environ_)
{
    size_t extra = attributes != NULL ? attributes->n + 1 : 0;
    char *to;

    m->n = 4 + extra + strings_size(environ_, true) + 1 + strings_size(inv->args, false);
    m->p = malloc(m->n);
    if (m->p == NULL || m->n - 4 > WIRE_MESSAGE_MAX)
        return false;
    wire_put_u32(m->p, (uint32_t)(m->n - 4));
    to = m->p + 4;
    if (attributes != NULL) {
        memcpy(to, attributes->text, attributes->n);
        to[attributes->n] = '\0';
        to += attributes->n + 1;
    }
    to = put_strings(to, environ_, true);
    *to++ = '\0';
    put_strings(to, inv->args, false);
    return true;
}

/* One sendmsg of one zero byte with one descriptor. */
struct carrier {
    struct iovec iov;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
};

static void
load(struct mmsghdr *to, struct carrier *c, int fd)
{
    static char zero = 0;
    struct cmsghdr *head = &c->control.head;

    memset(&to->msg_hdr, 0, sizeof(to->msg_hdr));
    c->iov = (struct iovec){&zero, 1};
    to->msg_hdr.msg_iov = &c->iov;
    to->msg_hdr.msg_iovlen = 1;
    to->msg_hdr.msg_control = &c->control;
    to->msg_hdr.msg_controllen = CMSG_LEN(sizeof(int));
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
}

static bool
send_all(int fd, struct mmsghdr *messages, size_t n, int flags)
{
    while (n > 0) {
        int done = sendmmsg(fd, messages, (unsigned)n, flags);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        messages += done;
        n -= (size_t)done;
    }
    return true;
}

/* What sendmsg took only part of: a long message on a stream may be cut by a signal. */
static bool
send_bytes(int fd, const char *p, size_t n, int flags)
{
    while (n > 0) {
        ssize_t done = send(fd, p, n, flags);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* most: bytes of the message; flags: of send */
static enum request_outcome
send_request(int fd, const struct greeting *g, const struct invocation *inv, char **environ_,
             size_t most, int flags)
{
    struct attributes attributes;
    struct message m;
    struct carrier carriers[WIRE_FDS_MAX];
    struct mmsghdr messages[WIRE_FDS_MAX + 1];
    uint8_t head[2] = {g->extended ? WIRE_EXTENDED : WIRE_PLAIN, 0};
    struct iovec head_iov = {head, g->extended ? 2 : 1};

    attributes_init(&attributes);
    if (g->extended)
        attributes_gather(&attributes, fd, inv->any_directory);
    head[1] = (uint8_t)attributes.n_fds;
    if (!compose(&m, g->extended ? &attributes : NULL, inv, environ_))
        return REQUEST_BROKEN;
    if (m.n > most)
        return REQUEST_NOT_AHEAD;
    if (g->extended)
        relay_catch();
    memset(&messages[0].msg_hdr, 0, sizeof(messages[0].msg_hdr));
    messages[0].msg_hdr.msg_iov = &head_iov;
    messages[0].msg_hdr.msg_iovlen = 1;
    for (size_t i = 0; i < attributes.n_fds; i++)
        load(&messages[1 + i], &carriers[i], attributes.fds[i]);
    if (!send_all(fd, messages, 1 + attributes.n_fds, flags) || !send_bytes(fd, m.p, m.n, flags))
        return REQUEST_BROKEN;
    free(m.p);
    return REQUEST_SENT;
}

enum request_outcome
request_send(int fd, const struct greeting *g, const struct invocation *inv, char **environ_)
{
    return send_request(fd, g, inv, environ_, SIZE_MAX, MSG_NOSIGNAL);
}

enum request_outcome
request_send_ahead(int fd, const struct invocation *inv, char **environ_)
{
    static const struct greeting all = {true, true, true};

    return send_request(fd, &all, inv, environ_, AHEAD_MOST, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool
request_is_ahead(const struct rundir *dir, const char *name)
{
    struct stat st;

    return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_ISVTX) != 0;
}

int
request_fill_stdio(void)
{
    struct pollfd fds[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};

    if (poll(fds, 3, 0) <= 0)
        return 0;
    for (int i = 0; i < 3; i++) {
        if ((fds[i].revents & POLLNVAL) == 0)
            continue;
        /* The lowest free number, since those below are open by now. */
        if (open("/dev/null", i == 0 ? O_WRONLY : O_RDONLY) != i)
            return -errno;
    }
    return 0;
}
