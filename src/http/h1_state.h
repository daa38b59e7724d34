/*
 * h1_state.h - the connection as h1_conn.c (reading, life) and h1_write.c (answers) share it.
 */
#ifndef HTTP_H1_STATE_H
#define HTTP_H1_STATE_H

#include <netinet/in.h>

#include "event/stream.h"
#include "http/chunked.h"
#include "http/h1_conn.h"
#include "http/h1_parse.h"

enum h1_state {
    H1_IDLE,    /* between requests */
    H1_HEAD,    /* some bytes of a head are there */
    H1_BODY,    /* the head is judged, the body arrives */
    H1_HANDLER, /* the owner has the request */
    H1_REPLY,   /* it is answered; not all is sent */
    H1_LINGER,  /* all is said, what still comes is dropped */
    H1_CLOSED,
};

/* What the one timer of a connection stands for. */
enum h1_wait { WAIT_NONE, WAIT_IDLE, WAIT_HEAD, WAIT_BODY, WAIT_SEND, WAIT_LINGER };

enum h1_body { BODY_IN_PLACE, BODY_COUNTED, BODY_CHUNKED };

struct h1_ends;

struct h1_conn {
    struct stream stream;
    struct timer timer;
    struct list link;
    struct h1_server *server;
    void *owner;
    struct request *req; /* under way */
    uint64_t id;

    char *in;      /* from the pool while there is something in it, or a request points into it */
    char *head_in; /* a former one, into which the request's head points */
    uint32_t in_room;
    uint32_t head_room; /* bytes of head_in */
    uint32_t in_at;     /* consumed so far */
    uint32_t in_end;    /* filled so far */
    uint32_t in_base;   /* below it lies the request's head */

    uint64_t body_left;
    uint32_t lingered; /* bytes dropped */
    uint8_t state;     /* enum h1_state */
    uint8_t wait;      /* enum h1_wait */
    uint8_t body;      /* enum h1_body */
    bool running;      /* inside h1_run: output is flushed at its end */
    bool draining;     /* this connection ends with its current answer */
    bool refused;      /* a request was refused: linger */
    bool served;       /* one request at least */
    bool flush_asked;  /* at the end of this turn */

    struct chunked chunked;
    struct h1_limits limits;
    struct h1_parser parser;
    struct h1_ends *ends;
    union h1_addr {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } peer;
};

/* The one setter of state. */
void h1_move(struct h1_conn *c, enum h1_state state);
/* The connection broke: who works on its request hears of it, then all is freed. */
void h1_lost(struct h1_conn *c, bool reset);

/* A head was given: it leaves with the first data, or at the end of the turn. */
void h1_head_given(struct h1_conn *c);
/* Output was queued, not the last of the answer: flush unless h1_run will. */
void h1_push(struct h1_conn *c);
/* The answer is complete (or cut): go on. */
void h1_answered(struct h1_conn *c);

#endif
