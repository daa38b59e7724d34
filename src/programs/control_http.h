/*
 * control_http.h - one request to the control socket, and its answer.
 */
#ifndef PROGRAMS_CONTROL_HTTP_H
#define PROGRAMS_CONTROL_HTTP_H

#include "base/err.h"
#include "conf/json.h"

struct ctl; /* programs/broodctl.h */

struct ctl_request {
    const char *method;
    const char *target;    /* percent-encoded path */
    struct slice body;     /* sent with its length for PUT and POST */
    const char *origin;    /* the file it came from, for places in it; NULL: none */
    struct slice if_match; /* the ETag of what the change was made from; SLICE_NONE: whatever */
    int timeout_ms;        /* of each step; 0: none, a change may have to import an application */
};

struct ctl_answer {
    unsigned status;
    struct slice etag;  /* SLICE_NONE: it has none */
    struct slice body;  /* as it came */
    struct json *value; /* what it says, NULL when it is not JSON */
};

/*
 * http_exchange - send, wait, read all of the answer.
 *
 *   ctl   where to: control, as of --control, which is not NULL; and its token
 *   ret   lives in a
 *
 * 0 whatever the status, or -errno: not an address, nobody there.  -EPROTO: there was somebody, but
 * no proper answer came; whether the request was carried out cannot be known.
 */
int http_exchange(const struct ctl *ctl, struct arena *a, const struct ctl_request *request,
                  struct ctl_answer *ret, struct br_err *err);

/*
 * http_target - the path of the control API that a word on the command line means.
 *
 * With a leading '/' it is a whole path, without it is below /config.  '%' is left alone, so that
 * %2F can be part of a name; bytes that a request line cannot carry are encoded.
 */
const char *http_target(struct arena *a, const char *word);
/* One segment of a path: a name, whatever is in it. */
const char *http_segment(struct arena *a, const char *name);

#endif
