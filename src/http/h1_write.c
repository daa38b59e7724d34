/*
 * h1_write.c - answers on the wire.
 *
 *   [ block: status line, fields, Server, Date | Content-Length, Connection, CR LF | small body ]
 *   [ reference: large body, or a chunk of one between two blocks ]
 *
 * No printf on this path: status lines are ready-made, Server and Date are one block of text that
 * is made once a second, numbers are written by hand.
 */
#include "http/h1_write.h"

#include "base/clock.h"
#include "http/h1_state.h"

#define COPY_MAX       1024 /* a body up to this goes behind its head: cheaper than a vector */
#define OUT_HIGH       (256u << 10)
#define FRAMING_ROOM   128
#define STATUS_LINES   600
#define COMMON_MAX     256
#define LONGEST_STATUS 64

static const struct slice status_lines[STATUS_LINES] = {
#define STATUS(number, phrase)                         \
    [number] = {"HTTP/1.1 " #number " " phrase "\r\n", \
                sizeof("HTTP/1.1 " #number " " phrase "\r\n") - 1},
#include "http/status.def"
#undef STATUS
};

/* Of the connection, not of the answer: a handler's own are dropped (RFC 9110, 7.6.1). */
static const bool is_dropped[NAMES] = {
    [NAME_CONNECTION] = true, [NAME_KEEP_ALIVE] = true, [NAME_TRANSFER_ENCODING] = true,
    [NAME_TRAILER] = true,    [NAME_UPGRADE] = true,    [NAME_PROXY_CONNECTION] = true,
    [NAME_TE] = true,         [NAME_STATUS] = true,     [NAME_CONTENT_LENGTH] = true,
};

static inline char *
put(char *at, const char *p, size_t n)
{
    memcpy(at, p, n);
    return at + n;
}

#define PUT_LITERAL(at, text) put((at), (text), sizeof(text) - 1)

static char *
put_u64(char *at, uint64_t value)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static char *
put_status_line(char *at, unsigned status)
{
    if (br_likely(status < STATUS_LINES && status_lines[status].p != NULL))
        return put(at, status_lines[status].p, status_lines[status].n);
    at = PUT_LITERAL(at, "HTTP/1.1 ");
    at += put_status(at, status);
    return PUT_LITERAL(at, " \r\n");
}

static char *
put_server(char *at, struct slice server)
{
    if (server.n == 0)
        return at;
    at = PUT_LITERAL(at, "Server: ");
    at = put(at, server.p, server.n);
    return PUT_LITERAL(at, "\r\n");
}

static char *
put_date(char *at)
{
    at = PUT_LITERAL(at, "Date: ");
    at = put(at, clock_http_now(), CLOCK_HTTP_DATE_LEN);
    return PUT_LITERAL(at, "\r\n");
}

/* Server and Date together, as nearly every answer has them. */
static char *
put_common(char *at, struct slice server)
{
    static char text[COMMON_MAX];
    static size_t n;
    static time_t made = -1;
    static struct slice made_for;

    if (server.n > COMMON_MAX - 64)
        return put_date(put_server(at, server));
    if (br_unlikely(made != clock_wall() || !slice_eq(made_for, server))) {
        made = clock_wall();
        n = (size_t)(put_date(put_server(text, server)) - text);
        made_for = slice_make(text + sizeof("Server: ") - 1, server.n);
    }
    return put(at, text, n);
}

static size_t
room_for_head(const struct request *req, const struct field *fields, size_t n)
{
    size_t room = LONGEST_STATUS + 64 + req->limits->server.n + FRAMING_ROOM;

    for (size_t i = 0; i < n; i++)
        room += fields[i].name.n + fields[i].value.n + 4;
    return room;
}

static enum field_name
number_of(const struct field *field)
{
    return field->id != NAME_NONE ? field->id : field_name_find(field->name.p, field->name.n);
}

void
h1_write_head(struct request *req, const struct field *fields, size_t n)
{
    struct stream *s = &req->conn->stream;
    char *start = stream_room(s, room_for_head(req, fields, n));
    char *at = put_status_line(start, req->status);
    bool has_server = false, has_date = false;

    for (size_t i = 0; i < n; i++) {
        enum field_name id = number_of(&fields[i]);

        if (is_dropped[id])
            continue;
        has_server |= id == NAME_SERVER;
        has_date |= id == NAME_DATE;
        at = put(at, fields[i].name.p, fields[i].name.n);
        at = PUT_LITERAL(at, ": ");
        if (fields[i].value.n > 0)
            at = put(at, fields[i].value.p, fields[i].value.n);
        at = PUT_LITERAL(at, "\r\n");
    }
    if (br_likely(!has_server && !has_date)) {
        at = put_common(at, req->limits->server);
    } else {
        if (!has_server)
            at = put_server(at, req->limits->server);
        if (!has_date)
            at = put_date(at);
    }
    stream_commit(s, (size_t)(at - start));
}

static enum response_framing
choose_framing(const struct request *req)
{
    if (req->method_id == METHOD_HEAD || status_is_bodiless(req->status))
        return FRAMING_NONE;
    if (req->content_length >= 0)
        return FRAMING_LENGTH;
    return req->minor > 0 ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

static bool
stays_open(const struct request *req)
{
    const struct h1_conn *c = req->conn;

    if (req->wants_close || c->draining || c->server->draining || c->refused ||
        req->framing == FRAMING_CLOSE)
        return false;
    return req->minor > 0 || req->asks_keep_alive;
}

void
h1_write_framing(struct request *req)
{
    struct stream *s = &req->conn->stream;
    char *start = stream_room(s, FRAMING_ROOM);
    char *at = start;

    req->framing = (uint8_t)choose_framing(req);
    req->keep_alive = stays_open(req);
    if (req->content_length >= 0 && !status_is_bodiless(req->status)) {
        at = PUT_LITERAL(at, "Content-Length: ");
        at = put_u64(at, (uint64_t)req->content_length);
        at = PUT_LITERAL(at, "\r\n");
    }
    if (!req->keep_alive && (req->minor > 0 || req->wants_close || req->conn->refused))
        at = PUT_LITERAL(at, "Connection: close\r\n");
    else if (req->keep_alive && req->minor == 0)
        at = PUT_LITERAL(at, "Connection: keep-alive\r\n");
    if (req->framing == FRAMING_CHUNKED)
        at = PUT_LITERAL(at, "Transfer-Encoding: chunked\r\n");
    at = PUT_LITERAL(at, "\r\n");
    stream_commit(s, (size_t)(at - start));
}

static void
put_body_text(struct request *req, struct slice text)
{
    stream_copy(&req->conn->stream, text.p, text.n);
    req->body_sent += text.n;
}

static void
begin_chunk(struct request *req, uint64_t n)
{
    struct stream *s = &req->conn->stream;
    size_t head = chunked_head(stream_room(s, CHUNKED_HEAD_MAX), n);

    stream_commit(s, head);
    req->body_sent += head;
}

void
h1_write_data(struct request *req, const char *p, size_t n, response_release_fn *release, void *arg,
              bool last)
{
    struct stream *s = &req->conn->stream;

    if (req->framing == FRAMING_CHUNKED)
        begin_chunk(req, n);
    req->body_sent += n;
    if (n <= COPY_MAX && n <= stream_room_left(s)) {
        stream_copy(s, p, n);
        if (release != NULL)
            release(arg, p);
    } else {
        stream_ref(s, p, n, release, arg);
    }
    if (req->framing != FRAMING_CHUNKED)
        return;
    if (!last) {
        put_body_text(req, SLICE("\r\n"));
        return;
    }
    put_body_text(req, SLICE("\r\n0\r\n\r\n"));
    req->framing = FRAMING_NONE;
}

void
h1_write_copy(struct request *req, const char *p, size_t n)
{
    put_body_text(req, slice_make(p, n));
}

void
h1_write_file(struct request *req, int fd, off_t offset, uint64_t n)
{
    if (req->framing == FRAMING_CHUNKED)
        begin_chunk(req, n);
    req->body_sent += n;
    stream_file(&req->conn->stream, fd, offset, n);
    if (req->framing == FRAMING_CHUNKED)
        put_body_text(req, SLICE("\r\n"));
}

void
h1_write_end(struct request *req)
{
    if (req->framing == FRAMING_CHUNKED)
        put_body_text(req, CHUNKED_LAST);
}

bool
h1_write_full(const struct request *req)
{
    return req->conn->stream.queued >= OUT_HIGH;
}

void
h1_write_continue(struct request *req)
{
    const struct slice text = SLICE("HTTP/1.1 100 Continue\r\n\r\n");

    stream_copy(&req->conn->stream, text.p, text.n);
}

void
h1_write_idle_timeout(struct stream *s, struct slice server)
{
    char *start = stream_room(s, LONGEST_STATUS + 64 + server.n + FRAMING_ROOM);
    char *at = put_common(put_status_line(start, 408), server);

    at = PUT_LITERAL(at, "Content-Length: 0\r\nConnection: close\r\n\r\n");
    stream_commit(s, (size_t)(at - start));
}
