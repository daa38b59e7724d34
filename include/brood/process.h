/*
 * brood/process.h - what a process says of itself: its title, and that it is ready.
 */
#ifndef BROOD_PROCESS_H
#define BROOD_PROCESS_H

#include <brood/base.h>

BR_BEGIN

/*
 * What ps shows instead of the arguments, printf-like.  The place is the memory of the arguments
 * and the environment, which is moved away first: getenv goes on working, but a pointer to an
 * environment string or argv[i] from before the first call shows the title.
 */
void br_title(const char *format, ...) BR_PRINTF(1, 2);

/*
 * Tell the service manager, sd_notify(3): "READY=1", "RELOADING=1\nMONOTONIC_USEC=...",
 * "STOPPING=1", "STATUS=...", "WATCHDOG=1".  1 told, 0 nobody asked ($NOTIFY_SOCKET is not set),
 * -errno.
 */
int br_notify(const char *state);

/*
 * This process is ready: br_notify("READY=1"), and a newline into the descriptor that $READY_FD
 * names, which is closed (once; later calls only notify).  0 or -errno.
 */
int br_ready(void);

BR_END

#endif
