/*
 * main_spawn.h - births and rebirths: who is started, what it inherits, what becomes of its end.
 */
#ifndef MAIN_MAIN_SPAWN_H
#define MAIN_MAIN_SPAWN_H

#include "ipc/dispatch.h"
#include "main/main_state.h"

/* The first child; its report starts the others. */
void main_start_discovery(struct main *m);
/* The first start: what --initial says, once.  true: there is nothing left to wait for. */
bool main_first_is_over(struct main *m);
/* All roles that main forks by itself, as often as the settings say. */
void main_start_core(struct main *m);

/* A process of that role, not started yet; NULL: no memory. */
struct process *main_start_new(struct main *m, enum role_id role, uint32_t index);
/* What becomes of the start is told later. */
void main_start(struct main *m, struct process *p);
/* Who asked for this start, and has no answer yet, gets that one. */
void main_start_given_up(struct main *m, struct process *p, int rc, const char *text);

/* One more router, the nth of that cohort.  0, or -ENOMEM; that it could not start is told later.
 */
int main_start_router(struct main *m, uint32_t cohort, uint32_t nth);
/* A process that an upgrade held back starts again. */
void main_start_held(struct main *m, struct process *p);

void main_on_created(struct task *task, struct channel *ch, struct message *msg);
void main_on_ready(struct task *task, struct channel *ch, struct message *msg);
void main_on_failed(struct task *task, struct channel *ch, struct message *msg);

#endif
