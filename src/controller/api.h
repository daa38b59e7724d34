/*
 * api.h - the control API: which resource has which methods, and how answers look.
 *
 * The table of resources is in api.c; what they do in api_config, api_status and api_certs.  Terms
 * of a change and the plan that a dry run answers are in api_terms.c.
 */
#ifndef CONTROLLER_API_H
#define CONTROLLER_API_H

#include "conf/json_path.h"
#include "http/request.h"

struct conf_fault;
struct controller;
struct deployment;
struct http_ops;
struct plan;

/* What a request asks of a change beyond its body; read when it arrives, heeded at its turn. */
struct api_terms {
    bool dry_run;
    struct slice if_match; /* the field's value, SLICE_NONE: there is none */
};

/* One call, from its request to its answer. */
struct api_call {
    struct controller *controller;
    struct request *req; /* NULL: the client is gone, answers are dropped */
    struct api_terms terms;
    struct arena arena; /* dies with the call */
    struct json_path path;
    const char *etag; /* of the answer, or NULL */
};

/* For the control socket's h1_server; the owner of its connections is a struct door. */
extern const struct http_ops api_http_ops;

/* What a request brings, and what it is answered. */
enum api_body {
    API_NOTHING,
    API_JSON,
    API_PEM,
    API_VALUE,  /* any JSON value */
    API_CONFIG, /* the configuration or a part of it, with an ETag */
    API_DONE,   /* {"success": …}, of a dry run with the plan */
};

struct api_resource {
    const char *path; /* "*" stands for one segment, "**" for any number of them */
    enum req_method method;
    void (*handle)(struct api_call *call);
    const char *other; /* title of 405 for methods that have no row */
    const char *doc;
    const char *argument; /* what the "*" or "**" is, or NULL */
    enum api_body takes;
    enum api_body gives;
    const char *refusals; /* statuses beside 200, separated by spaces, or NULL */
    const char *queries;  /* likewise: what of the query is heeded, or NULL */
    bool if_match;
};

/* "GET", of the methods that rows have. */
const char *api_method_name(enum req_method method);

/* All rows, for the manual and the OpenAPI description. */
const struct api_resource *api_resources(size_t *ret_n);

/*
 * api_find - the row for that path and method.
 * NULL: *ret_other is the title of 405, or NULL when there is no such path.
 */
const struct api_resource *api_find(struct json_path path, enum req_method method,
                                    const char **ret_other);

/* Each of these answers and ends the call: do not use it afterwards. */
void api_value(struct api_call *call, const struct json *value);
void api_success(struct api_call *call, const char *title);
/* detail: one sentence, or NULL. */
void api_error(struct api_call *call, unsigned status, const char *title, const char *detail);
/* 404 for a path that leads nowhere. */
void api_missing(struct api_call *call);
/* 400 with detail, and path and location as far as the fault has them. */
void api_invalid(struct api_call *call, const char *title, const struct conf_fault *fault);

/* A dry run's answer, to be given with api_value: the steps that the change would take. */
struct json *api_plan(struct api_call *call, const struct plan *plan);

/*
 * api_read_terms - for every handler that changes something, before it does.
 * A query may say anything, but a `dry_run` that is not understood must not change anything: false,
 * and the call was answered.
 */
bool api_read_terms(struct api_call *call);
/* A word of the query that is there, or "true" or "1": true.  Neither that nor "false" nor "0":
 * false is returned, and the call was answered. */
bool api_read_flag(struct api_call *call, const char *name, bool *ret_flag);

/*
 * api_terms_hold - is the configuration in force one that the request's If-Match names?  It is
 * asked at the change's turn.
 *   live   without a generation nothing matches
 *   path   below /config: "*" asks that something is there
 */
bool api_terms_hold(const struct api_terms *terms, struct deployment *live, struct json_path path);
/* 412; ends the call. */
void api_precondition_failed(struct api_call *call);

/* A JSON string of a C string, in the call's arena (not copied). */
struct json *api_text(struct api_call *call, const char *text);

#endif
