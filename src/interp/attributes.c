/*
 * attributes.c - what a call has besides arguments and environment.
 *
 * Part of the fast path: cheap system calls only, numbers written by hand.
 */
#include "interp/attributes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define INHERITED_MOST 128 /* descriptors are looked for below this */

static void
put(struct attributes *a, const char *text)
{
    size_t n = strlen(text);

    if (a->n + n > sizeof(a->text))
        return;
    memcpy(a->text + a->n, text, n);
    a->n += n;
}

static void
put_number(struct attributes *a, uint64_t v, unsigned base)
{
    char digits[24];
    char *p = digits + sizeof(digits) - 1;

    *p = '\0';
    do
        *--p = "0123456789abcdef"[v % base];
    while ((v /= base) != 0);
    put(a, p);
}

static void
put_end(struct attributes *a)
{
    if (a->n < sizeof(a->text))
        a->text[a->n++] = '\0';
}

void
attributes_init(struct attributes *a)
{
    a->n = 0;
    for (int i = 0; i < 3; i++)
        a->fds[i] = i;
    a->n_fds = 3;
}

static void
gather_umask(struct attributes *a)
{
    mode_t mask = umask(0);

    umask(mask);
    put(a, "umask=0");
    put_number(a, mask, 8);
    put_end(a);
}

static void
gather_signals(struct attributes *a)
{
    struct sigaction action;
    uint64_t ignored = 0, blocked = 0;
    sigset_t set;

    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP && sigaction(s, NULL, &action) == 0 &&
            action.sa_handler == SIG_IGN)
            ignored |= 1ull << (s - 1);
    sigprocmask(SIG_BLOCK, NULL, &set);
    for (int s = 1; s < 65; s++)
        if (sigismember(&set, s) == 1)
            blocked |= 1ull << (s - 1);
    if (ignored != 0) {
        put(a, "sigign=");
        put_number(a, ignored, 16);
        put_end(a);
    }
    if (blocked != 0) {
        put(a, "sigblk=");
        put_number(a, blocked, 16);
        put_end(a);
    }
}

static void
put_limit(struct attributes *a, rlim_t v)
{
    if (v == RLIM_INFINITY)
        put(a, "-1");
    else
        put_number(a, v, 10);
}

static void
gather_limits(struct attributes *a)
{
    struct rlimit limit;

    for (unsigned r = 0; r < RLIM_NLIMITS; r++) {
        if (getrlimit((int)r, &limit) < 0)
            continue;
        put(a, "rlimit=");
        put_number(a, r, 10);
        put(a, ":");
        put_limit(a, limit.rlim_cur);
        put(a, ":");
        put_limit(a, limit.rlim_max);
        put_end(a);
    }
}

static void
gather_nice(struct attributes *a)
{
    int nice = getpriority(PRIO_PROCESS, 0);

    put(a, nice < 0 ? "nice=-" : "nice=");
    put_number(a, (uint64_t)(nice < 0 ? -nice : nice), 10);
    put_end(a);
}

/* All that an exec would keep, above 2. */
static void
gather_descriptors(struct attributes *a, int call_fd)
{
    struct pollfd fds[INHERITED_MOST];

    for (int i = 0; i < INHERITED_MOST; i++)
        fds[i] = (struct pollfd){.fd = i + 3};
    if (poll(fds, INHERITED_MOST, 0) < 0)
        return;
    for (int i = 0; i < INHERITED_MOST && a->n_fds < WIRE_FDS_MAX; i++) {
        int fd = fds[i].fd;

        if ((fds[i].revents & POLLNVAL) != 0 || fd == call_fd ||
            (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
            continue;
        put(a, "fd=");
        put_number(a, a->n_fds, 10);
        put(a, ":");
        put_number(a, (uint64_t)fd, 10);
        put_end(a);
        a->fds[a->n_fds++] = fd;
    }
}

static void
gather_directory(struct attributes *a)
{
    int fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || a->n_fds == WIRE_FDS_MAX)
        return;
    put(a, "cwd=");
    put_number(a, a->n_fds, 10);
    put_end(a);
    a->fds[a->n_fds++] = fd;
}

void
attributes_gather(struct attributes *a, int call_fd, bool directory)
{
    gather_descriptors(a, call_fd);
    if (directory)
        gather_directory(a);
    gather_umask(a);
    gather_signals(a);
    gather_limits(a);
    gather_nice(a);
}
