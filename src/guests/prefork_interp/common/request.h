/*
 * request.h - one call, as the server sends it to an executor, for the libraries that are C.
 *
 *   socket: u32 n (all of the call's descriptors attached), n bytes: three lists of strings with
 * their NULs, attributes, "", environment, "", arguments                     docs/interp.md,
 * "Between library and server"
 */
#ifndef GUESTS_REQUEST_H
#define GUESTS_REQUEST_H

#include <sys/types.h>

#include "base/attr.h"

#define REQUEST_FDS_MAX   64
#define REQUEST_BYTES_MAX (64u * 1024 * 1024)

struct request {
    char *text;
    char **attributes; /* each list ends with NULL */
    char **environment;
    char **arguments;
    int fds[REQUEST_FDS_MAX];
    size_t n_fds;
};

/*
 * request_receive - read it whole; blocks.
 *
 * 0; -ENODATA: the server has closed the socket, there will be no call; or another -errno.
 * request_done on failure too.
 */
int request_receive(struct request *r, int socket);
/* Free its memory, close the descriptors that were not taken. */
void request_done(struct request *r);

/*
 * request_take - what needs no interpreter: descriptors into their places, umask, directory, mask
 * of blocked signals.
 *
 *   own   places from this number on that are in use are the interpreter's own, and stay
 *
 * The received numbers are closed.  0 or -errno.
 */
int request_take(struct request *r, int own);

/* The value of an attribute, or NULL. */
const char *request_attribute(const struct request *r, const char *name);
/* Does it tell of its caller?  An original wrapper does not. */
bool request_tells(const struct request *r);
/* Its signals that the caller ignored: bit s-1 for signal s. */
uint64_t request_ignored(const struct request *r);

/* Bytes and up to *n_fds descriptors, close-on-exec.  Bytes, 0 at the end, or -errno. */
ssize_t fds_receive(int socket, void *text, size_t room, int *fds, size_t *n_fds);

#endif
