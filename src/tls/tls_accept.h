/*
 * tls_accept.h - accepted connections until their handshake is over, each with a deadline.
 *
 *   fd --> HELLO --first byte--> on_plain       it is no TLS: nothing was read
 *                 `------------> HANDSHAKE ----> on_secured
 *                                        `-----> on_failed --> GOODBYE, closed
 *
 * After a failure the client's alert must not be overtaken by a reset: what it has sent is read for
 * a while.
 */
#ifndef TLS_TLS_ACCEPT_H
#define TLS_TLS_ACCEPT_H

#include <sys/socket.h>

#include "base/list.h"
#include "event/loop.h"

struct tls_acceptor;
struct tls_context;
struct tls_stream;

struct tls_peer {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct tls_accept_ops {
    /* fd and t are yours: for a stream, whose filter t becomes. */
    void (*on_secured)(struct tls_acceptor *acceptor, int fd, struct tls_stream *t,
                       const struct tls_peer *peer);
    /* Somebody speaks HTTP.  fd is yours. */
    void (*on_plain)(struct tls_acceptor *acceptor, int fd, const struct tls_peer *peer);
    void (*on_failed)(struct tls_acceptor *acceptor, const struct tls_peer *peer, const char *why);
};

/* Embedded by the owner. */
struct tls_acceptor {
    struct loop *loop;
    const struct tls_context *context;
    const struct tls_accept_ops *ops;
    int64_t timeout_ms; /* from accept to the end of the handshake */
    struct list conns;
};

/* context stays yours, and lives longer. */
void tls_acceptor_init(struct tls_acceptor *a, struct loop *loop, const struct tls_context *context,
                       const struct tls_accept_ops *ops, int64_t timeout_ms);

/* fd is non-blocking and is taken; the hooks are called from the loop. */
void tls_accept(struct tls_acceptor *a, int fd, const struct sockaddr *addr, socklen_t len);

/* Close those under way; nobody is told. */
void tls_acceptor_done(struct tls_acceptor *a);

#endif
