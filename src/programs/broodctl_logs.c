/*
 * broodctl_logs.c - the end of the error log, and with -f what is written to it from now on.
 *
 *   --log FILE, or the title of main --> last N lines --> [ more | rotated: open anew | wait ]
 *
 * With --json each line is an object on a line of its own: what it says, and when, how grave and
 * from whom when it has the form that brood writes.
 *
 * Rotation renames the file; what was still written to the old one is read to its end before the
 * new one is opened.  A file that shrank is read from its beginning.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "conf/json_write.h"
#include "programs/broodctl.h"
#include "programs/broodctl_find.h"

#define BLOCK_BYTES    65536
#define PAUSE_NS       200000000
#define LINE_MAX_BYTES (64u << 20)

struct tail {
    bool json;
    struct buf line; /* with --json: the beginning of the next one */
};

/* Where the last so many lines begin. */
static off_t
tail_start(int fd, off_t size, uint64_t lines)
{
    char block[BLOCK_BYTES];
    off_t end = size;

    while (end > 0) {
        size_t n = (size_t)br_min(end, (off_t)sizeof(block));
        ssize_t got = pread(fd, block, n, end - (off_t)n);

        if (got != (ssize_t)n)
            return end;
        for (size_t i = n; i > 0; i--) {
            off_t at = end - (off_t)n + (off_t)i; /* behind that byte */

            if (block[i - 1] == '\n' && at < size && lines-- == 1)
                return at;
        }
        end -= (off_t)n;
    }
    return 0;
}

/* "2026/11/24 21:40:13 [info] 4126#4126 brood is ready" to its parts. */
static bool
take_apart(struct arena *a, struct slice line, struct json *object)
{
    struct slice rest = line, date, time, level, who;
    uint64_t pid;

    if (!slice_split(&rest, ' ', &date) || !slice_split(&rest, ' ', &time) ||
        !slice_split(&rest, ' ', &level) || !slice_split(&rest, ' ', &who) || rest.p == NULL)
        return false;
    if (date.n != 10 || time.n != 8 || !slice_starts(level, SLICE("[")) ||
        !slice_ends(level, SLICE("]")) ||
        slice_u64(slice_sub(who, 0, slice_find(who, 0, '#')), &pid) < 0)
        return false;
    json_add(object, SLICE("time"), json_new_string(a, slice_sub(line, 0, 19)));
    json_add(object, SLICE("level"), json_new_string(a, slice_sub(level, 1, level.n - 1)));
    json_add(object, SLICE("pid"), json_new_int(a, (int64_t)pid));
    json_add(object, SLICE("message"), json_new_string(a, rest));
    return true;
}

static int
write_object(struct slice line)
{
    struct arena a;
    struct json *object;
    struct buf b;
    int rc;

    arena_init(&a, 0);
    object = json_new(&a, JSON_OBJECT);
    if (!take_apart(&a, line, object))
        json_add(object, SLICE("message"), json_new_string(&a, line));
    buf_init(&b, 8 * LINE_MAX_BYTES);
    json_write_compact(&b, object);
    buf_putc(&b, '\n');
    rc = b.error != 0 ? b.error : fd_write_all(STDOUT_FILENO, b.p, b.n);
    buf_done(&b);
    arena_done(&a);
    return rc;
}

/* Whole lines go out, the rest waits. */
static int
write_objects(struct tail *t, struct slice text)
{
    while (text.n > 0) {
        size_t end = slice_find(text, 0, '\n');
        int rc = buf_put(&t->line, slice_sub(text, 0, end));

        if (rc == 0 && end == text.n)
            return 0;
        if (rc == 0)
            rc = write_object(buf_slice(&t->line));
        if (rc < 0)
            return rc;
        buf_clear(&t->line);
        text = slice_sub(text, end + 1, text.n);
    }
    return 0;
}

/* From *at to the end of the file.  0 or -errno, of writing too. */
static int
copy(struct tail *t, int fd, off_t *at)
{
    char block[BLOCK_BYTES];

    for (;;) {
        ssize_t n = pread(fd, block, sizeof(block), *at);
        int rc;

        if (n <= 0)
            return n == 0 ? 0 : -errno;
        rc = t->json ? write_objects(t, slice_make(block, (size_t)n))
                     : fd_write_all(STDOUT_FILENO, block, (size_t)n);
        if (rc < 0)
            return rc;
        *at += n;
    }
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* One look after the log was read to its end.  0 or -errno. */
static int
look_again(struct tail *t, const char *path, int *fd, off_t *at)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct stat now, ours;
    int rc, next;

    nanosleep(&pause, NULL);
    if (fstat(*fd, &ours) < 0)
        return -errno;
    if (ours.st_size < *at)
        *at = 0;
    rc = copy(t, *fd, at);
    if (rc < 0 || stat(path, &now) < 0 || is_same_file(&now, &ours))
        return rc;
    next = open(path, O_RDONLY | O_CLOEXEC);
    if (next < 0)
        return 0; /* gone again; the next look will tell */
    rc = copy(t, *fd, at);
    fd_close(fd);
    *fd = next;
    *at = 0;
    return rc;
}

static int
show(const struct ctl *ctl, const char *path)
{
    br_cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct tail t = {.json = ctl->json};
    struct stat st;
    off_t at;
    int rc;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    at = ctl->lines == 0 ? st.st_size : tail_start(fd, st.st_size, ctl->lines);
    buf_init(&t.line, LINE_MAX_BYTES);
    rc = copy(&t, fd, &at);
    while (rc == 0 && ctl->follow)
        rc = look_again(&t, path, &fd, &at);
    if (rc == 0 && t.line.n > 0)
        rc = write_object(buf_slice(&t.line)); /* the last one does not end */
    buf_done(&t.line);
    return rc;
}

/* The log of the brood that we would talk to. */
static enum ctl_exit
find_log(struct ctl *ctl, const char **ret_path)
{
    struct br_err err = BR_ERR_NONE;
    struct found_process main;

    if (find_main(&ctl->arena, ctl->control, &main, &err) < 0)
        return ctl_fail(CTL_UNREACHABLE, "%s", err.text);
    if (!find_has_option(&main, "--log") && find_has_option(&main, "--no-daemon"))
        return ctl_fail(CTL_REFUSED, "brood %d logs to its standard error", (int)main.pid);
    *ret_path = find_option(&ctl->arena, &main, "--log", DEFAULT_LOG);
    return CTL_OK;
}

enum ctl_exit
ctl_logs(struct ctl *ctl, br_unused int n, br_unused char **words)
{
    const char *path = ctl->log_path;
    enum ctl_exit code = path != NULL ? CTL_OK : find_log(ctl, &path);
    int rc;

    if (path == NULL)
        return code;
    rc = show(ctl, path);
    return rc < 0 ? ctl_fail(CTL_REFUSED, "\"%s\": %s", path, strerror(-rc)) : CTL_OK;
}
