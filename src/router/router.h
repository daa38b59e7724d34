/*
 * router.h - what the units of the router share: the process, a generation as it is installed, one
 * request on its way.
 *
 *   struct router
 *   ├─ listeners ── binding ──> installed generation <── transaction of each request under way
 *   ├─ queues (one a launch) ── instances (one a nest)
 *   └─ access logs (one a path)
 *
 * A request takes its listener's binding when its head begins and keeps it, so that a change of the
 * configuration never moves what is under way.
 */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "conf/generation.h"
#include "event/listener.h"
#include "http/h1_conn.h"
#include "process/role.h"
#include "router/access_log.h"
#include "router/file_cache.h"

struct router;
struct installed;
struct install;
struct app_queue;
struct call;

/* A listening socket, and what its connections need of it. */
struct router_listener {
    struct list link; /* in router->listeners */
    struct router *router;
    struct listener socket;
    struct binding *binding; /* what new requests get; NULL until the first commit */
    struct timer moment;     /* retired: until its idle connections go */
    unsigned users;          /* connections */
    bool open;               /* accepting */
    bool retired;            /* keeps binding->installed in use */
    int fd;
    char address[]; /* as configured: the key */
};

/* A listener under one generation: everything a request must know of where it came in. */
struct binding {
    struct installed *installed;
    const struct listener_conf *conf;
};

/* A generation as this router serves it. */
struct installed {
    struct router *router;
    struct generation *conf;
    unsigned users; /* requests, bindings of listeners that were removed, and the router itself */
    struct http_limits limits;
    struct file_cache files;
    struct access_log *log;    /* NULL: off */
    struct app_queue **queues; /* of conf->apps, by place */
    struct binding *bindings;  /* of conf->listeners, by place */
};

/* One request; in its arena, from on_request to on_done. */
struct transaction {
    struct request *req;
    struct binding *binding;
    const char *reason;      /* why it failed, for the log; static text */
    struct file *file;       /* share: what is being sent, or NULL */
    struct call *call;       /* pass to an application: its place there, or NULL */
    struct slice request_id; /* made at first use */
    unsigned chain;          /* pass and fallback steps taken */
};

/* What a message of main's asks for, at the end of the turn. */
struct told {
    bool terminate;
    bool quit;
    bool reopen;
    uint32_t grace_ms; /* of quit */
};

struct router {
    struct task *task;
    struct h1_server server;
    struct installed *live;  /* NULL until the first commit */
    struct install *install; /* being prepared, or NULL */
    struct list listeners;
    struct list queues;
    struct list active; /* links with slots in use */
    struct list sent;   /* links with chunks to give back */
    struct list logs;
    int wake_fd; /* lanes of all applications write it */
    struct watch wake;
    struct timer grace;
    unsigned n_routers; /* that accept beside it, itself included */
    struct told told;   /* what main said and look_at_told has not done yet */
    bool draining;
    bool held; /* accept nothing yet: an upgrade has to prove itself */
};

static inline struct installed *
transaction_installed(const struct transaction *tx)
{
    return tx->binding->installed;
}

#endif
