/*
 * request.c - receive a call, cut its text into lists, put its descriptors into their places.
 *
 * Two traps: a descriptor's place may be the number under which another has arrived, so all are
 * moved above the highest place first; and what the first caller blocked was inherited through
 * setup, so the mask is set even where the caller blocks nothing.
 */
#include "guests/prefork_interp/common/request.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

ssize_t
fds_receive(int socket, void *text, size_t room, int *fds, size_t *n_fds)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int) * REQUEST_FDS_MAX)];
    } control;
    struct iovec part = {.iov_base = text, .iov_len = room};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    size_t most = *n_fds;
    ssize_t n;

    *n_fds = 0;
    do {
        n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (*n_fds < most)
                fds[(*n_fds)++] = fd;
            else
                close(fd);
        }
    }
    return n;
}

static size_t
count_strings(const char *text, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += text[i] == '\0';
    return count;
}

/* One list out of *at, up to an empty string or the end; its NULL-terminated array goes to *slot.
 */
static char **
cut_list(char **at, const char *end, char ***slot, bool to_the_end)
{
    char **list = *slot;

    while (*at < end && (to_the_end || **at != '\0')) {
        *(*slot)++ = *at;
        *at += strlen(*at) + 1;
    }
    if (!to_the_end && *at < end)
        (*at)++;
    *(*slot)++ = NULL;
    return list;
}

static int
cut(struct request *r, size_t n)
{
    char *at = r->text, *end = r->text + n;
    char **slot;

    if (n > 0 && end[-1] != '\0')
        return -EBADMSG;
    slot = calloc(count_strings(r->text, n) + 3, sizeof(*slot));
    if (slot == NULL)
        return -ENOMEM;
    r->attributes = cut_list(&at, end, &slot, false);
    r->environment = cut_list(&at, end, &slot, false);
    r->arguments = cut_list(&at, end, &slot, true);
    return 0;
}

int
request_receive(struct request *r, int socket)
{
    uint8_t head[4];
    uint32_t n;
    ssize_t got;
    int rc;

    memset(r, 0, sizeof(*r));
    r->n_fds = array_len(r->fds);
    got = fds_receive(socket, head, sizeof(head), r->fds, &r->n_fds);
    if (got < 0)
        return (int)got;
    if (got != sizeof(head) || r->n_fds < 3)
        return -ENODATA;
    n = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    if (n > REQUEST_BYTES_MAX)
        return -EMSGSIZE;
    r->text = malloc((size_t)n + 1);
    if (r->text == NULL)
        return -ENOMEM;
    rc = fd_read_exact(socket, r->text, n);
    if (rc < 0)
        return rc == -EPIPE ? -ENODATA : rc;
    r->text[n] = '\0';
    return cut(r, n);
}

static void
drop_descriptors(struct request *r)
{
    for (size_t i = 0; i < r->n_fds; i++)
        close(r->fds[i]);
    r->n_fds = 0;
}

void
request_done(struct request *r)
{
    drop_descriptors(r);
    free(r->attributes); /* one block for the three lists */
    free(r->text);
    memset(r, 0, sizeof(*r));
}

const char *
request_attribute(const struct request *r, const char *name)
{
    size_t n = strlen(name);

    for (char **a = r->attributes; *a != NULL; a++) {
        if (strncmp(*a, name, n) == 0 && (*a)[n] == '=')
            return *a + n + 1;
    }
    return NULL;
}

bool
request_tells(const struct request *r)
{
    return r->attributes[0] != NULL;
}

uint64_t
request_ignored(const struct request *r)
{
    const char *set = request_attribute(r, "sigign");

    return set != NULL ? strtoull(set, NULL, 16) : 0;
}

/* fd=I:N; false: another attribute, or an index that is none of ours. */
static bool
place_of(const struct request *r, const char *attribute, size_t *ret_index, int *ret_number)
{
    unsigned long index, number;
    char *end;

    if (strncmp(attribute, "fd=", 3) != 0)
        return false;
    index = strtoul(attribute + 3, &end, 10);
    if (*end != ':' || index >= r->n_fds)
        return false;
    number = strtoul(end + 1, &end, 10);
    if (*end != '\0' || number > INT16_MAX * 32)
        return false;
    *ret_index = index;
    *ret_number = (int)number;
    return true;
}

static int
move_up(struct request *r)
{
    int above = 3, number;
    size_t index;

    for (char **a = r->attributes; *a != NULL; a++) {
        if (place_of(r, *a, &index, &number))
            above = br_max(above, number + 1);
    }
    for (size_t i = 0; i < r->n_fds; i++) {
        int fd = fcntl(r->fds[i], F_DUPFD_CLOEXEC, above);

        if (fd < 0)
            return -errno;
        close(r->fds[i]);
        r->fds[i] = fd;
    }
    return 0;
}

static int
take_descriptors(struct request *r, int own)
{
    int number, rc = move_up(r);
    size_t index;

    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++) {
        if (dup2(r->fds[i], i) < 0)
            return -errno;
    }
    for (char **a = r->attributes; *a != NULL; a++) {
        if (!place_of(r, *a, &index, &number) || (number >= own && fcntl(number, F_GETFD) >= 0))
            continue;
        if (dup2(r->fds[index], number) < 0)
            return -errno;
    }
    return 0;
}

static void
take_mask(const struct request *r)
{
    const char *text = request_attribute(r, "sigblk");
    uint64_t blocked = text != NULL ? strtoull(text, NULL, 16) : 0;
    sigset_t set;

    sigemptyset(&set);
    for (int s = 1; s <= 64; s++) {
        if (blocked >> (s - 1) & 1)
            sigaddset(&set, s);
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
}

int
request_take(struct request *r, int own)
{
    int rc = take_descriptors(r, own);
    const char *mask = request_attribute(r, "umask"), *cwd = request_attribute(r, "cwd");
    unsigned long index;

    if (mask != NULL)
        umask((mode_t)strtoul(mask, NULL, 8));
    if (rc == 0 && cwd != NULL) {
        index = strtoul(cwd, NULL, 10);
        if (index >= r->n_fds || fchdir(r->fds[index]) < 0)
            rc = index >= r->n_fds ? -EBADMSG : -errno;
    }
    drop_descriptors(r);
    if (request_tells(r))
        take_mask(r);
    return rc;
}
