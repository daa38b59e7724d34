/*
 * brood/application.h - an application of brood in C: a program whose workers take connections.
 *
 *   "type": "stream", "executable": "/srv/echo"
 *
 *   brood executes it -> br_app_run: load -> fork -> worker: start -> connection ... -> stop -> end
 *                                            fork -> worker: ...
 *
 * The process that was executed loads what all workers share, once, and forks them as the
 * configuration says (`processes`, `threads`, `limits`).  It accepts, and passes each connection to
 * a worker that has a thread to spare; nothing is read from it before.  Link with
 * pkg-config brood-app.
 */
#ifndef BROOD_APPLICATION_H
#define BROOD_APPLICATION_H

#include <brood/base.h>
#include <sys/socket.h>

BR_BEGIN

struct br_app_connection {
    /*
     * Blocking, close-on-exec, with `timeouts.idle` as its SO_RCVTIMEO and SO_SNDTIMEO.  Closed
     * when the callback returns; who wants it for longer duplicates it.
     */
    int fd;
    const struct sockaddr *peer; /* as accept(2) gives it */
    socklen_t peer_length;       /* 0: a client of a Unix socket that has no name */
};

struct br_app_options {
    size_t size; /* sizeof(struct br_app_options) */
    void *arg;

    /* Once, before any worker is forked.  Not 0: the application cannot start.  May be NULL. */
    int (*load)(void *arg);
    /* In each worker, before its first connection.  Not 0: the worker ends with it.  May be NULL.
     */
    int (*start)(void *arg);
    /* On one of the worker's threads, which it has for itself until it returns. */
    void (*connection)(const struct br_app_connection *connection, void *arg);
    /* In a worker whose connections are all over.  May be NULL. */
    void (*stop)(void *arg);
};

/*
 * Be the application that brood has started this program for.  SIGPIPE is ignored.  Call it from
 * the first thread, while there is no other.  The process title is written over the strings of
 * argv: copy what is needed of them before.  What it returns is for exit(3): not before brood tells
 * the application to end, and never in a worker.
 */
int br_app_run(const struct br_app_options *options);

/* In a worker, from any thread: take no more connections, finish, end.  Another one takes its
 * place. */
void br_app_leave(void);

BR_END

#endif
