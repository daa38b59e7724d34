/*
 * brood/loop.h - a loop: wait for descriptors, timers, signals, and wake-ups from other threads.
 *
 *   br_loop_new -> handles (br_watch_new, br_timer_new, br_spawn, ...) -> br_loop_run
 *
 * A loop runs as long as something holds it: a watch, a timer that is set, a signal, a wake-up, a
 * child, a stream that reads or has output left, a listener, a channel, a pool.  Each has an _unref
 * function, after which it works on but holds the loop no longer.
 *
 * A callback may do anything but free its loop or run it again; a handle that is freed in one gets
 * no more calls.  Several loops may run in as many threads.  See epoll(7).
 */
#ifndef BROOD_LOOP_H
#define BROOD_LOOP_H

#include <brood/base.h>

BR_BEGIN

struct br_loop;

/* NULL and errno (EMFILE, ENFILE, ENOMEM). */
struct br_loop *br_loop_new(void);
/* Frees what still belongs to it: descriptors it opened are closed, children are left alone. */
void br_loop_free(struct br_loop *loop);
/* Until nothing holds the loop, or br_loop_stop.  0 or -errno. */
int br_loop_run(struct br_loop *loop);
/* One turn, waiting wait_ms at most (-1: as long as it takes).  0 or -errno. */
int br_loop_turn(struct br_loop *loop, int wait_ms);
/* br_loop_run returns at the end of this turn.  From a callback. */
void br_loop_stop(struct br_loop *loop);
/* Monotonic milliseconds at the start of this turn. */
int64_t br_loop_now_ms(const struct br_loop *loop);

/*
 * br_loop_fork - fork(2) for a program with loops.
 *
 * In the child: 0; loop is empty and may be filled and run, all its handles are gone (the parent's
 * live on), signals are as they were before anybody asked for one, the mask is the parent's.  No
 * signal of the parent is seen twice, none of the child's is lost.  May be called in a callback,
 * also from br_loop_run: there the child goes on in the same place of the program.  Other loops of
 * the parent must not be touched in the child.
 * In the parent: the pid, to be watched with br_child_watch; or -errno.
 */
pid_t br_loop_fork(struct br_loop *loop);

/* --- descriptors --- */

#define BR_READABLE 1u
#define BR_WRITABLE 2u
#define BR_HANGUP   4u /* told, never asked for: the peer is gone, or an error waits */

struct br_watch;
typedef void br_watch_fn(struct br_watch *watch, unsigned events, void *arg);

/* fd stays yours: br_watch_free before you close it.  NULL and errno (EPERM: a regular file). */
struct br_watch *br_watch_new(struct br_loop *loop, int fd, unsigned events, br_watch_fn *fn,
                              void *arg);
/* Ask for other events.  0 or -errno. */
int br_watch_set(struct br_watch *watch, unsigned events);
int br_watch_fd(const struct br_watch *watch);
void br_watch_unref(struct br_watch *watch);
void br_watch_free(struct br_watch *watch);

/* --- timers --- */

struct br_timer;
typedef void br_timer_fn(struct br_timer *timer, void *arg);

/* Not set yet.  NULL and errno (ENOMEM). */
struct br_timer *br_timer_new(struct br_loop *loop, br_timer_fn *fn, void *arg);
/* Fires in delay_ms milliseconds, then every every_ms ones (0: once).  Sets it anew. */
void br_timer_set(struct br_timer *timer, int64_t delay_ms, int64_t every_ms);
void br_timer_stop(struct br_timer *timer);
void br_timer_unref(struct br_timer *timer);
void br_timer_free(struct br_timer *timer);

/* --- signals --- */

struct br_signal;
typedef void br_signal_fn(struct br_signal *sig, int signo, void *arg);

/*
 * Every loop of the process that asks for a signal sees each one, in its own thread.  The handler
 * of before is put back when the last one who asked is freed.  Do not block it in all threads.
 * The kernel merges ordinary signals that are pending at the same time, signal(7).
 * NULL and errno: EINVAL (cannot be caught), ENOSPC (64 loops ask for signals already).
 */
struct br_signal *br_signal_new(struct br_loop *loop, int signo, br_signal_fn *fn, void *arg);
void br_signal_unref(struct br_signal *sig);
void br_signal_free(struct br_signal *sig);

/* --- wake-ups --- */

struct br_wakeup;
typedef void br_wakeup_fn(struct br_wakeup *wakeup, void *arg);

/* NULL and errno. */
struct br_wakeup *br_wakeup_new(struct br_loop *loop, br_wakeup_fn *fn, void *arg);
/*
 * Have fn called in the loop's thread, soon; several calls may become one.  From any thread and
 * any signal handler, as long as the wake-up is not freed.
 */
void br_wake(struct br_wakeup *wakeup);
void br_wakeup_unref(struct br_wakeup *wakeup);
void br_wakeup_free(struct br_wakeup *wakeup);

BR_END

#endif
