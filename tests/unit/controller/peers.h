/*
 * peers.h - a main, routers and prototypes that do what they are told, on real lines in one loop.
 *
 * Each message that reaches them is noted in `story`, one word or two each, in order; what `refuse`
 * names in one of its words they refuse.
 */
#ifndef TESTS_CONTROLLER_PEERS_H
#define TESTS_CONTROLLER_PEERS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/dispatch.h"

#define PEERS_ROUTERS 4

struct peers {
    struct task task; /* the controller's */
    struct br_role role;
    struct settings settings;
    struct channel *main;
    struct channel *routers[PEERS_ROUTERS];
    char story[16384];
    const char *refuse;         /* a noted message that is refused, or NULL */
    const char *ignore;         /* one that is never answered, or NULL */
    uint32_t restarts;          /* of the controller, as main counts them */
    uint32_t prototype;         /* a launch that main still has, 0: none */
    int running;                /* what CONF_RUNNING brought last, -1: nothing */
    struct sockaddr_un control; /* where OPEN_CONTROL listens */
    socklen_t control_len;
};

/* role and on_peer_gone of the controller's side; sets p->main and p->task.parent. */
void peers_init(struct peers *p, void (*on_peer_gone)(struct task *task, struct channel *ch));
void peers_done(struct peers *p);

/* A line between the controller and a peer of that role: its far end, and the controller's. */
struct channel *peers_line(struct peers *p, enum role_id role, uint32_t index,
                           const struct channel_ops *ops, struct channel **ret_near);
/* For channel_ops: the controller hung up. */
void peers_gone(struct channel *ch);

/* The controller's end of the line to a new router. */
struct channel *peers_add_router(struct peers *p, uint32_t index);
void peers_kill_router(struct peers *p, uint32_t index);
/* That router has no more requests of that generation. */
void peers_retire(struct peers *p, uint32_t index, uint32_t generation);

void peers_note(struct peers *p, const char *fmt, ...) br_printf(2, 3);
bool peers_told(const struct peers *p, const char *noted);

/* Run the loop until nobody has anything to say. */
void peers_settle(struct peers *p);

#endif
