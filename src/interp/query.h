/*
 * query.h - ask a server about itself.
 */
#ifndef INTERP_QUERY_H
#define INTERP_QUERY_H

#include "interp/rundir.h"

enum query_outcome {
    QUERY_ANSWERED,
    QUERY_DEAD,    /* nobody listens there */
    QUERY_FOREIGN, /* a server of the original library, which answers nothing */
    QUERY_HUNG,    /* one of ours, and no answer in time */
    QUERY_BARRED,  /* another user's, or connect failed otherwise */
};

/*
 * query_server - its lines, malloc'ed, NUL-terminated.  At most wait_ms.
 *
 *   ret_pid   of the server, when QUERY_ANSWERED or QUERY_HUNG; may be NULL
 */
enum query_outcome query_server(const struct rundir *dir, const char *socket, int wait_ms,
                                char **ret_text, pid_t *ret_pid);

/* The value of the first line `name=`, up to its newline: length, or -1 with *ret untouched. */
int query_value(const char *text, const char *name, const char **ret);

#endif
