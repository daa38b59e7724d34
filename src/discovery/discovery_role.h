/*
 * discovery_role.h - the process that looks which languages this machine has, and leaves.
 */
#ifndef DISCOVERY_DISCOVERY_ROLE_H
#define DISCOVERY_DISCOVERY_ROLE_H

#include "base/buf.h"
#include "process/role.h"

/* What discovery tells main, abi/module_load.h; the buffer is yours. */
void discovery_report(const char *modules_dir, struct buf *ret_json);

/* Ends when MODULES is told; there is nothing left to start then. */
int discovery_setup(struct task *task, struct process *process, struct br_err *err);

#endif
