/*
 * main_lines.h - who gets to know whom: introductions by the talk matrix, deaths, and what is said
 * to all.
 */
#ifndef MAIN_MAIN_LINES_H
#define MAIN_MAIN_LINES_H

#include "ipc/messages.h"
#include "main/main_state.h"

/*
 * Say something to a child; fds are taken.  One that has not read for CHANNEL_QUEUE_MAX messages
 * would miss this one: it is killed and comes back knowing what it must.
 */
void main_tell(struct main *m, struct process *p, enum msg_type type, const void *payload, int *fds,
               unsigned n_fds);

/* A process as messages name it. */
struct msg_process main_about(const struct process *p, int status);

/* p has become ready: lines to all that it may talk to, then what main has to tell its role. */
void main_introduce(struct main *m, struct process *p);
/* p, which was ready, is dead. */
void main_announce_death(struct main *m, struct process *p, int status);

/* To whoever may hear it: an application that was ready once cannot be started again. */
void main_tell_failed(struct main *m, const struct msg_failed *failed);
/*
 * To the controller: what was stored, or what the file of --config holds now.
 *   reload   CONF_RELOADED shall name it
 * false: it is not there.
 */
bool main_tell_stored(struct main *m, uint32_t reload);
/* To all: the error log as it is now. */
void main_tell_logs(struct main *m);

#endif
