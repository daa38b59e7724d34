/*
 * app.h - what the prototype of an application and the workers forked from it know of it.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "app/runtime.h"
#include "app/scale.h"
#include "nest/nest.h"
#include "process/process.h"

struct stream;

struct app {
    const struct guest_ops *guest;
    void *ctx; /* the guest's */
    struct launch *card;
    const char *name;
    struct nest *nest;         /* NULL: a stream application */
    struct stream *stream;     /* NULL: it takes requests */
    int bell;                  /* eventfd: routers and workers ring it, the prototype listens */
    int wakefds[NEST_ROUTERS]; /* eventfd of each router, -1 where there is none */
    unsigned n_routers;
    struct scale_rules rules;
    unsigned threads;  /* lanes of each worker */
    uint64_t requests; /* limits.requests, 0: none */
    bool preload;      /* the application is loaded in the prototype, not in each worker */
};

/* Lanes that a worker has of the nest, or the one place it has among the workers of a stream. */
static inline unsigned
app_lanes(const struct app *app)
{
    return app->stream != NULL ? 1 : app->threads;
}

/* Point stdout and stderr where the card says, else to log_fd (-1: leave them).  Logs failures. */
void app_streams(const struct launch *card, int log_fd);

#endif
