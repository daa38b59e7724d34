/*
 * activation.h - listening sockets that a service manager opened for us (sd_listen_fds(3)).
 *
 * They are its own, too: closing ours ends nothing, and their files are not ours to remove.
 */
#ifndef PROCESS_ACTIVATION_H
#define PROCESS_ACTIVATION_H

#include <sys/socket.h>

#include "base/err.h"

#define ACTIVATION_MAX 128

struct activated {
    int fd;
    char name[256];    /* FileDescriptorName= */
    char address[128]; /* as listeners are called; "": a listener cannot have it */
    struct sockaddr_storage addr;
    bool dual; /* [::] that has IPv4 connections as well */
    bool used; /* by a listener or for control */
};

struct activation {
    unsigned n;
    struct activated list[ACTIVATION_MAX];
};

/*
 * Take $LISTEN_FDS, $LISTEN_PID and $LISTEN_FDNAMES out of the environment, and if they are meant
 * for this process the sockets from descriptor 3 on, which become close-on-exec.
 * The number of descriptors, 0 and NULL: there are none; -errno.
 */
int activation_take(struct activation **ret, struct br_err *err);
/* One more; fd is taken.  *a NULL: made.  0 or -errno. */
int activation_add(struct activation **a, int fd, const char *name);
void activation_free(struct activation *a);

/*
 * The socket that a listener of this address can have; a NULL, or none: NULL.  One of [::] that has
 * IPv4 connections is there for "*" as well, since that address is taken then.
 */
struct activated *activation_find(struct activation *a, const char *address);
/* The one for control: it is called "control", or has that address; or NULL. */
struct activated *activation_control(struct activation *a, const char *address);

#endif
