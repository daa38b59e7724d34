/*
 * app_queue.h - one launch of an application as this router sees it: its waiting line, its
 * instances, what becomes of requests whose worker dies.
 */
#ifndef ROUTER_APP_QUEUE_H
#define ROUTER_APP_QUEUE_H

#include "router/app_link.h"

struct msg_nest;
struct status_app;
struct app_conf;

#define QUEUE_LINE_MAX 8192 /* requests that wait for a slot; more are refused with 503 */

struct app_queue {
    struct list link; /* in router->queues */
    struct router *router;
    uint32_t launch;
    unsigned refs;          /* generations that pass to it */
    int64_t timeout_ms;     /* limits.timeout, 0: none */
    char *name;             /* of the application; NULL until a generation passes to it */
    struct list links;      /* instances, newest first */
    struct app_link *ready; /* the newest that lives, or NULL */
    bool has_worked;        /* an instance was ready once */
    struct list line;
    unsigned n_line;
    unsigned active; /* calls, waiting ones included */
    uint64_t total;
};

/* The queue of that launch; made when there is none.  A generation takes a reference. */
struct app_queue *app_queue_ref(struct router *router, uint32_t launch,
                                const struct app_conf *conf);
/* Takes a generation's reference away; with it and the last instance the queue goes. */
void app_queue_unref(struct app_queue *q);

/* Answer by the application, later: by its next launch, if this one is over. */
void app_queue_serve(struct app_queue *q, struct transaction *tx, struct slice target);

/* An instance is ready: descriptors are taken.  0, or -errno with the sentence. */
int app_queue_open(struct router *router, const struct msg_nest *m, int nest_fd, int bell,
                   struct br_err *err);
/* Its prototype is reaped. */
void app_queue_gone(struct router *router, uint32_t launch, uint32_t instance);
/*
 * It could not start: nobody waits in vain.  One that has worked before gets the time of the
 * longest pause between two starts to come back.
 */
void app_queue_failed(struct router *router, uint32_t launch);

/*
 * A generation became live.  What waits for a launch that it does not name and that has no instance
 * would wait for ever: it goes to the application's new launch, or fails if there is none.
 */
void app_queues_pass_on(struct router *router);

/* All instances; no request is under way any more. */
void app_queues_close(struct router *router);

/* Link of that instance, or NULL. */
struct app_link *app_queue_link(struct router *router, uint32_t launch, uint32_t instance);
void app_queue_status(const struct app_queue *q, struct status_app *ret);

/* Send what waits, as far as there are slots. */
void app_queue_pump(struct app_queue *q);

#endif
