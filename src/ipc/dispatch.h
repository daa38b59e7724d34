/*
 * dispatch.h - all lines of one process: who is there, which handler runs, what answer is awaited.
 *
 * Made by process start-up for every role.  Handled here, for all roles alike:
 *
 *   CHANNEL_OPEN, CHANNEL_CLOSE   add and remove peers; the role is told by on_peer, on_peer_gone
 *   LOG_REOPEN                    the new error log takes the place of the old one; then the role's
 * handler DRAIN, STOP                   end the loop, unless the role has a handler of its own the
 * line to the parent ends   ends the loop as well: nobody is left to serve
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
/* Closes all lines; nobody is told, no awaited answer fails. */
void dispatch_free(struct dispatch *d);
/* The same in a forked child, after loop_after_fork: the parent's lines live on. */
void dispatch_after_fork(struct dispatch *d);

/* Does a process of this role do something when it gets this message. */
bool dispatch_handles(const struct br_role *role, enum msg_type type);

/* Take fd as the line to that peer.  NULL when memory is out or the loop refuses. */
struct channel *dispatch_add(struct dispatch *d, int fd, const struct peer *peer);
/* *slot is ch from now on, and NULL once the line is dropped. */
void dispatch_bind(struct channel *ch, struct channel **slot);
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

/* Answer a question: the serial is m->serial of the question, which may be kept. */
int dispatch_reply(struct channel *ch, const struct message *question, enum msg_type type,
                   const void *payload, int *fds, unsigned n_fds);

#endif
