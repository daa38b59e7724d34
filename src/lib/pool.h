/*
 * pool.h - what master and workers of a pool say to each other, and the worker's entry.
 *
 *   master <-> worker:  [ struct pool_head | bytes ] + descriptors     one channel each
 *   worker <-> worker:  bytes + descriptors                            one channel for each pair
 */
#ifndef LIB_POOL_H
#define LIB_POOL_H

#include <brood/prefork.h>

#include "base/attr.h"

enum pool_word {
    POOL_CONNECTION, /* to a worker: a descriptor that was accepted */
    POOL_PEER,       /* to a worker: a descriptor, your channel to worker `index` */
    POOL_QUIT,       /* to a worker */
    POOL_REOPEN,     /* to a worker */
    POOL_MESSAGE,    /* either way: the user's */
};

struct pool_head {
    uint32_t word; /* enum pool_word */
    uint32_t index;
    uint64_t unused;
};

_Static_assert(sizeof(struct pool_head) == 16, "prefork.h says how much a message may hold");

/* In the child, the loop of which is empty: serve, and exit.  channel_fd: to the master, taken. */
br_noreturn void worker_main(struct br_loop *loop, const struct br_pool_options *options,
                             unsigned index, unsigned count, int channel_fd);

/* Send one of the above; descriptors are taken.  As br_channel_send. */
int pool_say(struct br_channel *ch, enum pool_word word, unsigned index, const void *p, size_t n,
             const int *fds, unsigned n_fds);
/* Of a received message: its head, and m becomes what follows.  false: it is too short. */
bool pool_open(struct br_message *m, struct pool_head *ret_head);

#endif
