/*
 * body.c - where a request body is kept while it arrives.
 */
#include "http/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "http/request.h"

void
body_init(struct body *b)
{
    b->length = 0;
    b->mem = SLICE_NONE;
    b->fd = -1;
    b->present = false;
    b->in_heap = false;
}

void
body_done(struct body *b)
{
    if (b->in_heap)
        buf_done(&b->heap);
    b->in_heap = false;
    fd_close(&b->fd);
}

/* A file that no name leads to.  O_TMPFILE is not known to every file system. */
static int
open_unlinked(const char *dir)
{
    char path[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    int n;

    if (fd >= 0)
        return fd;
    n = snprintf(path, sizeof(path), "%s/req-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    (void)unlink(path);
    return fd;
}

static int
move_to_file(struct body *b, const struct http_limits *limits)
{
    int fd = open_unlinked(limits->body_temp_path);
    int rc;

    if (fd < 0)
        return fd;
    b->fd = fd;
    if (!b->in_heap)
        return 0;
    rc = fd_write_all(fd, b->heap.p, b->heap.n);
    buf_done(&b->heap);
    b->in_heap = false;
    b->mem = SLICE_NONE;
    return rc;
}

static void
use_heap(struct body *b, size_t ceiling)
{
    if (b->in_heap)
        return;
    buf_init(&b->heap, ceiling);
    b->in_heap = true;
}

int
body_expect(struct body *b, uint64_t length, const struct http_limits *limits)
{
    if (length > limits->body_buffer_size)
        return move_to_file(b, limits);
    use_heap(b, limits->body_buffer_size);
    return buf_reserve(&b->heap, (size_t)length);
}

int
body_add(struct body *b, const char *p, size_t n, const struct http_limits *limits)
{
    int rc;

    if (b->fd < 0 && b->length + n > limits->body_buffer_size) {
        rc = move_to_file(b, limits);
        if (rc < 0)
            return rc;
    }
    if (b->fd >= 0) {
        rc = fd_write_all(b->fd, p, n);
    } else {
        use_heap(b, limits->body_buffer_size);
        rc = buf_append(&b->heap, p, n);
        b->mem = buf_slice(&b->heap);
    }
    if (rc == 0)
        b->length += n;
    return rc;
}

int
body_take_fd(struct body *b)
{
    return fd_take(&b->fd);
}
