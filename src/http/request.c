/*
 * request.c - the request object: its pool, its phases, looking into it.
 */
#include "http/request.h"

#include <stdlib.h>

#include "base/clock.h"

#define POOL_KEPT 128
#define ARENA_CAP (1u << 20) /* a request's own memory; bodies are not part of it */

const struct http_limits http_limits_default = {
    .idle_timeout_ms = 180000,
    .header_read_timeout_ms = 30000,
    .body_read_timeout_ms = 30000,
    .send_timeout_ms = 30000,
    .max_body_size = 8u << 20,
    .body_buffer_size = 16384,
    .body_temp_path = "/tmp",
    .large_header_buffer_size = 8192,
    .large_header_buffers = 4,
    .max_fields = 1000,
    .linger_ms = 5000,
    .linger_bytes = 1u << 20,
    .discard_unsafe_fields = true,
};

static struct {
    struct request *items[POOL_KEPT];
    unsigned n;
} pool;

struct request *
request_new(struct h1_conn *conn, const struct http_limits *limits)
{
    struct request *req = pool.n > 0 ? pool.items[--pool.n] : malloc(sizeof(*req));

    if (req == NULL)
        abort();
    memset(req, 0, offsetof(struct request, room)); /* room is filled by the parser */
    req->conn = conn;
    req->limits = limits;
    req->fields = req->room;
    req->n_room = REQUEST_FIELDS;
    req->content_length = -1;
    req->start_ms = clock_ms();
    body_init(&req->body);
    arena_init(&req->arena, ARENA_CAP);
    return req;
}

void
request_free(struct request *req)
{
    body_done(&req->body);
    arena_done(&req->arena);
    if (pool.n < POOL_KEPT)
        pool.items[pool.n++] = req;
    else
        free(req);
}

#define TO(phase) (1u << REQ_##phase)

static const unsigned may_become[] = {
    [REQ_READING] = TO(RECEIVED) | TO(REPLYING) | TO(DONE),
    [REQ_RECEIVED] = TO(ROUTED) | TO(WAITING) | TO(SENT) | TO(REPLYING) | TO(DONE),
    [REQ_ROUTED] = TO(WAITING) | TO(SENT) | TO(REPLYING) | TO(DONE),
    [REQ_WAITING] = TO(SENT) | TO(ROUTED) | TO(REPLYING) | TO(DONE),
    [REQ_SENT] = TO(WAITING) | TO(ROUTED) | TO(REPLYING) | TO(DONE),
    [REQ_REPLYING] = TO(DONE),
    [REQ_DONE] = 0,
};

bool
request_move(struct request *req, enum req_phase phase)
{
    if (!(may_become[req->phase] & 1u << phase))
        return false;
    req->phase = phase;
    return true;
}

const char *
req_phase_name(enum req_phase phase)
{
    static const char *const names[] = {
        [REQ_READING] = "reading", [REQ_RECEIVED] = "received", [REQ_ROUTED] = "routed",
        [REQ_WAITING] = "waiting", [REQ_SENT] = "sent",         [REQ_REPLYING] = "replying",
        [REQ_DONE] = "done",
    };

    return names[phase];
}

static struct slice
value_of(const struct field *field)
{
    return field != NULL ? field->value : SLICE_NONE;
}

struct slice
request_field(const struct request *req, enum field_name id)
{
    return value_of(fields_find(req->fields, req->n_fields, id));
}

struct slice
request_field_named(const struct request *req, struct slice name)
{
    return value_of(fields_get(req->fields, req->n_fields, name));
}

struct slice
request_version(const struct request *req)
{
    return req->minor == 0 ? SLICE("HTTP/1.0") : SLICE("HTTP/1.1");
}
