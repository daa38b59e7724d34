/*
 * standstill.h - after a TSTP: has the service stopped?
 *
 * Nobody tells us, since it is not our child; so /proc is asked every few milliseconds for a
 * while.  A service that catches TSTP and goes on never stops, and its caller does not either.
 */
#ifndef INTERP_STANDSTILL_H
#define INTERP_STANDSTILL_H

#include <sys/types.h>

#include "event/loop.h"

struct standstill {
    struct timer timer;
    struct loop *loop;
    pid_t pid;
    unsigned looks;
    void (*stopped)(struct standstill *st);
};

void standstill_watch(struct standstill *st, struct loop *loop, pid_t pid,
                      void (*stopped)(struct standstill *st));
/* Of one that is all zeroes: nothing. */
void standstill_done(struct standstill *st);

#endif
