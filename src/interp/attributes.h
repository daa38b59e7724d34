/*
 * attributes.h - what a call has besides arguments and environment, gathered from this process.
 *
 *   umask=0022  cwd=I  fd=I:N  rlimit=R:SOFT:HARD  sigign=HEX  sigblk=HEX  nice=N
 *
 * I is an index into the descriptors that travel along (0 to 2 are stdin, stdout, stderr), bit s-1
 * of a HEX stands for signal s.  Strings with their NULs, as the protocol wants them.
 */
#ifndef INTERP_ATTRIBUTES_H
#define INTERP_ATTRIBUTES_H

#include "base/attr.h"
#include "interp/wire.h"

struct attributes {
    char text[3072];
    size_t n;
    int fds[WIRE_FDS_MAX];
    size_t n_fds;
};

/* Standard descriptors only, no text. */
void attributes_init(struct attributes *a);

/* Everything of this process; call_fd is our own and stays here.  directory: send it too. */
void attributes_gather(struct attributes *a, int call_fd, bool directory);

#endif
