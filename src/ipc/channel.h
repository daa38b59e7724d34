/*
 * channel.h - one end of a SOCK_SEQPACKET pair: whole messages, descriptors, credentials.
 *
 *   sender: channel_send -> [ kernel buffer ] or, when that is full, [ bounded queue ] -> kernel
 *
 * In order, never blocking; what the peer sent is checked against messages.def before anybody
 * sees it, and what fails the check is dropped with its descriptors closed.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "event/loop.h"
#include "ipc/messages.h"

/* Messages that may wait for one peer; who lets more pile up is told -ENOBUFS. */
#define CHANNEL_QUEUE_MAX 256

struct channel;

struct message {
    enum msg_type type;
    uint32_t serial;      /* of a question; 0: none is expected to answer */
    uint32_t reply_to;    /* of an answer: the question's serial */
    pid_t pid;            /* the sender, by the kernel's word */
    void *payload;        /* msg_info[type].size bytes, aligned to 8, valid during the handler */
    int fds[MSG_FDS_MAX]; /* closed after the handler unless taken by fd_take */
    unsigned n_fds;
};

struct channel_ops {
    void (*on_message)(struct channel *ch, struct message *m);
    /* The peer is gone.  Called once; free the channel here or later. */
    void (*on_gone)(struct channel *ch);
    /*
     * A message is refused and dropped, its descriptors are closed.  -EPROTO (shape), -EMFILE
     * (descriptors were lost: we have no room for them), -EPERM (that role may not say it), -EACCES
     * (not sent by the peer's process).  Of m only serial, reply_to and pid can be used.  May be
     * NULL.
     */
    void (*on_refused)(struct channel *ch, unsigned type, const struct message *m, int rc);
};

/* Who is at the other end. */
struct peer {
    enum role_id role;
    pid_t pid;
    uint32_t index;
    uint32_t launch;
    uint32_t instance;
};

/* Non-blocking, close-on-exec pair.  0 or -errno. */
int channel_pair(int ret_fds[2]);

/*
 * Takes fd.  loop may be NULL: then only channel_recv_wait and channel_flush move what waits.  NULL
 * and errno when memory is out or the loop refuses; fd is closed.
 */
struct channel *channel_new(struct loop *loop, int fd, enum role_id self, const struct peer *peer,
                            const struct channel_ops *ops, void *owner);
/* Closes now, frees at the end of the loop turn; queued messages are dropped. */
void channel_free(struct channel *ch);
/* In a forked child, after loop_after_fork: closes our copy and frees, the parent's line lives. */
void channel_after_fork(struct channel *ch);

const struct peer *channel_peer(const struct channel *ch);
struct peer *channel_peer_edit(struct channel *ch);
void *channel_owner(const struct channel *ch);
int channel_fd(const struct channel *ch);

/*
 * channel_send - queue one message for the peer.
 *
 *   payload   msg_info[type].size bytes, copied; still yours afterwards
 *   fds       n_fds descriptors: taken, closed once sent and on failure too
 *   serial    of a question, 0 for none;  reply_to: serial of the question this answers, or 0
 *
 * Never blocks, never logs.  0, or -EPIPE (peer is gone), -ENOBUFS (its queue is at the ceiling).
 */
int channel_send(struct channel *ch, enum msg_type type, const void *payload, int *fds,
                 unsigned n_fds, uint32_t serial, uint32_t reply_to);

/* Read and deliver what waits now, without a loop turn. */
void channel_pump(struct channel *ch);

/*
 * For code that has no loop (a synchronous worker): wait up to wait_ms for the next message and
 * deliver it by on_message.  1, 0 (time is up), -EPIPE.
 */
int channel_recv_wait(struct channel *ch, int wait_ms);
/* Wait up to wait_ms until all that is queued has gone to the kernel.  0, -ETIMEDOUT, -EPIPE. */
int channel_flush(struct channel *ch, int wait_ms);

#endif
