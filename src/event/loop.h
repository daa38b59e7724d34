/*
 * loop.h - one single-threaded epoll loop; signals, children and wake-ups are descriptors too.
 *
 *   loop_run: [ before_wait ] -> epoll_wait -> [ after_wait ] -> events -> timers -> [ turn_end ] -> frees
 *
 * Fork-safe: a child calls loop_after_fork, which closes what the parent's loop held and leaves
 * an empty loop that may be filled again.  See epoll(7), signalfd(2), pidfd_open(2), eventfd(2).
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "base/list.h"
#include "event/timer.h"

struct loop;
struct watch;

typedef void watch_fn(struct watch *w, uint32_t events); /* EPOLLIN, EPOLLOUT, … */

/* Embedded by its owner.  fd stays the owner's: loop_del before close, always. */
struct watch {
    int fd;          /* -1: not in a loop */
    uint32_t events; /* what is asked for */
    watch_fn *fn;
};

struct loop_hooks {
    void *arg;
    /* Just before epoll_wait; false: do not block this time. */
    bool (*before_wait)(void *arg);
    /* Just after epoll_wait returned and the clock was read. */
    void (*after_wait)(void *arg);
    /* After the turn's events and timers. */
    void (*turn_end)(void *arg);
};

/* NULL and errno when the kernel refuses a descriptor. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

struct timers *loop_timers(struct loop *loop);
void loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks);

/* Until loop_stop.  0, or -errno when epoll_wait itself fails. */
int loop_run(struct loop *loop);
/* One turn: at most wait_ms (-1: as long as timers allow).  For interpreters that own the thread. */
int loop_once(struct loop *loop, int wait_ms);
void loop_stop(struct loop *loop);
bool loop_stopped(const struct loop *loop);

/* 0 or -errno. */
int loop_add(struct loop *loop, struct watch *w, int fd, uint32_t events, watch_fn *fn);
int loop_mod(struct loop *loop, struct watch *w, uint32_t events);
/* Safe while the turn's events are delivered: a removed watch gets no more of them. */
void loop_del(struct loop *loop, struct watch *w);

/* Convenience: timer_set at clock_ms() + delay_ms on this loop. */
void loop_timer(struct loop *loop, struct timer *t, int64_t delay_ms);
void loop_timer_cancel(struct loop *loop, struct timer *t);

/* Free at the end of the turn, since a pending event may still name the object. */
void loop_free_later(struct loop *loop, void (*fn)(void *arg), void *arg);

/*
 * Signals: blocks those in set and delivers each by fn.  One call per loop.  The previous mask is
 * kept, and put back by loop_after_fork and loop_free.
 */
typedef void loop_signal_fn(void *arg, const struct signalfd_siginfo *info);
int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *arg);

/*
 * A child: fn is called once, after waitid has reaped it.  status is as waitpid's.
 * loop_child takes the pidfd (closes it after the call or on loop_child_forget).
 */
struct child {
    struct watch watch;
    pid_t pid;
    int pidfd;
    struct loop *loop;
    void (*fn)(struct child *c, int status);
};
int loop_child(struct loop *loop, struct child *c, pid_t pid, int pidfd,
               void (*fn)(struct child *c, int status));
void loop_child_forget(struct child *c);

/* In a freshly forked child: closes the loop's own descriptors, forgets all watches and timers. */
void loop_after_fork(struct loop *loop);

#endif
