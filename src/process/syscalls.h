/*
 * syscalls.h - system calls that no application needs.
 */
#ifndef PROCESS_SYSCALLS_H
#define PROCESS_SYSCALLS_H

#include "base/err.h"

/*
 * From now on, for this process and its children, the calls of syscalls.c's list fail with EPERM.
 * Needs no_new_privs or CAP_SYS_ADMIN.  0, or -errno with the reason.
 */
int syscalls_forbid(struct br_err *err);

#endif
