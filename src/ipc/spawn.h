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
#include "process/process.h"

/* How to fork: an interpreter brings its own hooks.  NULL: plain fork. */
struct spawn_how {
    pid_t (*fork)(void *arg);
    /* In the child, instead of _exit(code): never returns. */
    void (*exit)(void *arg, int code) br_noreturn;
    void *arg;
    void (*on_death)(struct task *task, struct process *p, int status);
};

/*
 * spawn - fork p (role, index, launch, instance, card, keep are filled in; state REQUESTED).
 *
 * In the parent: p is FORKED, its line is in task->dispatch, on_death will be told.  The child
 * does not come back.  0 or -errno with the step in err.
 */
int spawn(struct task *task, struct process *p, const struct spawn_how *how, struct br_err *err);

/*
 * For a program that was executed in the middle of setup (the prototype, now in the user's
 * interpreter): make the task again from BROOD_HERITAGE, which spawn_heritage wrote.
 */
int spawn_heritage(const struct task *task, const struct process *p, char *ret_text, size_t room);
int spawn_inherit(const char *heritage, const struct br_role *role, struct task *ret_task,
                  struct process *ret_self, struct br_err *err);

/* Tell the parent: READY, or FAILED with the sentence. */
int spawn_tell_ready(struct task *task);
int spawn_tell_failed(struct task *task, const struct br_err *err);
/* Send CREATED and wait (blocking, bounded) for PROCESS_GO. */
int spawn_wait_go(struct task *task, struct br_err *err);

#endif
