/*
 * pool.c - the master of a pool: forks workers, hands connections over, brings the dead back.
 *
 *   EMPTY -> fork -> ALIVE -> death -> (delay) -> fork ...      quitting: death -> EMPTY
 *
 * What a worker inherits is what the master's loop does not hold: br_loop_fork closes all of its
 * handles in the child, the channels to the other workers among them.
 */
#include "lib/pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <brood/spawn.h>

#include "base/clock.h"
#include "lib/lib.h"
#include "process/restart.h"

struct slot {
    struct br_pool *pool;
    struct br_child *child; /* NULL: not there now */
    struct br_channel *channel;
    struct br_timer *again; /* the next start */
    struct restart_history restarts;
    int64_t forked_ms;
    bool waits; /* for `again` */
};

struct br_pool {
    struct handle h;
    struct br_pool_options options;
    struct slot *slots;
    unsigned n;
    unsigned alive;
    unsigned next; /* whose turn it is */
    bool quitting;
    struct br_listener *listener; /* BR_POOL_HAND_OVER, while there is somebody to hand to */
    struct br_timer *grace;
};

int
pool_say(struct br_channel *ch, enum pool_word word, unsigned index, const void *p, size_t n,
         const int *fds, unsigned n_fds)
{
    struct pool_head head = {.word = word, .index = index};
    struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)p, n}};

    return channel_send_parts(ch, iov, 2, fds, n_fds);
}

bool
pool_open(struct br_message *m, struct pool_head *ret_head)
{
    if (m->n < sizeof(*ret_head))
        return false;
    memcpy(ret_head, m->p, sizeof(*ret_head));
    m->p = (const char *)m->p + sizeof(*ret_head);
    m->n -= sizeof(*ret_head);
    return true;
}

static unsigned
index_of(const struct slot *slot)
{
    return (unsigned)(slot - slot->pool->slots);
}

/* --- connections --- */

/* The next in turn that is there; one with a backlog only when all have one.  NULL: nobody. */
static struct slot *
choose(struct br_pool *pool)
{
    struct slot *busy = NULL;

    for (unsigned tries = 0; tries < pool->n; tries++) {
        struct slot *slot = &pool->slots[pool->next];

        pool->next = (pool->next + 1) % pool->n;
        if (slot->channel == NULL)
            continue;
        if (br_channel_queued(slot->channel) == 0)
            return slot;
        busy = slot;
    }
    return busy;
}

/* Lost only when every worker has 256 connections waiting that it does not look at. */
static void
on_connection(br_unused struct br_listener *l, int fd, br_unused const struct sockaddr *from,
              br_unused socklen_t length, void *arg)
{
    struct slot *slot = choose(arg);

    if (slot == NULL)
        close(fd);
    else
        pool_say(slot->channel, POOL_CONNECTION, 0, NULL, 0, &fd, 1);
}

/* The master accepts while there is somebody to hand to: else connections wait in the kernel. */
static void
update_accepting(struct br_pool *pool)
{
    bool wanted = pool->options.mode == BR_POOL_HAND_OVER && pool->options.listen_fd >= 0 &&
                  !pool->quitting && pool->alive > 0;

    if (wanted == (pool->listener != NULL))
        return;
    br_listener_free(pool->listener);
    pool->listener = NULL;
    if (!wanted)
        return;
    pool->listener = br_listener_new(pool->h.loop, pool->options.listen_fd, on_connection, pool);
    if (pool->listener != NULL)
        br_listener_unref(pool->listener);
}

/* --- birth and death --- */

static void start_later(struct slot *slot, int64_t delay_ms);

static void
on_message(br_unused struct br_channel *ch, struct br_message *m, void *arg)
{
    struct slot *slot = arg;
    struct br_pool *pool = slot->pool;
    struct pool_head head;

    if (m == NULL) { /* its death will be told */
        br_channel_close(slot->channel);
        slot->channel = NULL;
        return;
    }
    if (pool_open(m, &head) && head.word == POOL_MESSAGE && pool->options.from_worker != NULL)
        pool->options.from_worker(pool, index_of(slot), m, pool->options.arg);
}

/* A channel for this worker and each of the others. */
static void
introduce(struct slot *slot)
{
    struct br_pool *pool = slot->pool;

    for (unsigned i = 0; i < pool->n; i++) {
        struct slot *other = &pool->slots[i];
        int pair[2];

        if (other == slot || other->channel == NULL || br_channel_pair(pair) < 0)
            continue;
        pool_say(slot->channel, POOL_PEER, i, NULL, 0, &pair[0], 1);
        pool_say(other->channel, POOL_PEER, index_of(slot), NULL, 0, &pair[1], 1);
    }
}

