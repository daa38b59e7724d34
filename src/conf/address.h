/*
 * address.h - may this text be the name of a listener, and which two get in each other's way?
 *
 * Syntax only, as a rule of the configuration; event/listener makes a socket address of it.
 */
#ifndef CONF_ADDRESS_H
#define CONF_ADDRESS_H

#include "base/err.h"
#include "base/slice.h"

#define ADDRESS_UNIX_MAX 107 /* sizeof(sun_path) less the NUL */

/*
 * "127.0.0.1:80", "*:80", "[::1]:80", "unix:/path", "unix:@name"; the port is 1-65535.
 * 0, or -EBADMSG with the sentence.
 */
int address_check(struct slice text, struct br_err *err);

/*
 * Do two valid addresses differ, and yet one has connections of the other: *:80 and 127.0.0.1:80,
 * [::]:80 and [::1]:80?  The kernel gives a connection to the socket that says its address.
 */
bool address_overlap(const char *a, const char *b);

#endif
