/*
 * loop.c - the turn: wait, deliver, fire timers, free.
 *
 *   epoll (level-triggered) --batch of 64--> watch.fn
 *     ^ data.ptr is the watch; loop_del blanks what the batch still holds of it
 *
 * What a callback may do: anything but loop_once, loop_run and loop_free.  A fork inside one is
 * fine if the child calls loop_after_fork: the batch is then empty, and loop_run may be called
 * again from there.
 *
 * The child must not touch the epoll instance it inherited (a removal there would be seen by the
 * parent, whose open file it is), only close its copy.  Each watch carries the number of the
 * loop's life in which it was added, so that a late loop_del of an inherited watch is not
 * mistaken for one of the child's own.  See epoll(7), pidfd_open(2), signalfd(2).
 */
#include "event/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "event/signals.h"

#define BATCH       64
#define LATER_FIRST 16

#define STATUS_UNKNOWN (255 << 8)

struct later {
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    int epoll_fd;
    bool stop;
    bool in_turn;
    uint32_t life;
    struct timers timers;
    struct loop_hooks hooks;

    /* What epoll_wait gave: the next to deliver, and how many there are. */
    unsigned at;
    unsigned n;
    struct epoll_event batch[BATCH];

    struct {
        struct later *all;
        size_t n;
        size_t room;
    } later;

    struct {
        struct watch watch;
        int fd;
        sigset_t old_mask;
        loop_signal_fn *fn;
        void *arg;
    } signals;

    struct list children;
};

/* The epoll instance is made when it is first needed: after a fork that may be never. */
static int
open_epoll(struct loop *loop)
{
    if (br_likely(loop->epoll_fd >= 0))
        return 0;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd >= 0 ? 0 : -errno;
}

struct loop *
loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return NULL;
    loop->epoll_fd = -1;
    loop->signals.fd = -1;
    timers_init(&loop->timers);
    list_init(&loop->children);
    if (open_epoll(loop) < 0) {
        free(loop);
        return NULL;
    }
    return loop;
}

static void
end_signals(struct loop *loop)
{
    if (loop->signals.fd < 0)
        return;
    fd_close(&loop->signals.fd);
    pthread_sigmask(SIG_SETMASK, &loop->signals.old_mask, NULL);
}

static void
close_children(struct loop *loop)
{
    struct child *c, *next;

    list_foreach_safe (c, next, &loop->children, link) {
        list_del(&c->link);
        fd_close(&c->pidfd);
    }
}

static void
run_later(struct loop *loop)
{
    /* A call may add another. */
    for (size_t i = 0; i < loop->later.n; i++)
        loop->later.all[i].fn(loop->later.all[i].arg);
    loop->later.n = 0;
}

void
loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    run_later(loop);
    close_children(loop);
    signals_end(loop);
    end_signals(loop);
    timers_done(&loop->timers);
    fd_close(&loop->epoll_fd);
    free(loop->later.all);
    free(loop);
}

void
loop_after_fork(struct loop *loop)
{
    close_children(loop);
    signals_after_fork();
    end_signals(loop);
    timers_done(&loop->timers);
    fd_close(&loop->epoll_fd);
    loop->hooks = (struct loop_hooks){0};
    loop->later.n = 0;
    loop->at = loop->n = 0;
    loop->stop = false;
    loop->in_turn = false;
    loop->life++;
}

struct timers *
loop_timers(struct loop *loop)
{
    return &loop->timers;
}

void
loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks)
{
    loop->hooks = *hooks;
}

void
loop_stop(struct loop *loop)
{
    loop->stop = true;
}

void
loop_resume(struct loop *loop)
{
    loop->stop = false;
}

bool
loop_stopped(const struct loop *loop)
{
    return loop->stop;
}

int
loop_add(struct loop *loop, struct watch *w, int fd, uint32_t events, watch_fn *fn)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};
    int rc = open_epoll(loop);

    if (rc < 0)
        return rc;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return -errno;
    *w = (struct watch){.fd = fd, .events = events, .fn = fn, .life = loop->life};
    return 0;
}

int
loop_mod(struct loop *loop, struct watch *w, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};

    if (w->events == events && (events & EPOLLET) == 0)
        return 0;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) < 0)
        return -errno;
    w->events = events;
    return 0;
}

void
loop_del(struct loop *loop, struct watch *w)
{
    if (w->fn == NULL || w->fd < 0)
        return;
    if (w->life == loop->life) {
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
        for (unsigned i = loop->at; i < loop->n; i++)
            if (loop->batch[i].data.ptr == w)
                loop->batch[i].data.ptr = NULL;
    }
    w->fd = -1;
    w->fn = NULL;
}

void
loop_timer(struct loop *loop, struct timer *t, int64_t delay_ms)
{
    timer_set(&loop->timers, t, clock_ms() + delay_ms);
}

void
loop_timer_cancel(struct loop *loop, struct timer *t)
{
    timer_cancel(&loop->timers, t);
}

