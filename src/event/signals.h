/*
 * signals.h - signals for several loops of one program: each loop sees each signal it asked for.
 *
 *   kernel -> handler (any thread) -> count and ring the bell of every loop that asked -> its
 * thread
 *
 * A signalfd(2) gives a signal to one reader only, and to none while some thread has it unblocked;
 * loop_signals is that, for a process with one loop that owns the process.  This is for all
 * others: a program whose threads have loops of their own.
 *
 * The handler is installed with the first watch of a signal and what was there before is put back
 * with the last.  The signal must not be blocked in every thread.  Two that are pending at once are
 * one for the kernel (signal(7)); each run of the handler is one call of fn.
 *
 * At most SIGNALS_LOOPS loops of a process.  Any thread may add and remove watches of the loop that
 * it runs.  See sigaction(2), eventfd(2), signal-safety(7).
 */
#ifndef EVENT_SIGNALS_H
#define EVENT_SIGNALS_H

#include "event/loop.h"

#define SIGNALS_LOOPS 64

struct signal_watch;

typedef void signal_watch_fn(struct signal_watch *w, int signo);

/* Embedded by its owner.  One of zeroes watches nothing. */
struct signal_watch {
    struct list link;
    struct loop *loop; /* NULL: watches nothing */
    uint32_t life;     /* of the process: a fork ends all watches */
    int signo;
    signal_watch_fn *fn;
};

/* 0, -EINVAL (no such signal, or one that cannot be caught), -ENOSPC (SIGNALS_LOOPS), -errno. */
int signal_watch(struct signal_watch *w, struct loop *loop, int signo, signal_watch_fn *fn);
/* Safe inside any callback of its loop.  Nothing for one that watches nothing. */
void signal_unwatch(struct signal_watch *w);

/* For loop_free: the loop is about to go, with the watches that it still has. */
void signals_end(struct loop *loop);
/*
 * For loop_after_fork: in a child, all watches are gone and every signal is as it was before the
 * first of them.  Nothing in a process that has done it already or is no child.
 */
void signals_after_fork(void);

#endif
