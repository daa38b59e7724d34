/*
 * app_link.c - one nest: requests into slots, pieces of answers to connections.
 *
 *   call --wire_request_…--> slot, QUEUED          calls[slot] = call until its last piece or its
 * end piece: head copied, parsed, checked --> response_head body --by reference--> response_data
 * --sent--> chunk back to its lane
 *
 * A connection that takes no more keeps its chunks, so its lane runs out of them and sleeps: a slow
 * client holds up one worker, never our memory.  The application can write all of the mapping at
 * any time: a head is parsed from a private copy only, and a body's bytes mean nothing to us.
 */
#include "router/app_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "http/response.h"
#include "nest/wire.h"
#include "router/app_queue.h"
#include "router/router.h"

#define INLINE_BODY_MAX (16 * 1024)
#define HEAD_FIELDS_MAX 1024

static const struct port_ops port_ops;

/* --- births and deaths --- */

static void
link_free(struct app_link *at)
{
    list_del(&at->link);
    list_del(&at->active);
    list_del(&at->sent);
    port_close(at->port);
    nest_detach(at->nest);
    close(at->bell);
    free(at);
}

static void
unhold(struct app_link *at)
{
    if (--at->n_held == 0 && at->gone)
        link_free(at);
}

static void
activate(struct app_link *at)
{
    if (list_empty(&at->active))
        list_add_tail(&at->router->active, &at->active);
}

static void
name_chunks(struct app_link *at)
{
    for (uint16_t lane = 0; lane < NEST_LANES; lane++) {
        for (uint16_t chunk = 0; chunk < NEST_CHUNKS; chunk++)
            at->held[lane][chunk] = (struct held){at, lane, chunk};
    }
}

int
link_open(struct router *router, struct app_queue *queue, uint32_t instance, int nest_fd, int bell,
          const struct link_ops *ops, struct app_link **ret, struct br_err *err)
{
    struct app_link *at = calloc(1, sizeof(*at));
    int rc = -ENOMEM;

    if (at != NULL)
        rc = nest_attach(nest_fd, &at->nest, err);
    close(nest_fd);
    if (rc == 0) {
        rc = port_open(at->nest, router->task->index, &port_ops, at, &at->port, err);
        if (rc < 0)
            nest_detach(at->nest);
    }
    if (rc < 0) {
        close(bell);
        free(at);
        return br_fail(err, rc, "cannot use the nest of launch %u", queue->launch);
    }
    at->router = router;
    at->queue = queue;
    at->ops = ops;
    at->instance = instance;
    at->bell = bell;
    list_init(&at->link);
    list_init(&at->active);
    list_init(&at->sent);
    name_chunks(at);
    activate(at); /* answers to a dead predecessor of this router may still come */
    *ret = at;
    return 0;
}

static void
detach(struct call *call)
{
    call->at->calls[call->slot] = NULL;
    call->at = NULL;
}

void
link_close(struct app_link *at, void (*orphan)(struct call *call, bool queued))
{
    at->n_held++;
    port_collect(at->port);
    at->gone = true;
    for (uint32_t slot = 0; slot < NEST_SLOTS; slot++) {
        struct call *call = at->calls[slot];

        if (call != NULL) {
            bool queued = port_cancel(at->port, slot);

            detach(call);
            orphan(call, queued);
        }
    }
    list_del(&at->link);
    list_del(&at->active);
    unhold(at);
}

/* --- a request into a slot --- */

/* Fields that say how the body was framed towards us, not what it is. */
static bool
is_passed(const struct field *f)
{
    return f->id != NAME_TRANSFER_ENCODING;
}

static unsigned
count_fields(const struct request *req)
{
    unsigned n = 0;

    for (unsigned i = 0; i < req->n_fields; i++)
        n += is_passed(&req->fields[i]);
    return n;
}

