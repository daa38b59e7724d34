/*
 * parent.h - the controller's questions to main, and what its answers say.
 *
 * A controller outlives main by one turn of the loop: then its line is gone already, and asking
 * fails like any other broken line.
 */
#ifndef CONTROLLER_PARENT_H
#define CONTROLLER_PARENT_H

#include "base/err.h"
#include "ipc/dispatch.h"

/* As dispatch_ask; -EPIPE when main is dead. */
int parent_ask(struct task *task, enum msg_type type, const void *payload, int *fds, unsigned n_fds,
               int wait_ms, reply_fn *fn, void *arg);
/* Takes the descriptors.  Nobody is left to care when it fails. */
void parent_tell(struct task *task, enum msg_type type, const void *payload, int *fds,
                 unsigned n_fds);

/*
 * parent_result - what OPENED, DONE, or their absence (m NULL, rc) says: 0, or the errno with a
 * sentence that begins with fmt.
 */
int parent_result(const struct message *m, int rc, struct br_err *err, const char *fmt, ...)
    br_printf(4, 5);

#endif
