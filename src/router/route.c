/*
 * route.c - match rules against one request.
 *
 *   steps in order: method and host and uri, each NULL (not asked) or a set of patterns
 *
 * What is compared was brought into the form that patterns are compiled for when the request was
 * parsed: the method is upper case, the host lower case without port, the path decoded.
 */
#include "router/route.h"

#include "conf/generation.h"
#include "http/request.h"

static bool
holds(const struct match_conf *match, const struct request *req)
{
    if (match->method != NULL && !patterns_match(match->method, req->method))
        return false;
    if (match->host != NULL && !patterns_match(match->host, req->host))
        return false;
    return match->uri == NULL || patterns_match(match->uri, req->path);
}

const struct action_conf *
route_find(const struct route_conf *route, const struct request *req)
{
    for (size_t i = 0; i < route->n; i++) {
        if (holds(&route->steps[i].match, req))
            return &route->steps[i].action;
    }
    return NULL;
}
