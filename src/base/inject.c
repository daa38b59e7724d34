/*
 * inject.c - the test's side of inject.h: is this point armed, and what shall happen?
 *
 *   BROOD_INJECT=/tmp/t    /tmp/t/router.switched.1 "kill"  --open, read, unlink--> SIGKILL
 *
 * Unprivileged processes take files as well, so the directory must be writable by all of them.  A
 * file is written under another name and renamed by who arms it: what is found is whole.
 */
#include "base/inject.h"

#include "base/attr.h"

#ifdef BROOD_INJECTION

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define PATH_ROOM 512
#define WHAT_ROOM 32

static const char *const names[INJECT_POINTS] = {
#define POINT(role, name, indexed, when) [INJECT_##role##_##name] = #role "." #name,
#include "base/inject.def"
#undef POINT
};

/* What the file says, which is ours then; false: the point is not armed, or another was first. */
static bool
take(const char *path, char ret_what[WHAT_ROOM])
{
    br_cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret_what, WHAT_ROOM - 1);

    if (n < 0 || unlink(path) < 0)
        return false;
    ret_what[n] = '\0';
    return true;
}

static void
stand_still(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

static int
act(const char *what)
{
    long number = strtol(what + strcspn(what, "0123456789"), NULL, 10);

    if (strncmp(what, "errno", 5) == 0) {
        errno = (int)number;
        return -1;
    }
    if (strncmp(what, "sleep", 5) == 0)
        stand_still(number);
    else if (strncmp(what, "stop", 4) == 0)
        raise(SIGSTOP);
    else if (strncmp(what, "abort", 5) == 0)
        abort();
    else
        kill(getpid(), SIGKILL);
    return 0;
}

int
inject_at(enum inject_point point, int index)
{
    const char *dir = getenv("BROOD_INJECT");
    int saved = errno;
    char path[PATH_ROOM], what[WHAT_ROOM];

    if (dir == NULL)
        return 0;
    if (index == INJECT_NO_INDEX)
        snprintf(path, sizeof(path), "%s/%s", dir, names[point]);
    else
        snprintf(path, sizeof(path), "%s/%s.%d", dir, names[point], index);
    if (take(path, what))
        return act(what);
    errno = saved;
    return 0;
}

#endif
