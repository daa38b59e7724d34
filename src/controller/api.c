/*
 * api.c - the control API: which resource has which methods, and how answers look.
 *
 *   request -> path split at '/', then decoded -> row of `resources` -> handler -> one JSON answer
 *
 * A handler answers now or later, exactly once, by one of the api_… functions, which end the call.
 * A client that goes away meanwhile changes nothing: its change goes on, the answer is dropped.
 * One request per connection.
 */
#include "controller/api.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/generation.h"
#include "conf/json_write.h"
#include "controller/api_certs.h"
#include "controller/api_change.h"
#include "controller/api_config.h"
#include "controller/api_history.h"
#include "controller/api_status.h"
#include "controller/controller.h"
#include "http/response.h"
#include "http/uri.h"

#define ANSWER_BYTES_MAX (512u * 1024 * 1024)

#define INVALID_METHOD "Invalid method."
#define NOT_ALLOWED    "Method isn't allowed."

/* What '*' and '**' stand for. */
#define PLACE       "where in the configuration: names and indexes, one a segment"
#define NUMBER      "number of a version"
#define APPLICATION "name of an application"
#define NUMBERS     "where in the numbers: names and indexes, one a segment"
#define BUNDLE      "name of a bundle"
#define IN_BUNDLE   "name of a bundle, and where in it"

/* What a change may be refused with, and the terms that it takes. */
#define CHANGE \
    .gives = API_DONE, .refusals = "400 404 405 412 413 500", .queries = "dry_run", .if_match = true

static const struct api_resource resources[] = {
    {.path = "/",
     .method = METHOD_GET,
     .handle = api_status_root,
     .other = INVALID_METHOD,
     .doc = "everything below, in one object",
     .gives = API_VALUE,
     .refusals = "500"},
    {.path = "/config/**",
     .method = METHOD_GET,
     .handle = api_config_get,
     .other = NOT_ALLOWED,
     .doc = "the configuration in force",
     .argument = PLACE,
     .gives = API_CONFIG,
     .refusals = "404"},
    {.path = "/config/**",
     .method = METHOD_PUT,
     .handle = api_config_change,
     .other = NOT_ALLOWED,
     .doc = "replace, or create a member",
     .argument = PLACE,
     .takes = API_JSON,
     CHANGE},
    {.path = "/config/**",
     .method = METHOD_POST,
     .handle = api_config_change,
     .other = NOT_ALLOWED,
     .doc = "append to an array",
     .argument = PLACE,
     .takes = API_JSON,
     CHANGE},
    {.path = "/config/**",
     .method = METHOD_DELETE,
     .handle = api_config_change,
     .other = NOT_ALLOWED,
     .doc = "remove",
     .argument = PLACE,
     CHANGE},
    {.path = "/history",
     .method = METHOD_GET,
     .handle = api_history_list,
     .other = NOT_ALLOWED,
     .doc = "the last configurations that were kept, newest first: number, time, size",
     .gives = API_VALUE,
     .refusals = "500"},
    {.path = "/history/*",
     .method = METHOD_GET,
     .handle = api_history_get,
     .other = NOT_ALLOWED,
     .doc = "one of them",
     .argument = NUMBER,
     .gives = API_VALUE,
     .refusals = "404 500"},
    {.path = "/history/*/apply",
     .method = METHOD_POST,
     .handle = api_history_apply,
     .other = NOT_ALLOWED,
     .doc = "make it the configuration in force",
     .argument = NUMBER,
     CHANGE},
    {.path = "/status/**",
     .method = METHOD_GET,
     .handle = api_status_get,
     .other = INVALID_METHOD,
     .doc = "counters, processes, modules",
     .argument = NUMBERS,
     .gives = API_VALUE,
     .refusals = "404 500"},
    {.path = "/control/applications/*/restart",
     .method = METHOD_GET,
     .handle = api_status_restart,
     .other = NOT_ALLOWED,
     .doc = "new processes for an application",
     .argument = APPLICATION,
     CHANGE},
    {.path = "/control/applications/*/restart",
     .method = METHOD_POST,
     .handle = api_status_restart,
     .other = NOT_ALLOWED,
     .doc = "the same",
     .argument = APPLICATION,
     CHANGE},
    {.path = "/control/change",
     .method = METHOD_GET,
     .handle = api_change_get,
     .other = NOT_ALLOWED,
     .doc = "the change under way: number, state, how many wait behind it",
     .gives = API_VALUE,
     .refusals = "404"},
    {.path = "/control/change",
     .method = METHOD_DELETE,
     .handle = api_change_cancel,
     .other = NOT_ALLOWED,
     .doc = "give it up while it is being prepared; who waits for it gets 500",
     .gives = API_DONE,
     .refusals = "404 409"},
    {.path = "/certificates",
     .method = METHOD_GET,
     .handle = api_certs_list,
     .other = INVALID_METHOD,
     .doc = "certificate bundles by name",
     .gives = API_VALUE},
    {.path = "/certificates/**",
     .method = METHOD_GET,
     .handle = api_certs_get,
     .other = INVALID_METHOD,
     .doc = "one bundle, or a part of it",
     .argument = IN_BUNDLE,
     .gives = API_VALUE,
     .refusals = "404"},
    {.path = "/certificates/**",
     .method = METHOD_PUT,
     .handle = api_certs_put,
     .other = INVALID_METHOD,
     .doc = "upload a bundle: PEM, leaf first, one key; `?replace` if it exists",
     .argument = BUNDLE,
     .takes = API_PEM,
     .gives = API_DONE,
     .refusals = "400 413 500",
     .queries = "dry_run replace"},
    {.path = "/certificates/**",
     .method = METHOD_DELETE,
     .handle = api_certs_delete,
     .other = INVALID_METHOD,
     .doc = "delete a bundle that no listener names",
     .argument = BUNDLE,
     .gives = API_DONE,
     .refusals = "400 404 500",
     .queries = "dry_run"},
};

