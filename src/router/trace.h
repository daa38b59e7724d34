/*
 * trace.h - with `log_route`: which way each request took, in the error log.  Without it these do
 * nothing.
 */
#ifndef ROUTER_TRACE_H
#define ROUTER_TRACE_H

struct action_conf;
struct route_conf;
struct transaction;

/* The request has been read. */
void trace_request(const struct transaction *tx);
/* The route was gone through; action: of the step that matched, or NULL. */
void trace_route(const struct transaction *tx, const struct route_conf *route,
                 const struct action_conf *action);
void trace_fallback(const struct transaction *tx);

#endif
