/*
 * session.c - a request from its first byte to its line in the log.
 *
 *   on_begin    takes the listener's binding, and with it the generation
 *   on_request  a transaction in the request's arena, then action.c
 *   on_done     access log, error log, everything given back
 */
#include "router/session.h"

#include "base/inject.h"
#include "base/log.h"
#include "router/action.h"
#include "router/install.h"
#include "router/listeners.h"
#include "router/router.h"

static const struct http_limits *
limits(void *owner)
{
    const struct router_listener *l = owner;

    return &l->binding->installed->limits;
}

static void
on_begin(struct request *req)
{
    struct router_listener *l = request_owner(req);

    l->binding->installed->users++;
    req->generation = l->binding;
}

static void
on_request(struct request *req)
{
    struct transaction *tx = arena_new(&req->arena, struct transaction);

    tx->req = req;
    tx->binding = req->generation;
    req->data = tx;
    INJECT(router, asked);
    action_serve(tx, &tx->binding->conf->pass);
}

/* Our failures are errors; what a client did wrong, or that it left, is information. */
static void
log_reason(const struct request *req, const struct transaction *tx)
{
    const char *reason = tx != NULL && tx->reason != NULL ? tx->reason : req->fault;
    enum log_level level =
        req->status >= 500 || (tx != NULL && tx->reason != NULL) ? LOG_ERROR : LOG_INFO;

    if (reason == NULL || !log_would(level))
        return;
    br_log_conn(level, request_conn_id(req),
                "%s, status %u, request: \"" SLICE_FMT " " SLICE_FMT "\"", reason, req->status,
                SLICE_ARG(req->method), SLICE_ARG(req->target));
}

static void
on_done(struct request *req)
{
    struct transaction *tx = req->data;
    struct binding *binding = req->generation;
    struct installed *in = binding->installed;

    if (in->log != NULL)
        access_log_add(in->log, req);
    log_reason(req, tx);
    if (tx != NULL && tx->file != NULL)
        file_unref(tx->file);
    installed_unref(in);
}

static void
on_gone(void *owner)
{
    listener_unuse(owner);
}

const struct http_ops session_ops = {
    .limits = limits,
    .on_begin = on_begin,
    .on_request = on_request,
    .on_done = on_done,
    .on_gone = on_gone,
};
