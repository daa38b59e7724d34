/*
 * stream_worker.c - a worker of a stream application: from its line to its threads.
 *
 *   control thread: loop -> MSG_CONNECTION -> queue       threads: connection_next -> guest -> over
 *                        -> DRAIN, STOP, LOG_REOPEN
 *
 * The guest's threads block in their sockets for as long as clients like, so a thread of our own
 * reads the line.  It takes no signals and never enters the guest.  "Taken" is counted before a
 * guest sees the connection: what was begun is never given to another worker.
 */
#include "app/stream_worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/app.h"
#include "app/stream.h"
#include "app/worker_role.h"
#include "base/fd.h"
#include "base/log.h"
#include "event/loop.h"
#include "ipc/dispatch.h"

#define OTHER_FDS 256 /* files and lines beside connections */

struct queued {
    struct list link;
    struct connection connection;
};

struct stream_worker {
    const struct app *app;
    struct task *task;
    struct stream_board *board;
    pthread_t control;
    struct watch end; /* an eventfd: the control thread has nothing left to do */
    int64_t idle_ms;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct list queue;
    bool draining; /* threads leave when the queue is empty */
    bool leaving;  /* threads take no more */
};

static void
ring(const struct stream_worker *s)
{
    uint64_t one = 1;
    ssize_t n br_unused = write(s->app->bell, &one, sizeof(one)); /* full: it rings already */
}

/* ---- the control thread ---- */

void
stream_worker_connection(struct stream_worker *s, struct message *m)
{
    const struct msg_connection *about = m->payload;
    struct queued *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return; /* nobody takes it: the prototype has its copy */
    q->connection = (struct connection){.fd = fd_take(&m->fds[0]), .idle_ms = s->idle_ms};
    q->connection.peer_length =
        (socklen_t)br_min((size_t)about->peer_length, sizeof(q->connection.peer));
    memcpy(&q->connection.peer, about->peer, q->connection.peer_length);
    pthread_mutex_lock(&s->lock);
    list_add_tail(&s->queue, &q->link);
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void
tell_threads(struct stream_worker *s, bool *flag)
{
    pthread_mutex_lock(&s->lock);
    *flag = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void
stream_worker_drain(struct stream_worker *s)
{
    tell_threads(s, &s->draining);
}

void
stream_worker_leave(struct stream_worker *s)
{
    tell_threads(s, &s->leaving);
    atomic_store(&s->board->leaving, true);
    ring(s);
}

static void *
control(void *arg)
{
    struct stream_worker *s = arg;

    loop_run(s->task->loop);
    return NULL;
}

static void
on_end(struct watch *w, uint32_t events br_unused)
{
    struct stream_worker *s = container_of(w, struct stream_worker, end);

    loop_stop(s->task->loop);
}

int
stream_worker_begin(struct stream_worker *s)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&s->control, NULL, control, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

void
stream_worker_end(struct stream_worker *s)
{
    uint64_t one = 1;

    if (write(s->end.fd, &one, sizeof(one)) == sizeof(one))
        pthread_join(s->control, NULL);
}

/* A descriptor that finds no place would be lost: room for one of each thread, and as many more. */
static void
make_room(unsigned threads)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)threads * 2 + OTHER_FDS;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = br_min(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted)
        br_log(LOG_WARN, "%u threads have room for %llu descriptors only", threads,
               (unsigned long long)limit.rlim_cur);
}

int
stream_worker_new(const struct app *app, struct task *task, unsigned index,
                  struct stream_worker **ret, struct br_err *err)
{
    struct stream_worker *s = calloc(1, sizeof(*s));
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc;

    if (s == NULL || fd < 0)
        return br_fail(err, -ENOMEM, "cannot start a worker");
    stream_after_fork(app->stream);
    make_room(app->threads);
    s->app = app;
    s->task = task;
    s->idle_ms = launch_int(app->card, "connection_idle_ms", 0);
    s->board = stream_board(app->stream, index);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    list_init(&s->queue);
    rc = loop_add(task->loop, &s->end, fd, EPOLLIN, on_end);
    if (rc < 0)
        return br_fail(err, rc, "cannot start a worker");
    *ret = s;
    return 0;
}

/* ---- the guest's threads ---- */

/* Under the lock.  NULL: leave. */
static struct queued *
wait_for_one(struct stream_worker *s)
{
    struct queued *q;

    while (!s->leaving && !s->draining && list_empty(&s->queue))
        pthread_cond_wait(&s->changed, &s->lock);
    if (s->leaving || list_empty(&s->queue))
        return NULL;
    q = container_of(s->queue.next, struct queued, link);
    list_del(&q->link);
    atomic_fetch_add(&s->board->taken, 1);
    return q;
}

bool
connection_next(struct worker *worker, struct connection *ret)
{
    struct stream_worker *s = worker_stream(worker);
    const struct exchange_ops *ops = &s->app->guest->lock;
    void *paused = ops->pause != NULL ? ops->pause() : NULL;
    struct queued *q;

    pthread_mutex_lock(&s->lock);
    q = wait_for_one(s);
    pthread_mutex_unlock(&s->lock);
    if (q != NULL)
        ring(s);
    if (ops->resume != NULL)
        ops->resume(paused);
    if (q == NULL)
        return false;
    *ret = q->connection;
    free(q);
    return true;
}

void
connection_over(struct worker *worker)
{
    struct stream_worker *s = worker_stream(worker);

    atomic_fetch_add(&s->board->over, 1);
    ring(s);
}

const char *
connection_text(const struct connection *c, char text[CONNECTION_TEXT])
{
    const struct sockaddr_in *in4 = (const void *)&c->peer;
    const struct sockaddr_in6 *in6 = (const void *)&c->peer;
    char ip[INET6_ADDRSTRLEN];

    if (c->peer_length > 0 && c->peer.ss_family == AF_INET)
        snprintf(text, CONNECTION_TEXT, "%s:%u", inet_ntop(AF_INET, &in4->sin_addr, ip, sizeof(ip)),
                 ntohs(in4->sin_port));
    else if (c->peer_length > 0 && c->peer.ss_family == AF_INET6)
        snprintf(text, CONNECTION_TEXT, "[%s]:%u",
                 inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip)), ntohs(in6->sin6_port));
    else
        snprintf(text, CONNECTION_TEXT, "unix:");
    return text;
}
