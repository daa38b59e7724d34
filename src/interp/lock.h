/*
 * lock.h - the lock of one identity, and the cleaning of those that nobody uses.
 */
#ifndef INTERP_LOCK_H
#define INTERP_LOCK_H

#include "interp/rundir.h"

/* Socket and lock of one identity. */
struct names {
    char socket[RUNDIR_NAME_MAX]; /* s… */
    char lock[RUNDIR_NAME_MAX];   /* l… */
};

/*
 * lock_take - exclusive, waits for its holder; the descriptor, close-on-exec.
 *
 * What was locked is what the name says now: a holder may remove the file.  -errno and a sentence.
 */
int lock_take(const struct rundir *dir, const char *name, bool wait, struct br_err *err);

/*
 * lock_clean - when there are more than `most` identities, remove the longest unused ones beyond
 * that.  Never waits for a lock; a live server whose socket goes quits by itself.
 */
void lock_clean(const struct rundir *dir, size_t most);

#endif
