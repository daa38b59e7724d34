/*
 * server.h - the parts of a running server: executors, calls, the line to the interpreter.
 *
 *   caller --CALL--> call --one at a time--> executor <--its socket-- forked by the interpreter
 *                                               |  pidfd
 *   line: F (fork one), R (reap it) --> interpreter, which does nothing else
 *
 * The server is the interpreter's parent and adopts its orphans (PR_SET_CHILD_SUBREAPER): when the
 * interpreter dies, services under way go on, and their statuses still arrive.
 */
#ifndef INTERP_SERVER_H
#define INTERP_SERVER_H

#include "base/buf.h"
#include "event/loop.h"
#include "interp/hello.h"
#include "interp/stale.h"
#include "interp/wire.h"

struct call;

enum executor_state {
    EXECUTOR_ORDERED, /* F is on its way */
    EXECUTOR_SPARE,   /* waits on its socket */
    EXECUTOR_MATCHED, /* its caller has been greeted */
    EXECUTOR_BUSY,    /* its call has been sent to it */
    EXECUTOR_LEAVING, /* it has told its status, and is about to end */
    EXECUTOR_ENDED,   /* its process has, R is on its way */
};

struct executor {
    struct list link;
    struct server *server;
    enum executor_state state;
    uint32_t id;
    int socket; /* to it; the request goes down, and its end says that it was read */
    pid_t pid;
    int pidfd;
    struct watch ended;
    struct watch talk;
    struct buf request; /* what of it has not gone down yet */
    bool taken;         /* it has read all of its request: the script goes on */
    bool told;          /* its status, before its end */
    uint8_t said[8];    /* part of that */
    size_t n_said;
    struct call *call; /* NULL: none, or it has gone */
    struct timer grace;
    int grace_step;
};

struct server {
    struct loop *loop;
    struct arena arena;
    struct hello hello;
    struct stale stale;

    int listener;
    struct watch listen_watch;
    struct timer accept_pause;
    int64_t errors; /* of accept, in a row */
    struct timer idle;

    int inotify;
    struct watch inotify_watch;
    struct timer look; /* where there is no inotify */
    char path[4096];   /* of the socket; empty: not known */
    dev_t dev;
    ino_t ino;

    int line;
    struct watch line_watch;
    pid_t interpreter;
    bool orphaned; /* the interpreter is gone */
    uint32_t last_id;
    struct list executors;
    unsigned n_spare;   /* ordered or ready */
    unsigned n_busy;    /* matched, busy, or ending */
    unsigned n_leaving; /* their callers have their statuses, the kernel is still at their memory */
    bool tells;   /* the library's executors say that they have taken a call, and their statuses */
    bool holding; /* a call has just begun: it shall not share the processor with a fork */
    struct timer refill;
    int64_t spare_deaths; /* in a row */

    struct list calls; /* all; those without executor wait, oldest first */
    unsigned n_waiting;

    bool leaving;   /* no more calls are taken; ends with the last service */
    bool balancing; /* server_balance is at work: what it does may ask for it again */
    uint64_t served;
    int64_t born_ms;
    int64_t last_ms; /* when the last call came */
};

/* No new calls: those that wait are dropped, unanswered, so that their callers start another. */
void server_leave(struct server *s);
/* After each change: give waiting calls to executors, order spares, or end. */
void server_balance(struct server *s);

/* A connection; taken.  asks: it brings a question, no call. */
void call_new(struct server *s, int fd, bool asks);
/* Drop those that nobody has greeted. */
void call_drop_waiting(struct server *s);
/* The oldest that waits, or NULL. */
struct call *call_waiting(struct server *s);
/* Greet it: this spare is for it. */
void call_match(struct server *s, struct executor *e);
/* Its executor has read the request, which need not be kept for another one. */
void call_taken(struct call *c);
/* Its executor has died before that: wait for another; false: that has been tried often enough. */
bool call_again(struct call *c);
bool call_is_greeted(const struct call *c);
/* Its executor's process has ended. */
void call_ended(struct call *c, uint32_t status);

/* Order one.  0 or -errno. */
int executor_order(struct server *s);
struct executor *executor_spare(struct server *s);
/* It is for this call, which may still be lost before it has begun: then it is spare again. */
void executor_match(struct executor *e, struct call *c);
void executor_unmatch(struct executor *e);
/* text and descriptors go down; the descriptors stay the caller's. */
void executor_assign(struct executor *e, struct slice text, const int *fds, size_t n_fds);
/* Its caller has gone: INT, then TERM, then KILL to the group. */
void executor_abandon(struct executor *e);
/* It was matched, and must not be used. */
void executor_discard(struct executor *e);
void executor_signal(struct executor *e, int signal);
/* The oldest spare goes; false: there is none. */
bool executor_dismiss_one(struct server *s);
/* Spares are told to go; busy ones are not. */
void executor_dismiss_spares(struct server *s);
/* Children that are nobody's any more. */
void executor_reap_strays(struct server *s);
/* A message on the line. */
void executor_line(struct watch *w, uint32_t events);

/* The answer to a query, as `name=value` lines. */
void server_describe(struct server *s, struct buf *to);

#endif
