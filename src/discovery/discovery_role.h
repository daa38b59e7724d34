/*
 * discovery_role.h - the process that looks which languages this machine has, and leaves.
 */
#ifndef DISCOVERY_DISCOVERY_ROLE_H
#define DISCOVERY_DISCOVERY_ROLE_H

#include "process/role.h"

/* Ends when MODULES is told; there is nothing left to start then. */
int discovery_setup(struct task *task, struct process *process, struct br_err *err);

#endif
