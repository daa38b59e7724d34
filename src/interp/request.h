/*
 * request.h - the wrapper's half of the protocol, from connect to the request's last byte.
 */
#ifndef INTERP_REQUEST_H
#define INTERP_REQUEST_H

#include <sys/types.h>

#include "interp/invocation.h"
#include "interp/rundir.h"

/* What the server said of itself. */
struct greeting {
    bool extended; /* it speaks brood1 */
    bool signals;  /* and takes signals */
    bool cwd;      /* and a directory */
};

enum request_outcome {
    REQUEST_SENT,
    REQUEST_NO_SERVER,   /* nothing was run: try again, or start one */
    REQUEST_BAD_MAGIC,   /* somebody else listens there; errno says nothing */
    REQUEST_BAD_PEER,    /* it belongs to another user */
    REQUEST_BROKEN,      /* after the greeting: must not be tried again */
    REQUEST_UNAVAILABLE, /* connect failed otherwise: errno */
    REQUEST_TOO_SLOW,    /* no greeting in time */
    REQUEST_NOT_AHEAD,   /* it has to wait for the greeting */
};

/*
 * Connected, peer checked; the descriptor, or -1 with *ret_why.
 *
 *   asks   a question is coming, not a call: the server sees it by our socket's having a name
 */
int request_connect(const struct rundir *dir, const char *name, bool asks,
                    enum request_outcome *ret_why);

/*
 * request_greeting - read it.
 *
 *   wait_ms   for the first byte; -1: for ever
 *
 * REQUEST_SENT here means: read and understood.  magic: the four bytes that came, for a message.
 */
enum request_outcome request_greeting(int fd, int wait_ms, struct greeting *ret, uint8_t magic[4]);

/*
 * request_send - descriptors, attributes if the greeting allows, environment, arguments.
 */
enum request_outcome request_send(int fd, const struct greeting *g, const struct invocation *inv,
                                  char **environ_);

/*
 * request_is_ahead - may the request to this socket be sent before the greeting?
 *
 * The sticky bit of a socket says so: its server speaks brood1 with all its features.
 */
bool request_is_ahead(const struct rundir *dir, const char *name);

/*
 * request_send_ahead - the same, before the greeting, and without waiting for anything.
 *
 * REQUEST_SENT; REQUEST_NOT_AHEAD: too long, nothing was sent; REQUEST_BROKEN: give the connection
 * up and try again, for nothing runs before a greeting.
 */
enum request_outcome request_send_ahead(int fd, const struct invocation *inv, char **environ_);

/* Give 0, 1, 2 that are closed a descriptor which fails as a closed one would. */
int request_fill_stdio(void);

#endif
