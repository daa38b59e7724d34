/*
 * program_child.h - what a new process does between clone3 and execve.
 *
 * It runs in the parent's memory (vclone.h): system calls only, no allocation, no lock, no stdio,
 * and no sanitizer, which does not know its stack.  Everything it needs is laid out before.
 */
#ifndef PROCESS_PROGRAM_CHILD_H
#define PROCESS_PROGRAM_CHILD_H

#include "process/program.h"

/* Descriptors first..last, to be closed. */
struct fd_range {
    unsigned first, last;
};

struct program_child {
    const struct program *p;
    char *const *paths; /* to try in order, NULL at the end */
    const char *const *env;
    const struct program_fd *fds; /* sorted by their number in the program */
    unsigned n_fds;
    const struct fd_range *gaps; /* between those numbers */
    unsigned n_gaps;
    int null_fd;   /* /dev/null, or -1 when nobody needs it */
    int maps_told; /* -1, or: write a byte, I am here */
    int maps_done; /* read an int: 0 or -errno, the maps are written */
    pid_t parent;

    /* The child's answer. */
    int rc; /* -errno of what failed */
    enum program_step step;
};

void program_child(void *arg) br_noreturn;

#endif
