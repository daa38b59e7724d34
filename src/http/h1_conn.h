/*
 * h1_conn.h - one HTTP/1.1 connection, from accepted descriptor to close.
 *
 *   IDLE -> HEAD -> BODY -> HANDLER -> REPLY -> IDLE …          -> LINGER -> CLOSED
 *
 * The owner has one h1_server for all connections that share a loop and hooks; each connection
 * reads, parses, asks the owner for an answer, writes, and frees itself.  An idle one holds no
 * buffer.  Rules: RFC 9112; what is strict beyond it is listed in docs/http.md.
 */
#ifndef HTTP_H1_CONN_H
#define HTTP_H1_CONN_H

#include <sys/socket.h>

#include "event/loop.h"
#include "http/request.h"

struct h1_conn;
struct stream_filter;

struct http_ops {
    /* Limits now in force for this owner; asked at the start of each request and of each wait. */
    const struct http_limits *(*limits)(void *owner);
    /* A request begins: req->limits is set, nothing is read yet.  For counting users of a
     * generation; NULL: not wanted.  Each is followed by exactly one on_done. */
    void (*on_begin)(struct request *req);
    /* The head of a request with a body is whole.  0: read the body; a status: it is not read, and
     * on_refused is called with it (req->fault: yours).  May be NULL. */
    unsigned (*on_head)(struct request *req);
    /* Head and body are whole.  Answer now or later; set req->handler and req->data. */
    void (*on_request)(struct request *req);
    /* It cannot be read, req->fault says why: answer with that status.  NULL: the default page. */
    void (*on_refused)(struct request *req, unsigned status);
    /* Answered, refused by the parser, or cut: status, body_sent, truncated and fault tell.  The
     * last use of req.  May be NULL. */
    void (*on_done)(struct request *req);
    /* The connection is closed; owner is not used any more.  May be NULL. */
    void (*on_gone)(void *owner);
};

struct http_counters {
    uint64_t accepted;
    uint64_t active; /* with a request under way */
    uint64_t idle;
    uint64_t closed;
    uint64_t requests;
};

/* Embedded by the owner. */
struct h1_server {
    struct loop *loop;
    const struct http_ops *ops;
    struct http_counters counters;
    struct list conns; /* oldest first */
    bool draining;
};

void h1_server_init(struct h1_server *s, struct loop *loop, const struct http_ops *ops);

/*
 * h1_conn_open - serve an accepted connection; reads at once, so on_request may be called before
 * this returns.
 *
 *   fd      non-blocking, taken
 *   addr    the peer, copied
 *   owner   given back in hooks (request_owner)
 */
void h1_conn_open(struct h1_server *s, int fd, const struct sockaddr *addr, socklen_t len,
                  void *owner);
/* The same through a filter, which is taken. */
void h1_conn_open_filtered(struct h1_server *s, int fd, struct stream_filter *filter,
                           const struct sockaddr *addr, socklen_t len, void *owner);

/* Close what is idle; the others say "Connection: close" and go after their answer. */
void h1_server_drain(struct h1_server *s);
/* The same for the connections of one owner. */
void h1_server_drain_owner(struct h1_server *s, const void *owner);
/* Descriptors are short: close up to n idle connections, oldest first.  How many were. */
unsigned h1_server_shed(struct h1_server *s, unsigned n);
/* Close all now; requests under way are aborted. */
void h1_server_close(struct h1_server *s);

#endif
