/*
 * notify.h - tell whoever started us that we are ready.
 *
 *   $NOTIFY_SOCKET  a datagram of assignments to the service manager, sd_notify(3)
 *   $READY_FD       a newline into that descriptor, which is then closed
 */
#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

/* "READY=1\nSTATUS=...".  1 told, 0 nobody asked, -errno. */
int notify_manager(const char *state);
/* READY=1, and the descriptor, once.  0 or -errno. */
int notify_ready(void);

#endif
