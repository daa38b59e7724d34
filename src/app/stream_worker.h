/*
 * stream_worker.h - the part of a worker that takes connections from its prototype.
 */
#ifndef APP_STREAM_WORKER_H
#define APP_STREAM_WORKER_H

#include "app/connection.h"
#include "base/err.h"

struct app;
struct task;
struct message;
struct worker;
struct stream_worker;

/* In the worker's setup: closes the prototype's descriptors. */
int stream_worker_new(const struct app *app, struct task *task, unsigned index,
                      struct stream_worker **ret, struct br_err *err);
/* Read the line in a thread of its own, until end.  0 or -errno. */
int stream_worker_begin(struct stream_worker *s);
void stream_worker_end(struct stream_worker *s);
/* Messages. */
void stream_worker_connection(struct stream_worker *s, struct message *m);
void stream_worker_drain(struct stream_worker *s);
/* Any thread: take no more, finish, leave. */
void stream_worker_leave(struct stream_worker *s);

/* worker_role.c */
struct stream_worker *worker_stream(struct worker *worker);

#endif
