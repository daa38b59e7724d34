/*
 * loop.h - one single-threaded epoll loop; signals, children and wake-ups are descriptors too.
 *
 *   loop_run: [ before_wait ] -> epoll_wait -> [ after_wait ] -> events -> timers -> [ turn_end ]
 * -> frees
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

/*
 * Embedded by its owner.  fd stays the owner's: loop_del before close, always.  One of zeroes is in
 * no loop.
 */
struct watch {
    int fd;          /* -1: not in a loop */
    uint32_t events; /* what is asked for */
    watch_fn *fn;    /* NULL: not in a loop */
    uint32_t life;   /* of the loop when it was added: loop_after_fork begins another */
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

/*
 * Until loop_stop, which may come before.  0, or -errno when epoll_wait itself fails.
 * Takes the stop back when it returns, so that the loop may be run again.
 */
int loop_run(struct loop *loop);
/*
 * One turn: at most wait_ms (-1: as long as timers allow).  For interpreters that own the thread.
 * Not from inside a callback.
 */
int loop_once(struct loop *loop, int wait_ms);
void loop_stop(struct loop *loop);
/* Take the stop back, for who turns the loop by loop_once. */
void loop_resume(struct loop *loop);
bool loop_stopped(const struct loop *loop);

/* 0 or -errno (-EEXIST: that descriptor is watched already). */
int loop_add(struct loop *loop, struct watch *w, int fd, uint32_t events, watch_fn *fn);
/*
 * The same events again cost no system call, but with EPOLLET, where they are looked for afresh:
 * what is ready now is delivered once more.
 */
int loop_mod(struct loop *loop, struct watch *w, uint32_t events);
/*
 * Safe while the turn's events are delivered: a removed watch gets no more of them.  Nothing for
 * a watch that is in no loop, or was in the loop's life before a fork.
 */
void loop_del(struct loop *loop, struct watch *w);

/* Convenience: timer_set at clock_ms() + delay_ms on this loop. */
void loop_timer(struct loop *loop, struct timer *t, int64_t delay_ms);
void loop_timer_cancel(struct loop *loop, struct timer *t);

/*
 * Call fn(arg) at the end of the turn: to free what a pending event or the caller's own stack may
 * still name.
 */
void loop_free_later(struct loop *loop, void (*fn)(void *arg), void *arg);

/*
 * Room for n timers, and for n calls of loop_free_later in one turn: within these neither needs
 * memory, for lack of which they would abort.  0 or -ENOMEM.
 */
int loop_reserve(struct loop *loop, size_t n);

/*
 * Signals: blocks those in set and delivers each by fn.  One call per loop, else -EBUSY.  The
 * previous mask is kept, and put back by loop_after_fork and loop_free.  For a process with one
 * loop that owns it; several loops: signals.h.
 */
typedef void loop_signal_fn(void *arg, const struct signalfd_siginfo *info);
int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *arg);

/*
 * A child: fn is called once, after waitid has reaped it; c may be freed in it.  status is as
 * waitpid's; 255 << 8 (exit code 255) when something else reaped it.
 * loop_child takes the pidfd: closed before the call, on loop_child_forget, and on failure.
 */
struct child {
    struct watch watch;
    struct list link; /* in the loop's list of children */
    pid_t pid;
    int pidfd;
    struct loop *loop;
    void (*fn)(struct child *c, int status);
};
int loop_child(struct loop *loop, struct child *c, pid_t pid, int pidfd,
               void (*fn)(struct child *c, int status));
/* Stop watching.  Nothing for a child that was told, was forgotten, or is all zeroes. */
void loop_child_forget(struct child *c);

/*
 * For process 1, which inherits whose parents died: reap all that is dead.  Children of this loop
 * are told as always; nobody else's status is taken.  Call it at SIGCHLD.
 */
void loop_reap(struct loop *loop);

/*
 * In a freshly forked child, before it closes descriptors by number: closes the loop's own and the
 * pidfds, puts the signal mask back, forgets all watches, timers, hooks and pending frees.  What a
 * callback of the parent's loop would still get is dropped too, so this may be called inside one.
 */
void loop_after_fork(struct loop *loop);

#endif
