/*
 * process.h - a process as its parent knows it, and the list of them.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "base/list.h"
#include "event/loop.h"
#include "process/launch.h"
#include "process/lifecycle.h"
#include "process/restart.h"
#include "process/role.h"

#define KEEP_MAX 40

/* A descriptor that survives into the child: all others are closed there. */
struct kept {
    char name[24]; /* "card", "nest", "bell", "wake3", … */
    int fd;
};

struct process {
    struct list link; /* in the roster */
    const struct br_role *role;
    struct lifecycle life;
    pid_t pid; /* 0 until forked */
    uint32_t index;
    uint32_t launch;
    uint32_t instance;
    struct channel *channel; /* our line to it, NULL when gone */
    struct child child;
    struct kept keep[KEEP_MAX]; /* the one list of what it inherits; ours, closed with the process */
    unsigned n_keep;
    struct launch *card; /* what it was started from, or NULL; kept for respawns */
    struct restart_history restarts;
    int64_t forked_ms;
    bool no_respawn; /* stopped on purpose */
    void *data; /* the role's own: made by prefork, used by setup and start in the child */
};

/* Takes fd; a borrowed one must be dup'ed first.  -ENOSPC, and fd is closed. */
int process_keep(struct process *p, const char *name, int fd);
/* The kept descriptor of that name, or -1. */
int process_kept(const struct process *p, const char *name);

struct roster {
    struct list all;
    unsigned n;
};

void roster_init(struct roster *r);
struct process *roster_new(struct roster *r, const struct br_role *role);
/* Takes it off the list, closes what it kept, frees it. */
void roster_free(struct roster *r, struct process *p);
struct process *roster_find_pid(struct roster *r, pid_t pid);
struct process *roster_find(struct roster *r, enum role_id role, uint32_t index);
struct process *roster_find_launch(struct roster *r, enum role_id role, uint32_t launch);
unsigned roster_count(const struct roster *r, enum role_id role);

#endif
