/*
 * listeners.h - this router's copies of the listening sockets, by address, across generations.
 */
#ifndef ROUTER_LISTENERS_H
#define ROUTER_LISTENERS_H

struct router;
struct router_listener;
struct binding;

struct router_listener *listeners_find(struct router *router, const char *address);

/* fd is taken.  It accepts nothing before it is bound. */
struct router_listener *listeners_add(struct router *router, const char *address, int fd);

/* New requests belong to this generation; the first binding begins to accept.  0 or -errno. */
int listener_bind(struct router_listener *l, struct binding *binding);

/*
 * listener_retire - its address is not configured any more: accept what waits in the kernel's
 * queue, then close.  Its connections end after their request; the object goes with the last.
 */
void listener_retire(struct router_listener *l);

/* A connection of it is closed. */
void listener_unuse(struct router_listener *l);

/* Those that no generation has bound (their generation was given up). */
void listeners_close_unbound(struct router *router);
/* All of them; their connections are closed already. */
void listeners_close(struct router *router);
/* Accept no more, anywhere. */
void listeners_stop(struct router *router);

/* As a connection accepted there; fd is taken, and closed where nobody listens. */
void listeners_probe(struct router *router, const char *address, int fd);
/* The next main of an upgrade has proved itself: accept. */
void listeners_serve(struct router *router);

#endif
