/*
 * standstill.c - ask /proc until a process has stopped.  See proc(5), /proc/PID/stat.
 */
#include "interp/standstill.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define LOOK_MS    5
#define LOOKS_MOST 400

char
standstill_state(pid_t pid)
{
    char path[32], text[512];
    const char *paren;
    ssize_t n;
    br_cleanup(fd_closep) int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    paren = strrchr(text, ')'); /* the name in front of it may hold anything */
    return paren != NULL && paren[1] == ' ' ? paren[2] : 0;
}

static void
look(struct timer *t)
{
    struct standstill *st = container_of(t, struct standstill, timer);

    if (standstill_state(st->pid) == 'T')
        st->stopped(st);
    else if (++st->looks < LOOKS_MOST)
        loop_timer(st->loop, &st->timer, LOOK_MS);
}

void
standstill_watch(struct standstill *st, struct loop *loop, pid_t pid,
                 void (*stopped)(struct standstill *st))
{
    standstill_done(st);
    *st = (struct standstill){.loop = loop, .pid = pid, .stopped = stopped};
    timer_init(&st->timer, look);
    loop_timer(loop, &st->timer, LOOK_MS);
}

void
standstill_done(struct standstill *st)
{
    if (st->loop != NULL)
        loop_timer_cancel(st->loop, &st->timer);
}
