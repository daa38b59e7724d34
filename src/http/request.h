/*
 * request.h - one request, whatever protocol carried it.
 *
 *   connection            owner (router session, control API)
 *   head and body whole   -> on_request(req) -> response_…(req, …)      now or later
 *   client is gone        -> handler->on_abort(req)
 *   last byte sent        -> on_done(req): log it, count it; then req is no more
 *
 * Every slice lives until on_done returns.  So does req->arena, which holds no memory until used.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/arena.h"
#include "http/body.h"
#include "http/fields.h"

struct h1_conn;
struct request;

/* Numbers that one configuration generation fixes; read only, the same for all its connections. */
struct http_limits {
    int64_t idle_timeout_ms;
    int64_t header_read_timeout_ms; /* the whole head */
    int64_t body_read_timeout_ms;   /* between two reads */
    int64_t send_timeout_ms;        /* between two writes */
    uint64_t max_body_size;
    size_t body_buffer_size;
    const char *body_temp_path;
    uint32_t large_header_buffer_size; /* one line must fit it */
    uint32_t large_header_buffers;     /* the head: so many of these, and 2048 bytes */
    uint32_t max_fields;
    uint32_t linger_ms;    /* after an error: read and drop for so long, */
    uint32_t linger_bytes; /* and so much, that the client can see the answer */
    struct slice server;   /* value of Server; empty: none */
    bool discard_unsafe_fields;
    bool chunked_transform;
    bool ignore_host; /* not asked for, not checked */
};

/* The documented defaults; server is empty. */
extern const struct http_limits http_limits_default;

enum req_phase {
    REQ_READING, /* head or body still arrive */
    REQ_RECEIVED,
    REQ_ROUTED,
    REQ_WAITING, /* for a place in an application's line */
    REQ_SENT,    /* an application or an upstream has it */
    REQ_REPLYING,
    REQ_DONE,
};

enum req_method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_CONNECT
};

/* What the one who answers wants to hear; any member may be NULL.  Called from the loop only. */
struct request_handler {
    /* response_full() was true and is not any more. */
    void (*on_room)(struct request *req);
    /* The client is gone, nothing can be sent: forget req, call no response_… for it. */
    void (*on_abort)(struct request *req);
    /* The client closed its sending half: perhaps gone, perhaps waiting.  It may be answered. */
    void (*on_eof)(struct request *req);
};

#define REQUEST_FIELDS 32 /* fields without a visit to the arena */

struct request {
    /* As received. */
    struct slice line; /* the first line; empty when none could be read */
    struct slice method;
    struct slice target;
    struct field *fields;
    unsigned n_fields;
    unsigned minor; /* HTTP/1.minor, 1 at most */
    enum req_method method_id;

    /* Made of it. */
    struct slice path;  /* decoded, normalised; a rewrite may replace it */
    struct slice query; /* raw */
    bool has_query;
    struct slice host; /* lower case, no port; empty: none */
    struct body body;

    /* For whoever answers. */
    const struct http_limits *limits; /* those in force when the head began */
    const struct request_handler *handler;
    void *data;       /* the handler's */
    void *generation; /* the owner's */
    int64_t start_ms; /* clock_ms() at the first byte */
    struct arena arena;

    /* The answer. */
    unsigned status;        /* 0: none yet */
    int64_t content_length; /* announced to the client, -1: not */
    uint64_t body_sent;     /* bytes after the head, framing included */
    bool keep_alive;        /* the connection goes on after this one */
    bool truncated;         /* the client did not get the whole answer */
    const char *fault;      /* why the server cut, refused or changed it, or NULL; for the log */

    /* The connection's. */
    enum req_phase phase;
    struct h1_conn *conn;
    uint64_t out_left; /* bytes of the announced body that were not given yet */
    uint8_t framing;   /* enum response_framing */
    bool head_given;
    bool head_open; /* its last fields and the empty line are still to be written */
    bool end_given;
    bool wants_close;     /* the connection ends after this answer */
    bool asks_keep_alive; /* HTTP/1.0 with Connection: keep-alive */
    bool was_full;        /* the handler was told to wait */
    bool eof_told;
    unsigned n_room; /* places that fields has now */
    struct field room[REQUEST_FIELDS];
};

/* From a pool; conn and limits are the caller's. */
struct request *request_new(struct h1_conn *conn, const struct http_limits *limits);
/* Runs the arena's hooks, back to the pool. */
void request_free(struct request *req);

/* The one setter of phase; false (and nothing changed) for a step that the table does not allow. */
bool request_move(struct request *req, enum req_phase phase);
const char *req_phase_name(enum req_phase phase);

/* The first field of that number or name, or an empty slice. */
struct slice request_field(const struct request *req, enum field_name id);
struct slice request_field_named(const struct request *req, struct slice name);

/* "HTTP/1.0" or "HTTP/1.1". */
struct slice request_version(const struct request *req);

/* Text of the connection's ends, made once a connection.  Unix sockets: "unix:", port empty. */
struct slice request_remote_addr(const struct request *req);
struct slice request_remote_port(const struct request *req);
struct slice request_local_addr(const struct request *req);
struct slice request_local_port(const struct request *req);
/* Number of the connection in log lines. */
uint64_t request_conn_id(const struct request *req);
/* The owner's pointer, as given to h1_conn_open. */
void *request_owner(const struct request *req);

#endif
