/*
 * front_idle.c - is a TCP connection idle, whose socket another process reads and writes?
 *
 *   timer -> TCP_INFO: bytes received, bytes acknowledged -> more than at the last look? wait on
 *                                                         `- no: it is idle
 *
 * The kernel counts, so nothing is between the program and its client.  What the program wrote
 * counts when the client's side has acknowledged it: a client that takes nothing is idle, too, and
 * so is one that is gone without a word, however often its packets are sent again.
 */
#include "app/front.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"

#define LOOK_LEAST_MS 10

static int
look(int fd, struct tcp_info *ret)
{
    socklen_t n = sizeof(*ret);

    *ret = (struct tcp_info){0};
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &n) < 0)
        return -errno;
    return n < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(ret->tcpi_bytes_received)
               ? -EOPNOTSUPP
               : 0;
}

/* How long ago the last of the bytes that are new since the last look came or got through. */
static int64_t
quiet_ms(const struct idle *idle, const struct tcp_info *info)
{
    int64_t in = idle->in != info->tcpi_bytes_received ? info->tcpi_last_data_recv : INT64_MAX;
    int64_t out = idle->out != info->tcpi_bytes_acked ? info->tcpi_last_ack_recv : INT64_MAX;

    return br_min(in, out);
}

static void
on_look(struct timer *t)
{
    struct idle *idle = container_of(t, struct idle, timer);
    struct tcp_info info;
    int64_t quiet, left;

    if (look(idle->fd, &info) < 0)
        return; /* it was one when we began: nothing more can be told of it */
    quiet = quiet_ms(idle, &info);
    if (quiet != INT64_MAX)
        idle->since_ms = br_max(idle->since_ms, clock_ms() - quiet);
    idle->in = info.tcpi_bytes_received;
    idle->out = info.tcpi_bytes_acked;
    left = idle->since_ms + idle->limit_ms - clock_ms();
    if (left <= 0)
        idle->on_idle(idle);
    else
        loop_timer(idle->loop, t, br_max(left, (int64_t)LOOK_LEAST_MS));
}

int
idle_begin(struct idle *idle, struct loop *loop, int fd, int64_t limit_ms,
           void (*on_idle)(struct idle *idle))
{
    struct tcp_info info;
    int rc = look(fd, &info);

    if (rc < 0)
        return rc;
    *idle = (struct idle){.loop = loop,
                          .fd = fd,
                          .in = info.tcpi_bytes_received,
                          .out = info.tcpi_bytes_acked,
                          .since_ms = clock_ms(),
                          .limit_ms = limit_ms,
                          .on_idle = on_idle};
    timer_init(&idle->timer, on_look);
    loop_timer(loop, &idle->timer, limit_ms);
    return 0;
}

void
idle_end(struct idle *idle)
{
    if (idle->loop != NULL)
        loop_timer_cancel(idle->loop, &idle->timer);
    idle->loop = NULL;
}
