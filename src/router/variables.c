/*
 * variables.c - the $name table, and templates filled from it.
 *
 *   template parts --variable_value--> slices --one allocation in the request's arena--> text
 *
 * Nothing is remembered but what must stay the same (request_id): all others are a look at the
 * request.  Names and their meaning: conf/variables.def.
 */
#include "router/variables.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "router/router.h"

#define EXPANDED_MAX (256 * 1024)

/* "accept_language" names the field "Accept-Language"; the case does not count. */
static bool
field_is(struct slice field, struct slice name)
{
    if (field.n != name.n)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);

        if (ascii_lower(field.p[i]) != c)
            return false;
    }
    return true;
}

static struct slice
header(const struct request *req, struct slice name)
{
    for (unsigned i = 0; i < req->n_fields; i++) {
        if (field_is(req->fields[i].name, name))
            return req->fields[i].value;
    }
    return SLICE_NONE;
}

/* '+' is a space, %XX a byte, a bad '%' stays what it is. */
static struct slice
decode_argument(struct request *req, struct slice raw)
{
    char *text = arena_alloc(&req->arena, raw.n + 1);
    size_t n = 0;

    if (text == NULL)
        return SLICE_NONE;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%' && i + 2 < raw.n && hex_value(raw.p[i + 1]) >= 0 &&
                   hex_value(raw.p[i + 2]) >= 0) {
            c = (char)(hex_value(raw.p[i + 1]) * 16 + hex_value(raw.p[i + 2]));
            i += 2;
        }
        text[n++] = c;
    }
    return slice_make(text, n);
}

static struct slice
argument(struct request *req, struct slice name)
{
    struct slice rest = req->query, piece, found = SLICE_NONE;

    if (rest.n == 0)
        return SLICE_NONE;
    while (slice_split(&rest, '&', &piece)) {
        size_t eq = slice_find(piece, 0, '=');
        struct slice key = slice_sub(piece, 0, eq);

        if (key.n >= name.n && slice_eq(decode_argument(req, key), name))
            found = slice_sub(piece, eq + 1, piece.n);
    }
    return found.n > 0 ? decode_argument(req, found) : SLICE_NONE;
}

static struct slice
cookie_in(struct slice list, struct slice name, bool *ret_found)
{
    struct slice piece;

    while (slice_split(&list, ';', &piece)) {
        size_t eq;

        piece = slice_trim(piece);
        eq = slice_find(piece, 0, '=');
        if (eq < piece.n && slice_eq(slice_sub(piece, 0, eq), name)) {
            *ret_found = true;
            return slice_sub(piece, eq + 1, piece.n);
        }
    }
    return SLICE_NONE;
}

static struct slice
cookie(const struct request *req, struct slice name)
{
    bool found = false;

    for (unsigned i = 0; i < req->n_fields; i++) {
        struct slice value;

        if (req->fields[i].id != NAME_COOKIE || req->fields[i].value.n == 0)
            continue;
        value = cookie_in(req->fields[i].value, name, &found);
        if (found)
            return value;
    }
    return SLICE_NONE;
}

static struct slice
request_id(struct transaction *tx)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[16];
    char *text;

    if (tx->request_id.n > 0)
        return tx->request_id;
    text = arena_alloc(&tx->req->arena, 32);
    if (text == NULL || getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return SLICE_NONE;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    tx->request_id = slice_make(text, 32);
    return tx->request_id;
}

/* Digits of value, with zeros in front up to width. */
static struct slice
print_number(struct request *req, uint64_t value, unsigned width)
{
    char *text = arena_alloc(&req->arena, 24);
    char *end = text + 24;
    char *p = end;

    if (text == NULL)
        return SLICE_NONE;
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || p > end - width);
    return slice_make(p, (size_t)(end - p));
}

/* "1.234": the digits of the milliseconds with a point in front of the last three. */
static struct slice
request_time(struct request *req)
{
    struct slice ms = print_number(req, (uint64_t)(clock_ms() - req->start_ms), 4);
    char *text = arena_alloc(&req->arena, ms.n + 1);

    if (ms.n == 0 || text == NULL)
        return SLICE_NONE;
    memcpy(text, ms.p, ms.n - 3);
    text[ms.n - 3] = '.';
    memcpy(text + ms.n - 2, ms.p + ms.n - 3, 3);
    return slice_make(text, ms.n + 1);
}

