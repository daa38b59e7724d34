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

#define KEEP_MAX 64

/* A descriptor that survives into the child: all others are closed there. */
struct kept {
    char name[24]; /* "card", "nest", "bell", "wake3", … */
    int fd;
};

struct roster;

struct process {
    struct list link; /* in the roster */
    struct roster *roster;
    const struct br_role *role;
    struct lifecycle life;
    pid_t pid; /* 0 until forked */
    uint32_t index;
    uint32_t launch;
    uint32_t instance;
    uint32_t
        cohort;   /* router: made together with others of that number, see main_cohort.h; else 0 */
    uint32_t nth; /* router: which of its cohort */
    const struct creds *creds; /* whom it becomes, NULL: its role says */
    struct task *task;         /* the parent's, set by spawn; NULL until then */
    struct loop *loop;         /* the parent's, where child and timer are watched; set by spawn */
    /* As given to spawn: it is reaped, its line is gone. */
    void (*on_death)(struct task *task, struct process *p, int status);
    struct channel *channel; /* our line to it, NULL when gone */
    struct child child;
    /* The one list of what it inherits; ours, closed with the process. */
    struct kept keep[KEEP_MAX];
    unsigned n_keep;
    struct launch *card; /* what it was started from, or NULL; kept for respawns */
    int card_fd;         /* the same as it came, -1: none; each start inherits a copy as "card" */
    struct restart_history restarts;
    int64_t forked_ms;
    int64_t fork_us;    /* just before the fork */
    int64_t ready_us;   /* when READY was heard, 0: not yet; noted for workers */
    bool no_respawn;    /* stopped on purpose */
    bool failed;        /* this start said why it failed */
    bool live;          /* what it was launched for is live: each instance is told */
    bool alone;         /* … once no older launch of its application is left */
    bool was_ready;     /* some start of it came to READY */
    bool unmet;         /* this start came to READY, but could not be introduced to its peers */
    uint32_t asked;     /* serial of the question that its start will answer, or 0 */
    struct timer timer; /* the parent's: next start, or end of patience */
    char name[96];      /* what process_name makes */
    void *data;         /* the role's own: made by prefork, used by setup and start in the child */
};

/* Takes fd; a borrowed one must be dup'ed first.  -ENOSPC, and fd is closed. */
int process_keep(struct process *p, const char *name, int fd);
/* The kept descriptor of that name, or -1. */
int process_kept(const struct process *p, const char *name);
/* Close all that was kept, before the next start fills it again. */
void process_unkeep(struct process *p);
/* Close those whose name begins so: only the child needs them. */
void process_unkeep_some(struct process *p, const char *prefix);
/* "router 0", "\"blog\" prototype", for logs; the text lives in the struct. */
const char *process_name(struct process *p);

struct roster {
    struct list all;
    unsigned n;
};

void roster_init(struct roster *r);
struct process *roster_new(struct roster *r, const struct br_role *role);
/* Takes it off the list, closes what it kept, frees it at the end of the loop turn. */
void roster_free(struct roster *r, struct process *p);
struct process *roster_find_pid(struct roster *r, pid_t pid);
struct process *roster_find(struct roster *r, enum role_id role, uint32_t index);
struct process *roster_find_launch(struct roster *r, enum role_id role, uint32_t launch);
unsigned roster_count(const struct roster *r, enum role_id role);

#endif
