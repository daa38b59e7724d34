/*
 * brood/prefork.h - a pool of forked workers under one master.
 *
 *   BR_POOL_SHARED     every worker accepts from the listening socket itself
 *   BR_POOL_HAND_OVER  the master accepts and hands each connection to the next worker in turn
 *
 *   master: br_pool_start -> br_loop_run        worker: start -> loop of its own -> _exit
 *
 * A worker that dies comes back by the pool's policy, with back-off when it dies young: at once,
 * then after 100, 200, 400 ... ms, at most 10 s.  Each worker has a channel to every other one,
 * announced as they come and go.  A worker whose master dies finishes what it has and ends.
 *
 * To the master's own signals nothing is attached: watch them and call br_pool_quit and so on.
 * In a worker SIGINT and SIGHUP are ignored (a terminal sends them to all), SIGTERM ends it, and
 * SIGQUIT is as br_pool_quit for it alone.
 */
#ifndef BROOD_PREFORK_H
#define BROOD_PREFORK_H

#include <brood/channel.h>

BR_BEGIN

struct br_pool;   /* in the master */
struct br_worker; /* in a worker */

enum br_pool_mode { BR_POOL_SHARED, BR_POOL_HAND_OVER };

enum br_respawn {
    BR_RESPAWN_ALWAYS,
    BR_RESPAWN_ON_FAILURE, /* not when it exited with 0 */
    BR_RESPAWN_NEVER,
};

#define BR_WORKERS_MAX 1024
#define BR_MASTER      0xffffffffu /* as the sender or receiver of a message */

struct br_pool_options {
    size_t size;      /* sizeof(struct br_pool_options) */
    unsigned workers; /* 0: one for each processor that this process may use */
    int listen_fd;    /* stays yours; -1: none */
    enum br_pool_mode mode;
    enum br_respawn respawn;
    unsigned grace_ms; /* from quit or terminate to SIGKILL; 0: without limit */
    const char *title; /* of workers: "TITLE N"; NULL: unchanged */
    void *arg;

    /* In a worker.  All but connection (with a listen_fd) may be NULL. */
    int (*start)(struct br_worker *worker, void *arg); /* not 0: exit code, it is not ready */
    /* fd is yours, non-blocking, close-on-exec. */
    void (*connection)(struct br_worker *worker, int fd, void *arg);
    void (*message)(struct br_worker *worker, unsigned from, struct br_message *message, void *arg);
    void (*reopen)(struct br_worker *worker, void *arg);
    void (*quit)(struct br_worker *worker, void *arg); /* it accepts no more; let go of the loop */

    /* In the master.  May be NULL. */
    void (*from_worker)(struct br_pool *pool, unsigned from, struct br_message *message, void *arg);
    void (*died)(struct br_pool *pool, unsigned index, pid_t pid, int status, int signo, void *arg);
};

/*
 * Fork the workers.  The pool holds the loop until all are gone and none is to come back; then it
 * is freed.  Everything is read during the call, arg is handed on; workers inherit the memory of
 * the moment of their fork.  Descriptors: theirs are those of a fork, less what this loop holds.
 * 0 or -errno: -EINVAL, -EAGAIN (fork), ...
 */
int br_pool_start(struct br_loop *loop, const struct br_pool_options *options,
                  struct br_pool **ret_pool, struct br_error *error);
/* Workers accept no more, finish, and end; nobody comes back. */
void br_pool_quit(struct br_pool *pool);
/* SIGTERM to all; nobody comes back. */
void br_pool_terminate(struct br_pool *pool);
/* Each worker's reopen is called. */
void br_pool_reopen(struct br_pool *pool);
unsigned br_pool_workers(const struct br_pool *pool);
/* 0: not there now. */
pid_t br_pool_pid(const struct br_pool *pool, unsigned index);
/* As br_channel_send, n at most BR_MESSAGE_MAX - 16; -ENOTCONN: that worker is not there. */
int br_pool_send(struct br_pool *pool, unsigned index, const void *p, size_t n, const int *fds,
                 unsigned n_fds);

/* 0, 1, ... : a respawned worker has the number of the one it replaces. */
unsigned br_worker_index(const struct br_worker *worker);
/* How many the pool has. */
unsigned br_worker_count(const struct br_worker *worker);
struct br_loop *br_worker_loop(struct br_worker *worker);
/* To another worker or to BR_MASTER; as br_pool_send. */
int br_worker_send(struct br_worker *worker, unsigned to, const void *p, size_t n, const int *fds,
                   unsigned n_fds);
/* Is that worker connected to this one now. */
int br_worker_knows(const struct br_worker *worker, unsigned index);
/* As if the master had asked for it. */
void br_worker_quit(struct br_worker *worker);

BR_END

#endif