const struct api_resource *
api_resources(size_t *ret_n)
{
    *ret_n = array_len(resources);
    return resources;
}

const char *
api_method_name(enum req_method method)
{
    switch (method) {
    case METHOD_GET:
        return "GET";
    case METHOD_PUT:
        return "PUT";
    case METHOD_POST:
        return "POST";
    case METHOD_DELETE:
        return "DELETE";
    case METHOD_HEAD:
    case METHOD_OPTIONS:
    case METHOD_CONNECT:
    case METHOD_OTHER:
        break;
    }
    return "";
}

static bool
path_matches(const char *pattern, struct json_path path)
{
    struct slice rest = slice_cstr(pattern + 1);
    struct slice piece;
    size_t i = 0;

    if (rest.n == 0)
        return path.n == 0;
    while (slice_split(&rest, '/', &piece)) {
        if (slice_eq(piece, SLICE("**")))
            return true;
        if (i == path.n)
            return false;
        if (!slice_eq(piece, SLICE("*")) && !slice_eq(piece, path.segments[i]))
            return false;
        i++;
    }
    return i == path.n;
}

const struct api_resource *
api_find(struct json_path path, enum req_method method, const char **ret_other)
{
    *ret_other = NULL;
    for (size_t i = 0; i < array_len(resources); i++) {
        const struct api_resource *row = &resources[i];

        if (!path_matches(row->path, path))
            continue;
        if (row->method == method)
            return row;
        if (*ret_other == NULL)
            *ret_other = row->other;
    }
    return NULL;
}

static void
release_body(void *arg, const char *p br_unused)
{
    free(arg);
}

/* In the order that clients of the API know: Server, Date, Content-Type, (more,) Content-Length,
 * Connection.  more: one field, or NULL. */
static void
respond(struct request *req, unsigned status, const struct field *more, const struct json *body)
{
    const struct field fields[] = {
        FIELD(SERVER, "Server", req->limits->server),
        FIELD(DATE, "Date", slice_make(clock_http_now(), CLOCK_HTTP_DATE_LEN)),
        FIELD(CONTENT_TYPE, "Content-Type", SLICE("application/json")),
        more != NULL ? *more : (struct field){.id = NAME_NONE},
    };
    struct buf b;

    req->handler = NULL;
    req->data = NULL;
    req->wants_close = true;
    buf_init(&b, ANSWER_BYTES_MAX);
    if (json_write(&b, body) < 0) {
        buf_done(&b);
        response_error(req, 500);
        return;
    }
    response_send(req, status, fields, array_len(fields) - (more == NULL), buf_slice(&b),
                  release_body, b.p);
}

static void
answer(struct api_call *call, unsigned status, const struct json *body)
{
    struct field etag = FIELD(ETAG, "ETag", SLICE_NONE);

    if (call->etag != NULL)
        etag.value = slice_cstr(call->etag);
    if (call->req != NULL)
        respond(call->req, status, call->etag != NULL ? &etag : NULL, body);
    arena_done(&call->arena);
    free(call);
}

struct json *
api_text(struct api_call *call, const char *text)
{
    return json_new_string(&call->arena, slice_cstr(text));
}

void
api_value(struct api_call *call, const struct json *value)
{
    answer(call, 200, value);
}

void
api_success(struct api_call *call, const char *title)
{
    struct json *body = json_new(&call->arena, JSON_OBJECT);

    json_add(body, SLICE("success"), api_text(call, title));
    answer(call, 200, body);
}

void
api_error(struct api_call *call, unsigned status, const char *title, const char *detail)
{
    struct json *body = json_new(&call->arena, JSON_OBJECT);

    json_add(body, SLICE("error"), api_text(call, title));
    if (detail != NULL)
        json_add(body, SLICE("detail"), api_text(call, detail));
    answer(call, status, body);
}

void
api_missing(struct api_call *call)
{
    api_error(call, 404, "Value doesn't exist.", NULL);
}

