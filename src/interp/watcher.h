/*
 * watcher.h - the helper process that tells a server of version 1 that its socket is gone.
 */
#ifndef INTERP_WATCHER_H
#define INTERP_WATCHER_H

#include "interp/rundir.h"

/* What the library is given: the sentinel's write end, the report's read end (non-blocking). */
struct watcher {
    int sentinel; /* WATCHI: the watcher ends when the last copy closes */
    int report;   /* WATCHE: at its end the socket is lost */
};

/* Forks it, twice, so that it is nobody's child.  0 or -errno and a sentence. */
int watcher_start(const struct rundir *dir, const char *socket, struct watcher *ret,
                  struct br_err *err);

#endif
