/*
 * h1_head.c - the meaning of a head, in one walk over its fields.
 *
 * Framing is decided by numbers of names, which only an exact name gets: "Content_Length" has none.
 */
#include "http/h1_head.h"

#include <errno.h>

#include "http/chars.h"
#include "http/uri.h"

/* Fields that must not be given twice, since readers disagree about which one counts. */
enum single {
    ONE_HOST = 1,
    ONE_LENGTH = 2,
    ONE_CODING = 4,
    ONE_TYPE = 8,
    ONE_AUTH = 16,
    ONE_RANGE = 32,
};

struct walk {
    struct request *req;
    struct h1_framing *framing;
    unsigned seen; /* enum single */
    struct slice host;
    bool has_length;
    bool expects_other;
};

static bool
once(struct walk *w, enum single which)
{
    bool first = !(w->seen & which);

    w->seen |= which;
    return first;
}

static enum h1_result
read_length(struct walk *w, struct slice value)
{
    uint64_t length = 0;

    if (!once(w, ONE_LENGTH) || value.n == 0)
        return H1_BAD_LENGTH;
    for (size_t i = 0; i < value.n; i++) {
        unsigned digit = (unsigned char)value.p[i] - '0';

        if (digit > 9 || length > ((uint64_t)INT64_MAX - digit) / 10)
            return H1_BAD_LENGTH;
        length = length * 10 + digit;
    }
    w->framing->length = length;
    w->has_length = true;
    return H1_OK;
}

/* A transfer coding that the registry has, other than chunked. */
static bool
is_known_coding(struct slice name)
{
    static const struct slice known[] = {
        {"gzip", 4},     {"x-gzip", 6},      {"deflate", 7},
        {"compress", 8}, {"x-compress", 10}, {"identity", 8},
    };

    for (size_t i = 0; i < array_len(known); i++)
        if (slice_ieq(name, known[i]))
            return true;
    return false;
}

static enum h1_result
read_coding(struct walk *w, struct slice value)
{
    struct slice piece;
    unsigned n = 0;
    bool last_chunked = false, twice = false, unknown = false;

    if (!once(w, ONE_CODING))
        return H1_BAD_CODING;
    while (slice_split(&value, ',', &piece)) {
        piece = slice_trim(piece);
        if (!field_name_ok(piece)) /* an empty element, a parameter, or not a token at all */
            return H1_BAD_CODING;
        twice |= last_chunked;
        last_chunked = slice_ieq(piece, SLICE("chunked"));
        unknown |= !last_chunked && !is_known_coding(piece);
        n++;
    }
    if (unknown)
        return H1_OTHER_CODING;
    if (!last_chunked || twice)
        return H1_BAD_CODING;
    if (n > 1)
        return H1_OTHER_CODING;
    w->framing->chunked = true;
    return H1_OK;
}

static void
read_connection(struct walk *w, struct slice value)
{
    if (field_has_token(value, SLICE("close")))
        w->req->wants_close = true;
    if (field_has_token(value, SLICE("keep-alive")))
        w->req->asks_keep_alive = true;
}

static enum h1_result
look_at(struct walk *w, const struct field *field)
{
    switch ((int)field->id) { /* an enum of names.def: the others mean nothing to the protocol */
    case NAME_HOST:
        w->host = field->value;
        return once(w, ONE_HOST) ? H1_OK : H1_BAD_HOST;
    case NAME_CONTENT_LENGTH:
        return read_length(w, field->value);
    case NAME_TRANSFER_ENCODING:
        return read_coding(w, field->value);
    case NAME_CONNECTION:
        read_connection(w, field->value);
        return H1_OK;
    case NAME_CONTENT_TYPE:
        return once(w, ONE_TYPE) ? H1_OK : H1_TWICE;
    case NAME_AUTHORIZATION:
        return once(w, ONE_AUTH) ? H1_OK : H1_TWICE;
    case NAME_IF_RANGE:
        return once(w, ONE_RANGE) ? H1_OK : H1_TWICE;
    case NAME_EXPECT:
        if (slice_ieq(field->value, SLICE("100-continue")))
            w->framing->expects_continue = true;
        else
            w->expects_other = true;
        return H1_OK;
    default:
        return H1_OK;
    }
}

