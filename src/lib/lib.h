/*
 * lib.h - what the files of libbrood share: the loop behind br_loop, and the head of every handle.
 *
 *   br_loop: [ loop ] [ held: how many handles keep it running ] [ all its handles ]
 *
 * A handle is one allocation with a struct handle in front; `close` undoes what it does in the loop
 * and is the only thing that differs when handles are freed by their owner, by br_loop_free, and in
 * a forked child, where the floors below know that what a watch refers to is gone.
 */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include <brood/loop.h>

#include "base/err.h"
#include "event/loop.h"

/* What leaves the library; everything else is hidden.  The version script names the versions. */
#define API br_public

#define LOOP_ROOM (64 * 1024)

struct br_loop {
    struct loop *loop;
    char *room;
    unsigned held;
    struct list handles;
};

struct handle {
    struct list link;
    struct br_loop *loop;
    void (*close)(struct handle *h);
    bool holds;  /* it would keep the loop running */
    bool unref;  /* but shall not */
    bool closed; /* close has run, or runs */
};

/* LOOP_ROOM bytes to read into, valid during a callback; NULL when memory is out. */
char *loop_room(struct br_loop *loop);

/* calloc'ed, in the loop's list, holds nothing yet.  NULL and errno. */
void *handle_new(struct br_loop *loop, size_t size, void (*close)(struct handle *h));
/* Close, and free at the end of the turn.  Nothing for NULL and for one that is closed. */
void handle_free(struct handle *h);
void handle_hold(struct handle *h, bool holds);
void handle_unref(struct handle *h);
/* handle_free, then NULL and errno = -rc. */
void *handle_fail(struct handle *h, int rc);

/* As br_channel_send, of bytes in several places. */
struct br_channel;
struct iovec;
int channel_send_parts(struct br_channel *ch, const struct iovec *iov, size_t n_iov, const int *fds,
                       unsigned n_fds);

/* Kill and reap one that cannot be watched. */
void child_discard(pid_t pid);

/* Copy the sentence of err into error, which may be NULL.  Returns rc. */
int error_out(struct br_error *error, const char *step, const struct br_err *err, int rc);

#endif
