/*
 * heritage.c - a process that executes another program takes its descriptors and its name along.
 *
 *   v=2;role=4;index=0;launch=3;instance=1;parent=0:812:5;log=4:3;routers=1;grace=30000;filters=1;
 *   keep=nest:7,bell:8,;tmp=/tmp
 *
 * One environment variable.  What reads it trusts it no further than that the descriptors are
 * open: it was written by the same process, before it became another program.
 */
#include "ipc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "process/title.h"

#define HERITAGE_VERSION 2

int
spawn_heritage(const struct task *task, const struct process *p, char *ret_text, size_t room)
{
    const struct peer *parent = channel_peer(task->parent);
    struct buf b;
    int rc;

    buf_init(&b, room - 1);
    buf_printf(&b, "v=%d;role=%d;index=%u;launch=%u;instance=%u;", HERITAGE_VERSION,
               (int)task->role->id, task->index, task->launch, task->instance);
    buf_printf(&b,
               "parent=%d:%d:%d;log=%d:%d;routers=%u;grace=%u;filters=%u;keep=", (int)parent->role,
               (int)parent->pid, channel_fd(task->parent), log_fd(), (int)log_get_level(),
               task->settings->routers, task->settings->grace_ms, task->filters);
    for (unsigned i = 0; i < p->n_keep; i++)
        buf_printf(&b, "%s:%d,", p->keep[i].name, p->keep[i].fd);
    buf_printf(&b, ";tmp=%s", task->settings->tmp_dir != NULL ? task->settings->tmp_dir : "/tmp");
    rc = b.error != 0 ? -ENOSPC : 0;
    if (rc == 0) {
        memcpy(ret_text, b.p, b.n);
        ret_text[b.n] = '\0';
        fd_set_cloexec(channel_fd(task->parent), false);
        fd_set_cloexec(log_fd(), false);
        for (unsigned i = 0; i < p->n_keep; i++)
            fd_set_cloexec(p->keep[i].fd, false);
    }
    buf_done(&b);
    return rc;
}

struct reader {
    struct slice rest;
    int error;
};

/* The value of the next pair, which must have that key. */
static struct slice
next_value(struct reader *r, const char *key)
{
    struct slice piece = SLICE_NONE;
    size_t n = strlen(key);

    if (r->error == 0 && slice_split(&r->rest, ';', &piece) && piece.n > n && piece.p[n] == '=' &&
        memcmp(piece.p, key, n) == 0)
        return slice_sub(piece, n + 1, piece.n);
    r->error = -EINVAL;
    return SLICE_NONE;
}

/* Colon-separated small numbers, exactly n of them. */
static void
numbers(struct reader *r, struct slice text, uint32_t *ret, unsigned n)
{
    struct slice piece;
    uint64_t value;
    unsigned i = 0;

    while (i < n && slice_split(&text, ':', &piece)) {
        if (slice_u64(piece, &value) < 0 || value > UINT32_MAX)
            break;
        ret[i++] = (uint32_t)value;
    }
    if (i < n || text.p != NULL)
        r->error = -EINVAL;
}

static uint32_t
number(struct reader *r, const char *key)
{
    uint32_t value = 0;

    numbers(r, next_value(r, key), &value, 1);
    return value;
}

/* It must be open; it will not survive another execution. */
static void
take_fd(struct reader *r, int fd)
{
    if (r->error == 0 && fd_set_cloexec(fd, true) < 0)
        r->error = -EBADF;
}

static void
take_kept(struct reader *r, struct process *self)
{
    struct slice list = next_value(r, "keep");
    struct slice item;

    while (r->error == 0 && slice_split(&list, ',', &item) && item.n > 0) {
        size_t colon = slice_find(item, 0, ':');
        struct kept *k = &self->keep[self->n_keep];
        uint32_t fd = 0;

        if (colon == item.n || colon >= sizeof(k->name) || self->n_keep == KEEP_MAX) {
            r->error = -EINVAL;
            return;
        }
        numbers(r, slice_sub(item, colon + 1, item.n), &fd, 1);
        take_fd(r, (int)fd);
        memcpy(k->name, item.p, colon);
        k->name[colon] = '\0';
        k->fd = (int)fd;
        self->n_keep++;
    }
}

struct inherited {
    struct peer parent;
    int line_fd;
    int log_fd;
    enum log_level level;
};

static int
read_heritage(const char *text, const struct br_role *role, struct task *task, struct process *self,
              struct settings *settings, struct inherited *ret)
{
    struct reader r = {.rest = slice_cstr(text)};
    uint32_t parent[3] = {0};
    uint32_t log[2] = {0};
    static char tmp_dir[1024];
    struct slice tmp;

    if (number(&r, "v") != HERITAGE_VERSION || number(&r, "role") != role->id)
        return -EINVAL;
    task->index = self->index = number(&r, "index");
    task->launch = self->launch = number(&r, "launch");
    task->instance = self->instance = number(&r, "instance");
    numbers(&r, next_value(&r, "parent"), parent, 3);
    numbers(&r, next_value(&r, "log"), log, 2);
    settings->routers = number(&r, "routers");
    settings->grace_ms = number(&r, "grace");
    task->filters = number(&r, "filters");
    take_kept(&r, self);
    tmp = r.rest; /* the last one may hold anything */
    if (r.error != 0 || !slice_starts(tmp, SLICE("tmp=")) || tmp.n - 4 >= sizeof(tmp_dir))
        return r.error != 0 ? r.error : -EINVAL;
    memcpy(tmp_dir, tmp.p + 4, tmp.n - 4);
    tmp_dir[tmp.n - 4] = '\0';
    settings->tmp_dir = tmp_dir;

    *ret = (struct inherited){
        .parent = {.role = (enum role_id)parent[0], .pid = (pid_t)parent[1]},
        .line_fd = (int)parent[2],
        .log_fd = (int)log[0],
        .level = (enum log_level)log[1],
    };
    take_fd(&r, ret->line_fd);
    if (ret->log_fd > STDERR_FILENO)
        take_fd(&r, ret->log_fd);
    return r.error;
}

static int
make_task(struct task *task, const struct inherited *in, struct br_err *err)
{
    task->loop = loop_new();
    if (task->loop == NULL)
        return br_fail(err, -errno, "no event loop");
    task->dispatch = dispatch_new(task);
    if (task->dispatch == NULL)
        return br_fail(err, -ENOMEM, "dispatch");
    task->parent = dispatch_add(task->dispatch, in->line_fd, &in->parent);
    if (task->parent == NULL)
        return br_fail(err, -ENOMEM, "no line to the parent");
    return 0;
}

int
spawn_inherit(const char *heritage, const struct br_role *role, struct task *ret_task,
              struct process *ret_self, struct br_err *err)
{
    static struct settings settings = {.ready_fd = -1};
    struct inherited in;
    int rc;

    *ret_task = (struct task){.role = role, .settings = &settings};
    *ret_self = (struct process){.role = role, .card_fd = -1, .pid = getpid()};
    list_init(&ret_self->link);
    rc = read_heritage(heritage, role, ret_task, ret_self, &settings, &in);
    if (rc < 0)
        return br_fail(err, rc, "no heritage of a brood process");
    log_to_fd(in.log_fd);
    log_set_level(in.level);
    if (process_kept(ret_self, "card") >= 0) {
        rc = launch_read(process_kept(ret_self, "card"), &ret_self->card, err);
        if (rc < 0)
            return rc;
        title_set("brood: \"%s\" %s", launch_get(ret_self->card, "name", ""),
                  role->title != NULL ? role->title : role->name);
    }
    return make_task(ret_task, &in, err);
}
