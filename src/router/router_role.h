/*
 * router_role.h - the router as the role table sees it.
 *
 * Needs the eventfd "wakeN" of its own number among its kept descriptors.
 */
#ifndef ROUTER_ROUTER_ROLE_H
#define ROUTER_ROUTER_ROLE_H

#include "ipc/dispatch.h"
#include "process/role.h"

int router_setup(struct task *task, struct process *process, struct br_err *err);
/* Returns when it is told to stop, or drained. */
int router_start(struct task *task, void *data);
/* Cuts what is under way and frees all that setup made; router_start ends with it. */
void router_done(struct task *task);
void router_on_lost(struct task *task);
void router_on_peer_gone(struct task *task, struct channel *ch);

extern const struct msg_handler router_messages[];

#endif
