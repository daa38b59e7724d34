/*
 * spawn.h - from a row of the role table to a running child, up to its role's loop.
 *
 *   parent: prefork -> channel_pair -> fork -> (PROCESS_CREATED: outside work -> PROCESS_GO) ->
 * PROCESS_READY child:  close what is not kept -> loop, dispatch, title -> credentials -> setup ->
 * READY -> start -> exit
 *
 * Stands in ipc because birth needs the line to the parent; what it composes is in process/.
 */
#ifndef IPC_SPAWN_H
#define IPC_SPAWN_H

#include "ipc/dispatch.h"
#include "process/creds.h"
#include "process/process.h"

/* How to fork: an interpreter brings its own hooks.  NULL: plain fork, _exit, nobody is told. */
struct spawn_how {
    pid_t (*fork)(void *arg);
    /* In the child, instead of _exit(code): never returns. */
    void (*exit)(void *arg, int code) br_noreturn;
    void *arg;
    /*
     * The child is reaped: p is GONE, p->life.was is the state in which it died, what it had said
     * is delivered and its line dropped (p->channel is NULL).  Free p or start it again.
     */
    void (*on_death)(struct task *task, struct process *p, int status);
};

/*
 * spawn - fork p (role, index, launch, instance, card, keep are filled in; state REQUESTED).
 *
 * In the parent: p is FORKED, its line is in task->dispatch and p->channel (NULL once the line is
 * dropped), on_death will be told.  The child does not come back.
 * 0, or -errno with the step in err: p is as before, but for what prefork kept.
 *
 * The child leaves when its parent does, by PR_SET_PDEATHSIG: the signal belongs to the thread
 * that forked, so that thread must live as long as the process.  A core role ignores SIGPIPE.
 */
int spawn(struct task *task, struct process *p, const struct spawn_how *how, struct br_err *err);

/*
 * Become that user for good (creds_drop), and again a process that ends with its parent, which a
 * change of ids undoes.  spawn does it for USER_BROOD; a USER_CARD role calls it in its setup.
 */
int spawn_become(struct task *task, const struct creds *creds, struct br_err *err);

/*
 * For a program that is executed in the middle of setup (the prototype, then the user's
 * interpreter).  spawn_heritage writes the text for the environment variable BROOD_HERITAGE and
 * makes the descriptors that it names survive the execution.  0 or -ENOSPC.
 *
 * spawn_inherit makes task and self again: line to the parent, kept descriptors (close-on-exec
 * again), card, log, title, and of the settings tmp_dir, routers and grace_ms.  Take the variable
 * out of the environment first, since programs that the application starts shall not see it.
 */
int spawn_heritage(const struct task *task, const struct process *p, char *ret_text, size_t room);
int spawn_inherit(const char *heritage, const struct br_role *role, struct task *ret_task,
                  struct process *ret_self, struct br_err *err);

/* Tell the parent: READY, or FAILED with the sentence.  0, -EPIPE. */
int spawn_tell_ready(struct task *task);
int spawn_tell_failed(struct task *task, const struct br_err *err);
/* Send CREATED and wait (blocking, bounded) for PROCESS_GO. */
int spawn_wait_go(struct task *task, struct br_err *err);

/* This process, as messages name it. */
struct msg_process spawn_self(const struct task *task);

#endif
