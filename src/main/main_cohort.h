/*
 * main_cohort.h - routers that were made with the same settings, and their change for others.
 */
#ifndef MAIN_MAIN_COHORT_H
#define MAIN_MAIN_COHORT_H

#include "main/main_state.h"

/* At the start: what the command line says. */
void main_cohort_begin(struct main *m);
/* Settings of the cohort that p belongs to. */
struct msg_routers *main_cohort_how(struct main *m, const struct process *p);
/* p is forked: what only main may do to it.  0 or -errno with the sentence. */
int main_cohort_settle(struct main *m, const struct process *p, struct br_err *err);

/* p is ready, or could not start: maybe that was waited for. */
void main_cohort_ready(struct main *m);
void main_cohort_failed(struct main *m, struct process *p, const char *text);
/* Whom p becomes, NULL: the user of all. */
const struct creds *main_cohort_creds(struct main *m, const struct process *p);
/* The controller is dead: nobody will say what becomes of what it asked for. */
void main_cohort_forget(struct main *m);

void main_on_routers(struct task *task, struct channel *ch, struct message *msg);
void main_on_routers_keep(struct task *task, struct channel *ch, struct message *msg);
void main_on_routers_drop(struct task *task, struct channel *ch, struct message *msg);

#endif
