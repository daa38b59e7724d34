/*
 * logfile.h - the error log as a file: opened by main, replaced in every process at rotation.
 */
#ifndef PROCESS_LOGFILE_H
#define PROCESS_LOGFILE_H

#include "base/err.h"

/* Append, mode 0600, created when missing; its directory too (0755).  0 or -errno. */
int logfile_open(const char *path, int *ret_fd, struct br_err *err);

/*
 * Make fd the error log: over log_fd(), whose number stays, and over stdout and stderr where those
 * are the old log.  fd stays yours.  0 or -errno.
 */
int logfile_adopt(int fd);

/* Make the directories above path, mode 0755, as far as they are missing.  0 or -errno. */
int logfile_parents(const char *path, struct br_err *err);

#endif