static void
end_pool(struct br_pool *pool)
{
    handle_free(&pool->h);
}

static bool
comes_back(const struct br_pool *pool, int status, int signo)
{
    switch (pool->options.respawn) {
    case BR_RESPAWN_ALWAYS:
        return true;
    case BR_RESPAWN_ON_FAILURE:
        return status != 0 || signo != 0;
    case BR_RESPAWN_NEVER:
        return false;
    }
    return false;
}

static bool
is_over(const struct br_pool *pool)
{
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->slots[i].child != NULL || pool->slots[i].waits)
            return false;
    return true;
}

static void
on_death(struct br_child *child, int status, int signo, void *arg)
{
    struct slot *slot = arg;
    struct br_pool *pool = slot->pool;
    int64_t delay = -1;

    slot->child = NULL;
    pool->alive--;
    br_channel_close(slot->channel);
    slot->channel = NULL;
    if (pool->options.died != NULL)
        pool->options.died(pool, index_of(slot), br_child_pid(child), status, signo,
                           pool->options.arg);
    if (!pool->quitting && comes_back(pool, status, signo))
        delay = restart_after(RESPAWN_ALWAYS, &slot->restarts, clock_us() / 1000 - slot->forked_ms);
    update_accepting(pool);
    if (delay >= 0)
        start_later(slot, delay);
    else if (is_over(pool))
        end_pool(pool);
}

/* 0 or -errno.  The child does not come back. */
static int
fork_worker(struct slot *slot)
{
    struct br_pool *pool = slot->pool;
    struct br_pool_options options = pool->options;
    struct br_loop *loop = pool->h.loop;
    unsigned index = index_of(slot), n = pool->n;
    int pair[2];
    pid_t pid;
    int rc = br_channel_pair(pair);

    if (rc < 0)
        return rc;
    pid = br_loop_fork(loop);
    if (pid == 0) { /* the pool is gone here */
        close(pair[0]);
        worker_main(loop, &options, index, n, pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return pid;
    }
    slot->forked_ms = clock_us() / 1000;
    slot->channel = br_channel_new(loop, pair[0], on_message, slot);
    slot->child = br_child_watch(loop, pid, on_death, slot);
    if (slot->channel == NULL || slot->child == NULL) {
        rc = -errno;
        br_channel_close(slot->channel);
        slot->channel = NULL;
        if (slot->child != NULL)
            br_child_forget(slot->child);
        slot->child = NULL;
        child_discard(pid);
        return rc;
    }
    br_channel_unref(slot->channel);
    br_child_unref(slot->child); /* the pool holds the loop */
    pool->alive++;
    introduce(slot);
    update_accepting(pool);
    return 0;
}

/* No process, no descriptor: that is a life which lasted for nothing. */
static void
on_again(br_unused struct br_timer *timer, void *arg)
{
    struct slot *slot = arg;

    slot->waits = false;
    if (slot->pool->quitting)
        return;
    if (fork_worker(slot) < 0)
        start_later(slot, br_max(restart_after(RESPAWN_ALWAYS, &slot->restarts, 0), (int64_t)100));
}

static void
start_later(struct slot *slot, int64_t delay_ms)
{
    slot->waits = true;
    br_timer_set(slot->again, delay_ms, 0);
}

/* --- making and ending --- */

static void
close_pool(struct handle *h)
{
    struct br_pool *pool = container_of(h, struct br_pool, h);

    br_listener_free(pool->listener);
    br_timer_free(pool->grace);
    for (unsigned i = 0; i < pool->n; i++) {
        br_timer_free(pool->slots[i].again);
        br_channel_close(pool->slots[i].channel);
        if (pool->slots[i].child != NULL)
            br_child_forget(pool->slots[i].child);
    }
    loop_free_later(h->loop->loop, free, pool->slots);
}

static unsigned
processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

static void
signal_all(struct br_pool *pool, int signo)
{
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->slots[i].child != NULL)
            br_child_kill(pool->slots[i].child, signo);
}

static void
on_grace(br_unused struct br_timer *timer, void *arg)
{
    signal_all(arg, SIGKILL);
}

