/*
 * wire.c - the harness of wire.h.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct http_limits *
limits_of(void *owner)
{
    return &((struct wire *)owner)->limits;
}

static void
on_begin(struct request *req)
{
    ((struct wire *)request_owner(req))->begun++;
}

static void
copy_text(char *to, size_t room, struct slice from)
{
    size_t n = br_min(from.n, room - 1);

    if (n > 0)
        memcpy(to, from.p, n);
    to[n] = '\0';
}

static void
on_done(struct request *req)
{
    struct wire *w = request_owner(req);

    w->done++;
    w->last_status = req->status;
    w->last_sent = req->body_sent;
    w->last_truncated = req->truncated;
    copy_text(w->last_fault, sizeof(w->last_fault),
              req->fault != NULL ? slice_cstr(req->fault) : SLICE_NONE);
    copy_text(w->last_line, sizeof(w->last_line), req->line);
    if (w->waiting == req)
        w->waiting = NULL;
}

static void
on_gone(void *owner)
{
    ((struct wire *)owner)->gone = true;
}

static void
put_fields(struct buf *b, const struct request *req)
{
    for (unsigned i = 0; i < req->n_fields; i++)
        buf_printf(b, SLICE_FMT "=" SLICE_FMT ";", SLICE_ARG(req->fields[i].name),
                   SLICE_ARG(req->fields[i].value));
}

static void
put_body(struct buf *b, const struct body *body)
{
    if (body->fd < 0) {
        buf_put(b, body->mem);
        return;
    }
    char *p = mmap(NULL, body->length, PROT_READ, MAP_PRIVATE, body->fd, 0);

    assert(p != MAP_FAILED);
    buf_append(b, p, body->length);
    munmap(p, body->length);
}

void
wire_echo(struct request *req)
{
    const struct field head = {.name = SLICE("X-Head"), .value = SLICE("1")};
    struct buf b;

    buf_init(&b, 1 << 22);
    buf_printf(&b, SLICE_FMT " " SLICE_FMT, SLICE_ARG(req->method), SLICE_ARG(req->path));
    if (req->has_query)
        buf_printf(&b, "?" SLICE_FMT, SLICE_ARG(req->query));
    buf_printf(&b, " " SLICE_FMT " {", SLICE_ARG(req->host));
    if (slice_eq(req->path, SLICE("/fields")))
        put_fields(&b, req);
    put_body(&b, &req->body);
    buf_putc(&b, '}');
    assert(b.error == 0);
    response_send(req, 200, &head, req->method_id == METHOD_HEAD,
                  arena_dup(&req->arena, buf_slice(&b)), NULL, NULL);
    buf_done(&b);
}

static void
on_request(struct request *req)
{
    struct wire *w = request_owner(req);

    if (w->answer != NULL)
        w->answer(req);
    else
        wire_echo(req);
}

static const struct http_ops ops = {
    .limits = limits_of,
    .on_begin = on_begin,
    .on_request = on_request,
    .on_done = on_done,
    .on_gone = on_gone,
};

void
wire_init(struct wire *w)
{
    *w = (struct wire){.client = -1, .limits = http_limits_default};
    w->loop = loop_new();
    assert(w->loop != NULL);
    w->limits.server = SLICE("brood");
    w->limits.chunked_transform = true;
    w->limits.max_body_size = 1000;
    w->limits.body_buffer_size = 100;
    h1_server_init(&w->server, w->loop, &ops);
}

static void
forget_client(struct wire *w)
{
    if (w->client >= 0)
        close(w->client);
    w->client = -1;
    h1_server_close(&w->server);
    loop_once(w->loop, 0);
    w->n = 0;
    w->ended = w->reset = w->gone = false;
    w->begun = w->done = w->aborted = w->eofs = w->rooms = 0;
    w->waiting = NULL;
}

void
wire_done(struct wire *w)
{
    forget_client(w);
    loop_free(w->loop);
    free(w->got);
}

void
wire_connect(struct wire *w)
{
    const struct sockaddr addr = {.sa_family = AF_UNIX};
    int fds[2];

    forget_client(w);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        abort();
    w->client = fds[0];
    h1_conn_open(&w->server, fds[1], &addr, sizeof(addr.sa_family), w);
}

void
wire_connect_tcp(struct wire *w)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    forget_client(w);
    w->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listen_fd, (struct sockaddr *)&addr, len) < 0 || listen(listen_fd, 1) < 0 ||
        getsockname(listen_fd, (struct sockaddr *)&addr, &len) < 0 ||
        connect(w->client, (struct sockaddr *)&addr, len) < 0)
        abort();
    fd = accept4(listen_fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        abort();
    close(listen_fd);
    h1_conn_open(&w->server, fd, (struct sockaddr *)&addr, len, w);
}

static void
read_all(struct wire *w)
{
    for (;;) {
        ssize_t n;

        if (w->room - w->n < 65536) {
            w->room = w->room * 2 + 65536;
            w->got = realloc(w->got, w->room);
            assert(w->got != NULL);
        }
        n = recv(w->client, w->got + w->n, w->room - w->n - 1, MSG_DONTWAIT);
        if (n <= 0) {
            w->ended |= n == 0;
            w->reset |= n < 0 && errno == ECONNRESET;
            w->got[w->n] = '\0';
            return;
        }
        w->n += (size_t)n;
    }
}

void
wire_turns(struct wire *w)
{
    /* As long as turns bring something: a turn in which the client reads nothing may be followed
     * by one that continues what was left for it. */
    for (int quiet = 0; quiet < 3;) {
        size_t before = w->n;

        loop_once(w->loop, 0);
        read_all(w);
        quiet = w->n == before ? quiet + 1 : 0;
    }
}

