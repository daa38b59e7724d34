/*
 * wire.h - a real connection of the HTTP room over a socketpair, and what a client reads of it as
 * one line of text, so that a test is an input and an expectation:
 *
 *   "200 GET /x a {body} | 400 | close"
 */
#ifndef TESTS_HTTP_WIRE_H
#define TESTS_HTTP_WIRE_H

#include "event/loop.h"
#include "http/h1_conn.h"
#include "http/response.h"

struct wire {
    struct loop *loop;
    struct h1_server server;
    struct http_limits limits;
    int client; /* -1 when closed */
    char *got;  /* bytes the client has read */
    size_t n;
    size_t room;
    bool ended; /* the client has read the end */
    bool reset; /* or a reset */
    bool gone;  /* on_gone was called */
    unsigned begun;
    unsigned done;
    unsigned last_status; /* what on_done saw */
    uint64_t last_sent;
    bool last_truncated;
    char last_fault[128];
    char last_line[128];
    void (*answer)(struct request *req); /* instead of the echo */
    struct request *waiting;             /* for tests that answer later */
    unsigned aborted;
    unsigned eofs;
    unsigned rooms;
};

void wire_init(struct wire *w);
void wire_done(struct wire *w);
/* A new connection; the one before is closed. */
void wire_connect(struct wire *w);
/* Over TCP on the loopback, where resets exist. */
void wire_connect_tcp(struct wire *w);

/* Write, let the server do all it can, read what came. */
void wire_send(struct wire *w, const char *p, size_t n);
void wire_turns(struct wire *w);
/* Close the client's sending half. */
void wire_half_close(struct wire *w);
/* Turns until the condition that only the clock brings about: the connection is gone. */
void wire_wait_gone(struct wire *w);

/* What the client has read, as text (static). */
const char *wire_story(struct wire *w);

/* The answer that wire gives unless told otherwise; also for use by an `answer`. */
void wire_echo(struct request *req);

#endif
