/*
 * h1_read.c - from bytes to a request that its owner gets: head, then body.
 *
 *   HEAD --h1_parse, h1_head_judge--> BODY in place   all of it fits behind the head
 *                                     BODY counted    read past the buffer into memory or a file
 *                                     BODY chunked    decoded on the way
 *                                     HANDLER         there is none
 *
 * What is wrong is answered here (h1_error.def), and the connection ends: after a framing error
 * nobody knows where the next request would begin.
 */
#include "http/h1_read.h"

#include "http/h1_head.h"
#include "http/h1_input.h"
#include "http/h1_write.h"

#define FIRST_HEADER 2048 /* head memory beside the large buffers */
#define CHUNKED_ROOM 2048 /* less than this behind a head: a fresh buffer */

void
h1_begin(struct h1_conn *c)
{
    const struct http_ops *ops = c->server->ops;
    const struct http_limits *limits = ops->limits(c->owner);
    struct request *req = request_new(c, limits);

    req->minor = 1; /* until it is known: how an answer to something unreadable is framed */
    c->req = req;
    c->wait = WAIT_NONE;
    c->limits = (struct h1_limits){
        .line = limits->large_header_buffer_size,
        .head = FIRST_HEADER + limits->large_header_buffers * limits->large_header_buffer_size,
        .fields = limits->max_fields,
        .drop_unsafe = limits->discard_unsafe_fields,
    };
    h1_parse_start(&c->parser, c->in + c->in_at, &c->limits, req->fields, req->n_room);
    c->server->counters.requests++;
    c->server->counters.active++;
    c->server->counters.idle--;
    if (ops->on_begin != NULL)
        ops->on_begin(req);
    h1_move(c, H1_HEAD);
}

/* What the parser has found, also when it stopped at an error: the log wants it. */
static void
take_head(struct h1_conn *c)
{
    const struct h1_parser *head = &c->parser;
    struct request *req = c->req;

    req->line = head->line;
    req->method = head->method;
    req->target = head->target;
    req->fields = head->fields;
    req->n_fields = head->n_fields;
    if (head->line.p != NULL)
        req->minor = head->minor;
}

/* Answer for the owner, then close.  fault lives as long as the request. */
static void
refuse_with(struct h1_conn *c, unsigned status, const char *fault)
{
    struct request *req = c->req;

    if (c->state == H1_HEAD)
        take_head(c);
    c->refused = true;
    req->fault = fault;
    h1_move(c, H1_HANDLER);
    if (c->server->ops->on_refused != NULL)
        c->server->ops->on_refused(req, status);
    else
        response_error(req, status);
}

void
h1_refuse(struct h1_conn *c, enum h1_result error)
{
    refuse_with(c, h1_error_status(error), h1_error_text(error));
}

/* The directory of bodies is full, gone, or not ours to write: say which and why. */
static void
refuse_to_store(struct h1_conn *c, int rc)
{
    struct request *req = c->req;
    const char *why = arena_printf(&req->arena, "body could not be stored in \"%s\": %s",
                                   req->limits->body_temp_path, strerror(-rc));

    refuse_with(c, h1_error_status(H1_BODY_STORE),
                why != NULL ? why : h1_error_text(H1_BODY_STORE));
}

static void
deliver(struct h1_conn *c)
{
    h1_move(c, H1_HANDLER);
    request_move(c->req, REQ_RECEIVED);
    c->server->ops->on_request(c->req);
}

/* Nothing can go on without bytes from the client: true when some came. */
static bool
need_more(struct h1_conn *c, enum h1_fill filled)
{
    switch (filled) {
    case FILL_DATA:
        return true;
    case FILL_WAIT:
        return false;
    case FILL_END:
        h1_refuse(c, H1_EARLY_END);
        return true;
    case FILL_LOST:
        h1_lost(c, false);
        return false;
    }
    return false;
}

/* The parser has no place for another field; its limit on their number is further up. */
static bool
more_fields(struct h1_conn *c)
{
    struct request *req = c->req;
    unsigned n = req->n_room * 4;
    struct field *fields = arena_alloc(&req->arena, n * sizeof(*fields));

    if (fields == NULL)
        return false;
    h1_parse_fields(&c->parser, fields, n);
    req->n_room = n;
    return true;
}

/* Does the owner want the body at all? */
static bool
is_welcome(struct h1_conn *c)
{
    const struct http_ops *ops = c->server->ops;
    unsigned status = ops->on_head != NULL ? ops->on_head(c->req) : 0;

    if (status != 0)
        refuse_with(c, status, c->req->fault);
    return status == 0;
}

