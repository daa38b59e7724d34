/*
 * prototype_role.h - the prototype as the role table of brood sees it: its birth, up to the moment
 * when it becomes the user's interpreter.
 *
 *   main:  prototype_prefork   a new nest and its doorbell, kept for the child
 *          prototype_introduce NEST_OPEN to each router
 *   child: prototype_setup     outside work, user, directory, environment, streams, then the
 *                              language module's setup, which executes the interpreter
 *
 * What runs in the interpreter afterwards is app/runtime.
 */
#ifndef APP_PROTOTYPE_ROLE_H
#define APP_PROTOTYPE_ROLE_H

#include "process/role.h"

int prototype_prefork(struct task *task, struct process *process, struct br_err *err);
void prototype_introduce(struct task *task, struct process *process, struct channel *peer);
int prototype_setup(struct task *task, struct process *process, struct br_err *err);

#endif