static void
write_texts(struct wire_writer *w, const struct call *call)
{
    const struct request *req = call->tx->req;

    wire_request_text(w, TEXT_METHOD, req->method);
    wire_request_text(w, TEXT_TARGET, req->target);
    wire_request_text(w, TEXT_PATH, req->path);
    wire_request_text(w, TEXT_QUERY, req->query);
    wire_request_text(w, TEXT_VERSION, request_version(req));
    wire_request_text(w, TEXT_REMOTE_ADDR, request_remote_addr(req));
    wire_request_text(w, TEXT_REMOTE_PORT, request_remote_port(req));
    wire_request_text(w, TEXT_LOCAL_ADDR, request_local_addr(req));
    wire_request_text(w, TEXT_LOCAL_PORT, request_local_port(req));
    wire_request_text(w, TEXT_SERVER_NAME, req->host.n > 0 ? req->host : SLICE("localhost"));
    wire_request_text(w, TEXT_APP_TARGET, call->target);
}

static void
write_fields(struct wire_writer *w, const struct request *req)
{
    unsigned place = 0;

    for (unsigned i = 0; i < req->n_fields; i++) {
        const struct field *f = &req->fields[i];

        if (is_passed(f))
            wire_request_field(w, place++, f->id, f->name, f->value);
    }
}

/* Inline when it is small and there is room; else the worker asks for it (link_body). */
static void
write_body(struct wire_writer *w, const struct request *req)
{
    const struct body *body = &req->body;
    uint32_t flags = body->present ? WIRE_HAS_BODY : 0;
    bool fits = body->fd < 0 && body->length <= INLINE_BODY_MAX && body->length <= w->room - w->at;
    char *p;

    if (body->length > 0 && !fits)
        flags |= WIRE_BODY_FILE;
    wire_request_flags(w, flags, body->length);
    if (body->length == 0 || !fits)
        return;
    p = wire_request_body(w, (uint32_t)body->length);
    if (p != NULL)
        memcpy(p, body->mem.p, body->length);
}

int
link_send(struct app_link *at, struct call *call)
{
    const struct request *req = call->tx->req;
    int slot = port_slot_take(at->port);
    struct wire_writer w;
    uint32_t n;
    int rc;

    if (slot < 0)
        return slot;
    activate(at);
    wire_request_begin(&w, port_slot_data(at->port, (uint32_t)slot), NEST_SLOT_BYTES,
                       count_fields(req));
    write_texts(&w, call);
    write_fields(&w, req);
    write_body(&w, req);
    rc = wire_request_end(&w, &n);
    if (rc < 0) {
        port_slot_free(at->port, (uint32_t)slot);
        return rc;
    }
    call->at = at;
    call->slot = (uint32_t)slot;
    at->calls[slot] = call;
    port_publish(at->port, (uint32_t)slot, n);
    INJECT(router, queued);
    at->published = true;
    return 0;
}

void
link_leave(struct call *call)
{
    struct app_link *at = call->at;
    uint32_t slot = call->slot;

    detach(call);
    if (port_cancel(at->port, slot))
        port_slot_free(at->port, slot);
}

int
link_lane(const struct call *call)
{
    return port_slot_lane(call->at->port, call->slot);
}

uint32_t
link_generation(const struct call *call)
{
    return port_slot_generation(call->at->port, call->slot);
}

/* --- the pieces of an answer --- */

/*
 * Noted here, given back in links_return: a lane that ran out of chunks sleeps, and would be woken
 * for each single one.
 */
static void
on_chunk_sent(void *arg, const char *p br_unused)
{
    struct held *h = arg;
    struct app_link *at = h->at;

    at->sent_lanes |= UINT64_C(1) << h->lane;
    at->sent_chunks[h->lane] |= 1u << h->chunk;
    if (list_empty(&at->sent))
        list_add_tail(&at->router->sent, &at->sent);
}

static void
return_lane(struct app_link *at, uint16_t lane)
{
    uint32_t chunks = at->sent_chunks[lane];

    at->sent_chunks[lane] = 0;
    for (; chunks != 0; chunks &= chunks - 1) {
        port_chunk_done(at->port, lane, (uint16_t)__builtin_ctz(chunks));
        at->n_held--;
    }
}

