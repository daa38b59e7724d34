/*
 * controller_role.h - the controller as the role table sees it: the control API, and the one who
 * orchestrates every change of the configuration.
 */
#ifndef CONTROLLER_CONTROLLER_ROLE_H
#define CONTROLLER_CONTROLLER_ROLE_H

#include "ipc/dispatch.h"

int controller_prefork(struct task *task, struct process *process, struct br_err *err);
int controller_setup(struct task *task, struct process *process, struct br_err *err);
int controller_start(struct task *task, void *data);

/* For the row's on_message. */
extern const struct msg_handler controller_messages[];

void controller_on_peer(struct task *task, struct channel *ch);
void controller_on_lost(struct task *task);
void controller_on_peer_gone(struct task *task, struct channel *ch);

#endif
