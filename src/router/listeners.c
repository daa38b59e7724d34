/*
 * listeners.c - listening sockets that outlive the generations which name them.
 *
 *   main's socket --dup--> add -> bind (generation 1) -> bind (2) … -> retire -> gone with its last
 * connection
 *
 * A socket stays as it is when a new generation names the same address, so that no connection in
 * its queue is lost.  A retired one keeps its last generation for the connections that came through
 * it; those that have just been accepted get a moment to send their request.
 */
#include "router/listeners.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "router/install.h"
#include "router/router.h"

#define ALONE_BATCH      16 /* connections taken per event when no other router waits for them */
#define RETIRE_MOMENT_MS 1000
#define SHED_CONNECTIONS 16

struct router_listener *
listeners_find(struct router *router, const char *address)
{
    struct router_listener *l;

    list_foreach (l, &router->listeners, link) {
        if (!l->retired && strcmp(l->address, address) == 0)
            return l;
    }
    return NULL;
}

static void
forget(struct router_listener *l)
{
    loop_timer_cancel(l->router->task->loop, &l->moment);
    fd_close(&l->fd);
    list_del(&l->link);
    if (l->retired)
        installed_unref(l->binding->installed);
    loop_free_later(l->router->task->loop, free, l);
}

/* The moment is over: keep-alive connections go now, the others after their answer. */
static void
on_moment(struct timer *t)
{
    struct router_listener *l = container_of(t, struct router_listener, moment);

    h1_server_drain_owner(&l->router->server, l);
}

struct router_listener *
listeners_add(struct router *router, const char *address, int fd)
{
    size_t n = strlen(address) + 1;
    struct router_listener *l = calloc(1, sizeof(*l) + n);

    if (l == NULL)
        abort();
    l->router = router;
    l->fd = fd;
    l->socket.watch.fd = -1;
    timer_init(&l->moment, on_moment);
    memcpy(l->address, address, n);
    list_add_tail(&router->listeners, &l->link);
    return l;
}

static void
on_accept(struct listener *socket, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct router_listener *l = container_of(socket, struct router_listener, socket);

    l->users++;
    h1_conn_open(&l->router->server, fd, addr, len, l);
}

static void
on_short(struct listener *socket)
{
    struct router_listener *l = container_of(socket, struct router_listener, socket);

    h1_server_shed(&l->router->server, SHED_CONNECTIONS);
}

void
listeners_probe(struct router *router, const char *address, int fd)
{
    struct router_listener *l = listeners_find(router, address);
    struct sockaddr_storage nobody = {.ss_family = AF_UNIX};

    if (l == NULL || l->binding == NULL) {
        fd_close(&fd);
        return;
    }
    l->users++;
    h1_conn_open(&router->server, fd, (struct sockaddr *)&nobody, sizeof(sa_family_t), l);
}

void
listeners_serve(struct router *router)
{
    struct router_listener *l;
    int rc;

    router->held = false;
    list_foreach (l, &router->listeners, link) {
        if (l->binding == NULL || l->retired)
            continue;
        rc = listener_bind(l, l->binding);
        if (rc < 0)
            br_log(LOG_ALERT, "nobody accepts on %s: %s", l->address, strerror(-rc));
    }
}

int
listener_bind(struct router_listener *l, struct binding *binding)
{
    struct router *router = l->router;
    int batch = router->n_routers > 1 ? 1 : ALONE_BATCH;
    int rc;

    l->binding = binding;
    if (l->open || router->draining || router->held)
        return 0;
    rc = listener_start(&l->socket, router->task->loop, l->fd, batch, on_accept, on_short);
    l->open = rc == 0;
    return rc;
}

static void
stop(struct router_listener *l)
{
    if (l->open)
        listener_stop(&l->socket);
    l->open = false;
}

void
listener_retire(struct router_listener *l)
{
    struct router *router = l->router;

    l->users++;
    l->retired = true;
    l->binding->installed->users++;
    h1_server_drain_owner(&router->server, l);
    if (l->open)
        listener_drain(&l->socket);
    stop(l);
    fd_close(&l->fd);
    loop_timer(router->task->loop, &l->moment, RETIRE_MOMENT_MS);
    listener_unuse(l);
}

void
listener_unuse(struct router_listener *l)
{
    if (--l->users == 0 && l->retired)
        forget(l);
}

void
listeners_close_unbound(struct router *router)
{
    struct router_listener *l, *tmp;

    list_foreach_safe (l, tmp, &router->listeners, link) {
        if (l->binding == NULL)
            forget(l);
    }
}

void
listeners_close(struct router *router)
{
    struct router_listener *l, *tmp;

    list_foreach_safe (l, tmp, &router->listeners, link) {
        stop(l);
        forget(l);
    }
}

void
listeners_stop(struct router *router)
{
    struct router_listener *l;

    list_foreach (l, &router->listeners, link)
        stop(l);
}
