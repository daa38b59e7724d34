/*
 * route.h - the first step of a route whose match holds.
 */
#ifndef ROUTER_ROUTE_H
#define ROUTER_ROUTE_H

struct route_conf;
struct action_conf;
struct request;

/* Its action, or NULL.  No allocation. */
const struct action_conf *route_find(const struct route_conf *route, const struct request *req);

#endif
