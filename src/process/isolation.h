/*
 * isolation.h - what a process does not share with the rest of the machine, from its launch card.
 *
 *   parent: birth -> clone3 -> (CREATED) outside -> (GO) -> … -> reaped: after
 *   child:  inside -> becomes its user -> confine.h
 *
 * Card keys: namespace (mount, network, …, one each), uid_map, gid_map ("INSIDE OUTSIDE N"),
 * hostname; those of mounts.h and cgroup.h.
 *
 * See namespaces(7), user_namespaces(7), clone(2).
 */
#ifndef PROCESS_ISOLATION_H
#define PROCESS_ISOLATION_H

#include <sys/types.h>

#include "process/launch.h"

struct creds;

/* How the process is born: for clone3. */
struct birth {
    uint64_t flags; /* CLONE_NEW… and CLONE_INTO_CGROUP; 0: a plain fork does */
    int cgroup_fd;  /* owned, -1: the parent's cgroup */
};

/* In the parent, before the fork; makes the cgroup.  0, or -errno with the reason. */
int isolation_birth(const struct launch *card, struct birth *ret, struct br_err *err);
/* clone3 as fork(2): pid, 0 in the child, -errno.  Closes the descriptor in both. */
pid_t isolation_fork(struct birth *birth);

/*
 * In the parent, while the child waits for the go-ahead: its id maps.  An application without a map
 * has its own user and group there, whom the card names.
 */
int isolation_outside(const struct launch *card, pid_t pid, struct br_err *err);

/*
 * In the child, with the rights that it was born with: host name, mounts, root, views of cgroups.
 * deps are paths that the new root must have, read-only (mounts.h).
 */
int isolation_inside(const struct launch *card, const char *const *deps, struct br_err *err);

/* Fit supplementary groups to what the id map covers: who is in a namespace of ids may have others
 * refused. */
void isolation_fit(const struct launch *card, struct creds *creds);

#endif
