/*
 * prototype.h - the parts of the prototype among themselves: its state, and what each part does.
 *
 *   runtime.c   birth, messages of main, how many workers
 *   workers.c   one worker: start, lines to routers, drain, death
 *   stuck.c     a worker whose request takes too long
 *   numbers.c   status
 *   stream.c    connections instead of requests
 *   orphans.c   as process 1 of a namespace: the dead of others
 */
#ifndef APP_PROTOTYPE_H
#define APP_PROTOTYPE_H

#include "app/app.h"
#include "ipc/spawn.h"

struct prototype {
    struct task task;
    struct process self;
    struct app app;
    struct roster workers;
    struct spawn_how how;
    struct list stuck; /* workers told to end over a request that took too long */
    struct watch bell;
    struct timer look;
    struct timer grace;
    struct timer orphans;
    struct restart_history deaths; /* of workers, one after the other */
    int64_t hold_until_ms;
    void *paused;
    struct told {
        bool terminate;
        bool quit;
        uint32_t grace_ms; /* of quit */
        uint32_t staying;  /* of quit: listening sockets that others accept from */
        int log_fd;        /* reopen: the error log, else -1 */
    } told;                /* what main said and look_at_told has not done yet */
    bool ready;            /* PROCESS_READY was sent */
    bool draining;
    int code;
};

/* runtime.c: start and retire workers as scale.c says.  After every event that may change that. */
void prototype_consider(struct prototype *proto);
/* The start failed: say why, leave. */
void prototype_give_up(struct prototype *proto, const struct br_err *err);

/* workers.c */
void workers_init(struct prototype *proto);
int worker_spawn(struct prototype *proto, struct br_err *err);
/* Send a message, with fd (taken) unless that is -1, and wake the worker to read it. */
void worker_tell(struct prototype *proto, struct process *p, enum msg_type type,
                 const void *payload, int fd);
void worker_drain(struct prototype *proto, struct process *p);
/* As scale.c wants to see it. */
struct scale_worker worker_look(const struct prototype *proto, const struct process *p);
/* Those that closed their lanes have a while to be gone. */
void workers_watch_leaving(struct prototype *proto);
/* A line to a router appeared: one for each worker, too. */
void workers_meet_router(struct prototype *proto, struct channel *router);
/* A router is gone: so are the lines of the workers to it. */
void workers_lose_router(struct prototype *proto);

/* stuck.c */
void stuck_on_message(struct task *task, struct channel *ch, struct message *m);
/* That process is gone; 0: all are forgotten. */
void stuck_forget(struct prototype *proto, pid_t pid);

/* orphans.c: from now on, when we are process 1. */
void orphans_begin(struct prototype *proto);

/* numbers.c */
void numbers_on_ask(struct task *task, struct channel *ch, struct message *m);

#endif
