/*
 * start.h - start a server: socket, watcher, and the script's initialisation.
 */
#ifndef INTERP_START_H
#define INTERP_START_H

#include "interp/invocation.h"
#include "interp/lock.h"

/* Interpreter, its options, script, arguments; malloc'ed, ends in NULL.  NULL: out of memory. */
char **start_command(const struct invocation *inv);

struct start {
    int call;       /* our end of the first call; -1 unless initialisation ended well */
    int status;     /* of the initialisation, as wait(2) has it */
    bool timed_out; /* it took longer than --start-timeout, and was killed */
};

/*
 * start_server - the lock of names->lock is ours, until the greeting came.
 *
 *   server_path   brood-interp, which our libraries execute
 *
 * Waits for the end of the initialisation.  0, or -errno and a sentence when the script was not
 * even tried: nothing has been run.
 */
int start_server(const struct invocation *inv, char **environ_, const struct rundir *dir,
                 const struct names *names, const char *server_path, struct start *ret,
                 struct br_err *err);

#endif