void
links_return(struct router *router)
{
    struct app_link *at;

    while ((at = list_first(&router->sent, struct app_link, sent)) != NULL) {
        uint64_t lanes = at->sent_lanes;

        list_del(&at->sent);
        at->sent_lanes = 0;
        at->n_held++;
        for (; lanes != 0; lanes &= lanes - 1)
            return_lane(at, (uint16_t)__builtin_ctzll(lanes));
        unhold(at);
    }
}

static void
give_back(struct app_link *at, const struct piece *piece)
{
    if (piece->chunk != NEST_NO_CHUNK)
        port_chunk_done(at->port, piece->lane, piece->chunk);
}

/* The head as far as it can be trusted: a private copy. */
struct answer {
    struct wire_response_head head;
    struct field fields[HEAD_FIELDS_MAX];
    size_t n;
    char copy[NEST_CHUNK_BYTES];
};

/* NULL, or what is wrong with it. */
static const char *
read_fields(struct answer *a)
{
    struct slice name, value;
    uint32_t at = 0;
    int rc;

    a->n = 0;
    while ((rc = wire_response_next(a->copy, &a->head, &at, &name, &value)) == 1) {
        if (a->n == HEAD_FIELDS_MAX)
            return "the application sent too many header fields";
        if (!field_name_ok(name))
            return "the application sent a bad header field name";
        if (!field_value_ok(value))
            return "the application sent a bad header field value";
        a->fields[a->n++] = (struct field){name, value, field_name_find(name.p, name.n)};
    }
    return rc < 0 ? "the application sent a damaged response head" : NULL;
}

static const char *
read_head(const struct piece *piece, struct answer *a)
{
    if (piece->n < sizeof(a->head))
        return "the application sent a damaged response head";
    memcpy(&a->head, piece->p, sizeof(a->head));
    if (a->head.n < sizeof(a->head) || a->head.n > piece->n || a->head.n > sizeof(a->copy))
        return "the application sent a damaged response head";
    memcpy(a->copy, piece->p, a->head.n);
    if (wire_response_read(a->copy, a->head.n, &a->head) < 0)
        return "the application sent a damaged response head";
    if (a->head.status < 200 || a->head.status > 999)
        return "the application sent an invalid status";
    return read_fields(a);
}

/* The whole answer is here and the application did not say how long it is: we can. */
static int64_t
known_length(const struct request *req, const struct piece *piece, const struct answer *a)
{
    if (a->head.body_length >= 0)
        return a->head.body_length;
    if ((piece->flags & PIECE_END) == 0 || req->method_id == METHOD_HEAD)
        return -1;
    return (int64_t)(piece->n - a->head.n);
}

/* The application lost this request, by its doing or by ours: out of the slot, tell. */
static void
give_up(struct call *call, const struct piece *piece, const char *reason)
{
    struct app_link *at = call->at;

    if ((piece->flags & PIECE_END) != 0) {
        uint32_t slot = call->slot;

        detach(call);
        port_slot_free(at->port, slot);
    } else {
        link_leave(call);
    }
    at->ops->on_failed(call, reason);
}

/* Body bytes to the connection, which gives the chunk back once they are sent. */
static void
pass_body(struct app_link *at, struct request *req, const struct piece *piece, uint32_t from)
{
    if (piece->chunk == NEST_NO_CHUNK)
        return;
    if (from >= piece->n) {
        give_back(at, piece);
        return;
    }
    at->n_held++;
    response_data(req, piece->p + from, piece->n - from, on_chunk_sent,
                  &at->held[piece->lane][piece->chunk]);
}

