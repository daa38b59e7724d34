/*
 * card_isolation.h - the part of a launch card that says what an application does not share.
 */
#ifndef CONTROLLER_CARD_ISOLATION_H
#define CONTROLLER_CARD_ISOLATION_H

#include "base/buf.h"
#include "conf/generation.h"
#include "process/role.h"

/* The keys of process/{isolation,cgroup,mounts,confine}.h. */
void card_isolation(struct buf *b, const struct isolation_conf *isolation,
                    const struct settings *settings);

#endif
