/*
 * notify.h - tell whoever started us that we are ready.
 *
 *   $NOTIFY_SOCKET  a datagram of assignments to the service manager, sd_notify(3)
 *   $READY_FD       a newline into that descriptor, which is then closed
 */
#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

#include <stdint.h>
#include <sys/un.h>

/* "READY=1\nSTATUS=...".  1 told, 0 nobody asked, -errno.  Waits a second at most. */
int notify_manager(const char *state);
/* READY=1, and the descriptor, once.  0 or -errno. */
int notify_ready(void);

/* What a service manager wants to hear from a daemon, whose children shall not know of it. */
struct notify {
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "": nothing */
    uint64_t watchdog_us; /* it ends us if we are silent for so long; 0: it does not */
};

/*
 * Take $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID out of the environment.  A watchdog that is
 * another process's is none of ours.  What makes no sense is as if it were not there: -EINVAL.
 */
int notify_take(struct notify *ret);
/* As notify_manager, to the one that was taken. */
int notify_tell(const struct notify *to, const char *state);

#endif
