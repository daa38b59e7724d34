/*
 * report.h - what prefork-interp prints about servers, and --kill.  Each returns the exit code.
 */
#ifndef INTERP_REPORT_H
#define INTERP_REPORT_H

#include "interp/invocation.h"
#include "interp/lock.h"

int report_self(enum invocation_mode mode);
int report_list(const struct rundir *dir);
int report_status(const struct rundir *dir, const struct names *names);
/* Why a call would, or would not, be answered by a running server; and what the identity is of. */
int report_explain(const struct invocation *inv, char **environ_, const struct rundir *dir,
                   const struct names *names);
/* The server notices, and goes when its services have ended. */
int report_kill(const struct rundir *dir, const struct names *names, struct br_err *err);

#endif
