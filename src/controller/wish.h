/*
 * wish.h - what a configuration says of routers and of the end, as main is told.
 */
#ifndef CONTROLLER_WISH_H
#define CONTROLLER_WISH_H

#include "conf/generation.h"
#include "ipc/messages.h"

/* 0, or -errno with the sentence: there is no such user, or brood may not change ids. */
int wish_routers(const struct generation *g, const struct settings *settings,
                 struct msg_routers *ret, struct br_err *err);

#endif
