/*
 * roles.h - THE process table: every role there is.
 */
#ifndef PROGRAMS_ROLES_H
#define PROGRAMS_ROLES_H

#include "process/role.h"

extern const struct br_role *const roles[ROLES];

#endif
