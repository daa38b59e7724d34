/*
 * stale.h - is what a server has loaded still what lies on the disk?
 *
 * Each file is remembered by device, inode, size and both times, so that also an older file put in
 * its place is noticed, and one dated in the future is not noticed for ever.
 */
#ifndef INTERP_STALE_H
#define INTERP_STALE_H

#include <sys/stat.h>
#include <time.h>

#include "base/arena.h"

struct stale_file {
    const char *path;
    bool absent;
    bool too_new; /* changed between the start and now: who knows which text was loaded */
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec modified;
    struct timespec changed;
};

struct stale {
    struct stale_file *files;
    size_t n;
};

/* Remember these files as they are now; paths stay the caller's. */
void stale_record(struct stale *s, struct arena *a, const char *const *paths, size_t n,
                  const struct timespec *start);

/* The first that is not what it was, or NULL. */
const struct stale_file *stale_find(const struct stale *s);

#endif
