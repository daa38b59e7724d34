/*
 * conf_include.c - the files that a configuration file includes, as one piece of bytes.
 *
 *   head: lengths | path | text | head | path | text | ...     in the order of the paths
 *
 * See glob(7) for the patterns; scandir is not used, since a directory may have many entries that
 * are none of ours.
 */
#include "conf/conf_include.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"

struct head {
    uint32_t path_n;
    uint32_t text_n;
};

struct include {
    struct arena arena;
    int dir; /* of the configuration file */
    struct slice *paths;
    size_t n;
    struct buf out;
};

static int
open_dir_of(const char *path, struct br_err *err)
{
    struct arena a;
    const char *slash = strrchr(path, '/');
    const char *dir = ".";
    int fd, rc;

    arena_init(&a, 0);
    if (slash != NULL)
        dir = arena_cstr(&a, slice_make(path, br_max((size_t)(slash - path), (size_t)1)));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd < 0 ? br_fail(err, -errno, "cannot open directory \"%s\"", dir) : fd;
    arena_done(&a);
    return rc;
}

static int
check_pattern(struct slice pattern, struct br_err *err)
{
    struct slice rest = pattern, piece;

    if (pattern.n == 0 || pattern.p[0] == '/')
        return br_fail(err, -EBADMSG, "not a path relative to the configuration file");
    while (slice_split(&rest, '/', &piece))
        if (slice_eq(piece, SLICE("..")))
            return br_fail(err, -EBADMSG, "a path must not have \"..\" in it");
    return 0;
}

static int
add_path(struct include *in, struct slice dir, const char *name, struct br_err *err)
{
    if (in->n == CONF_INCLUDE_FILES_MAX)
        return br_fail(err, -EMFILE, "more than %d files", CONF_INCLUDE_FILES_MAX);
    in->paths[in->n++] =
        dir.n == 0 ? slice_cstr(arena_cstr(&in->arena, slice_cstr(name)))
                   : slice_cstr(arena_printf(&in->arena, SLICE_FMT "/%s", SLICE_ARG(dir), name));
    return 0;
}

static int
by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Takes fd. */
static int
list_dir(struct include *in, int fd, struct slice path, const char *fits, struct br_err *err)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;
    int rc = 0;

    if (dir == NULL) {
        rc = br_fail(err, -errno, "cannot read directory \"" SLICE_FMT "\"", SLICE_ARG(path));
        fd_close(&fd);
        return rc;
    }
    while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        if (fnmatch(fits, entry->d_name, FNM_PERIOD) == 0)
            rc = add_path(in, path, entry->d_name, err);
    if (rc == 0 && errno != 0)
        rc = br_fail(err, -errno, "cannot read directory \"" SLICE_FMT "\"", SLICE_ARG(path));
    closedir(dir);
    qsort(in->paths, in->n, sizeof(*in->paths), by_bytes);
    return rc;
}

/* The pattern to paths. */
static int
find_paths(struct include *in, struct slice pattern, struct br_err *err)
{
    const char *whole = arena_cstr(&in->arena, pattern);
    const char *slash = strrchr(whole, '/');
    const char *last = slash != NULL ? slash + 1 : whole;
    struct slice dir = slice_make(whole, slash != NULL ? (size_t)(slash - whole) : 0);
    int fd = openat(in->dir, whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        return list_dir(in, fd, slash != NULL && *last == '\0' ? dir : pattern, "*.json", err);
    if (strpbrk(last, "*?[") == NULL)
        return add_path(in, dir, last, err);
    fd = openat(in->dir, dir.n > 0 ? arena_cstr(&in->arena, dir) : ".",
                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return br_fail(err, -errno, "cannot open directory \"" SLICE_FMT "\"", SLICE_ARG(dir));
    return list_dir(in, fd, dir, last, err);
}

/* Of a regular file, so that reading it cannot wait for anybody. */
static int
read_regular(int dir, const char *path, size_t limit, char **ret_text, size_t *ret_n)
{
    br_cleanup(fd_closep) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    return fd_read_file(fd, limit, ret_text, ret_n);
}

static int
put_file(struct include *in, struct slice path, struct br_err *err)
{
    char *text = NULL;
    size_t n = 0;
    int rc = read_regular(in->dir, path.p, in->out.ceiling - in->out.n, &text, &n);
    struct head head = {.path_n = (uint32_t)path.n, .text_n = (uint32_t)n};

    if (rc == 0) {
        buf_append(&in->out, &head, sizeof(head));
        buf_put(&in->out, path);
        rc = buf_append(&in->out, text, n);
    }
    free(text);
    return rc < 0 ? br_fail(err, rc, "cannot read \"" SLICE_FMT "\"", SLICE_ARG(path)) : 0;
}

static int
gather(struct include *in, struct slice pattern, int *ret_fd, struct br_err *err)
{
    int rc = find_paths(in, pattern, err);

    for (size_t i = 0; rc == 0 && i < in->n; i++)
        rc = put_file(in, in->paths[i], err);
    if (rc < 0)
        return rc;
    rc = fd_memfd_sealed("brood-include", in->out.p, in->out.n);
    if (rc < 0)
        return br_fail(err, rc, "cannot pass on \"" SLICE_FMT "\"", SLICE_ARG(pattern));
    *ret_fd = rc;
    return 0;
}

int
conf_include_read(const char *config_path, const char *pattern, int *ret_fd, struct br_err *err)
{
    struct include in = {.n = 0};
    int rc = check_pattern(slice_cstr(pattern), err);

    if (rc < 0)
        return rc;
    in.dir = open_dir_of(config_path, err);
    if (in.dir < 0)
        return in.dir;
    arena_init(&in.arena, 0);
    buf_init(&in.out, CONF_INCLUDE_BYTES_MAX);
    in.paths = arena_array(&in.arena, struct slice, CONF_INCLUDE_FILES_MAX);
    rc = gather(&in, slice_cstr(pattern), ret_fd, err);
    buf_done(&in.out);
    arena_done(&in.arena);
    fd_close(&in.dir);
    return rc;
}

bool
conf_include_next(struct slice *rest, struct slice *ret_path, struct slice *ret_text)
{
    struct head head;
    uint64_t whole;

    if (rest->n < sizeof(head))
        return false;
    memcpy(&head, rest->p, sizeof(head));
    whole = (uint64_t)sizeof(head) + head.path_n + head.text_n;
    if (whole > rest->n)
        return false;
    *ret_path = slice_make(rest->p + sizeof(head), head.path_n);
    *ret_text = slice_make(rest->p + sizeof(head) + head.path_n, head.text_n);
    *rest = slice_sub(*rest, (size_t)whole, rest->n);
    return true;
}
