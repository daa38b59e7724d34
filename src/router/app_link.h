/*
 * app_link.h - the router's end of one nest: a request into a slot, the pieces of its answer out.
 *
 *   link_send -> slot QUEUED … pieces -> response_head, response_data, response_end -> on_answered
 *
 * One link for each instance of an application that is ready.  What a request waits for before it
 * gets here, and what becomes of it when its worker dies, is app_queue's business (link_ops).
 */
#ifndef ROUTER_APP_LINK_H
#define ROUTER_APP_LINK_H

#include "base/list.h"
#include "base/slice.h"
#include "event/timer.h"
#include "nest/port.h"

struct router;
struct app_queue;
struct transaction;

/* A request on its way through an application; in the request's arena. */
struct call {
    struct list link; /* in queue->line while it waits */
    struct transaction *tx;
    struct app_queue *queue;
    struct app_link *at; /* where it was sent, NULL while it waits */
    uint32_t slot;
    int64_t since_ms;    /* when it came to the queue */
    struct slice target; /* name of the application's target, or empty */
    struct timer timer;  /* limits.timeout */
    struct timer eof;    /* its client closed one half: perhaps gone */
    bool claimed;        /* a lane was seen to have it; the timer runs out for good */
    bool head_given;
    uint8_t repeats; /* moves to another instance after a death */
};

struct link_ops {
    /* A piece arrived and is not the last. */
    void (*on_progress)(struct call *call);
    /* The last piece is with the client's connection: the call is over, its slot free. */
    void (*on_answered)(struct call *call);
    /* No proper answer can come any more; the call has left its slot. */
    void (*on_failed)(struct call *call, const char *reason);
    /* Its worker died; entered: the application may have begun with it.  May another worker have
     * it?  false: on_failed follows. */
    bool (*may_repeat)(const struct call *call, bool entered);
};

/* A chunk that the client's connection sends from. */
struct held {
    struct app_link *at;
    uint16_t lane;
    uint16_t chunk;
};

struct app_link {
    struct list link;   /* in queue->links, newest first */
    struct list active; /* in router->active while slots are in use */
    struct list sent;   /* in router->sent while chunks wait to be given back */
    struct router *router;
    struct app_queue *queue;
    const struct link_ops *ops;
    uint32_t instance;
    struct nest *nest;
    struct port *port;
    int bell;
    unsigned n_held; /* chunks that connections send from; 1 more while the link is worked on */
    bool published;  /* in this turn */
    bool gone;       /* its prototype is reaped: nothing more is taken or given */
    struct call *calls[NEST_SLOTS];
    struct held held[NEST_LANES][NEST_CHUNKS];
    uint64_t sent_lanes;              /* lanes with chunks to give back, */
    uint32_t sent_chunks[NEST_LANES]; /* and which */
};

/* nest_fd and bell are taken.  0 or -errno. */
int link_open(struct router *router, struct app_queue *queue, uint32_t instance, int nest_fd,
              int bell, const struct link_ops *ops, struct app_link **ret, struct br_err *err);

/*
 * link_close - the prototype is reaped.  Answers that are complete are still taken; then `orphan`
 * is called for every call that has none, outside of its slot.  The mapping goes with the last
 * chunk that a connection sends from.
 */
void link_close(struct app_link *at, void (*orphan)(struct call *call, bool queued));

/* 0; -EAGAIN: no slot is free; -EMSGSIZE: it does not fit into one. */
int link_send(struct app_link *at, struct call *call);
/* Forget the call: no worker will begin with it, an answer that still comes is dropped. */
void link_leave(struct call *call);
/* Which lane has it, or -1; and the generation of its slot. */
int link_lane(const struct call *call);
uint32_t link_generation(const struct call *call);

/* The loop's hooks, for all links. */
void links_turn_end(struct router *router);
bool links_may_sleep(struct router *router);
void links_collect(struct router *router);
/* Chunks that connections have sent go back to their lanes; part of both above. */
void links_return(struct router *router);

/* Calls of which the client has seen nothing yet. */
unsigned link_waiting(const struct app_link *at);

/* BODY_ASK: a descriptor of the body (yours) and its size.  -ENOENT: that request is over. */
int link_body(struct app_link *at, uint32_t slot, uint32_t generation, uint64_t *ret_size);

#endif
