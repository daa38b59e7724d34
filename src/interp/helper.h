/*
 * helper.h - the other program, which does what the fast path does not.
 *
 * prefork-interp knows how to find a running server and how to be its caller; for everything else
 * it executes brood-interp, which lies beside it (as built) or in ../libexec/brood (as installed):
 *
 *   brood-interp run ARG...        all of prefork-interp: start a server, lists, messages
 *   brood-interp wait FD ARG...    the same, connected to a server that has not greeted yet
 *   brood-interp ended STATUS      say what a service died of
 *   brood-interp serve FD          the server itself, started by a script's library
 */
#ifndef INTERP_HELPER_H
#define INTERP_HELPER_H

#include "base/attr.h"

#define HELPER_PATH_MAX 4096

/* 0 or -errno: this program's own path is not known, or neither place has it. */
int helper_find(char ret_path[HELPER_PATH_MAX]);

/*
 * helper_exec - become it; returns only when that fails, -errno.
 *
 *   words   in front of argv[1]...; ends in NULL, at most four
 */
int helper_exec(const char *const *words, int argc, char **argv, char **environ_);

#endif
