/*
 * allowance.h - resource limits and niceness of a caller, given to its service from outside.
 */
#ifndef INTERP_ALLOWANCE_H
#define INTERP_ALLOWANCE_H

#include <sys/types.h>

#include "base/err.h"
#include "base/slice.h"

/*
 * allowance_apply - `rlimit=R:SOFT:HARD` and `nice=N` among attributes, to a process of ours.
 *
 * Only what differs costs a system call.  0, or -EPERM and a sentence: a limit that this process
 * may not raise; niceness that may not be lowered is left.
 */
int allowance_apply(pid_t pid, struct slice attributes, struct br_err *err);

#endif
