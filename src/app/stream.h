/*
 * stream.h - a stream application: the prototype accepts and passes each connection to a worker.
 *
 *   listening sockets -> accept -> waiting -> MSG_CONNECTION -> worker's queue -> a thread takes it
 *                         |                                                          |
 *                 not beyond the cap         board (shared): taken, over, leaving <--'
 *
 * The prototype keeps its copy of a connection until a thread has taken it, so that a worker which
 * dies, or leaves, before that costs nobody his connection: another one gets it.  What threads have
 * done is counted in memory that all share, because a message could be sent too late.  Application
 * code can write there: each number is loaded once and compared with what may be.
 */
#ifndef APP_STREAM_H
#define APP_STREAM_H

#include <stdatomic.h>

#include "event/listener.h"
#include "ipc/messages.h"
#include "nest/layout.h"
#include "process/launch.h"

#define STREAM_LISTEN_MAX  32
#define STREAM_THREADS_MAX 4096

struct prototype;
struct process;
struct app;
struct stream;

/* What the threads of one worker have done so far. */
struct stream_board {
    atomic_uint_least64_t taken;
    atomic_uint_least64_t over;
    atomic_bool leaving; /* takes no more */
};

/* Is that application one of these?  card may be NULL. */
bool stream_is(const struct launch *card);

/* ---- in the prototype: stream.c ---- */

int stream_open(struct prototype *proto, struct br_err *err);
/* What the launch is for has been committed: accept from now on. */
void stream_live(struct prototype *proto);
/*
 * Accept no more, but for what waits in sockets that nobody else accepts from.
 *   staying   bit i: of the i-th one somebody else does
 */
void stream_drain(struct prototype *proto, uint32_t staying);
/* Look at the boards, hand over what waits, accept or not. */
void stream_work(struct prototype *proto);
/* Accepted, and with no worker yet. */
unsigned stream_waiting(const struct prototype *proto);
/* Connections that this worker has, and since when it has none. */
unsigned stream_held(const struct prototype *proto, const struct process *p);
int64_t stream_idle_since(const struct prototype *proto, const struct process *p);
/* A worker was forked; it is gone. */
void stream_worker_born(struct prototype *proto, struct process *p);
void stream_worker_gone(struct prototype *proto, struct process *p);
struct status_stream;
struct status_worker;
void stream_numbers(const struct prototype *proto, struct status_stream *ret);
void stream_worker_numbers(const struct prototype *proto, const struct process *p,
                           struct status_worker *ret);

/* ---- in a worker that was forked from it ---- */

/* Close what is the prototype's. */
void stream_after_fork(struct stream *s);
struct stream_board *stream_board(struct stream *s, unsigned index);

#endif
