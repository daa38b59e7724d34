/*
 * loop.c - br_loop and the plain handles: watches, timers, signals, wake-ups.
 */
#include <brood/loop.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "event/signals.h"
#include "event/stream.h"
#include "lib/lib.h"

API const char *
br_version(void)
{
    return BROOD_VERSION;
}

API struct br_loop *
br_loop_new(void)
{
    struct br_loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return NULL;
    list_init(&loop->handles);
    loop->loop = loop_new();
    if (loop->loop == NULL) {
        free(loop);
        return NULL;
    }
    return loop;
}

static void
free_handles(struct br_loop *loop)
{
    while (!list_empty(&loop->handles))
        handle_free(list_first(&loop->handles, struct handle, link));
}

API void
br_loop_free(struct br_loop *loop)
{
    if (loop == NULL)
        return;
    free_handles(loop);
    loop_free(loop->loop);
    stream_trim();
    free(loop->room);
    free(loop);
}

API int
br_loop_run(struct br_loop *loop)
{
    int rc = 0;

    while (loop->held > 0 && !loop_stopped(loop->loop) && rc == 0)
        rc = loop_once(loop->loop, -1);
    loop_resume(loop->loop);
    return rc;
}

API int
br_loop_turn(struct br_loop *loop, int wait_ms)
{
    return loop_once(loop->loop, wait_ms);
}

API void
br_loop_stop(struct br_loop *loop)
{
    loop_stop(loop->loop);
}

API int64_t
br_loop_now_ms(const struct br_loop *loop br_unused)
{
    return clock_ms();
}

/* Blocked across the fork: the parent's handlers must not run in the child, nor a signal be lost.
 */
