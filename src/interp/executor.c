/*
 * executor.c - the interpreter's children: ordered, waiting, busy, ended.
 *
 *   ORDERED --interpreter told its pid--> SPARE --request sent--> BUSY --pidfd--> ENDED --> gone
 *                                                                   `--W status--> LEAVING --^
 *
 * An executor closes its socket when it has read the request.  One that dies earlier has run
 * nothing of the script: its call is given to another one, and no caller sees the end of a spare.
 * What tells the two apart is the kernel: a socket that is closed with bytes unread resets its
 * peer.
 *
 * One whose library has the feature `end` keeps the socket: it says T when it has read the request,
 * and, when it has closed everything else and is about to end, W and its status.  To take a large
 * process apart costs the kernel more than a short call takes, and its caller need not wait for it.
 *
 * An executor that has ended is a zombie until R, and shows its status in /proc (procstat.h): so
 * the caller need not wait for the interpreter to reap it.
 *
 * On the line each message is a datagram: down 'F' id (with the executor's socket) and 'R' pid, up
 * 'F' id pid and 'R' pid status.  The interpreter reaps only what it is told to, so a pid that
 * is known here is never somebody else's.
 */
#include "interp/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/journal.h"
#include "interp/procstat.h"

#define REQUEST_CEILING (WIRE_MESSAGE_MAX + 64)
#define REPLY_BYTES     9
#define REFILL_MS       20
#define GOING_MS        5000 /* who has told its status, and then does not end */

static void
release(struct executor *e)
{
    struct server *s = e->server;

    if (e->state == EXECUTOR_ORDERED || e->state == EXECUTOR_SPARE)
        s->n_spare--;
    else if (e->told)
        s->n_leaving--;
    else
        s->n_busy--;
    loop_timer_cancel(s->loop, &e->grace);
    loop_del(s->loop, &e->ended);
    loop_del(s->loop, &e->talk);
    fd_close(&e->socket);
    fd_close(&e->pidfd);
    buf_done(&e->request);
    list_del(&e->link);
    loop_free_later(s->loop, free, e);
}

static void
finish(struct executor *e, uint32_t status)
{
    struct server *s = e->server;

    if (e->call != NULL)
        call_ended(e->call, status);
    s->holding = false;
    release(e);
    server_balance(s);
}