/* true: the body of this piece begins at *ret_from. */
static bool
take_head(struct call *call, const struct piece *piece, uint32_t *ret_from)
{
    static struct answer a;
    struct request *req = call->tx->req;
    const char *fault;

    *ret_from = 0;
    if ((piece->flags & PIECE_HEAD) == 0) {
        if (call->head_given)
            return true;
        give_up(call, piece, "the application sent a body without a head");
        return false;
    }
    fault = call->head_given ? "the application sent a second head" : read_head(piece, &a);
    if (fault == NULL &&
        response_head(req, a.head.status, a.fields, a.n, known_length(req, piece, &a)) < 0)
        fault = "the application's response head is too large";
    if (fault != NULL) {
        give_up(call, piece, fault);
        return false;
    }
    call->head_given = true;
    INJECT(router, replying);
    *ret_from = a.head.n;
    return true;
}

static void
on_piece(void *arg, const struct piece *piece)
{
    struct app_link *at = arg;
    struct call *call = at->calls[piece->slot];
    struct request *req;
    uint32_t from;

    if (call == NULL) { /* its client is gone */
        give_back(at, piece);
        if ((piece->flags & PIECE_END) != 0)
            port_slot_free(at->port, piece->slot);
        return;
    }
    if ((piece->flags & PIECE_ABORT) != 0) {
        give_back(at, piece);
        give_up(call, piece, "the application gave up");
        return;
    }
    if (!take_head(call, piece, &from)) {
        give_back(at, piece);
        return;
    }
    req = call->tx->req;
    pass_body(at, req, piece, from);
    if ((piece->flags & PIECE_END) == 0) {
        at->ops->on_progress(call);
        return;
    }
    detach(call);
    port_slot_free(at->port, piece->slot);
    at->ops->on_answered(call);
    response_end(req);
}

static void
on_orphan(void *arg, uint32_t slot, bool entered)
{
    struct app_link *at = arg;
    struct call *call = at->calls[slot];

    if (call != NULL && at->ops->may_repeat(call, entered) && port_requeue(at->port, slot)) {
        call->claimed = false;
        at->published = true;
        return;
    }
    if (call != NULL)
        detach(call);
    port_slot_free(at->port, slot);
    if (call != NULL)
        at->ops->on_failed(call, "the application's process died");
}

static const struct port_ops port_ops = {.on_piece = on_piece, .on_orphan = on_orphan};

/* --- the loop's hooks --- */

void
links_turn_end(struct router *router)
{
    struct app_link *at;

    links_return(router);
    list_foreach (at, &router->active, active) {
        if (at->published) {
            at->published = false;
            port_wake(at->port, at->bell);
        }
    }
}

bool
links_may_sleep(struct router *router)
{
    struct app_link *at;
    bool may = true;

    list_foreach (at, &router->active, active)
        may &= port_may_sleep(at->port);
    return may;
}

void
links_collect(struct router *router)
{
    struct app_link *at, *tmp;

    list_foreach_safe (at, tmp, &router->active, active) {
        port_awake(at->port);
        at->n_held++; /* so that it outlives what its last call does */
        port_collect(at->port);
        app_queue_pump(at->queue);
        if (port_slots_used(at->port) == 0)
            list_del(&at->active);
        unhold(at);
    }
    links_return(router);
}

unsigned
link_waiting(const struct app_link *at)
{
    unsigned n = 0;

    for (uint32_t slot = 0; slot < NEST_SLOTS; slot++)
        n += at->calls[slot] != NULL && !at->calls[slot]->head_given;
    return n;
}

/* --- large bodies --- */

static int
body_copy(const struct body *body)
{
    return body->fd >= 0 ? fcntl(body->fd, F_DUPFD_CLOEXEC, 3)
                         : fd_memfd_sealed("brood-body", body->mem.p, body->mem.n);
}

int
link_body(struct app_link *at, uint32_t slot, uint32_t generation, uint64_t *ret_size)
{
    struct call *call = slot < NEST_SLOTS ? at->calls[slot] : NULL;
    int fd;

    if (call == NULL || port_slot_generation(at->port, slot) != generation)
        return -ENOENT;
    fd = body_copy(&call->tx->req->body);
    if (fd == -1)
        return -errno;
    *ret_size = call->tx->req->body.length;
    return fd;
}
