/*
 * password.c - the home directory by the password file alone.
 *
 *   /etc/passwd --lines--> name:x:UID:gid:comment:HOME:shell
 *
 * Not by getpwuid: that loads the name service with a dozen libraries, in the fast path of every
 * call.  A user whom only another name service knows has no home here, and gets /tmp.
 */
#include "interp/rundir.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define LINE_MOST 1024

/* Field n (0 the first) of a line; its length, or false. */
static bool
field(const char *line, size_t n_line, unsigned n, const char **ret, size_t *ret_n)
{
    const char *end = line + n_line;

    for (; n > 0; n--) {
        while (line < end && *line != ':')
            line++;
        if (line == end)
            return false;
        line++;
    }
    *ret = line;
    while (line < end && *line != ':')
        line++;
    *ret_n = (size_t)(line - *ret);
    return true;
}

static bool
is_number(const char *p, size_t n, uid_t value)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || seen > UINT32_MAX)
            return false;
        seen = seen * 10 + (uint64_t)(p[i] - '0');
    }
    return n > 0 && seen == value;
}

static bool
take_line(const char *line, size_t n, uid_t uid, char *ret_path, size_t room)
{
    const char *p;
    size_t m;

    if (!field(line, n, 2, &p, &m) || !is_number(p, m, uid) || !field(line, n, 5, &p, &m) ||
        m == 0 || p[0] != '/' || m >= room)
        return false;
    memcpy(ret_path, p, m);
    ret_path[m] = '\0';
    return true;
}

bool
rundir_home(uid_t uid, char *ret_path, size_t room)
{
    br_cleanup(fd_closep) int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    char text[4 * LINE_MOST];
    size_t have = 0;
    ssize_t n;

    if (fd < 0)
        return false;
    while ((n = read(fd, text + have, sizeof(text) - have)) > 0) {
        char *line = text;
        char *newline;

        have += (size_t)n;
        while ((newline = memchr(line, '\n', have - (size_t)(line - text))) != NULL) {
            if (take_line(line, (size_t)(newline - line), uid, ret_path, room))
                return true;
            line = newline + 1;
        }
        have -= (size_t)(line - text);
        memmove(text, line, have);
        if (have == sizeof(text))
            have = 0; /* no line of a password file is that long */
    }
    return false;
}
