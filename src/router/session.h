/*
 * session.h - what a router's connections do with their requests.
 */
#ifndef ROUTER_SESSION_H
#define ROUTER_SESSION_H

struct http_ops;

/* For h1_server_init; the owner of each connection is its struct router_listener. */
extern const struct http_ops session_ops;

#endif