API pid_t
br_loop_fork(struct br_loop *loop)
{
    sigset_t all, old;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid = fork();
    if (pid < 0)
        pid = -errno;
    if (pid == 0) {
        loop_after_fork(loop->loop);
        free_handles(loop);
        loop->held = 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pid;
}

/* --- descriptors --- */

struct br_watch {
    struct handle h;
    struct watch watch;
    int fd;
    br_watch_fn *fn;
    void *arg;
};

static uint32_t
to_epoll(unsigned events)
{
    return (events & BR_READABLE ? (uint32_t)EPOLLIN : 0) |
           (events & BR_WRITABLE ? (uint32_t)EPOLLOUT : 0);
}

static void
on_watch(struct watch *w, uint32_t events)
{
    struct br_watch *watch = container_of(w, struct br_watch, watch);
    unsigned told = (events & EPOLLIN ? BR_READABLE : 0) | (events & EPOLLOUT ? BR_WRITABLE : 0) |
                    (events & (EPOLLHUP | EPOLLERR) ? BR_HANGUP : 0);

    watch->fn(watch, told, watch->arg);
}

static void
close_watch(struct handle *h)
{
    struct br_watch *watch = container_of(h, struct br_watch, h);

    loop_del(h->loop->loop, &watch->watch);
}

API struct br_watch *
br_watch_new(struct br_loop *loop, int fd, unsigned events, br_watch_fn *fn, void *arg)
{
    struct br_watch *watch = handle_new(loop, sizeof(*watch), close_watch);
    int rc;

    if (watch == NULL)
        return NULL;
    watch->fd = fd;
    watch->fn = fn;
    watch->arg = arg;
    rc = loop_add(loop->loop, &watch->watch, fd, to_epoll(events), on_watch);
    if (rc < 0)
        return handle_fail(&watch->h, rc);
    handle_hold(&watch->h, true);
    return watch;
}

API int
br_watch_set(struct br_watch *watch, unsigned events)
{
    return loop_mod(watch->h.loop->loop, &watch->watch, to_epoll(events));
}

API int
br_watch_fd(const struct br_watch *watch)
{
    return watch->fd;
}

API void
br_watch_unref(struct br_watch *watch)
{
    handle_unref(&watch->h);
}

API void
br_watch_free(struct br_watch *watch)
{
    handle_free(watch != NULL ? &watch->h : NULL);
}

/* --- timers --- */

struct br_timer {
    struct handle h;
    struct timer timer;
    int64_t every_ms;
    br_timer_fn *fn;
    void *arg;
};

/* Set again from when it was due, so that a late turn does not shift all that follow. */
static void
on_timer(struct timer *t)
{
    struct br_timer *timer = container_of(t, struct br_timer, timer);
    int64_t now = clock_ms();

    if (timer->every_ms > 0)
        timer_set(loop_timers(timer->h.loop->loop), t, br_max(t->due_ms + timer->every_ms, now));
    else
        handle_hold(&timer->h, false);
    timer->fn(timer, timer->arg);
}

static void
close_timer(struct handle *h)
{
    struct br_timer *timer = container_of(h, struct br_timer, h);

    loop_timer_cancel(h->loop->loop, &timer->timer);
}

API struct br_timer *
br_timer_new(struct br_loop *loop, br_timer_fn *fn, void *arg)
{
    struct br_timer *timer = handle_new(loop, sizeof(*timer), close_timer);

    if (timer == NULL)
        return NULL;
    timer_init(&timer->timer, on_timer);
    timer->fn = fn;
    timer->arg = arg;
    return timer;
}

/* The clock is read: the turn may have begun long ago, or the loop not run yet. */
API void
br_timer_set(struct br_timer *timer, int64_t delay_ms, int64_t every_ms)
{
    timer->every_ms = every_ms;
    timer_set(loop_timers(timer->h.loop->loop), &timer->timer, clock_us() / 1000 + delay_ms);
    handle_hold(&timer->h, true);
}

API void
br_timer_stop(struct br_timer *timer)
{
    loop_timer_cancel(timer->h.loop->loop, &timer->timer);
    handle_hold(&timer->h, false);
}

API void
br_timer_unref(struct br_timer *timer)
{
    handle_unref(&timer->h);
}

API void
br_timer_free(struct br_timer *timer)
{
    handle_free(timer != NULL ? &timer->h : NULL);
}

/* --- signals --- */

struct br_signal {
    struct handle h;
    struct signal_watch watch;
    br_signal_fn *fn;
    void *arg;
};

static void
on_signal(struct signal_watch *w, int signo)
{
    struct br_signal *sig = container_of(w, struct br_signal, watch);

    sig->fn(sig, signo, sig->arg);
}

static void
close_signal(struct handle *h)
{
    struct br_signal *sig = container_of(h, struct br_signal, h);

    signal_unwatch(&sig->watch);
}

API struct br_signal *
br_signal_new(struct br_loop *loop, int signo, br_signal_fn *fn, void *arg)
{
    struct br_signal *sig = handle_new(loop, sizeof(*sig), close_signal);
    int rc;

    if (sig == NULL)
        return NULL;
    sig->fn = fn;
    sig->arg = arg;
    rc = signal_watch(&sig->watch, loop->loop, signo, on_signal);
    if (rc < 0)
        return handle_fail(&sig->h, rc);
    handle_hold(&sig->h, true);
    return sig;
}

API void
br_signal_unref(struct br_signal *sig)
{
    handle_unref(&sig->h);
}

API void
br_signal_free(struct br_signal *sig)
{
    handle_free(sig != NULL ? &sig->h : NULL);
}

/* --- wake-ups --- */

struct br_wakeup {
    struct handle h;
    struct watch watch;
    int fd;
    br_wakeup_fn *fn;
    void *arg;
};

static void
on_wakeup(struct watch *w, br_unused uint32_t events)
{
    struct br_wakeup *wakeup = container_of(w, struct br_wakeup, watch);
    uint64_t rings;

    if (read(wakeup->fd, &rings, sizeof(rings)) == sizeof(rings))
        wakeup->fn(wakeup, wakeup->arg);
}

static void
close_wakeup(struct handle *h)
{
    struct br_wakeup *wakeup = container_of(h, struct br_wakeup, h);

    loop_del(h->loop->loop, &wakeup->watch);
    fd_close(&wakeup->fd);
}

API struct br_wakeup *
br_wakeup_new(struct br_loop *loop, br_wakeup_fn *fn, void *arg)
{
    struct br_wakeup *wakeup = handle_new(loop, sizeof(*wakeup), close_wakeup);
    int rc;

    if (wakeup == NULL)
        return NULL;
    wakeup->fn = fn;
    wakeup->arg = arg;
    wakeup->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rc = wakeup->fd < 0 ? -errno
                        : loop_add(loop->loop, &wakeup->watch, wakeup->fd, EPOLLIN, on_wakeup);
    if (rc < 0)
        return handle_fail(&wakeup->h, rc);
    handle_hold(&wakeup->h, true);
    return wakeup;
}

API void
br_wake(struct br_wakeup *wakeup)
{
    static const uint64_t one = 1;
    int saved = errno;

    /* Fails only when 2^64 - 2 rings wait: then the loop is awake anyhow. */
    (void)!write(wakeup->fd, &one, sizeof(one));
    errno = saved;
}

API void
br_wakeup_unref(struct br_wakeup *wakeup)
{
    handle_unref(&wakeup->h);
}

API void
br_wakeup_free(struct br_wakeup *wakeup)
{
    handle_free(wakeup != NULL ? &wakeup->h : NULL);
}
