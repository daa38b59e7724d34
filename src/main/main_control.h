/*
 * main_control.h - the control socket: who can see its file can connect.
 */
#ifndef MAIN_MAIN_CONTROL_H
#define MAIN_MAIN_CONTROL_H

#include "base/err.h"
#include "process/role.h"

/*
 * Is somebody listening there: -EADDRINUSE with the sentence.  0 when it is free or stale, and for
 * IP addresses, of which only bind can tell.
 */
int main_control_check(const char *address, struct br_err *err);

/* Open, bind and listen as the settings say.  0 or -errno; no file is left on failure. */
int main_control_open(const struct settings *settings, int *ret_fd, struct br_err *err);

/* Remove the file and close. */
void main_control_close(const struct settings *settings, int *fd);

#endif
