/*
 * settle.h - what the settings of routers mean to this one.
 */
#ifndef ROUTER_SETTLE_H
#define ROUTER_SETTLE_H

#include "ipc/messages.h"

/*
 * Limits, processors, priority (but one below 0, which main sets), working directory, whether it is
 * dumpable, and blocked signals.
 *   nth   which of the routers made together it is
 * 0, or -errno with the sentence.
 */
int settle(const struct msg_routers *how, unsigned nth, struct br_err *err);

#endif
