/*
 * worker.c - one worker of a pool: from the fork to its exit.
 *
 *   channel to the master ----.            while it serves: the channel holds the loop
 *   channels to the others ---+-- loop     after quit: only what the user has begun does
 *   listening socket ---------'            then the loop ends, and so does the process
 */
#include "lib/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "lib/lib.h"
#include "process/title.h"

struct peer_line {
    struct br_worker *worker;
    struct br_channel *channel; /* NULL: not there now */
};

struct br_worker {
    const struct br_pool_options *options;
    struct br_loop *loop;
    unsigned index;
    unsigned n;
    struct br_channel *master;
    struct br_listener *listener;
    struct br_signal *quit_signal;
    struct peer_line *peers;
    bool quitting;
};

static void
on_accept(br_unused struct br_listener *l, int fd, br_unused const struct sockaddr *from,
          br_unused socklen_t length, void *arg)
{
    struct br_worker *w = arg;

    w->options->connection(w, fd, w->options->arg);
}

API void
br_worker_quit(struct br_worker *worker)
{
    if (worker->quitting)
        return;
    worker->quitting = true;
    br_listener_free(worker->listener);
    worker->listener = NULL;
    if (worker->master != NULL)
        br_channel_unref(worker->master);
    if (worker->options->quit != NULL)
        worker->options->quit(worker, worker->options->arg);
}

static void
on_quit_signal(br_unused struct br_signal *sig, br_unused int signo, void *arg)
{
    br_worker_quit(arg);
}

static void
on_peer(br_unused struct br_channel *ch, struct br_message *m, void *arg)
{
    struct peer_line *peer = arg;
    struct br_worker *w = peer->worker;

    if (m == NULL) {
        br_channel_close(peer->channel);
        peer->channel = NULL;
    } else if (w->options->message != NULL) {
        w->options->message(w, (unsigned)(peer - w->peers), m, w->options->arg);
    }
}

/* A new one takes the place of the line to who had that number before. */
static void
meet(struct br_worker *w, unsigned index, int fd)
{
    struct peer_line *peer;

    if (index >= w->n) {
        fd_close(&fd);
        return;
    }
    peer = &w->peers[index];
    br_channel_close(peer->channel);
    peer->channel = br_channel_new(w->loop, fd, on_peer, peer);
    if (peer->channel != NULL)
        br_channel_unref(peer->channel);
}

static void
obey(struct br_worker *w, const struct pool_head *head, struct br_message *m)
{
    const struct br_pool_options *o = w->options;

    switch ((enum pool_word)head->word) {
    case POOL_CONNECTION:
        if (m->n_fds == 1)
            o->connection(w, fd_take(&m->fds[0]), o->arg);
        break;
    case POOL_PEER:
        if (m->n_fds == 1)
            meet(w, head->index, fd_take(&m->fds[0]));
        break;
    case POOL_QUIT:
        br_worker_quit(w);
        break;
    case POOL_REOPEN:
        if (o->reopen != NULL)
            o->reopen(w, o->arg);
        break;
    case POOL_MESSAGE:
        if (o->message != NULL)
            o->message(w, head->index, m, o->arg);
        break;
    }
}

static void
on_master(br_unused struct br_channel *ch, struct br_message *m, void *arg)
{
    struct br_worker *w = arg;
    struct pool_head head;

    if (m == NULL) { /* there is nobody to serve for */
        br_channel_close(w->master);
        w->master = NULL;
        br_worker_quit(w);
    } else if (pool_open(m, &head)) {
        obey(w, &head, m);
    }
}

static int
set_up(struct br_worker *w, int channel_fd)
{
    const struct br_pool_options *o = w->options;

    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (o->title != NULL)
        title_set("%s %u", o->title, w->index);
    w->master = br_channel_new(w->loop, channel_fd, on_master, w);
    w->quit_signal = br_signal_new(w->loop, SIGQUIT, on_quit_signal, w);
    w->peers = calloc(w->n, sizeof(*w->peers));
    if (w->master == NULL || w->quit_signal == NULL || w->peers == NULL)
        return -ENOMEM;
    br_signal_unref(w->quit_signal);
    for (unsigned i = 0; i < w->n; i++)
        w->peers[i].worker = w;
    if (o->start != NULL) {
        int code = o->start(w, o->arg);

        if (code != 0)
            return code;
    }
    if (o->mode != BR_POOL_SHARED || o->listen_fd < 0 || w->quitting)
        return 0;
    w->listener = br_listener_new(w->loop, o->listen_fd, on_accept, w);
    if (w->listener == NULL)
        return -errno;
    br_listener_unref(w->listener);
    return 0;
}

/* _exit: what the master's stdio and exit functions hold is the master's. */
void
worker_main(struct br_loop *loop, const struct br_pool_options *options, unsigned index,
            unsigned count, int channel_fd)
{
    struct br_worker w = {.options = options, .loop = loop, .index = index, .n = count};
    int rc = set_up(&w, channel_fd);

    if (rc == 0)
        rc = br_loop_run(loop);
    _exit(rc < 0 ? 1 : rc);
}

API unsigned
br_worker_index(const struct br_worker *worker)
{
    return worker->index;
}

API unsigned
br_worker_count(const struct br_worker *worker)
{
    return worker->n;
}

API struct br_loop *
br_worker_loop(struct br_worker *worker)
{
    return worker->loop;
}

API int
br_worker_knows(const struct br_worker *worker, unsigned index)
{
    return index < worker->n && worker->peers[index].channel != NULL;
}

API int
br_worker_send(struct br_worker *worker, unsigned to, const void *p, size_t n, const int *fds,
               unsigned n_fds)
{
    if (to == BR_MASTER && worker->master != NULL)
        return pool_say(worker->master, POOL_MESSAGE, worker->index, p, n, fds, n_fds);
    if (br_worker_knows(worker, to))
        return br_channel_send(worker->peers[to].channel, p, n, fds, n_fds);
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    return -ENOTCONN;
}
