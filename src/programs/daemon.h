/*
 * daemon.h - into the background.
 */
#ifndef PROGRAMS_DAEMON_H
#define PROGRAMS_DAEMON_H

#include "base/err.h"

/*
 * Fork; the child goes on in a session of its own, its stdin is /dev/null, stdout and stderr are
 * the log.  The parent waits for a word on the pipe whose writing end is *ret_ready_fd and exits: 0
 * after a newline, else 1 with the text on stderr.
 */
int daemon_begin(int log_fd, int *ret_ready_fd, struct br_err *err);

#endif
