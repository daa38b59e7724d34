/*
 * main_role.h - the privileged process: forks, reaps, opens, saves; parses nothing.
 */
#ifndef MAIN_MAIN_ROLE_H
#define MAIN_MAIN_ROLE_H

#include "ipc/dispatch.h"

/*
 * Be main until told to leave and all children are gone.  roles has a row for each role that main
 * forks and for main itself; NULL where there is none.  Returns the exit code.
 */
int main_run(const struct settings *settings, const struct br_role *const roles[ROLES]);

/* For main's row. */
extern const struct msg_handler main_messages[];

#endif