static int
say(struct server *s, char what, uint32_t value, int fd)
{
    uint8_t text[5] = {(uint8_t)what};
    struct iovec iov = {text, sizeof(text)};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    wire_put_u32(text + 1, value);
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_LEN(sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    }
    while (sendmsg(s->line, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Orphans are ours, others the interpreter's to reap; the caller is told before, if we can. */
static void
reap(struct executor *e)
{
    struct server *s = e->server;
    int status = 0;

    if (e->call != NULL && procstat_ended(e->pid, &status) == 0) {
        call_ended(e->call, (uint32_t)status);
        e->call = NULL;
    }

    if (s->orphaned) {
        while (waitpid(e->pid, &status, 0) < 0 && errno == EINTR)
            ;
        finish(e, (uint32_t)status);
    } else {
        say(s, 'R', (uint32_t)e->pid, -1);
    }
}

static void
take(struct executor *e)
{
    e->taken = true;
    e->server->spare_deaths = 0;
    if (e->call != NULL)
        call_taken(e->call);
}

/* The socket has ended, or has nothing more to say. */
static void
hang_up(struct executor *e)
{
    loop_del(e->server->loop, &e->talk);
    fd_close(&e->socket);
    buf_clear(&e->request);
}

static void
on_still_there(struct timer *t)
{
    kill(container_of(t, struct executor, grace)->pid, SIGKILL);
}

/* Nothing of the script is left but memory: its caller may go, its place be taken. */
static void
leave(struct executor *e, uint32_t status)
{
    struct server *s = e->server;

    hang_up(e);
    if (e->call != NULL)
        call_ended(e->call, status);
    e->call = NULL;
    e->told = true;
    e->state = EXECUTOR_LEAVING;
    s->n_busy--;
    s->n_leaving++;
    s->holding = false;
    loop_timer_cancel(s->loop, &e->grace);
    timer_init(&e->grace, on_still_there);
    loop_timer(s->loop, &e->grace, GOING_MS);
    server_balance(s);
}

/* Bytes from one that tells.  false: that is no executor's talk. */
static bool
listen_to(struct executor *e, const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (e->n_said == 0 && text[i] == 'T' && !e->taken && e->request.n == 0) {
            take(e);
        } else if (e->taken && (e->n_said > 0 || text[i] == 'W')) {
            e->said[e->n_said++] = text[i];
        } else {
            return false;
        }
        if (e->n_said == 5) {
            leave(e, wire_u32(e->said + 1));
            return true;
        }
    }
    return true;
}

/* Its end of the socket: what it says, or closed by it, or by its death. */
static void
hear(struct executor *e)
{
    uint8_t text[8];
    ssize_t n = recv(e->socket, text, sizeof(text), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (e->server->tells) {
        if (n <= 0 || !listen_to(e, text, (size_t)n))
            hang_up(e);
        return;
    }
    if (n > 0)
        return;
    n = e->request.n > 0 ? -1 : n;
    hang_up(e);
    if (n == 0)
        take(e);
}

/* A spare that nobody needs: it sees the end of its socket, and leaves. */
bool
executor_dismiss_one(struct server *s)
{
    struct executor *e;

    list_foreach (e, &s->executors, link) {
        if (e->state != EXECUTOR_SPARE)
            continue;
        fd_close(&e->socket);
        e->told = true;
        e->state = EXECUTOR_LEAVING;
        s->n_spare--;
        s->n_leaving++;
        timer_init(&e->grace, on_still_there);
        loop_timer(s->loop, &e->grace, GOING_MS);
        return true;
    }
    return false;
}

static void
on_ended(struct watch *w, br_unused uint32_t events)
{
    struct executor *e = container_of(w, struct executor, ended);
    struct server *s = e->server;

    loop_del(s->loop, &e->ended);
    if (e->state == EXECUTOR_SPARE) {
        s->n_spare--;
        s->n_busy++;
        s->spare_deaths++;
    }
    if (e->state == EXECUTOR_BUSY && e->socket >= 0)
        hear(e);
    if (e->state == EXECUTOR_LEAVING)
        loop_timer_cancel(s->loop, &e->grace);
    if (e->call != NULL && !e->taken && call_again(e->call)) {
        e->call = NULL;
        s->spare_deaths++;
    }
    e->state = EXECUTOR_ENDED;
    reap(e);
}

int
executor_order(struct server *s)
{
    int pair[2];
    struct executor *e;
    int rc;

    if (s->orphaned)
        return -ECHILD;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    rc = say(s, 'F', s->last_id + 1, pair[1]);
    close(pair[1]);
    if (rc < 0) {
        close(pair[0]);
        return rc;
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        abort();
    e->server = s;
    e->state = EXECUTOR_ORDERED;
    e->id = ++s->last_id;
    e->socket = pair[0];
    e->pidfd = -1;
    fd_set_nonblock(e->socket, true);
    buf_init(&e->request, REQUEST_CEILING);
    list_add_tail(&s->executors, &e->link);
    s->n_spare++;
    return 0;
}

/* One that was killed a moment ago may not have been told of yet. */
static bool
lives(const struct executor *e)
{
    struct pollfd one = {.fd = e->pidfd, .events = POLLIN};

    return poll(&one, 1, 0) == 0;
}

struct executor *
executor_spare(struct server *s)
{
    struct executor *e;

    list_foreach (e, &s->executors, link)
        if (e->state == EXECUTOR_SPARE && lives(e))
            return e;
    return NULL;
}

static struct executor *
ordered(struct server *s, uint32_t id)
{
    struct executor *e;

    list_foreach (e, &s->executors, link)
        if (e->state == EXECUTOR_ORDERED && e->id == id)
            return e;
    return NULL;
}

static struct executor *
ended(struct server *s, uint32_t pid)
{
    struct executor *e;

    list_foreach (e, &s->executors, link)
        if (e->state == EXECUTOR_ENDED && e->pid == (pid_t)pid)
            return e;
    return NULL;
}

/* Forked; pid 0: could not be. */
static void
born(struct server *s, uint32_t id, uint32_t pid)
{
    struct executor *e = ordered(s, id);

    if (e == NULL)
        return;
    e->pid = (pid_t)pid;
    if (pid != 0)
        e->pidfd = (int)syscall(SYS_pidfd_open, e->pid, 0);
    if (pid == 0 || e->pidfd < 0 || loop_add(s->loop, &e->ended, e->pidfd, EPOLLIN, on_ended) < 0) {
        journal(JOURNAL_WARNING, "cannot fork a service");
        release(e);
        call_drop_waiting(s);
        return;
    }
    e->state = EXECUTOR_SPARE;
    if (s->leaving)
        fd_close(&e->socket);
}

/* The interpreter has gone: what it has forked is ours now. */
static void
interpreter_gone(struct server *s)
{
    struct executor *e, *next;

    loop_del(s->loop, &s->line_watch);
    s->orphaned = true;
    journal(s->leaving ? JOURNAL_INFO : JOURNAL_ERROR, "the interpreter has gone");
    server_leave(s);
    list_foreach_safe (e, next, &s->executors, link)
        if (e->state == EXECUTOR_ORDERED)
            release(e);
        else if (e->state == EXECUTOR_ENDED)
            reap(e);
    server_balance(s);
}

void
executor_line(struct watch *w, br_unused uint32_t events)
{
    struct server *s = container_of(w, struct server, line_watch);
    uint8_t text[REPLY_BYTES + 1];
    ssize_t n = recv(s->line, text, sizeof(text), MSG_DONTWAIT);
    struct executor *e;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != REPLY_BYTES || (text[0] != 'F' && text[0] != 'R')) {
        interpreter_gone(s);
        return;
    }
    if (text[0] == 'F') {
        born(s, wire_u32(text + 1), wire_u32(text + 5));
        server_balance(s);
        return;
    }
    e = ended(s, wire_u32(text + 1));
    if (e != NULL)
        finish(e, wire_u32(text + 5));
}

static void
send_rest(struct executor *e)
{
    while (e->request.n > 0) {
        ssize_t n = send(e->socket, e->request.p, e->request.n, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break; /* it is dying, and its pidfd will say so */
        buf_consume(&e->request, (size_t)n);
    }
    loop_mod(e->server->loop, &e->talk, EPOLLIN);
}

static void
on_talk(struct watch *w, uint32_t events)
{
    struct executor *e = container_of(w, struct executor, talk);

    if ((events & EPOLLOUT) != 0 && e->request.n > 0)
        send_rest(e);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        hear(e);
}

/* The length, with all descriptors on its first byte. */
static bool
send_head(struct executor *e, size_t length, const int *fds, size_t n_fds)
{
    uint8_t text[4];
    struct iovec iov = {text, sizeof(text)};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    } control;
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};

    wire_put_u32(text, (uint32_t)length);
    message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
    memset(&control, 0, message.msg_controllen);
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
    memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * n_fds);
    return sendmsg(e->socket, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(text);
}

void
executor_match(struct executor *e, struct call *c)
{
    e->call = c;
    e->state = EXECUTOR_MATCHED;
    e->server->n_spare--;
    e->server->n_busy++;
}

void
executor_unmatch(struct executor *e)
{
    if (e->state != EXECUTOR_MATCHED)
        return;
    e->call = NULL;
    e->state = EXECUTOR_SPARE;
    e->server->n_spare++;
    e->server->n_busy--;
}

void
executor_discard(struct executor *e)
{
    e->call = NULL;
    if (e->state == EXECUTOR_MATCHED)
        e->state = EXECUTOR_BUSY;
    fd_close(&e->socket); /* its end of file: it leaves */
}

void
executor_assign(struct executor *e, struct slice text, const int *fds, size_t n_fds)
{
    struct server *s = e->server;

    if (e->state == EXECUTOR_MATCHED)
        e->state = EXECUTOR_BUSY;
    s->holding = true;
    loop_timer(s->loop, &s->refill, REFILL_MS);
    if (buf_put(&e->request, text) == 0 && send_head(e, text.n, fds, n_fds) &&
        loop_add(s->loop, &e->talk, e->socket, EPOLLOUT, on_talk) == 0)
        send_rest(e);
    else
        fd_close(&e->socket); /* it leaves, having read nothing whole */
}

void
executor_signal(struct executor *e, int signal)
{
    if (e->state == EXECUTOR_BUSY && kill(-e->pid, signal) < 0 && errno == ESRCH)
        kill(e->pid, signal);
}

static void
on_grace(struct timer *t)
{
    executor_abandon(container_of(t, struct executor, grace));
}

void
executor_abandon(struct executor *e)
{
    static const int steps[] = {SIGINT, SIGTERM, SIGKILL};
    const struct hello *h = &e->server->hello;
    const int64_t graces_s[] = {h->int_grace_s, h->term_grace_s, -1};
    int step = e->grace_step;

    e->call = NULL;
    if (e->state != EXECUTOR_BUSY || step >= (int)array_len(steps))
        return;
    executor_signal(e, steps[step]);
    executor_signal(e, SIGCONT); /* a stopped one shall die as well */
    e->grace_step = step + 1;
    timer_init(&e->grace, on_grace);
    if (graces_s[step] >= 0)
        loop_timer(e->server->loop, &e->grace, graces_s[step] * 1000);
}

void
executor_dismiss_spares(struct server *s)
{
    struct executor *e;

    list_foreach (e, &s->executors, link)
        if (e->state == EXECUTOR_SPARE || e->state == EXECUTOR_ORDERED)
            fd_close(&e->socket);
}

static struct executor *
of_pid(struct server *s, pid_t pid)
{
    struct executor *e;

    list_foreach (e, &s->executors, link)
        if (e->pid == pid)
            return e;
    return NULL;
}

/*
 * A subreaper inherits whatever a service leaves behind.  What is an executor's is left for its
 * pidfd, which is about to be readable.
 */
void
executor_reap_strays(struct server *s)
{
    siginfo_t info = {0};

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        if (of_pid(s, info.si_pid) != NULL)
            return;
        waitpid(info.si_pid, NULL, 0);
        info.si_pid = 0;
    }
}
