/*
 * cgroup.h - the control group of an application: made, limited, entered at birth, removed.
 *
 * Card keys: cgroup (path: with '/' in front from the root of the version 2 hierarchy, else below
 * our own group), cgroup_limit ("memory.max=1073741824", one each).
 *
 * See cgroups(7) and the kernel's Documentation/admin-guide/cgroup-v2.rst.
 */
#ifndef PROCESS_CGROUP_H
#define PROCESS_CGROUP_H

#include <limits.h>

#include "process/launch.h"

struct cgroup_place {
    char path[PATH_MAX];
    size_t base; /* how much of it was there before us */
};

/*
 * Make the card's group with its parents, set its limits, open its directory for CLONE_INTO_CGROUP.
 * 0 and -1 in *ret_fd when the card has none; -errno with the step: no version 2 hierarchy, no such
 * controller there, no permission.
 */
int cgroup_open(const struct launch *card, int *ret_fd, struct br_err *err);
/*
 * Remove the card's group, and those above it that are empty then.  0, also when others use it and
 * when the card has none; -EBUSY while there are still processes in it.
 */
int cgroup_remove(const struct launch *card);

/* Where the card's group is, for who removes it without the card.  0, -ENOENT: it has none. */
int cgroup_place(const struct launch *card, struct cgroup_place *ret);
/* As cgroup_remove; a path outside of the hierarchy is left alone.  Writes over the place. */
int cgroup_remove_at(struct cgroup_place *place);

#endif