/* The head is judged: where will its body be? */
static void
plan_body(struct h1_conn *c, const struct h1_framing *framing)
{
    struct request *req = c->req;
    uint32_t room = c->in_room - c->in_at;
    int rc;

    if (framing->chunked) {
        if (room < CHUNKED_ROOM)
            h1_input_renew(c);
        chunked_init(&c->chunked);
        c->body = BODY_CHUNKED;
    } else if (framing->length <= room) {
        c->body = BODY_IN_PLACE;
    } else if ((rc = body_expect(&req->body, framing->length, req->limits)) < 0) {
        refuse_to_store(c, rc);
        return;
    } else {
        c->body = BODY_COUNTED;
    }
    c->body_left = framing->length;
    h1_move(c, H1_BODY);
    if (framing->expects_continue && h1_input(c).n == 0)
        h1_write_continue(req);
}

static void
head_is_whole(struct h1_conn *c)
{
    struct h1_framing framing;
    enum h1_result result;

    take_head(c);
    c->in_at = c->in_base = (uint32_t)(c->parser.at - c->in);
    result = h1_head_judge(c->req, &framing);
    if (result != H1_OK)
        h1_refuse(c, result);
    else if (!framing.chunked && framing.length == 0)
        deliver(c);
    else if (is_welcome(c))
        plan_body(c, &framing);
}

bool
h1_read_head(struct h1_conn *c)
{
    enum h1_result result = h1_parse(&c->parser, c->in + c->in_end);

    if (br_likely(result == H1_OK)) {
        head_is_whole(c);
        return true;
    }
    if (result == H1_MORE)
        return need_more(c, h1_fill(c));
    if (result == H1_FIELDS_FULL) {
        if (more_fields(c))
            return true;
        result = H1_MANY_FIELDS;
    }
    h1_refuse(c, result);
    return true;
}

static bool
body_in_place(struct h1_conn *c)
{
    struct body *body = &c->req->body;
    struct slice input = h1_input(c);

    if (input.n < c->body_left)
        return need_more(c, h1_fill(c));
    body->mem = slice_sub(input, 0, (size_t)c->body_left);
    body->length = c->body_left;
    c->in_at += (uint32_t)c->body_left;
    deliver(c);
    return true;
}

static bool
body_counted(struct h1_conn *c)
{
    struct request *req = c->req;
    struct slice piece = h1_input(c);
    int rc;

    if (piece.n == 0) {
        enum h1_fill filled = h1_fill_aside(c, c->body_left, &piece);

        if (filled != FILL_DATA)
            return need_more(c, filled);
    } else {
        c->in_at += (uint32_t)piece.n;
    }
    c->body_left -= piece.n;
    rc = body_add(&req->body, piece.p, piece.n, req->limits);
    if (rc < 0)
        refuse_to_store(c, rc);
    else if (c->body_left == 0)
        deliver(c);
    return true;
}

static bool
body_chunked(struct h1_conn *c)
{
    struct request *req = c->req;
    struct slice rest = h1_input(c), piece;
    enum chunked_result result;
    int rc;

    while ((result = chunked_next(&c->chunked, &rest, &piece)) == CHUNKED_DATA) {
        if (req->body.length + piece.n > req->limits->max_body_size) {
            h1_refuse(c, H1_LARGE_BODY);
            return true;
        }
        rc = body_add(&req->body, piece.p, piece.n, req->limits);
        if (rc < 0) {
            refuse_to_store(c, rc);
            return true;
        }
    }
    c->in_at = c->in_end - (uint32_t)rest.n;
    switch (result) {
    case CHUNKED_MORE:
        /* What is announced counts: it will not be read in vain. */
        if (req->body.length + chunked_due(&c->chunked) > req->limits->max_body_size) {
            h1_refuse(c, H1_LARGE_BODY);
            return true;
        }
        return need_more(c, h1_fill(c));
    case CHUNKED_DONE:
        deliver(c);
        return true;
    case CHUNKED_LONG:
        h1_refuse(c, H1_LONG_CHUNK);
        return true;
    case CHUNKED_DATA:
    case CHUNKED_BAD:
        break;
    }
    h1_refuse(c, H1_BAD_CHUNK);
    return true;
}

bool
h1_read_body(struct h1_conn *c)
{
    switch ((enum h1_body)c->body) {
    case BODY_IN_PLACE:
        return body_in_place(c);
    case BODY_COUNTED:
        return body_counted(c);
    case BODY_CHUNKED:
        return body_chunked(c);
    }
    return false;
}
