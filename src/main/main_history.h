/*
 * main_history.h - the configurations before this one: main keeps them, the controller reads them.
 */
#ifndef MAIN_MAIN_HISTORY_H
#define MAIN_MAIN_HISTORY_H

#include "main/main_state.h"

/* What was saved is live and kept: it is part of the history from now on. */
void main_history_keep(struct main *m);
/* At the start: what a main that was killed in between left undone. */
void main_history_mend(struct main *m);

void main_on_history_ask(struct task *task, struct channel *ch, struct message *msg);

#endif
