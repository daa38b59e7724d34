/*
 * parent.c - the controller's questions to main, and what its answers say.
 */
#include "controller/parent.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fd.h"

static void
close_all(int *fds, unsigned n_fds)
{
    for (unsigned i = 0; i < n_fds; i++)
        fd_close(&fds[i]);
}

int
parent_ask(struct task *task, enum msg_type type, const void *payload, int *fds, unsigned n_fds,
           int wait_ms, reply_fn *fn, void *arg)
{
    if (task->parent != NULL)
        return dispatch_ask(task->parent, type, payload, fds, n_fds, wait_ms, fn, arg);
    close_all(fds, n_fds);
    return -EPIPE;
}

void
parent_tell(struct task *task, enum msg_type type, const void *payload, int *fds, unsigned n_fds)
{
    if (task->parent != NULL)
        dispatch_tell(task->parent, type, payload, fds, n_fds);
    else
        close_all(fds, n_fds);
}

int
parent_result(const struct message *m, int rc, struct br_err *err, const char *fmt, ...)
{
    char doing[700]; /* an address or a path of msg_open, and the verb */
    va_list args;

    va_start(args, fmt);
    vsnprintf(doing, sizeof(doing), fmt, args);
    va_end(args);
    if (rc < 0)
        return br_fail(err, rc, "%s: no answer from main", doing);
    if (m->type == MSG_PROCESS_FAILED)
        return br_fail(err, -EBADMSG, "%s: %s", doing,
                       ((const struct msg_failed *)m->payload)->text);
    const struct msg_result *result = m->payload;

    if (result->rc < 0) {
        br_fail(err, -EBADMSG, "%s: %s", doing, result->text);
        err->rc = result->rc;
    }
    return result->rc;
}
