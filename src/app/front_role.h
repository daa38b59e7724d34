/*
 * front_role.h - the prototype of an application that is a program: it executes no interpreter but
 * supervises.
 */
#ifndef APP_FRONT_ROLE_H
#define APP_FRONT_ROLE_H

#include "ipc/dispatch.h"
#include "process/launch.h"
#include "process/role.h"

struct process;

/* Is that application a program?  card may be NULL. */
bool front_is(const struct launch *card);

/* The card's executable and its arguments, for execve(2).  NULL when memory is out. */
const char **front_arguments(const struct launch *card);

/* The last part of prototype_setup: user, directory, environment and streams are there. */
int front_setup(struct task *task, struct process *process, struct br_err *err);
int front_start(struct task *task, void *data);

extern const struct msg_handler front_messages[];
void front_on_peer_gone(struct task *task, struct channel *ch);

#endif