static struct json *
location(struct api_call *call, struct slice text, uint32_t offset)
{
    struct json *where = json_new(&call->arena, JSON_OBJECT);
    struct json_place place;

    json_add(where, SLICE("offset"), json_new_int(&call->arena, offset));
    if (json_locate(text, offset, &place)) {
        json_add(where, SLICE("line"), json_new_int(&call->arena, place.line));
        json_add(where, SLICE("column"), json_new_int(&call->arena, place.column));
    }
    return where;
}

void
api_invalid(struct api_call *call, const char *title, const struct conf_fault *fault)
{
    struct json *body = json_new(&call->arena, JSON_OBJECT);

    json_add(body, SLICE("error"), api_text(call, title));
    json_add(body, SLICE("detail"), api_text(call, fault->err.text));
    if (fault->has_path)
        json_add(body, SLICE("path"), api_text(call, fault->path));
    if (fault->offset != JSON_NOWHERE && call->req != NULL)
        json_add(body, SLICE("location"), location(call, call->req->body.mem, fault->offset));
    answer(call, 400, body);
}

static void
on_abort(struct request *req)
{
    struct api_call *call = req->data;

    call->req = NULL;
}

static const struct request_handler call_handler = {.on_abort = on_abort};

static void
refuse(struct request *req, unsigned status, const struct field *more, struct slice title,
       const char *detail)
{
    struct arena a;
    struct json *body;

    arena_init(&a, 0);
    body = json_new(&a, JSON_OBJECT);
    json_add(body, SLICE("error"), json_new_string(&a, title));
    json_add(body, SLICE("detail"), json_new_string(&a, slice_cstr(detail)));
    respond(req, status, more, body);
    arena_done(&a);
}

/* What the request may do: by its connection, or by the token that it shows. */
static enum access
access_of(const struct request *req)
{
    const struct door *door = request_owner(req);

    if (door->access != ACCESS_NONE)
        return door->access;
    return access_of_token(&door->controller->rules, request_field(req, NAME_AUTHORIZATION));
}

/* RFC 6750, 3. */
static void
ask_for_token(struct request *req)
{
    static const struct field challenge = {
        .name = {"WWW-Authenticate", 16}, .value = {"Bearer realm=\"brood\"", 20}, .id = NAME_NONE};

    br_log(LOG_WARN, "control address: a request from " SLICE_FMT " showed no token that counts",
           SLICE_ARG(request_remote_addr(req)));
    refuse(req, 401, &challenge, SLICE("Unauthorized."),
           "this control address asks for a token: Authorization: Bearer TOKEN");
}

/* The read-only role is for numbers. */
static bool
may(enum access access, const struct api_call *call)
{
    return access == ACCESS_FULL || (call->req->method_id == METHOD_GET && call->path.n > 0 &&
                                     slice_eq(call->path.segments[0], SLICE("status")));
}

/* Before its body is read, which may be large. */
static unsigned
on_head(struct request *req)
{
    const struct door *door = request_owner(req);

    req->fault = door->why;
    if (door->refuses != 0)
        return door->refuses;
    return access_of(req) == ACCESS_NONE ? 401 : 0;
}

/* What cannot be read, or is not for this client, is answered in JSON too. */
static void
on_refused(struct request *req, unsigned status)
{
    if (status == 401)
        ask_for_token(req);
    else
        refuse(req, status, NULL, status == 403 ? SLICE("Forbidden.") : SLICE("Invalid request."),
               req->fault);
}

static void
on_request(struct request *req)
{
    const struct door *door = request_owner(req);
    unsigned status = on_head(req);
    struct api_call *call;
    const struct api_resource *row;
    struct uri uri;
    const char *other;
    int rc;

    if (status != 0) {
        on_refused(req, status);
        return;
    }
    call = calloc(1, sizeof(*call));
    if (call == NULL)
        abort();
    call->controller = door->controller;
    call->req = req;
    arena_init(&call->arena, 0);
    req->handler = &call_handler;
    req->data = call;

    rc = uri_parse(req->target, &uri); /* RFC 9112, 3.2.2: the absolute form is as good */
    if (rc == 0)
        rc = json_path_split(&call->arena, uri.raw_path, &call->path);
    else
        rc = -EINVAL;
    if (rc == -EINVAL) {
        api_error(call, 400, "Invalid request.", "the path is malformed");
        return;
    }
    if (rc < 0) {
        api_missing(call);
        return;
    }
    if (!may(access_of(req), call)) {
        api_error(call, 403, "Forbidden.", "you may read /status, and nothing else");
        return;
    }
    row = api_find(call->path, req->method_id, &other);
    if (row != NULL)
        row->handle(call);
    else if (other != NULL)
        api_error(call, 405, other, NULL);
    else
        api_missing(call);
}

static const struct http_limits *
limits_of(void *owner)
{
    const struct door *door = owner;

    return &door->controller->limits;
}

const struct http_ops api_http_ops = {
    .limits = limits_of,
    .on_head = on_head,
    .on_request = on_request,
    .on_refused = on_refused,
};
