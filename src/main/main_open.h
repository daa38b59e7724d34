/*
 * main_open.h - what only main may do for others: listening sockets, the control socket, access
 * logs, and the configuration on disk.
 */
#ifndef MAIN_MAIN_OPEN_H
#define MAIN_MAIN_OPEN_H

#include "ipc/dispatch.h"
#include "main/main_state.h"

void main_on_open(struct task *task, struct channel *ch, struct message *msg);
void main_on_close(struct task *task, struct channel *ch, struct message *msg);
void main_on_save(struct task *task, struct channel *ch, struct message *msg);
void main_on_set_aside(struct task *task, struct channel *ch, struct message *msg);
void main_on_keep(struct task *task, struct channel *ch, struct message *msg);
void main_on_remove(struct task *task, struct channel *ch, struct message *msg);

/* A copy of a listening socket that the controller has asked for; -errno. */
int main_open_listener(struct main *m, const char *address);

/* Close all; unlink what is ours in the file system. */
void main_open_done(struct main *m);

#endif
