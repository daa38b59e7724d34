/*
 * doors.c - from an accepted connection to the door that its requests go through.
 *
 *   Unix    the kernel's word                                --> doors[access], or turned away
 *   TCP                                                      --> doors[NONE]: tokens
 *   TLS     tls_accept --> no tokens: name of the certificate --> doors[access], or `stranger`
 *                     `--> tokens                            --> doors[NONE]
 *                     `--> HTTP in clear                     --> `plain`
 *
 * A door that refuses lets http read the head and answer, so that every client sees why.
 */
#include "controller/doors.h"

#include <netdb.h>

#include "base/fd.h"
#include "base/log.h"
#include "controller/access_files.h"
#include "controller/controller.h"
#include "tls/tls_stream.h"

#define HANDSHAKE_MS 10000

static struct controller *
controller_of(struct tls_acceptor *a)
{
    return container_of(a, struct controller, tls);
}

static struct door *
door_of_certificate(struct controller *c, const struct tls_stream *t)
{
    struct arena a;
    struct slice name;
    enum access access;

    if (!c->rules.by_certificate || c->rules.n_tokens > 0)
        return &c->doors[ACCESS_NONE];
    arena_init(&a, 0);
    name = tls_stream_peer_name(t, &a);
    access = access_of_name(&c->rules, name);
    if (access == ACCESS_NONE)
        br_log(LOG_WARN, "control address: the certificate of \"" SLICE_FMT "\" is in no list",
               SLICE_ARG(name));
    arena_done(&a);
    return access == ACCESS_NONE ? &c->stranger : &c->doors[access];
}

static void
on_secured(struct tls_acceptor *a, int fd, struct tls_stream *t, const struct tls_peer *peer)
{
    struct controller *c = controller_of(a);

    h1_conn_open_filtered(&c->http, fd, tls_stream_filter(t), (const struct sockaddr *)&peer->addr,
                          peer->len, door_of_certificate(c, t));
}

static void
on_plain(struct tls_acceptor *a, int fd, const struct tls_peer *peer)
{
    struct controller *c = controller_of(a);

    h1_conn_open(&c->http, fd, (const struct sockaddr *)&peer->addr, peer->len, &c->plain);
}

static void
on_failed(br_unused struct tls_acceptor *a, const struct tls_peer *peer, const char *why)
{
    char host[NI_MAXHOST];

    if (getnameinfo((const struct sockaddr *)&peer->addr, peer->len, host, sizeof(host), NULL, 0,
                    NI_NUMERICHOST) != 0)
        host[0] = '\0';
    br_log(LOG_INFO, "control address: TLS with %s failed: %s", host, why);
}

static const struct tls_accept_ops ops = {on_secured, on_plain, on_failed};

int
doors_init(struct controller *c, const struct process *process, struct br_err *err)
{
    const struct access_files files = access_files_kept(process);
    int rc;

    for (enum access a = ACCESS_NONE; a <= ACCESS_FULL; a++)
        c->doors[a] = (struct door){.controller = c, .access = a};
    c->plain = (struct door){
        .controller = c, .refuses = 400, .why = "this control address speaks TLS: ask it by https"};
    c->stranger = (struct door){
        .controller = c, .refuses = 403, .why = "the name in your certificate is in no list"};
    rc = access_init(&c->rules, c->task->settings, &files, err);
    tls_acceptor_init(&c->tls, c->task->loop, c->rules.tls, &ops, HANDSHAKE_MS);
    return rc;
}

void
doors_done(struct controller *c)
{
    tls_acceptor_done(&c->tls);
    access_done(&c->rules);
}

/* The kernel knows who is at the other end of a Unix socket. */
static void
welcome_user(struct controller *c, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct ucred who;
    enum access access = access_of_peer(&c->rules, fd, &who);

    if (access != ACCESS_NONE) {
        h1_conn_open(&c->http, fd, addr, len, &c->doors[access]);
        return;
    }
    br_log(LOG_WARN, "control socket: user %u, group %u, process %d was turned away", who.uid,
           who.gid, (int)who.pid);
    fd_close(&fd);
}

void
doors_on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct controller *c = container_of(l, struct controller, listener);

    if (!c->rules.by_network)
        welcome_user(c, fd, addr, len);
    else if (c->rules.tls != NULL)
        tls_accept(&c->tls, fd, addr, len);
    else
        h1_conn_open(&c->http, fd, addr, len, &c->doors[ACCESS_NONE]);
}
