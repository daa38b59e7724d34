/*
 * call.c - one connection, from accept to the status.
 *
 *   WAITING --an executor is free: greeting--> GREETED --request whole--> RUNNING --its end--> gone
 *     |  ^---- the executor died before it had taken the request ---'-----------'
 *     `first byte 02: a query, answered at once
 *
 * Bytes and descriptors are gathered as they come, also before the greeting: a caller may send
 * ahead.  A connection that ends is no error: before the request was whole nothing has run, after
 * it the service is told.
 */
#include "interp/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "interp/journal.h"
#include "interp/allowance.h"
#include "interp/message.h"
#include "interp/standstill.h"

#define READ_BYTES (64u * 1024)
#define TRIES_MOST 3 /* executors that may die under one request */

enum call_state { CALL_WAITING, CALL_GREETED, CALL_RUNNING, CALL_ASKING };

struct call {
    struct list link;
    struct server *server;
    enum call_state state;
    bool extended; /* it speaks brood1; known with its request */
    bool greeted;
    bool taken; /* an executor has the request, which is no longer in ->in */
    unsigned tries;
    size_t request_bytes; /* of ->in */
    int fd;
    struct watch watch;
    struct buf in;
    int fds[WIRE_FDS_MAX];
    size_t n_fds;
    struct executor *executor; /* from GREETED on */
    struct standstill standstill;
};

static void
release(struct call *c)
{
    struct server *s = c->server;

    if (c->state == CALL_WAITING)
        s->n_waiting--;
    standstill_done(&c->standstill);
    loop_del(s->loop, &c->watch);
    fd_close(&c->fd);
    for (size_t i = 0; i < c->n_fds; i++)
        close(c->fds[i]);
    buf_done(&c->in);
    list_del(&c->link);
    loop_free_later(s->loop, free, c);
}

/* The caller has gone, or talks nonsense. */
static void
drop(struct call *c)
{
    struct server *s = c->server;
    struct executor *e = c->executor;
    enum call_state state = c->state;

    release(c);
    if (state == CALL_RUNNING)
        executor_abandon(e);
    else if (state == CALL_GREETED)
        executor_unmatch(e);
    server_balance(s);
}

/* Whole or lost: a caller that does not take a few bytes is not worth waiting for. */
static bool
send_up(struct call *c, const void *p, size_t n)
{
    return send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

static void
send_frame(struct call *c, char what, uint32_t value)
{
    uint8_t text[WIRE_FRAME_UP] = {(uint8_t)what};

    wire_put_u32(text + 1, value);
    send_up(c, text, sizeof(text));
}

void
call_ended(struct call *c, uint32_t status)
{
    uint8_t text[4];

    wire_put_u32(text, status);
    if (c->extended)
        send_frame(c, WIRE_STATUS, status);
    else
        send_up(c, text, sizeof(text));
    release(c);
}

bool
call_is_greeted(const struct call *c)
{
    return c->greeted;
}

bool
call_again(struct call *c)
{
    if (c->server->leaving || ++c->tries > TRIES_MOST)
        return false;
    journal(JOURNAL_WARNING, "a service died before it had its call, which another one gets");
    c->state = CALL_WAITING;
    c->executor = NULL;
    c->server->n_waiting++;
    return true;
}

static void
answer_query(struct call *c)
{
    struct buf text;
    uint8_t length[4];

    buf_init(&text, WIRE_MESSAGE_MAX);
    server_describe(c->server, &text);
    wire_put_u32(length, (uint32_t)text.n);
    if (text.error == 0 && send_up(c, length, sizeof(length)))
        send_up(c, text.p, text.n);
    buf_done(&text);
    drop(c);
}

/* The request cannot be fulfilled; its caller is told on its own standard error. */
static void
refuse(struct call *c, const struct br_err *err)
{
    struct executor *e = c->executor;

    journal(JOURNAL_ERROR, "a call failed: %s", err->text);
    dprintf(c->fds[2], "prefork-interp: %s\n", err->text);
    call_ended(c, 127 << 8);
    executor_discard(e);
}

static void
run(struct call *c, const struct message_parts *parts)
{
    struct server *s = c->server;
    struct br_err err = BR_ERR_NONE;
    struct buf text;

    int rc = allowance_apply(c->executor->pid, parts->attributes, &err);

    if (rc == -ESRCH)
        return; /* it has died; its pidfd is about to say so */
    if (rc < 0) {
        refuse(c, &err);
        return;
    }
    buf_init(&text, WIRE_MESSAGE_MAX + 64);
    message_for_executor(parts, s->hello.words, s->hello.n_words, &text);
    s->served += c->tries == 0;
    c->state = CALL_RUNNING;
    c->request_bytes = parts->bytes;
    executor_assign(c->executor, buf_slice(&text), c->fds, parts->n_fds);
    buf_done(&text);
}

static void
on_stopped(struct standstill *st)
{
    send_frame(container_of(st, struct call, standstill), WIRE_STOPPED, SIGTSTP);
}

static void
take_signal(struct call *c, int signal)
{
    if (signal <= 0 || signal >= 65)
        return;
    executor_signal(c->executor, signal);
    if (signal == SIGTSTP)
        standstill_watch(&c->standstill, c->server->loop, c->executor->pid, on_stopped);
    else if (signal == SIGCONT)
        standstill_done(&c->standstill);
}

/* Frames from a caller whose service runs; whatever else comes means that it has gone. */
static bool
take_frames(struct call *c)
{
    while (c->in.n >= WIRE_FRAME_DOWN) {
        if (!c->extended || c->in.p[0] != WIRE_SIGNAL)
            return false;
        take_signal(c, (uint8_t)c->in.p[1]);
        buf_consume(&c->in, WIRE_FRAME_DOWN);
    }
    return c->extended || c->in.n == 0;
}

/* As far as the bytes that are there allow.  The call may be gone afterwards. */
static void
go_on(struct call *c)
{
    struct message_parts parts;
    struct br_err err = BR_ERR_NONE;

    if (c->state == CALL_RUNNING) {
        if (c->taken && !take_frames(c))
            drop(c);
        return;
    }
    switch (message_scan(buf_slice(&c->in), &parts, &err)) {
    case MESSAGE_MORE:
        return;
    case MESSAGE_QUERY:
        if (c->state != CALL_ASKING) {
            br_fail(&err, -EBADMSG, "a question on a connection for calls");
            break;
        }
        answer_query(c);
        return;
    case MESSAGE_WHOLE:
        if (c->n_fds < parts.n_fds) {
            br_fail(&err, -EBADMSG, "descriptors are missing");
            break;
        }
        c->extended = parts.extended;
        if (c->state == CALL_GREETED)
            run(c, &parts);
        return;
    case MESSAGE_BAD:
        break;
    }
    journal(JOURNAL_ERROR, "a caller was dropped: %s", err.text);
    drop(c);
}

void
call_taken(struct call *c)
{
    for (size_t i = 0; i < c->n_fds; i++)
        close(c->fds[i]);
    c->n_fds = 0;
    c->taken = true;
    buf_consume(&c->in, c->request_bytes);
    if (c->in.n > 0)
        go_on(c);
}

/* Descriptors of one datagram; false: more than anybody may send. */
static bool
take_descriptors(struct call *c, struct msghdr *message)
{
    bool fits = (message->msg_flags & MSG_CTRUNC) == 0;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int fds[WIRE_FDS_MAX];

        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(fds, CMSG_DATA(h), n * sizeof(int));
        for (size_t i = 0; i < n; i++) {
            if (c->n_fds < WIRE_FDS_MAX)
                c->fds[c->n_fds++] = fds[i];
            else
                fits = close(fds[i]) < 0;
        }
    }
    return fits;
}

