/*
 * http_bench.c - the HTTP room alone: a process that answers every request with 200.
 *
 *   http_bench ADDRESS [BODY-BYTES]        http_bench 127.0.0.1:8080 2
 *
 * For comparison with nginx's `return 200` under the same load: see bench/http.sh.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "event/listener.h"
#include "http/h1_conn.h"
#include "http/response.h"

static struct h1_server server;
static struct http_limits limits;
static char *body;
static size_t body_n = 2;

static const struct http_limits *
limits_of(br_unused void *owner)
{
    return &limits;
}

static void
on_request(struct request *req)
{
    const struct field type = FIELD(CONTENT_TYPE, "Content-Type", SLICE("text/plain"));

    response_send(req, 200, &type, 1, slice_make(body, body_n), NULL, NULL);
}

static const struct http_ops ops = {.limits = limits_of, .on_request = on_request};

static void
on_accept(br_unused struct listener *l, int fd, const struct sockaddr *addr, socklen_t len)
{
    h1_conn_open(&server, fd, addr, len, NULL);
}

int
main(int argc, char **argv)
{
    static struct listener listener;
    struct loop *loop = loop_new();
    struct br_err err = BR_ERR_NONE;
    int fd;

    if (loop == NULL || argc < 2 || listener_open(argv[1], -1, &fd, &err) < 0) {
        fprintf(stderr, "usage: http_bench ADDRESS [BODY-BYTES]\n%s\n", err.text);
        return 1;
    }
    if (argc > 2)
        body_n = (size_t)atol(argv[2]);
    body = malloc(body_n + 1);
    memset(body, 'x', body_n);
    signal(SIGPIPE, SIG_IGN);
    limits = http_limits_default;
    limits.server = SLICE("brood/bench");
    limits.chunked_transform = true;
    h1_server_init(&server, loop, &ops);
    if (listener_start(&listener, loop, fd, 64, on_accept, NULL) < 0)
        return 1;
    return loop_run(loop) < 0;
}
