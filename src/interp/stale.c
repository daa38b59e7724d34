/*
 * stale.c - files as they were, compared with files as they are.
 *
 * A stat costs half a microsecond, and the files of a large script are two hundred: looking
 * at all of them before each call is cheaper than being wrong once.
 */
#include "interp/stale.h"

#include <errno.h>

static bool
later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void
record(struct stale_file *f, const struct timespec *start, const struct timespec *now)
{
    struct stat st;

    if (stat(f->path, &st) < 0) {
        f->absent = true;
        return;
    }
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    f->size = st.st_size;
    f->modified = st.st_mtim;
    f->changed = st.st_ctim;
    f->too_new = later(&st.st_mtim, start) && !later(&st.st_mtim, now);
}

void
stale_record(struct stale *s, struct arena *a, const char *const *paths, size_t n,
             const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    s->files = arena_array(a, struct stale_file, n + 1);
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        s->files[i].path = paths[i];
        record(&s->files[i], start, &now);
    }
}

static bool
differs(const struct stale_file *f)
{
    struct stat st;

    if (f->too_new)
        return true;
    if (stat(f->path, &st) < 0)
        return !f->absent;
    return f->absent || st.st_ino != f->ino || st.st_dev != f->dev || st.st_size != f->size ||
           !same_time(&st.st_mtim, &f->modified) || !same_time(&st.st_ctim, &f->changed);
}

const struct stale_file *
stale_find(const struct stale *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (differs(&s->files[i]))
            return &s->files[i];
    return NULL;
}
