/*
 * share_open.h - from a path that a stranger had a say in to an open regular file, or to why not.
 */
#ifndef ROUTER_SHARE_OPEN_H
#define ROUTER_SHARE_OPEN_H

#include "base/attr.h"

/* What tells one state of a file from another. */
struct file_state {
    uint64_t dev;
    uint64_t ino;
    uint64_t size;
    int64_t mtime_s;
    int64_t ctime_s;
    uint32_t mtime_ns;
    uint32_t ctime_ns;
};

static inline bool
file_state_eq(const struct file_state *a, const struct file_state *b)
{
    return a->ino == b->ino && a->size == b->size && a->mtime_s == b->mtime_s &&
           a->mtime_ns == b->mtime_ns && a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns &&
           a->dev == b->dev;
}

/*
 * share_open - open for reading.
 *
 *   path   NUL-terminated; relative to the working directory
 *
 * 0: a regular file, its descriptor (yours) and state.  -EISDIR: a directory.  -ENXIO: neither
 * (FIFO, device, socket), which was not opened.  Else openat2's error; -ELOOP: a magic link, or
 * too many links.
 */
int share_open(const char *path, int *ret_fd, struct file_state *ret);

/* The state of what that path names now; -errno, also when it is no regular file. */
int share_state(const char *path, struct file_state *ret);

#endif
