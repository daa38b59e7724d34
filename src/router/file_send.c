/*
 * file_send.c - a static file on the wire (RFC 9110, 13 and 14).
 *
 *   If-…  -> 304, 412           Range -> 206 (one part, or multipart/byteranges), 416         else
 * 200
 *
 * A small file leaves from memory with its head, in one write; a large one by sendfile from its
 * descriptor.  Several parts:
 *
 *   CRLF --boundary CRLF Content-Type, Content-Range CRLF CRLF bytes … CRLF --boundary-- CRLF
 */
#include "router/file_send.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "http/response.h"
#include "router/action.h"
#include "router/condition.h"
#include "router/range.h"
#include "router/router.h"

#define FIELDS_MAX 5

/* The fields that every answer about a file carries. */
struct head {
    struct field fields[FIELDS_MAX];
    size_t n;
};

static void
head_add(struct head *h, struct field field)
{
    h->fields[h->n++] = field;
}

static void
head_begin(struct head *h, const struct file *f)
{
    h->n = 0;
    head_add(h, FIELD(LAST_MODIFIED, "Last-Modified", f->modified));
    head_add(h, FIELD(ETAG, "ETag", f->etag));
}

static void
head_of_body(struct head *h, struct slice type)
{
    if (type.n > 0)
        head_add(h, FIELD(CONTENT_TYPE, "Content-Type", type));
    head_add(h, ((struct field){.name = SLICE("Accept-Ranges"), .value = SLICE("bytes")}));
}

/* Values of a list field that was sent more than once, as one. */
static struct slice
join(struct arena *a, struct slice first, struct slice more)
{
    char *text = arena_alloc(a, first.n + more.n + 2);

    if (first.p == NULL || text == NULL)
        return more;
    memcpy(text, first.p, first.n);
    memcpy(text + first.n, ", ", 2);
    memcpy(text + first.n + 2, more.p, more.n);
    return slice_make(text, first.n + more.n + 2);
}

/* One look at the fields: false when there is neither a condition nor a range. */
static bool
collect(struct request *req, struct conditions *c, struct slice *ret_range)
{
    bool any = false;

    for (unsigned i = 0; i < req->n_fields; i++) {
        struct slice value = req->fields[i].value;

        switch ((int)req->fields[i].id) {
        case NAME_IF_MATCH:
            c->if_match = c->if_match.p ? join(&req->arena, c->if_match, value) : value;
            break;
        case NAME_IF_NONE_MATCH:
            c->if_none_match =
                c->if_none_match.p ? join(&req->arena, c->if_none_match, value) : value;
            break;
        case NAME_IF_MODIFIED_SINCE:
            c->if_modified_since = value;
            break;
        case NAME_IF_UNMODIFIED_SINCE:
            c->if_unmodified_since = value;
            break;
        case NAME_IF_RANGE:
            c->if_range = value;
            break;
        case NAME_RANGE:
            *ret_range = value;
            break;
        default:
            continue;
        }
        any = true;
    }
    return any;
}

/* A piece of the body, and nothing else of the response. */
static void
send_piece(struct request *req, struct file *f, struct range r)
{
    int fd;

    if (f->bytes != NULL) {
        response_data(req, f->bytes + r.at, r.n, NULL, NULL);
        return;
    }
    fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0)
        response_file(req, fd, (off_t)r.at, r.n);
    /* else the body stays shorter than announced, and the connection is closed */
}

static void
send_whole(struct transaction *tx, struct file *f, struct head *h)
{
    struct request *req = tx->req;

    if (f->bytes != NULL) {
        response_send(req, 200, h->fields, h->n, slice_make(f->bytes, f->state.size), NULL, NULL);
        return;
    }
    response_head(req, 200, h->fields, h->n, (int64_t)f->state.size);
    if (req->method_id == METHOD_GET)
        send_piece(req, f, (struct range){0, f->state.size});
    response_end(req);
}

static struct field
content_range(char *text, size_t room, const char *what, uint64_t size)
{
    int n = snprintf(text, room, "bytes %s/%llu", what, (unsigned long long)size);

    return (struct field){.name = SLICE("Content-Range"), .value = slice_make(text, (size_t)n)};
}