static int
read_options(const struct br_pool_options *in, struct br_pool_options *out, struct br_err *err)
{
    if (in->size < offsetof(struct br_pool_options, died) || in->size > sizeof(*in))
        return br_fail(err, -EINVAL, "br_pool_options.size is %zu, this library knows %zu",
                       in->size, sizeof(*in));
    memset(out, 0, sizeof(*out));
    memcpy(out, in, in->size);
    if (out->workers == 0)
        out->workers = processors();
    if (out->workers > BR_WORKERS_MAX)
        return br_fail(err, -EINVAL, "more than %d workers", BR_WORKERS_MAX);
    if (out->listen_fd >= 0 && out->connection == NULL)
        return br_fail(err, -EINVAL, "a listening socket, but nobody takes connections");
    return 0;
}

static int
make_slots(struct br_pool *pool)
{
    pool->slots = calloc(pool->options.workers, sizeof(*pool->slots));
    if (pool->slots == NULL)
        return -ENOMEM;
    pool->n = pool->options.workers;
    pool->grace = br_timer_new(pool->h.loop, on_grace, pool);
    if (pool->grace == NULL)
        return -ENOMEM;
    br_timer_unref(pool->grace);
    for (unsigned i = 0; i < pool->n; i++) {
        pool->slots[i].pool = pool;
        pool->slots[i].again = br_timer_new(pool->h.loop, on_again, &pool->slots[i]);
        if (pool->slots[i].again == NULL)
            return -ENOMEM;
        br_timer_unref(pool->slots[i].again);
    }
    return 0;
}

/* Some could not be forked: those that were end at once. */
static void
give_up(struct br_pool *pool)
{
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->slots[i].child != NULL)
            child_discard(br_child_pid(pool->slots[i].child));
    handle_free(&pool->h);
}

API int
br_pool_start(struct br_loop *loop, const struct br_pool_options *options,
              struct br_pool **ret_pool, struct br_error *error)
{
    struct br_err err = BR_ERR_NONE;
    struct br_pool_options known;
    struct br_pool *pool;
    int rc = read_options(options, &known, &err);

    if (rc < 0)
        return error_out(error, "prepare", &err, rc);
    pool = handle_new(loop, sizeof(*pool), close_pool);
    rc = pool == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        pool->options = known;
        rc = make_slots(pool);
    }
    for (unsigned i = 0; rc == 0 && i < pool->n; i++)
        rc = fork_worker(&pool->slots[i]);
    if (rc < 0) {
        br_fail(&err, rc, "cannot start the workers");
        if (pool != NULL)
            give_up(pool);
        return error_out(error, "fork", &err, rc);
    }
    handle_hold(&pool->h, true);
    if (ret_pool != NULL)
        *ret_pool = pool;
    return 0;
}

static void
begin_end(struct br_pool *pool)
{
    pool->quitting = true;
    for (unsigned i = 0; i < pool->n; i++) {
        br_timer_stop(pool->slots[i].again);
        pool->slots[i].waits = false;
    }
    update_accepting(pool);
    if (pool->options.grace_ms > 0)
        br_timer_set(pool->grace, pool->options.grace_ms, 0);
    if (is_over(pool))
        end_pool(pool);
}

API void
br_pool_quit(struct br_pool *pool)
{
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->slots[i].channel != NULL)
            pool_say(pool->slots[i].channel, POOL_QUIT, 0, NULL, 0, NULL, 0);
    begin_end(pool);
}

API void
br_pool_terminate(struct br_pool *pool)
{
    signal_all(pool, SIGTERM);
    begin_end(pool);
}

API void
br_pool_reopen(struct br_pool *pool)
{
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->slots[i].channel != NULL)
            pool_say(pool->slots[i].channel, POOL_REOPEN, 0, NULL, 0, NULL, 0);
}

API unsigned
br_pool_workers(const struct br_pool *pool)
{
    return pool->n;
}

API pid_t
br_pool_pid(const struct br_pool *pool, unsigned index)
{
    return index < pool->n && pool->slots[index].child != NULL
               ? br_child_pid(pool->slots[index].child)
               : 0;
}

API int
br_pool_send(struct br_pool *pool, unsigned index, const void *p, size_t n, const int *fds,
             unsigned n_fds)
{
    if (index >= pool->n || pool->slots[index].channel == NULL) {
        for (unsigned i = 0; i < n_fds; i++)
            close(fds[i]);
        return -ENOTCONN;
    }
    return pool_say(pool->slots[index].channel, POOL_MESSAGE, BR_MASTER, p, n, fds, n_fds);
}
