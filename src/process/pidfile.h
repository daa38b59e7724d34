/*
 * pidfile.h - the file that names the main process, locked for as long as there is one.
 */
#ifndef PROCESS_PIDFILE_H
#define PROCESS_PIDFILE_H

#include "base/err.h"

/*
 * Lock and write the pid file (decimal, LF, 0644; directories are made).  -EBUSY when another
 * process holds it.  The lock belongs to the open file: it ends with the last copy of the
 * descriptor, and a process that inherits one holds it too.
 */
int pidfile_write(const char *path, int *ret_fd, struct br_err *err);
/* It names us from now on.  0 or -errno. */
int pidfile_claim(int fd);
/* Close; remove the file if it is us whom it names. */
void pidfile_remove(const char *path, int *fd);

#endif
