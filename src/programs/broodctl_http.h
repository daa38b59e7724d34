/*
 * broodctl_http.h - one request to the control socket, and its answer.
 */
#ifndef PROGRAMS_BROODCTL_HTTP_H
#define PROGRAMS_BROODCTL_HTTP_H

#include "base/err.h"
#include "conf/json.h"
#include "programs/broodctl.h"

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

/*
 * http_judge - CTL_OK (2xx), or CTL_REFUSED: then what the server said is printed, on stderr or
 * with
 * --json as it came on stdout.
 */
enum ctl_exit http_judge(const struct ctl *ctl, const struct ctl_request *request,
                         const struct ctl_answer *answer);

/*
 * http_ask - http_exchange with the brood of ctl, judged; what goes wrong is said on stderr.
 * CTL_OK (2xx), CTL_REFUSED or CTL_UNREACHABLE.
 */
enum ctl_exit http_ask(struct ctl *ctl, struct arena *a, const struct ctl_request *request,
                       struct ctl_answer *ret);
/* The same for a GET. */
enum ctl_exit http_get(struct ctl *ctl, struct arena *a, const char *target,
                       struct ctl_answer *ret);

/* The member at "processes/running" below value, or NULL; and as a number, 0 when it is none. */
const struct json *json_member(const struct json *value, const char *path);
int64_t json_member_int(const struct json *value, const char *path);

#endif
