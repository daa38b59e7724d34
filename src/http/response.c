/*
 * response.c - what every protocol's answers have in common: order, lengths, error pages.
 *
 *   response_head -> head_given, head_open --first data or end--> framing decided, head closed
 *
 * How it looks on the wire is h1_write.c.
 */
#include "http/response.h"

#include <errno.h>

#include "base/fd.h"
#include "http/chars.h"
#include "http/h1_state.h"
#include "http/h1_write.h"

#define HEAD_MAX 65536

#define STATUSES 600

static const struct slice reasons[STATUSES] = {
#define STATUS(number, phrase) [number] = {phrase, sizeof(phrase) - 1},
#include "http/status.def"
#undef STATUS
};

struct slice
status_reason(unsigned status)
{
    return status < STATUSES && reasons[status].p != NULL ? reasons[status] : SLICE("");
}

/* HEAD has a length, but no body; these statuses have neither. */
static bool
has_body(const struct request *req)
{
    return req->method_id != METHOD_HEAD && !status_is_bodiless(req->status);
}

static int
check_fields(const struct field *fields, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++) {
        if (fields[i].id == NAME_NONE && !field_name_ok(fields[i].name))
            return -EBADMSG;
        if (!field_value_ok(fields[i].value))
            return -EBADMSG;
        total += fields[i].name.n + fields[i].value.n + 4;
    }
    return total > HEAD_MAX ? -EMSGSIZE : 0;
}

int
response_head(struct request *req, unsigned status, const struct field *fields, size_t n,
              int64_t content_length)
{
    int rc;

    if (req->head_given || status < 200 || status > 999)
        return -EINVAL;
    rc = check_fields(fields, n);
    if (rc < 0) {
        req->fault = rc == -EBADMSG ? "response has a field with a bad name or value"
                                    : "response head is too long";
        return rc;
    }
    request_move(req, REQ_REPLYING);
    req->status = status;
    req->content_length = content_length < 0 ? -1 : content_length;
    req->head_given = true;
    req->head_open = true;
    h1_write_head(req, fields, n);
    h1_head_given(req->conn);
    return 0;
}

/* The framing is decided: from now on the length is known, or will not be. */
static void
begin_body(struct request *req)
{
    if (!req->head_open)
        return;
    req->head_open = false;
    req->out_left = req->content_length >= 0 ? (uint64_t)req->content_length : UINT64_MAX;
    h1_write_framing(req);
}

void
response_flush(struct request *req)
{
    begin_body(req);
    h1_push(req->conn);
}

/* How much of n bytes may still be sent. */
static uint64_t
admit(struct request *req, uint64_t n)
{
    if (!req->head_given || req->end_given || !has_body(req))
        return 0;
    if (req->content_length >= 0) {
        if (n > req->out_left) {
            req->fault = "response body is longer than its Content-Length: cut";
            n = req->out_left;
        }
        req->out_left -= n;
    }
    return n;
}

static void
give(struct request *req, const char *p, size_t n, response_release_fn *release, void *arg,
     bool last)
{
    begin_body(req);
    n = (size_t)admit(req, n);
    if (n > 0)
        h1_write_data(req, p, n, release, arg, last);
    else if (release != NULL)
        release(arg, p);
}

void
response_data(struct request *req, const char *p, size_t n, response_release_fn *release, void *arg)
{
    give(req, p, n, release, arg, false);
    h1_push(req->conn);
}

void
response_file(struct request *req, int fd, off_t offset, uint64_t n)
{
    begin_body(req);
    n = admit(req, n);
    if (n == 0) {
        fd_close(&fd);
        return;
    }
    h1_write_file(req, fd, offset, n);
    h1_push(req->conn);
}

/* Nothing more will be given. */
static void
finish(struct request *req)
{
    req->end_given = true;
    if (has_body(req) && req->content_length >= 0 && req->out_left > 0) {
        req->fault = "response body is shorter than its Content-Length: connection closed";
        req->truncated = true;
    } else if (has_body(req)) {
        h1_write_end(req);
    }
    h1_answered(req->conn);
}

void
response_last(struct request *req, const char *p, size_t n, response_release_fn *release, void *arg)
{
    /* A HEAD without data says nothing about the length that GET would have. */
    if (req->head_open && req->content_length < 0 && (n > 0 || req->method_id != METHOD_HEAD))
        req->content_length = (int64_t)n;
    give(req, p, n, release, arg, true);
    if (req->head_given)
        finish(req);
    else
        response_error(req, 500);
}

void
response_end(struct request *req)
{
    response_last(req, NULL, 0, NULL, NULL);
}

void
response_abort(struct request *req)
{
    if (req->head_open)
        begin_body(req);
    req->end_given = true;
    req->truncated = true;
    h1_answered(req->conn);
}

void
response_send(struct request *req, unsigned status, const struct field *fields, size_t n,
              struct slice body, response_release_fn *release, void *arg)
{
    if (response_head(req, status, fields, n, (int64_t)body.n) == 0) {
        response_last(req, body.p, body.n, release, arg);
        return;
    }
    if (release != NULL)
        release(arg, body.p);
    response_error(req, 500);
}

#define PAGE_BEFORE "<!DOCTYPE html><title>Error "
#define PAGE_MIDDLE "</title><p>Error "
#define PAGE_AFTER  ".\r\n"

void
response_error_fields(struct request *req, unsigned status, const struct field *fields, size_t n)
{
    struct field all[17] = {FIELD(CONTENT_TYPE, "Content-Type", SLICE("text/html"))};
    char page[64];
    size_t at = 0;

    if (req->head_given) {
        response_abort(req);
        return;
    }
    n = br_min(n, array_len(all) - 1);
    for (size_t i = 0; i < n; i++)
        all[i + 1] = fields[i];
    memcpy(page, PAGE_BEFORE, sizeof(PAGE_BEFORE) - 1);
    at += sizeof(PAGE_BEFORE) - 1;
    at += put_status(page + at, status);
    memcpy(page + at, PAGE_MIDDLE, sizeof(PAGE_MIDDLE) - 1);
    at += sizeof(PAGE_MIDDLE) - 1;
    at += put_status(page + at, status);
    memcpy(page + at, PAGE_AFTER, sizeof(PAGE_AFTER) - 1);
    at += sizeof(PAGE_AFTER) - 1;

    if (response_head(req, status, all, n + 1, (int64_t)at) < 0 &&
        response_head(req, status, all, 1, (int64_t)at) < 0) {
        response_abort(req); /* a status that does not exist */
        return;
    }
    begin_body(req);
    if (has_body(req)) {
        req->out_left = 0;
        h1_write_copy(req, page, at);
    }
    finish(req);
}

void
response_error(struct request *req, unsigned status)
{
    response_error_fields(req, status, NULL, 0);
}

bool
response_full(struct request *req)
{
    bool full = h1_write_full(req);

    req->was_full |= full;
    return full;
}
