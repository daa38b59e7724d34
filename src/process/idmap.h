/*
 * idmap.h - uid_map and gid_map of a new user namespace, written while its creator sleeps.
 *
 *   creator's thread: idmap_begin -> vclone (sleeps until the child executes) -> idmap_end
 *   helper thread:    waits for the child's byte -> /proc/PID/{setgroups,gid_map,uid_map} -> answer
 *
 * Only a process outside of the namespace may write a map of more than its own id
 * (user_namespaces(7)), and the thread that made the child cannot.
 */
#ifndef PROCESS_IDMAP_H
#define PROCESS_IDMAP_H

#include <pthread.h>

#include "process/program.h"

struct idmap {
    const struct program *p;
    pid_t pid; /* set by clone3, CLONE_PARENT_SETTID, before the child runs */
    int told[2];
    int done[2];
    pthread_t thread;
};

/*
 * idmap_write - text as the file (uid_map, gid_map, setgroups) of /proc/PID.  One write(2): the
 * kernel takes a map whole or not at all.  0 or -errno.
 */
int idmap_write(pid_t pid, const char *file, const char *text);

/* 0 or -errno. */
int idmap_begin(struct idmap *m, const struct program *p);
/* The child has executed, failed, or was never made. */
void idmap_end(struct idmap *m);

#endif
