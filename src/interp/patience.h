/*
 * patience.h - wait for a greeting: a full server is waited for, one that hangs is not.
 */
#ifndef INTERP_PATIENCE_H
#define INTERP_PATIENCE_H

#include "interp/lock.h"
#include "interp/request.h"

/*
 * patience_greeting - as request_greeting.
 *
 *   locked   by us: nobody else is starting a server
 *   wait_s   for a free place, -1: for ever; then REQUEST_TOO_SLOW
 *
 * After two seconds a person at a terminal is told.  One that is still starting is waited for.  A
 * server of ours that answers no question for ten seconds is killed: REQUEST_NO_SERVER.
 */
enum request_outcome patience_greeting(int fd, const struct rundir *dir, const struct names *names,
                                       bool locked, int64_t wait_s, struct greeting *ret,
                                       uint8_t magic[4]);

#endif
