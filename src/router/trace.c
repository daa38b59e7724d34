/*
 * trace.c - with `log_route`: which way each request took, in the error log (logging, 2).
 *
 *   "GET /a/b HTTP/1.1"  ->  "routes/0" discarded  ->  "routes/1" selected  ->  "fallback" taken
 *
 * Written after the fact: a step says which one it is by where it stands in its route.
 */
#include "router/trace.h"

#include "base/log.h"
#include "conf/generation.h"
#include "http/request.h"
#include "router/install.h"
#include "router/router.h"

static bool
is_traced(const struct transaction *tx)
{
    return transaction_installed(tx)->conf->http.log_route;
}

void
trace_request(const struct transaction *tx)
{
    const struct request *req = tx->req;

    if (is_traced(tx))
        br_log_conn(LOG_NOTICE, request_conn_id(req),
                    "\"" SLICE_FMT " " SLICE_FMT " " SLICE_FMT "\"", SLICE_ARG(req->method),
                    SLICE_ARG(req->target), SLICE_ARG(request_version(req)));
}

static void
tell_step(const struct transaction *tx, const struct route_conf *route, size_t n, bool selected)
{
    br_log_conn(selected ? LOG_NOTICE : LOG_INFO, request_conn_id(tx->req),
                "\"routes/" SLICE_FMT "%s%zu\" %s", SLICE_ARG(route->name),
                route->name.n > 0 ? "/" : "", n, selected ? "selected" : "discarded");
}

void
trace_route(const struct transaction *tx, const struct route_conf *route,
            const struct action_conf *action)
{
    size_t i = 0;

    if (!is_traced(tx))
        return;
    for (; i < route->n && &route->steps[i].action != action; i++)
        tell_step(tx, route, i, false);
    if (i < route->n)
        tell_step(tx, route, i, true);
}

void
trace_fallback(const struct transaction *tx)
{
    if (is_traced(tx))
        br_log_conn(LOG_NOTICE, request_conn_id(tx->req), "\"fallback\" taken");
}
