/*
 * routers.h - brings every router to the live generation, and through the change in progress.
 *
 * A router that died and came back is a line to a process that has nothing yet: it is given the
 * live generation and then the prepared one, like all others.
 */
#ifndef CONTROLLER_ROUTERS_H
#define CONTROLLER_ROUTERS_H

#include "base/err.h"
#include "base/list.h"
#include "process/role.h"

#define ROUTERS_MAX 64

struct routers;

/* A generation as routers get it. */
struct routers_text {
    uint32_t number; /* 0: none */
    int fd;          /* sealed text; -1: none */
};

struct routers {
    struct task *task;
    struct list all;
    struct routers_text live;
    struct routers_text next; /* what is being prepared */
    struct br_err refusal;    /* why next cannot be built, said by the first router that cannot */
    /* A router moved, came or went: look again at the questions below. */
    void (*on_move)(struct routers *rs);
};

void routers_init(struct routers *rs, struct task *task, void (*on_move)(struct routers *rs));
void routers_done(struct routers *rs);

/* A line to a router appeared, or is dead. */
void routers_add(struct routers *rs, struct channel *ch);
void routers_gone(struct routers *rs, struct channel *ch);

/* Build this beside the live one, everywhere.  fd is taken. */
void routers_prepare(struct routers *rs, uint32_t number, int fd);
/* Forget what is being prepared. */
void routers_abort(struct routers *rs);
/* What is being prepared becomes live. */
void routers_commit(struct routers *rs);

/* At least one router is there and all have built it: 1; wait: 0; one cannot: negative, err. */
int routers_prepared(const struct routers *rs, struct br_err *err);
/* At least one router is there, and none is still on its way to the live generation. */
bool routers_live(const struct routers *rs);
/* Bit per index of the routers that serve this generation now. */
uint64_t routers_serving(const struct routers *rs, uint32_t number);
uint64_t routers_bit(const struct channel *ch);

#endif
