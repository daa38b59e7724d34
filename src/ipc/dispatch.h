/*
 * dispatch.h - all lines of one process: who is there, which handler runs, what answer is awaited.
 *
 * Made by process start-up for every role.  CHANNEL_OPEN and CHANNEL_CLOSE are handled here: they
 * add and remove peers and tell the role by on_peer and on_peer_gone.
 */
#ifndef IPC_DISPATCH_H
#define IPC_DISPATCH_H

#include "ipc/channel.h"

struct dispatch;

typedef void msg_fn(struct task *task, struct channel *ch, struct message *m);

struct msg_handler {
    enum msg_type type; /* MSG_NONE ends the table */
    msg_fn *fn;
};

struct dispatch *dispatch_new(struct task *task);
void dispatch_free(struct dispatch *d);

/* Take fd as the line to that peer.  NULL when memory is out or the loop refuses. */
struct channel *dispatch_add(struct dispatch *d, int fd, const struct peer *peer);
/* Drop a line; answers awaited on it fail with -EPIPE.  on_peer_gone is called. */
void dispatch_drop(struct dispatch *d, struct channel *ch);

/* The line to that process, or NULL. */
struct channel *dispatch_find(struct dispatch *d, enum role_id role, uint32_t index);
struct channel *dispatch_find_pid(struct dispatch *d, pid_t pid);
struct channel *dispatch_find_launch(struct dispatch *d, enum role_id role, uint32_t launch,
                                     uint32_t instance);
/* Call fn for each line to that role; fn may drop it.  How many there were. */
unsigned dispatch_each(struct dispatch *d, enum role_id role,
                       void (*fn)(struct channel *ch, void *arg), void *arg);

/* Send without expecting an answer; n_fds descriptors are taken.  As channel_send. */
int dispatch_tell(struct channel *ch, enum msg_type type, const void *payload, int *fds,
                  unsigned n_fds);

/*
 * dispatch_ask - send a question; fn is called exactly once: with the answer, or with m NULL and
 * rc -ETIMEDOUT or -EPIPE.  It may be called only after dispatch_ask has returned 0.
 *
 *   wait_ms   -1: without limit
 */
typedef void reply_fn(struct task *task, void *arg, struct message *m, int rc);
int dispatch_ask(struct channel *ch, enum msg_type type, const void *payload, int *fds,
                 unsigned n_fds, int wait_ms, reply_fn *fn, void *arg);
/* Forget all answers awaited with this arg: fn will not be called. */
void dispatch_forget(struct dispatch *d, void *arg);

/* Answer a question. */
int dispatch_reply(struct channel *ch, const struct message *question, enum msg_type type,
                   const void *payload, int *fds, unsigned n_fds);

#endif
