/*
 * retire.h - launches that no live generation names: kept until nobody needs them, then stopped.
 */
#ifndef CONTROLLER_RETIRE_H
#define CONTROLLER_RETIRE_H

#include "base/list.h"
#include "process/role.h"

struct retire {
    struct task *task;
    struct list all;
};

void retire_init(struct retire *r, struct task *task);
void retire_done(struct retire *r);

/* Tell main to stop it now. */
void retire_stop(struct retire *r, uint32_t launch);

/*
 * retire_later - stop the launch when all these routers have said that the last request of that
 * generation is over, or after RETIRE_WAIT_MS: one slow download must not keep it for ever.
 *
 *   routers   routers_bit of each; 0: stop it now
 */
#define RETIRE_WAIT_MS 60000
void retire_later(struct retire *r, uint32_t launch, uint32_t generation, uint64_t routers);

/* That router has no more requests of that generation. */
void retire_heard(struct retire *r, uint64_t router, uint32_t generation);
/* That router is dead. */
void retire_lost(struct retire *r, uint64_t router);

#endif
