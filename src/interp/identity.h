/*
 * identity.h - what must agree for two invocations to share a server, as one name.
 *
 * The fields, in order, are a byte sequence; its SHA-256 in hexadecimal is the identity:
 *
 *   \x02            format
 *   u uname         system, kernel, host name
 *   . dev i ino     the working directory, or C with -C
 *   / dev i ino     the root
 *   g gid groups    what a server could not give back: groups,
 *   n dev ino ...   namespaces,
 *   p flag          no_new_privs,
 *   c set           capabilities
 *   G string, E name v value    -G and -E, in their order
 *   e name=value    variables that decide how an interpreter starts
 *   i interpreter   as given
 *   o word          each of its options
 *   s script        as given
 *
 * Integers are in the machine's own size and order: they never leave it.
 */
#ifndef INTERP_IDENTITY_H
#define INTERP_IDENTITY_H

#include "interp/invocation.h"

#define IDENTITY_HEX   64 /* digits of a whole digest */
#define IDENTITY_LEAST 33 /* fewer are no identity */

/* Where the fields go: the digest, or a text for people.  what is the letter of the list above. */
typedef void identity_sink_fn(void *arg, char what, const void *p, size_t n);

/* Hand each field to sink.  0 or -errno (of what could not be looked at). */
int identity_fields(const struct invocation *inv, char **environ_, identity_sink_fn *sink,
                    void *arg);

/* Digits that stand for privilege and view of the system: g, n, p, c above. */
#define IDENTITY_STANDING 8

int identity_standing(char ret_hex[IDENTITY_STANDING + 1]);

/*
 * identity_name - the name that follows the letter of socket and lock.
 *
 *   room       bytes that it may have at most
 *   ordinary   the user's ordinary standing (rundir_ordinary), or NULL: this one
 *
 * With -g it is IDENT, and a dot and the standing where that is not the ordinary one.
 * 0, -ENAMETOOLONG (room is too small), -EINVAL (IDENT has a slash), or another -errno.
 */
int identity_name(const struct invocation *inv, char **environ_, size_t room, const char *ordinary,
                  char *ret_name, size_t ret_room);

#endif
