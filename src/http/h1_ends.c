/*
 * h1_ends.c - who is at the ends of a connection, as text, made when first asked for.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/h1_state.h"

enum end { REMOTE_ADDR, REMOTE_PORT, LOCAL_ADDR, LOCAL_PORT, ENDS };

struct h1_ends {
    uint8_t n[ENDS];
    char text[ENDS][INET6_ADDRSTRLEN];
};

static void
put_text(struct h1_ends *ends, enum end which)
{
    ends->n[which] = (uint8_t)strlen(ends->text[which]);
}

static void
put_end(struct h1_ends *ends, enum end addr, const union h1_addr *from)
{
    enum end port = addr + 1;

    if (from->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &from->ip4.sin_addr, ends->text[addr], INET6_ADDRSTRLEN);
        snprintf(ends->text[port], INET6_ADDRSTRLEN, "%u", ntohs(from->ip4.sin_port));
    } else if (from->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &from->ip6.sin6_addr, ends->text[addr], INET6_ADDRSTRLEN);
        snprintf(ends->text[port], INET6_ADDRSTRLEN, "%u", ntohs(from->ip6.sin6_port));
    } else {
        memcpy(ends->text[addr], "unix:", sizeof("unix:"));
    }
    put_text(ends, addr);
    put_text(ends, port);
}

static struct h1_ends *
find_ends(struct h1_conn *c)
{
    struct h1_ends *ends = calloc(1, sizeof(*ends));
    union h1_addr local = {0};
    socklen_t len = sizeof(local);

    if (ends == NULL)
        abort();
    put_end(ends, REMOTE_ADDR, &c->peer);
    (void)getsockname(c->stream.fd, &local.any, &len);
    put_end(ends, LOCAL_ADDR, &local);
    return ends;
}

static struct slice
end_text(const struct request *req, enum end which)
{
    struct h1_conn *c = req->conn;

    if (c->ends == NULL)
        c->ends = find_ends(c);
    return slice_make(c->ends->text[which], c->ends->n[which]);
}

struct slice
request_remote_addr(const struct request *req)
{
    return end_text(req, REMOTE_ADDR);
}

struct slice
request_remote_port(const struct request *req)
{
    return end_text(req, REMOTE_PORT);
}

struct slice
request_local_addr(const struct request *req)
{
    return end_text(req, LOCAL_ADDR);
}

struct slice
request_local_port(const struct request *req)
{
    return end_text(req, LOCAL_PORT);
}

uint64_t
request_conn_id(const struct request *req)
{
    return req->conn->id;
}

void *
request_owner(const struct request *req)
{
    return req->conn->owner;
}