void
wire_send(struct wire *w, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(w->client, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno != EAGAIN)
            break; /* the server has closed: the rest is in vain, as for a real client */
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
        if (n > 0)
            wire_turns(w);
    }
    wire_turns(w);
}

void
wire_half_close(struct wire *w)
{
    shutdown(w->client, SHUT_WR);
    wire_turns(w);
}

void
wire_wait_gone(struct wire *w)
{
    while (!w->gone)
        loop_once(w->loop, 1000);
    read_all(w);
}

/* Value of a header of the response head, or an empty slice. */
static struct slice
header(struct slice head, const char *name)
{
    const char *at = memmem(head.p, head.n, name, strlen(name));

    if (at == NULL)
        return SLICE_NONE;
    at += strlen(name);
    return slice_sub(slice_make(at, (size_t)(head.p + head.n - at)), 0,
                     slice_find(slice_make(at, (size_t)(head.p + head.n - at)), 0, '\r'));
}

/* Decode a chunked body: how much of it there was, 0 when it is not complete. */
static size_t
take_chunks(struct slice rest, struct buf *body)
{
    size_t used = 0;

    for (;;) {
        char *end;
        unsigned long n = strtoul(rest.p + used, &end, 16);
        size_t at = (size_t)(end - rest.p) + 2;

        if (at + n + 2 > rest.n)
            return 0;
        buf_append(body, rest.p + at, n);
        used = at + n + 2;
        if (n == 0)
            return used;
    }
}

/* One response at the front of rest, told into story; how long it was. */
static size_t
tell_response(struct slice rest, struct buf *story)
{
    const char *end = rest.p != NULL ? memmem(rest.p, rest.n, "\r\n\r\n", 4) : NULL;
    struct slice head, length;
    struct buf body;
    size_t used;
    bool page;

    if (end == NULL || rest.n < 12 || memcmp(rest.p, "HTTP/1.1 ", 9) != 0) {
        buf_puts(story, "?");
        return rest.n;
    }
    head = slice_make(rest.p, (size_t)(end - rest.p) + 2);
    used = head.n + 2;
    buf_append(story, rest.p + 9, 3);
    length = header(head, "\r\nContent-Length: ");
    page = header(head, "\r\nContent-Type: text/html").p != NULL;
    buf_init(&body, 1 << 22);
    if (header(head, "\r\nX-Head: 1").p != NULL) {
        buf_printf(story, " HEAD-" SLICE_FMT, SLICE_ARG(length));
    } else if (length.p != NULL) {
        uint64_t n = 0;

        if (slice_u64(length, &n) < 0)
            buf_puts(story, " bad-length");
        if (n > rest.n - used) {
            buf_puts(story, " cut");
            n = rest.n - used;
        }
        buf_append(&body, rest.p + used, n);
        used += n;
    } else if (header(head, "\r\nTransfer-Encoding: chunked").p != NULL) {
        size_t n = take_chunks(slice_sub(rest, used, rest.n), &body);

        buf_puts(story, " chunked");
        if (n == 0)
            buf_puts(story, " cut");
        used = n != 0 ? used + n : rest.n;
    } else if (memcmp(rest.p + 9, "204", 3) != 0 && memcmp(rest.p + 9, "304", 3) != 0 &&
               rest.p[9] != '1') {
        buf_puts(story, " to-end");
        buf_append(&body, rest.p + used, rest.n - used);
        used = rest.n;
    }
    if (body.n > 0 && !page) {
        buf_putc(story, ' ');
        buf_put(story, buf_slice(&body));
    } else if (page && body.n != 54 && header(head, "X-Head").p == NULL) {
        buf_puts(story, " bad-page");
    }
    buf_done(&body);
    return used;
}

const char *
wire_story(struct wire *w)
{
    static struct buf story;
    struct slice rest = slice_make(w->got, w->n);

    buf_done(&story);
    buf_init(&story, 1 << 22);
    while (rest.n > 0) {
        size_t used = tell_response(rest, &story);

        rest = slice_sub(rest, used, rest.n);
        buf_puts(&story, " | ");
    }
    buf_puts(&story, w->reset ? "reset" : w->ended ? "close" : "open");
    buf_putc(&story, '\0');
    return story.p;
}
