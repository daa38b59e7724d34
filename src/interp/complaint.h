/*
 * complaint.h - the sentences of prefork-interp: usage, faults of the command line, wait statuses.
 */
#ifndef INTERP_COMPLAINT_H
#define INTERP_COMPLAINT_H

#include <stdio.h>

#include "interp/invocation.h"

#define EXIT_USAGE    255
#define EXIT_FAILED   127
#define EXIT_NO_PLACE 75 /* EX_TEMPFAIL of sysexits(3) */

/* "prefork-interp: sentence" on stderr; EXIT_FAILED. */
int complain(const char *fmt, ...) br_printf(1, 2);

void print_usage(FILE *to);

/* What is wrong with the command line; the exit code. */
int complain_invocation(const struct invocation *inv);

/* A status that relay_end could not reproduce; what: "invocation" or "setup".  EXIT_FAILED. */
int complain_status(uint32_t status, const char *what);

/* PREFORK_INTERP_DEBUG is set: "prefork-interp SECONDS step" on stderr. */
void debug_step(const char *fmt, ...) br_printf(1, 2);

#endif