/* What the answer was framed with; empty before there is one. */
static struct slice
response_framing(struct request *req, enum variable id)
{
    bool bodiless = req->status == 204 || req->status == 304;

    if (req->status == 0)
        return SLICE_NONE;
    if (id == VAR_RESPONSE_CONNECTION)
        return req->keep_alive ? SLICE_NONE : SLICE("close");
    if (id == VAR_RESPONSE_CONTENT_LENGTH && req->content_length >= 0)
        return print_number(req, (uint64_t)req->content_length, 1);
    if (id == VAR_RESPONSE_TRANSFER_ENCODING && req->content_length < 0 && req->minor > 0 &&
        !bodiless)
        return SLICE("chunked");
    return SLICE_NONE;
}

struct slice
variable_value(struct transaction *tx, enum variable id, struct slice name)
{
    struct request *req = tx->req;

    switch (id) {
    case VAR_LITERAL:
        return name;
    case VAR_METHOD:
        return req->method;
    case VAR_URI:
        return req->path;
    case VAR_REQUEST_URI:
        return req->target;
    case VAR_REQUEST_LINE:
        return req->line;
    case VAR_HOST:
        return req->host;
    case VAR_REMOTE_ADDR:
        return request_remote_addr(req);
    case VAR_TIME_LOCAL:
        return slice_cstr(clock_access_log_now());
    case VAR_REQUEST_TIME:
        return request_time(req);
    case VAR_REQUEST_ID:
        return request_id(tx);
    case VAR_STATUS:
        return print_number(req, req->status, 3);
    case VAR_BODY_BYTES_SENT:
        return print_number(req, req->body_sent, 1);
    case VAR_RESPONSE_CONNECTION:
    case VAR_RESPONSE_CONTENT_LENGTH:
    case VAR_RESPONSE_TRANSFER_ENCODING:
        return response_framing(req, id);
    case VAR_RESPONSE_HEADER: /* templates are filled before there is a response */
        return SLICE_NONE;
    case VAR_HEADER:
        return header(req, name);
    case VAR_ARG:
        return argument(req, name);
    case VAR_COOKIE:
        return cookie(req, name);
    case VARIABLES:
        break;
    }
    return SLICE_NONE;
}

/* Does the part that begins at `at` and is n bytes long touch a ".." segment of text? */
static bool
touches_dots(struct slice text, size_t at, size_t n)
{
    size_t from = at, to = at + n;

    while (from > 0 && text.p[from - 1] != '/')
        from--;
    while (to < text.n && text.p[to] != '/')
        to++;
    while (from <= to) {
        size_t end = br_min(slice_find(text, from, '/'), to);

        if (end - from == 2 && text.p[from] == '.' && text.p[from + 1] == '.')
            return true;
        from = end + 1;
    }
    return false;
}

static bool
foreign_dots(const struct template *t, const struct slice *values, struct slice text)
{
    size_t at = 0;

    for (size_t i = 0; i < t->n; at += values[i].n, i++) {
        enum variable id = t->parts[i].id;

        if (id != VAR_LITERAL && id != VAR_URI && values[i].n > 0 &&
            touches_dots(text, at, values[i].n))
            return true;
    }
    return false;
}

int
variables_expand(struct transaction *tx, const struct template *t, struct slice *ret_text,
                 bool *ret_foreign_dots)
{
    struct arena *a = &tx->req->arena;
    struct slice *values = arena_alloc(a, sizeof(*values) * (t->n + 1));
    size_t n = 0, at = 0;
    char *text;

    if (values == NULL)
        return -EMSGSIZE;
    for (size_t i = 0; i < t->n; i++) {
        values[i] = variable_value(tx, t->parts[i].id, t->parts[i].text);
        n += values[i].n;
    }
    text = n < EXPANDED_MAX ? arena_alloc(a, n + 1) : NULL;
    if (text == NULL)
        return -EMSGSIZE;
    for (size_t i = 0; i < t->n; at += values[i].n, i++) {
        if (values[i].n > 0)
            memcpy(text + at, values[i].p, values[i].n);
    }
    text[n] = '\0';
    *ret_text = slice_make(text, n);
    if (ret_foreign_dots != NULL)
        *ret_foreign_dots = foreign_dots(t, values, *ret_text);
    return 0;
}
