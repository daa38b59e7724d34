/*
 * landlock.h - which paths a process may still reach.
 *
 * Card keys: landlock_hide (a path that is out of reach for whom its mode does not stop, all others
 * stay), or landlock_read and landlock_write (the only paths that stay).  See landlock(7).
 */
#ifndef PROCESS_LANDLOCK_H
#define PROCESS_LANDLOCK_H

#include <sys/types.h>

#include "process/launch.h"

/*
 *   uid  whom the process will run as
 *
 * Needs no_new_privs or CAP_SYS_ADMIN.  1: it is restricted; 0: the card asks for nothing, or only
 * hides what the file's mode hides already, or the kernel has no Landlock; -errno with the step:
 * what an operator asks for by name is done or the start fails.
 */
int landlock_apply(const struct launch *card, uid_t uid, struct br_err *err);
/* Does the kernel have it. */
bool landlock_works(void);

#endif