static enum req_method
method_number(struct slice name)
{
    static const struct {
        struct slice name;
        enum req_method id;
    } known[] = {
        {{"GET", 3}, METHOD_GET},         {{"POST", 4}, METHOD_POST},
        {{"HEAD", 4}, METHOD_HEAD},       {{"PUT", 3}, METHOD_PUT},
        {{"DELETE", 6}, METHOD_DELETE},   {{"OPTIONS", 7}, METHOD_OPTIONS},
        {{"CONNECT", 7}, METHOD_CONNECT},
    };

    for (size_t i = 0; i < array_len(known); i++)
        if (slice_eq(name, known[i].name))
            return known[i].id;
    return METHOD_OTHER;
}

static char *
room_for(struct request *req, size_t n)
{
    return arena_alloc(&req->arena, br_max(n, (size_t)1));
}

static enum h1_result
judge_target(struct request *req, struct slice *ret_authority)
{
    struct uri uri;

    if (uri_parse(req->target, &uri) < 0)
        return H1_BAD_TARGET;
    req->query = uri.query;
    req->has_query = uri.has_query;
    req->path = uri.raw_path;
    *ret_authority = uri.authority;
    if (uri.plain)
        return H1_OK;
    return uri_path(uri.raw_path, room_for(req, uri.raw_path.n), &req->path) == 0 ? H1_OK
                                                                                  : H1_BAD_PATH;
}

/* The name in lower case; most hosts are so already, and need no memory. */
static bool
read_host(struct request *req, struct slice value)
{
    int rc = host_parse(value, NULL, &req->host);

    if (rc == -ENOBUFS)
        rc = host_parse(value, room_for(req, value.n), &req->host);
    return rc == 0;
}

/* RFC 9112, 3.2: Host is checked even when the target brings its own authority, which wins. */
static enum h1_result
judge_host(struct request *req, const struct walk *w, struct slice authority)
{
    if (req->limits->ignore_host)
        return H1_OK;
    if (!(w->seen & ONE_HOST) && req->minor > 0)
        return H1_NO_HOST;
    if (!read_host(req, w->host) || (authority.n > 0 && !read_host(req, authority)))
        return H1_BAD_HOST;
    return H1_OK;
}

static enum h1_result
judge_framing(struct request *req, const struct walk *w)
{
    if (w->framing->chunked && w->has_length)
        return H1_TWO_LENGTHS;
    if (w->seen & ONE_CODING && req->minor == 0)
        return H1_OLD_CODING;
    if (req->minor == 0)
        w->framing->expects_continue = false; /* RFC 9110, 10.1.1 */
    else if (w->expects_other)
        return H1_EXPECTATION;
    if (w->framing->chunked && !req->limits->chunked_transform)
        return H1_LENGTH_REQUIRED;
    if (w->framing->length > req->limits->max_body_size)
        return H1_LARGE_BODY;
    req->body.present = w->framing->chunked || w->has_length;
    if (!w->framing->chunked && w->framing->length == 0)
        w->framing->expects_continue = false;
    return H1_OK;
}

enum h1_result
h1_head_judge(struct request *req, struct h1_framing *ret)
{
    struct walk w = {.req = req, .framing = ret};
    struct slice authority;
    enum h1_result result;

    *ret = (struct h1_framing){0};
    req->method_id = method_number(req->method);
    result = judge_target(req, &authority);
    if (result != H1_OK)
        return result;
    for (unsigned i = 0; i < req->n_fields; i++) {
        result = look_at(&w, &req->fields[i]);
        if (result != H1_OK)
            return result;
    }
    result = judge_host(req, &w, authority);
    return result == H1_OK ? judge_framing(req, &w) : result;
}
