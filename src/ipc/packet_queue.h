/*
 * packet_queue.h - packets on their way out: sent at once, or kept in order until the kernel takes
 * them.
 *
 * The owner watches the socket for room (EPOLLOUT) while n is above 0, and calls the flush then.
 */
#ifndef IPC_PACKET_QUEUE_H
#define IPC_PACKET_QUEUE_H

#include "ipc/packet.h"

struct queued_packet;

struct packet_queue {
    struct queued_packet *first, **end;
    unsigned n;
    unsigned most;
};

/* It will hold at most so many. */
void packet_queue_init(struct packet_queue *q, unsigned most);
/* Forget what waits, and close its descriptors. */
void packet_queue_done(struct packet_queue *q);

/*
 * packet_queue_send - send a packet behind those that wait.  Takes the descriptors, whatever it
 * returns: 0; 1, it waits now; -ENOBUFS, there is no room for more; another -errno of packet_send.
 */
int packet_queue_send(struct packet_queue *q, int fd, const struct iovec *iov, size_t n_iov,
                      int *fds, unsigned n_fds);

/*
 * packet_queue_flush - send what waits as far as the kernel takes it.  0, nothing waits any more;
 * -EAGAIN, some is left; another -errno of packet_send, and nothing waits any more.
 */
int packet_queue_flush(struct packet_queue *q, int fd);

#endif
