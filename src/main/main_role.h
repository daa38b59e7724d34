/*
 * main_role.h - the privileged process: forks, reaps, opens, saves; parses nothing.
 */
#ifndef MAIN_MAIN_ROLE_H
#define MAIN_MAIN_ROLE_H

#include "ipc/dispatch.h"
#include "main/main_estate.h"

/*
 * Be main until told to leave and all children are gone.  roles has a row for each role that main
 * forks and for main itself; NULL where there is none.  estate is what the main before us left in
 * an upgrade, or NULL; what is taken of it is -1 there.  Returns the exit code.
 */
int main_run(const struct settings *settings, const struct br_role *const roles[ROLES],
             struct estate *estate);

/* For main's row. */
extern const struct msg_handler main_messages[];

#endif
