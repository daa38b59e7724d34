/*
 * h1_input.h - the input buffers of connections: pooled, and held only while something is in them.
 */
#ifndef HTTP_H1_INPUT_H
#define HTTP_H1_INPUT_H

#include "http/h1_state.h"

enum h1_fill {
    FILL_DATA,
    FILL_WAIT, /* nothing there now */
    FILL_END,  /* the client has closed its half */
    FILL_LOST, /* the connection is broken */
};

/* Read behind in_end, making room first. */
enum h1_fill h1_fill(struct h1_conn *c);
/* Read and use at most n bytes beside the buffer; valid until the next call. */
enum h1_fill h1_fill_aside(struct h1_conn *c, uint64_t n, struct slice *ret);

/* Bytes read and not consumed. */
static inline struct slice
h1_input(const struct h1_conn *c)
{
    return slice_make(c->in + c->in_at, c->in_end - c->in_at);
}

/* A fresh buffer for what follows, while the request's head stays where it is. */
void h1_input_renew(struct h1_conn *c);
/* The request is over: give back what nothing points into. */
void h1_input_settle(struct h1_conn *c);
void h1_input_drop(struct h1_conn *c);

#endif
