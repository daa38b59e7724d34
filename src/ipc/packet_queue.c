/*
 * packet_queue.c - packets that the kernel has no room for yet, each with copies of its bytes.
 */
#include "ipc/packet_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

struct queued_packet {
    struct queued_packet *next;
    size_t n;
    unsigned n_fds;
    int fds[PACKET_FDS_MAX];
    char p[];
};

void
packet_queue_init(struct packet_queue *q, unsigned most)
{
    *q = (struct packet_queue){.end = &q->first, .most = most};
}

static void
drop_first(struct packet_queue *q)
{
    struct queued_packet *first = q->first;

    q->first = first->next;
    if (q->first == NULL)
        q->end = &q->first;
    q->n--;
    packet_close_fds(first->fds, first->n_fds);
    free(first);
}

void
packet_queue_done(struct packet_queue *q)
{
    while (q->first != NULL)
        drop_first(q);
}

static int
append(struct packet_queue *q, const struct iovec *iov, size_t n_iov, int *fds, unsigned n_fds)
{
    struct queued_packet *last;
    size_t n = 0;

    for (size_t i = 0; i < n_iov; i++)
        n += iov[i].iov_len;
    last = q->n < q->most ? malloc(sizeof(*last) + n) : NULL;
    if (last == NULL)
        return -ENOBUFS;
    last->next = NULL;
    last->n = 0;
    for (size_t i = 0; i < n_iov; i++) {
        if (iov[i].iov_len > 0)
            memcpy(last->p + last->n, iov[i].iov_base, iov[i].iov_len);
        last->n += iov[i].iov_len;
    }
    last->n_fds = n_fds;
    for (unsigned i = 0; i < n_fds; i++)
        last->fds[i] = fd_take(&fds[i]);
    *q->end = last;
    q->end = &last->next;
    q->n++;
    return 1;
}

int
packet_queue_send(struct packet_queue *q, int fd, const struct iovec *iov, size_t n_iov, int *fds,
                  unsigned n_fds)
{
    int rc = q->n > 0 ? -EAGAIN : packet_send(fd, iov, n_iov, fds, n_fds);

    if (rc == -EAGAIN)
        rc = append(q, iov, n_iov, fds, n_fds);
    packet_close_fds(fds, n_fds);
    return rc;
}

int
packet_queue_flush(struct packet_queue *q, int fd)
{
    int rc = 0;

    while (q->first != NULL && rc == 0) {
        struct queued_packet *first = q->first;
        struct iovec iov = {first->p, first->n};

        rc = packet_send(fd, &iov, 1, first->fds, first->n_fds);
        if (rc == -EAGAIN)
            return rc;
        drop_first(q);
    }
    packet_queue_done(q); /* after an error, of which the reader will see the end as well */
    return rc;
}
