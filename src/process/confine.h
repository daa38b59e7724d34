/*
 * confine.h - what a process may no longer do: limits, priority, rights, system calls, paths.
 *
 *   privileged half   rlimits, nice, OOM score, processors        before it becomes its user
 *   last half         no_new_privs, paths, system calls           right before it executes
 *
 * Card keys: rlimit ("nofile SOFT HARD", -1: unlimited), nice, oom_score_adj, affinity (a number
 * each), no_new_privs, seccomp, landlock_hide, landlock_read, landlock_write (a path each).
 */
#ifndef PROCESS_CONFINE_H
#define PROCESS_CONFINE_H

#include <sys/types.h>

#include "process/launch.h"

/* What was really taken away: bits for the status. */
#define CONFINED_CALLS 1u /* system calls, by seccomp */
#define CONFINED_PATHS 2u /* paths, by Landlock */

/* 0, or -errno with the step. */
int confine_limits(const struct launch *card, struct br_err *err);
/* uid: whom the process will run as.  *ret_filters: bits of CONFINED_. */
int confine_rights(const struct launch *card, uid_t uid, unsigned *ret_filters, struct br_err *err);

#endif