static void
send_unsatisfiable(struct transaction *tx, const struct file *f)
{
    char text[64];
    struct field field = content_range(text, sizeof(text), "*", f->state.size);

    response_error_fields(tx->req, 416, &field, 1);
}

static void
send_part(struct transaction *tx, struct file *f, struct head *h, struct range r)
{
    struct request *req = tx->req;
    char what[48], text[80];

    snprintf(what, sizeof(what), "%llu-%llu", (unsigned long long)r.at,
             (unsigned long long)(r.at + r.n - 1));
    head_of_body(h, f->type);
    head_add(h, content_range(text, sizeof(text), what, f->state.size));
    response_head(req, 206, h->fields, h->n, (int64_t)r.n);
    send_piece(req, f, r);
    response_end(req);
}

/* Unlike any bytes of any file, except by a chance of 2^-64. */
static uint64_t
boundary_number(void)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
        number = (uint64_t)clock_us();
    return number;
}

/* What stands before the bytes of a part; NULL when the arena is full. */
static char *
part_head(struct arena *a, const struct file *f, const char *boundary, struct range r)
{
    const char *name = f->type.n > 0 ? "\r\nContent-Type: " : "";

    return arena_printf(a, "\r\n--%s%s" SLICE_FMT "\r\nContent-Range: bytes %llu-%llu/%llu\r\n\r\n",
                        boundary, name, SLICE_ARG(f->type), (unsigned long long)r.at,
                        (unsigned long long)(r.at + r.n - 1), (unsigned long long)f->state.size);
}

/* false: nothing was sent, there is no room for the parts' heads. */
static bool
send_parts(struct transaction *tx, struct file *f, struct head *h, const struct range *r,
           unsigned n)
{
    struct request *req = tx->req;
    char *part[RANGES_MAX], *end;
    char boundary[17], type[64];
    uint64_t length = 0;

    snprintf(boundary, sizeof(boundary), "%016llx", (unsigned long long)boundary_number());
    snprintf(type, sizeof(type), "multipart/byteranges; boundary=%s", boundary);
    end = arena_printf(&req->arena, "\r\n--%s--\r\n", boundary);
    for (unsigned i = 0; i < n && end != NULL; i++) {
        part[i] = part_head(&req->arena, f, boundary, r[i]);
        if (part[i] == NULL)
            return false;
        length += strlen(part[i]) + r[i].n;
    }
    if (end == NULL)
        return false;
    head_of_body(h, slice_cstr(type));
    response_head(req, 206, h->fields, h->n, (int64_t)(length + strlen(end)));
    for (unsigned i = 0; i < n; i++) {
        response_data(req, part[i], strlen(part[i]), NULL, NULL);
        send_piece(req, f, r[i]);
    }
    response_data(req, end, strlen(end), NULL, NULL);
    response_end(req);
    return true;
}

/* With conditions or a range.  false: it is an ordinary request after all. */
static bool
send_special(struct transaction *tx, struct file *f, struct head *h, const struct conditions *c,
             struct slice range)
{
    const struct validators v = {.etag = f->etag, .modified = (time_t)f->state.mtime_s};
    struct range ranges[RANGES_MAX];
    unsigned status = condition_check(c, &v), n = 0;

    if (status == 412) {
        response_error(tx->req, 412);
        return true;
    }
    if (status == 304) {
        response_send(tx->req, 304, h->fields, h->n, SLICE_NONE, NULL, NULL);
        return true;
    }
    if (range.p == NULL || tx->req->method_id != METHOD_GET || !condition_range_holds(c, &v))
        return false;
    switch (range_parse(range, f->state.size, ranges, &n)) {
    case RANGE_WHOLE:
        return false;
    case RANGE_UNSATISFIABLE:
        send_unsatisfiable(tx, f);
        return true;
    case RANGE_PARTS:
        if (n > 1)
            return send_parts(tx, f, h, ranges, n);
        send_part(tx, f, h, ranges[0]);
        return true;
    }
    return false;
}

void
file_send(struct transaction *tx, struct file *file)
{
    struct conditions c = {.if_match = SLICE_NONE};
    struct slice range = SLICE_NONE;
    struct head h;

    tx->file = file;
    head_begin(&h, file);
    if (collect(tx->req, &c, &range) && send_special(tx, file, &h, &c, range))
        return;
    head_of_body(&h, file->type);
    send_whole(tx, file, &h);
}
