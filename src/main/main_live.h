/*
 * main_live.h - telling launches that what they are for has been committed.
 */
#ifndef MAIN_MAIN_LIVE_H
#define MAIN_MAIN_LIVE_H

#include "ipc/dispatch.h"
#include "main/main_state.h"

void main_on_process_live(struct task *task, struct channel *ch, struct message *msg);

/* An instance of that launch is ready: tell it, if it is time. */
void main_live_tell(struct main *m, struct process *p);
/* A launch is gone: perhaps another one waited for that. */
void main_live_next(struct main *m);

#endif
