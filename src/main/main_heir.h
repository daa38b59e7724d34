/*
 * main_heir.h - the next main's part in a binary upgrade.
 */
#ifndef MAIN_MAIN_HEIR_H
#define MAIN_MAIN_HEIR_H

#include "main/main_estate.h"
#include "main/main_state.h"

/* Enter upon what the old main leaves, or begin as one that nobody left anything (NULL). */
int main_heir_begin(struct main *m, struct estate *estate, struct br_err *err);

/* It has still to be shown that this program can serve. */
bool main_heir_unproved(const struct main *m);
/* Is the main that it came from still there? */
bool main_heir_old_runs(const struct main *m);
/*
 * All are ready.  When the controller has asked for the control socket (main.control_asked), it
 * has booted: it shall show that the configuration serves.  Its question is answered after that.
 */
void main_heir_prove(struct main *m);

#endif
