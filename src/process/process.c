/*
 * process.c - the list of processes that one process has forked, and what each of them inherits.
 *
 *   roster: [ router 0 ] - [ controller ] - [ prototype of launch 3: keeps card, nest, bell, wake0
 * ]
 *
 * A struct process outlives the process: main keeps it from one start to the next, so that a
 * respawn needs no memory.  Birth is ipc/spawn's, death is told by event/loop.
 */
#include "process/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

int
process_keep(struct process *p, const char *name, int fd)
{
    struct kept *k;

    if (fd < 0)
        return -EBADF;
    if (p->n_keep == KEEP_MAX || strlen(name) >= sizeof(k->name)) {
        fd_close(&fd);
        return -ENOSPC;
    }
    k = &p->keep[p->n_keep++];
    memcpy(k->name, name, strlen(name) + 1);
    k->fd = fd;
    return 0;
}

int
process_kept(const struct process *p, const char *name)
{
    for (unsigned i = 0; i < p->n_keep; i++)
        if (strcmp(p->keep[i].name, name) == 0)
            return p->keep[i].fd;
    return -1;
}

void
process_unkeep_some(struct process *p, const char *prefix)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->n_keep; i++) {
        if (strncmp(p->keep[i].name, prefix, strlen(prefix)) == 0)
            fd_close(&p->keep[i].fd);
        else
            p->keep[n++] = p->keep[i];
    }
    p->n_keep = n;
}

void
process_unkeep(struct process *p)
{
    for (unsigned i = 0; i < p->n_keep; i++)
        fd_close(&p->keep[i].fd);
    p->n_keep = 0;
}

const char *
process_name(struct process *p)
{
    const char *app = p->card != NULL ? launch_get(p->card, "name", NULL) : NULL;

    if (app != NULL)
        snprintf(p->name, sizeof(p->name), "\"%s\" %s", app, p->role->name);
    else if (p->role->numbered)
        snprintf(p->name, sizeof(p->name), "%s %u", p->role->name, p->index);
    else
        snprintf(p->name, sizeof(p->name), "%s", p->role->name);
    return p->name;
}

void
roster_init(struct roster *r)
{
    list_init(&r->all);
    r->n = 0;
}

struct process *
roster_new(struct roster *r, const struct br_role *role)
{
    struct process *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->role = role;
    p->roster = r;
    p->card_fd = -1;
    p->child.watch.fd = -1;
    p->child.pidfd = -1;
    lifecycle_begin(&p->life);
    list_add_tail(&r->all, &p->link);
    r->n++;
    return p;
}

static void
free_memory(void *arg)
{
    free(arg);
}

void
roster_free(struct roster *r, struct process *p)
{
    list_del(&p->link);
    r->n--;
    process_unkeep(p);
    fd_close(&p->card_fd);
    launch_free(p->card);
    p->card = NULL;
    if (p->loop == NULL) {
        free(p);
        return;
    }
    /* An event of this turn may still name it. */
    loop_child_forget(&p->child);
    loop_timer_cancel(p->loop, &p->timer);
    loop_free_later(p->loop, free_memory, p);
}

struct process *
roster_find_pid(struct roster *r, pid_t pid)
{
    struct process *p;

    list_foreach (p, &r->all, link)
        if (p->pid == pid)
            return p;
    return NULL;
}

struct process *
roster_find(struct roster *r, enum role_id role, uint32_t index)
{
    struct process *p;

    list_foreach (p, &r->all, link)
        if (p->role->id == role && p->index == index)
            return p;
    return NULL;
}

struct process *
roster_find_launch(struct roster *r, enum role_id role, uint32_t launch)
{
    struct process *p;

    list_foreach (p, &r->all, link)
        if (p->role->id == role && p->launch == launch)
            return p;
    return NULL;
}

unsigned
roster_count(const struct roster *r, enum role_id role)
{
    const struct process *p;
    unsigned n = 0;

    list_foreach (p, &r->all, link)
        if (p->role->id == role)
            n++;
    return n;
}
