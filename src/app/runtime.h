/*
 * runtime.h - what a guest gives and calls: the application side of brood in a foreign interpreter.
 *
 *   brood forks -> module executes the interpreter -> guest extension -> app_runtime_run
 *       -> guest->load -> guest->before_fork -> fork -> worker: guest->serve … guest->exit
 *
 * app_runtime_run makes this process the prototype of its application until it leaves; in a
 * forked worker control never comes back through it.
 */
#ifndef APP_RUNTIME_H
#define APP_RUNTIME_H

#include "app/exchange.h"
#include "process/launch.h"

struct guest_ops {
    const char *name;
    /*
     * Load the application that the card names.  Once in the prototype; with "preload" 0 once in
     * each worker instead.  On failure err says why, in the words that the client of the control
     * API shall read; the full story goes to stderr.
     */
    int (*load)(void *ctx, const struct launch *card, struct br_err *err);
    /* Once, before the first fork: make memory fit to be shared.  May be NULL. */
    void (*before_fork)(void *ctx);
    /* As fork(2), with the interpreter's hooks around it. */
    pid_t (*fork)(void *ctx);
    /* The worker's loop, on `threads` lanes: worker_exchange for each.  Returns the exit code. */
    int (*serve)(void *ctx, struct worker *worker);
    /* The same of a stream application: connection_next on each of `threads` threads. */
    int (*serve_stream)(void *ctx, struct worker *worker);
    /* Leave the worker in the interpreter's own way. */
    void (*exit)(void *ctx, int code) __attribute__((noreturn));
    struct exchange_ops lock; /* the guest's global lock; both NULL when it has none */
};

/* The environment variable that app_runtime_run reads and removes. */
#define RUNTIME_HERITAGE "BROOD_HERITAGE"

/* The exit code of the prototype.  Never returns in a worker. */
int app_runtime_run(const struct guest_ops *guest, void *ctx);

/* How many lanes this worker has (`threads`), and the exchange of each. */
unsigned worker_threads(const struct worker *worker);
struct exchange *worker_exchange(struct worker *worker, unsigned thread);
/* Leave when all that is under way is done: for a thread that ends the process. */
void worker_leave(struct worker *worker);

#endif
