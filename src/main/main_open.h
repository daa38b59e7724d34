/*
 * main_open.h - what only main may do for others: listening sockets, the control socket, access
 * logs, and the configuration on disk.
 */
#ifndef MAIN_MAIN_OPEN_H
#define MAIN_MAIN_OPEN_H

#include "ipc/dispatch.h"
#include "main/main_estate.h"
#include "main/main_state.h"

void main_on_open(struct task *task, struct channel *ch, struct message *msg);
void main_on_close(struct task *task, struct channel *ch, struct message *msg);
void main_on_save(struct task *task, struct channel *ch, struct message *msg);
void main_on_set_aside(struct task *task, struct channel *ch, struct message *msg);
void main_on_keep(struct task *task, struct channel *ch, struct message *msg);
void main_on_remove(struct task *task, struct channel *ch, struct message *msg);

/* Is there a listening socket at that address. */
bool main_listens(struct main *m, const char *address);
/* A copy of a listening socket that the controller has asked for; -errno. */
int main_open_listener(struct main *m, const char *address);
/* Call fn for each listening socket, for the next main. */
void main_open_each(const struct main *m, void (*fn)(void *arg, const struct estate_listener *l),
                    void *arg);
/* A listening socket of the old main; its fd is taken.  0 or -errno. */
int main_open_adopt(struct main *m, const struct estate_listener *l);
/* Answer the controller that asked for the control socket. */
void main_open_answer_control(struct main *m, struct channel *ch, const struct message *question);

/* Close all; unlink what is ours in the file system. */
void main_open_done(struct main *m);

#endif