static int
reserve_later(struct loop *loop, size_t room)
{
    struct later *all;

    if (room <= loop->later.room)
        return 0;
    all = reallocarray(loop->later.all, room, sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    loop->later.all = all;
    loop->later.room = room;
    return 0;
}

int
loop_reserve(struct loop *loop, size_t n)
{
    int rc = timers_reserve(&loop->timers, (uint32_t)n);

    return rc < 0 ? rc : reserve_later(loop, n);
}

void
loop_free_later(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    if (loop->later.n == loop->later.room &&
        reserve_later(loop, br_max(loop->later.room * 2, (size_t)LATER_FIRST)) < 0)
        abort();
    loop->later.all[loop->later.n++] = (struct later){fn, arg};
}

/* The shorter of what the caller and the timers allow; -1 is for ever. */
static int
wait_time(struct loop *loop, int most_ms)
{
    bool may_block = loop->hooks.before_wait == NULL || loop->hooks.before_wait(loop->hooks.arg);
    int ms = timers_wait_ms(&loop->timers, clock_ms());

    if (!may_block || loop->later.n > 0)
        return 0;
    return ms < 0 || (most_ms >= 0 && most_ms < ms) ? most_ms : ms;
}

static void
deliver(struct loop *loop)
{
    while (loop->at < loop->n) {
        struct epoll_event *ev = &loop->batch[loop->at++];
        struct watch *w = ev->data.ptr;

        if (br_likely(w != NULL))
            w->fn(w, ev->events);
    }
}

static int
turn(struct loop *loop, int most_ms)
{
    int wait_ms, n, rc;

    assert(!loop->in_turn);
    rc = open_epoll(loop);
    if (rc < 0)
        return rc;
    loop->in_turn = true;

    wait_ms = wait_time(loop, most_ms);
    n = epoll_wait(loop->epoll_fd, loop->batch, BATCH, wait_ms);
    rc = n < 0 && errno != EINTR ? -errno : 0;
    loop->at = 0;
    loop->n = n > 0 ? (unsigned)n : 0;

    clock_update();
    if (loop->hooks.after_wait != NULL)
        loop->hooks.after_wait(loop->hooks.arg);
    deliver(loop);
    timers_run(&loop->timers, clock_ms());
    if (loop->hooks.turn_end != NULL)
        loop->hooks.turn_end(loop->hooks.arg);
    if (loop->later.n > 0)
        run_later(loop);

    loop->in_turn = false;
    return rc;
}

int
loop_once(struct loop *loop, int wait_ms)
{
    /* The time since the turn before was the caller's, and may have been long. */
    clock_update();
    return turn(loop, wait_ms);
}

int
loop_run(struct loop *loop)
{
    int rc = 0;

    clock_update();
    while (!loop->stop && rc == 0)
        rc = turn(loop, -1);
    loop->stop = false;
    return rc;
}

static void
on_signals(struct watch *w, br_unused uint32_t events)
{
    struct loop *loop = container_of(w, struct loop, signals.watch);
    struct signalfd_siginfo info;

    /* Until there is none, or a handler's fork left the loop without any. */
    while (loop->signals.fd >= 0 && read(loop->signals.fd, &info, sizeof(info)) == sizeof(info))
        loop->signals.fn(loop->signals.arg, &info);
}

int
loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *arg)
{
    br_cleanup(fd_closep) int fd = -1;
    int rc;

    if (loop->signals.fd >= 0)
        return -EBUSY;
    fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    pthread_sigmask(SIG_BLOCK, set, &loop->signals.old_mask);
    rc = loop_add(loop, &loop->signals.watch, fd, EPOLLIN, on_signals);
    if (rc < 0) {
        pthread_sigmask(SIG_SETMASK, &loop->signals.old_mask, NULL);
        return rc;
    }
    loop->signals.fd = fd_take(&fd);
    loop->signals.fn = fn;
    loop->signals.arg = arg;
    return 0;
}

/* As waitpid(2) would have put it. */
static int
wait_status(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return (info->si_status & 0xff) << 8;
    case CLD_DUMPED:
        return info->si_status | 0x80;
    default:
        return info->si_status;
    }
}

static void
on_child(struct watch *w, br_unused uint32_t events)
{
    struct child *c = container_of(w, struct child, watch);
    siginfo_t info = {0};
    int rc;

    do
        rc = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG);
    while (rc < 0 && errno == EINTR);
    if (rc == 0 && info.si_pid == 0)
        return; /* not yet */
    loop_child_forget(c);
    c->fn(c, rc == 0 ? wait_status(&info) : STATUS_UNKNOWN);
}

int
loop_child(struct loop *loop, struct child *c, pid_t pid, int pidfd,
           void (*fn)(struct child *c, int status))
{
    int rc;

    *c = (struct child){.pid = pid, .pidfd = pidfd, .loop = loop, .fn = fn};
    rc = loop_add(loop, &c->watch, pidfd, EPOLLIN, on_child);
    if (rc < 0) {
        fd_close(&c->pidfd);
        c->loop = NULL;
        return rc;
    }
    list_add_tail(&loop->children, &c->link);
    return 0;
}

void
loop_child_forget(struct child *c)
{
    if (c->loop == NULL)
        return;
    /* Removed before it is closed: a copy in a forked process would keep it in the epoll set. */
    loop_del(c->loop, &c->watch);
    list_del(&c->link);
    fd_close(&c->pidfd);
    c->loop = NULL;
}

static struct child *
find_child(struct loop *loop, pid_t pid)
{
    struct child *c;

    list_foreach (c, &loop->children, link)
        if (c->pid == pid)
            return c;
    return NULL;
}

/* Looked at first (WNOWAIT), so that the status of a child of ours is left to who waits for it. */
void
loop_reap(struct loop *loop)
{
    for (;;) {
        siginfo_t dead = {0};
        struct child *c;

        if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == EINTR)
            continue;
        if (dead.si_pid == 0)
            return;
        c = find_child(loop, dead.si_pid);
        if (c != NULL)
            on_child(&c->watch, EPOLLIN);
        else
            waitid(P_PID, (id_t)dead.si_pid, &dead, WEXITED | WNOHANG);
    }
}
