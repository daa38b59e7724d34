/*
 * wish.h - what a configuration says of routers and of the end, as main is told.
 */
#ifndef CONTROLLER_WISH_H
#define CONTROLLER_WISH_H

#include "conf/generation.h"
#include "ipc/messages.h"

void wish_routers(const struct generation *g, struct msg_routers *ret);

#endif