/* 1: more is there perhaps, 0: not now, -1: the connection is over. */
static int
read_some(struct call *c)
{
    char text[READ_BYTES];
    struct iovec iov = {text, sizeof(text)};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    } control;
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0 && errno == EINTR)
        return 1;
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0 || !take_descriptors(c, &message) || buf_append(&c->in, text, (size_t)n) < 0)
        return -1;
    return 1;
}

static void
on_readable(struct watch *w, br_unused uint32_t events)
{
    struct call *c = container_of(w, struct call, watch);
    int more;

    while ((more = read_some(c)) > 0)
        ;
    if (more < 0)
        drop(c);
    else
        go_on(c);
}

void
call_new(struct server *s, int fd, bool asks)
{
    struct call *c = calloc(1, sizeof(*c));

    if (c == NULL)
        abort();
    c->server = s;
    c->fd = fd;
    buf_init(&c->in, WIRE_MESSAGE_MAX + 4096);
    list_add_tail(&s->calls, &c->link);
    c->state = asks ? CALL_ASKING : CALL_WAITING;
    s->n_waiting += !asks;
    fd_set_nonblock(fd, true);
    if (loop_add(s->loop, &c->watch, fd, EPOLLIN, on_readable) < 0)
        release(c);
    else
        on_readable(&c->watch, EPOLLIN); /* who sends ahead has done so already */
}

struct call *
call_waiting(struct server *s)
{
    struct call *c;

    list_foreach (c, &s->calls, link)
        if (c->state == CALL_WAITING)
            return c;
    return NULL;
}

void
call_drop_waiting(struct server *s)
{
    struct call *c, *next;

    list_foreach_safe (c, next, &s->calls, link)
        if (c->state == CALL_WAITING)
            release(c);
}

/* false: it has gone. */
static bool
greet(struct call *c)
{
    struct server *s = c->server;
    char text[WIRE_GREETING_MAX];
    int n = 0;

    if (s->hello.mark)
        n = snprintf(text + 8, sizeof(text) - 8,
                     WIRE_MARK " pid=%d srv=%d exec=%d max=%lld feat=sig,attr,fds%s", (int)getpid(),
                     (int)s->interpreter, (int)c->executor->pid, (long long)s->hello.max_servers,
                     hello_can(&s->hello, "cwd") ? ",cwd" : "");
    memcpy(text, WIRE_MAGIC, WIRE_MAGIC_LEN);
    wire_put_u32(text + 4, (uint32_t)n);
    c->greeted = true;
    return send_up(c, text, (size_t)n + 8);
}

void
call_match(struct server *s, struct executor *e)
{
    struct call *c = call_waiting(s);

    c->state = CALL_GREETED;
    s->n_waiting--;
    c->executor = e;
    executor_match(e, c);
    if (!c->greeted && !greet(c))
        drop(c);
    else
        go_on(c);
}
