/*
 * main_upgrade.h - the old main's part in a binary upgrade.
 */
#ifndef MAIN_MAIN_UPGRADE_H
#define MAIN_MAIN_UPGRADE_H

#include "main/main_state.h"

void main_upgrade_init(struct main *m);
void main_upgrade_done(struct main *m);

/* USR2: start the next main, unless that is impossible now; then the log says why. */
void main_upgrade(struct main *m);
/* WINCH: while the next main proves itself, our routers drain; it means nothing at other times. */
void main_upgrade_wind_down(struct main *m);
/* We leave: a next main that has not proved itself leaves with us. */
void main_upgrade_cancel(struct main *m);

/* Is it by an upgrade's wish that p, which is dead, does not start again now? */
bool main_upgrade_holds(const struct main *m, const struct process *p);
/* To p, if it may hear it: what became of the last upgrade, if there was one. */
void main_upgrade_tell(struct main *m, struct process *p);

/* p is held. */
void main_upgrade_held(struct main *m, struct process *p);

#endif
