/*
 * numbers.c - what the prototype says of its workers when the controller asks.
 *
 * Memory is read from /proc/PID/smaps_rollup: private is what a worker really costs, shared is what
 * it has of the prototype's.
 */
#include "app/prototype.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/stream.h"
#include "base/clock.h"
#include "base/fd.h"
#include "ipc/status.h"
#include "nest/lane.h"

#define SMAPS_BYTES 16384

/* The sum of the lines "NAME: N kB" of /proc/PID/smaps_rollup that begin with this word. */
static uint64_t
smaps_sum(const char *text, const char *word)
{
    uint64_t sum = 0;

    for (const char *p = text; (p = strstr(p, word)) != NULL; p++) {
        const char *colon = strchr(p, ':');

        if (colon && (p == text || p[-1] == '\n'))
            sum += strtoull(colon + 1, NULL, 10) * 1024;
    }
    return sum;
}

static void
measure(pid_t pid, struct status_worker *w)
{
    char path[64];
    char text[SMAPS_BYTES];
    ssize_t n;
    br_cleanup(fd_closep) int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    n = read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return;
    text[n] = '\0';
    w->private_bytes = smaps_sum(text, "Private_Clean") + smaps_sum(text, "Private_Dirty");
    w->shared_bytes = smaps_sum(text, "Shared_Clean") + smaps_sum(text, "Shared_Dirty");
}

static void
describe_worker(const struct prototype *proto, const struct process *p, struct status_worker *w)
{
    static const enum status_worker_state states[] = {[SCALE_STARTING] = WORKER_STARTING,
                                                      [SCALE_IDLE] = WORKER_IDLE,
                                                      [SCALE_BUSY] = WORKER_BUSY,
                                                      [SCALE_DRAINING] = WORKER_DRAINING};

    *w = (struct status_worker){.pid = p->pid,
                                .state = states[worker_look(proto, p).state],
                                .age_ms = (uint64_t)(clock_ms() - p->forked_ms)};
    if (p->ready_us != 0)
        w->start_us = (uint64_t)(p->ready_us - p->fork_us);
    if (proto->app.stream != NULL)
        stream_worker_numbers(proto, p, w);
    for (unsigned i = 0; i < proto->app.threads && proto->app.nest != NULL; i++) {
        struct lane_view v;

        nest_lane_view(proto->app.nest, p->index + i, &v);
        w->requests += v.requests;
        w->active += v.busy;
    }
    measure(p->pid, w);
}

void
numbers_on_ask(struct task *task, struct channel *ch, struct message *m)
{
    struct prototype *proto = task->data;
    struct {
        struct status_prototype head;
        struct status_stream stream;
        struct status_worker workers[NEST_LANES];
    } status = {.head = {.launch = task->launch,
                         .instance = task->instance,
                         .max = proto->app.rules.max,
                         .pid = getpid(),
                         .filters = task->filters}};
    struct msg_none none = {0};
    struct process *p;
    int fd;

    if (proto->app.stream != NULL)
        stream_numbers(proto, &status.stream);
    list_foreach (p, &proto->workers.all, link)
        describe_worker(proto, p, &status.workers[status.head.n_workers++]);
    fd = fd_memfd_sealed("status", &status,
                         offsetof(__typeof__(status), workers[status.head.n_workers]));
    if (fd >= 0)
        dispatch_reply(ch, m, MSG_STATUS, &none, &fd, 1);
}
