/*
 * run.h - all of prefork-interp: what the fast path does, and everything that it does not.
 */
#ifndef INTERP_RUN_H
#define INTERP_RUN_H

#include "base/attr.h"

/*
 * interp_run - main() of prefork-interp; the exit code.
 *
 *   connected   a connection whose greeting is awaited, or -1
 *   sent        the request has gone down it already
 */
int interp_run(int argc, char **argv, char **environ_, int connected, bool sent);

#endif
