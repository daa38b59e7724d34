/*
 * numbers.c - ask routers and prototypes for their counters, wait for all, hand over what came.
 *
 *   STATUS_ASK -> router 0, router 1, prototype of launch 9 ...
 *                 STATUS (sealed memfd) or silence, each ------> one report; the last one: fn
 *
 * An application may write what it likes into its prototype's report: which launch it speaks for
 * is taken from its line, and no count in it is believed beyond the bytes that came.
 */
#include "controller/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "ipc/dispatch.h"

#define NUMBERS_WAIT_MS   5000
#define NUMBERS_BYTES_MAX (4u * 1024 * 1024)

/* What one process said. */
struct report {
    struct list link;
    struct numbers *numbers;
    enum role_id role;
    uint32_t launch;
    uint32_t instance;
    char *text; /* malloc'ed: aligned for the structs in it; NULL until it came */
    size_t size;
};

struct numbers {
    struct list link;
    struct task *task;
    struct list reports;
    unsigned waiting;
    numbers_fn *fn;
    void *arg;
};

int
numbers_read(const struct message *m, char **ret_text, size_t *ret_size)
{
    int seals = m->type == MSG_STATUS ? fcntl(m->fds[0], F_GET_SEALS) : -1;

    if (seals < 0 || !(seals & F_SEAL_WRITE) || !(seals & F_SEAL_SHRINK))
        return -EBADMSG;
    return fd_read_file(m->fds[0], NUMBERS_BYTES_MAX, ret_text, ret_size);
}

static void
deliver(struct numbers *n)
{
    struct report *r, *tmp;

    list_del(&n->link);
    n->fn(n->arg, n);
    list_foreach_safe (r, tmp, &n->reports, link) {
        dispatch_forget(n->task->dispatch, r);
        list_del(&r->link);
        free(r->text);
        free(r);
    }
    free(n);
}

static void
on_status(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct report *r = arg;

    if (rc == 0 && numbers_read(m, &r->text, &r->size) < 0)
        r->text = NULL;
    if (--r->numbers->waiting == 0)
        deliver(r->numbers);
}

static void
ask(struct channel *ch, void *arg)
{
    const struct msg_none question = {0};
    const struct peer *peer = channel_peer(ch);
    struct numbers *n = arg;
    struct report *r = calloc(1, sizeof(*r));

    if (r == NULL)
        abort();
    r->numbers = n;
    r->role = peer->role;
    r->launch = peer->launch;
    r->instance = peer->instance;
    if (dispatch_ask(ch, MSG_STATUS_ASK, &question, NULL, 0, NUMBERS_WAIT_MS, on_status, r) < 0) {
        free(r);
        return;
    }
    list_add_tail(&n->reports, &r->link);
    n->waiting++;
}

void
numbers_ask(struct task *task, struct list *asking, numbers_fn *fn, void *arg)
{
    struct numbers *n = calloc(1, sizeof(*n));

    if (n == NULL)
        abort();
    n->task = task;
    list_init(&n->reports);
    list_add_tail(asking, &n->link);
    n->fn = fn;
    n->arg = arg;
    dispatch_each(task->dispatch, ROLE_ROUTER, ask, n);
    dispatch_each(task->dispatch, ROLE_PROTOTYPE, ask, n);
    if (n->waiting == 0)
        deliver(n);
}

void
numbers_finish(struct list *asking)
{
    struct numbers *n, *tmp;

    list_foreach_safe (n, tmp, asking, link)
        deliver(n);
}

/* The rows behind a head: NULL unless all `count` of them came. */
static const void *
rows(const char *text, size_t size, size_t head, size_t row, uint32_t count)
{
    if (size < head || (size - head) / row < count)
        return NULL;
    return text + head;
}

static const struct status_router *
router_head(const struct report *r)
{
    return r->role == ROLE_ROUTER && r->text != NULL && r->size >= sizeof(struct status_router)
               ? (const void *)r->text
               : NULL;
}

unsigned
numbers_routers(const struct numbers *n, struct status_router *ret_sum)
{
    const struct report *r;
    unsigned count = 0;

    *ret_sum = (struct status_router){0};
    list_foreach (r, &n->reports, link) {
        const struct status_router *s = router_head(r);

        if (s == NULL)
            continue;
        ret_sum->accepted += s->accepted;
        ret_sum->active += s->active;
        ret_sum->idle += s->idle;
        ret_sum->closed += s->closed;
        ret_sum->requests += s->requests;
        count++;
    }
    return count;
}

struct status_app
numbers_app(const struct numbers *n, uint32_t launch)
{
    struct status_app sum = {.launch = launch};
    const struct report *r;

    list_foreach (r, &n->reports, link) {
        const struct status_router *s = router_head(r);
        const struct status_app *apps;

        if (s == NULL)
            continue;
        apps = rows(r->text, r->size, sizeof(*s), sizeof(*apps), s->n_apps);
        for (uint32_t i = 0; apps != NULL && i < s->n_apps; i++) {
            if (apps[i].launch != launch)
                continue;
            sum.waiting += apps[i].waiting;
            sum.active += apps[i].active;
            sum.total += apps[i].total;
        }
    }
    return sum;
}

/* What the newest instance of that launch said, NULL: nothing. */
static const struct report *
newest_report(const struct numbers *n, uint32_t launch)
{
    const struct report *r, *newest = NULL;

    list_foreach (r, &n->reports, link) {
        if (r->role == ROLE_PROTOTYPE && r->launch == launch && r->text != NULL &&
            r->size >= sizeof(struct status_prototype) &&
            (newest == NULL || r->instance > newest->instance))
            newest = r;
    }
    return newest;
}

bool
numbers_filters(const struct numbers *n, uint32_t launch, uint32_t *ret_filters)
{
    const struct report *r = newest_report(n, launch);

    if (r != NULL)
        *ret_filters = ((const struct status_prototype *)(const void *)r->text)->filters;
    return r != NULL;
}

const struct status_worker *
numbers_workers(const struct numbers *n, uint32_t launch, struct status_stream *ret_stream,
                uint32_t *ret_count)
{
    const struct report *r = newest_report(n, launch);
    const struct status_prototype *s;

    if (r == NULL || r->size < sizeof(*s) + sizeof(*ret_stream))
        return NULL;
    s = (const void *)r->text;
    *ret_count = s->n_workers;
    memcpy(ret_stream, s + 1, sizeof(*ret_stream));
    return rows(r->text, r->size, sizeof(*s) + sizeof(*ret_stream), sizeof(struct status_worker),
                s->n_workers);
}

const struct status_program *
numbers_programs(const struct numbers *n, uint32_t launch, struct status_front *ret_sums,
                 uint32_t *ret_count)
{
    const struct report *r = newest_report(n, launch);
    const struct status_prototype *s;

    if (r == NULL || r->size < sizeof(*s) + sizeof(*ret_sums))
        return NULL;
    s = (const void *)r->text;
    *ret_count = s->n_workers;
    memcpy(ret_sums, s + 1, sizeof(*ret_sums));
    return rows(r->text, r->size, sizeof(*s) + sizeof(*ret_sums), sizeof(struct status_program),
                s->n_workers);
}

const struct status_process *
numbers_processes(const char *text, size_t size, uint32_t *ret_count)
{
    const struct status_main *s = (const void *)text;

    if (size < sizeof(*s))
        return NULL;
    *ret_count = s->n_processes;
    return rows(text, size, sizeof(*s), sizeof(struct status_process), s->n_processes);
}
