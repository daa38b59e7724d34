/*
 * program.h - run a program in a new process: options, birth, and what went wrong in between.
 *
 *   parent: candidates, descriptors sorted -> signals blocked -> clone3(CLONE_VM | CLONE_VFORK)
 *   child:  session, descriptors, limits, user, directory, signals -> execve     (program_child.c)
 *   parent: runs again once the child has executed or failed; knows which step and why
 *
 * The child borrows the parent's memory instead of copying its page tables, so the price does not
 * grow with the parent.  It has a stack of its own, allocates nothing and makes system calls only.
 *
 * See clone(2), execve(2), pidfd_open(2), close_range(2), credentials(7), namespaces(7).
 */
#ifndef PROCESS_PROGRAM_H
#define PROCESS_PROGRAM_H

#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

/* What a new process does before it is the program, in this order. */
enum program_step {
    PROGRAM_OK,
    PROGRAM_PREPARE, /* in the parent: memory, numbers that make no sense */
    PROGRAM_CLONE,   /* clone3: namespaces, cgroup, limit of processes */
    PROGRAM_MAPS,    /* uid_map, gid_map */
    PROGRAM_SESSION, /* setsid */
    PROGRAM_FDS,     /* dup3, close_range */
    PROGRAM_HOST,    /* sethostname */
    PROGRAM_MOUNT,   /* /proc of the new pid namespace */
    PROGRAM_LIMITS,  /* prlimit */
    PROGRAM_NICE,    /* setpriority */
    PROGRAM_GROUPS,  /* setgroups */
    PROGRAM_GID,     /* setresgid */
    PROGRAM_UID,     /* setresuid, capabilities */
    PROGRAM_CONFINE, /* no_new_privs, signal at the parent's death */
    PROGRAM_CHDIR,
    PROGRAM_SIGNALS,
    PROGRAM_EXEC,
    PROGRAM_STEPS,
};

/* "chdir", "setuid", "exec": the word for messages. */
const char *program_step_name(enum program_step step);

struct program_fd {
    int fd; /* ours; -1: /dev/null */
    int to; /* its number in the program */
};

struct program_limit {
    int resource; /* RLIMIT_... */
    rlim_t soft;
    rlim_t hard;
};

/* A line of uid_map or gid_map, user_namespaces(7). */
struct program_map {
    uint32_t inside;
    uint32_t outside;
    uint32_t count;
};

enum program_flags {
    PROGRAM_NEW_SESSION = 1 << 0,
    PROGRAM_SET_UID = 1 << 1,
    PROGRAM_SET_GID = 1 << 2,
    PROGRAM_SET_GROUPS = 1 << 3,
    PROGRAM_SET_UMASK = 1 << 4,
    PROGRAM_SET_NICE = 1 << 5,
    PROGRAM_NO_NEW_PRIVS = 1 << 6,
    PROGRAM_DIE_WITH_PARENT = 1 << 7, /* SIGKILL when the thread that started it ends */
    PROGRAM_MOUNT_PROC = 1 << 8,      /* needs new mount and pid namespaces */
};

#define PROGRAM_PID_BYTES  11   /* "4194304" and the NUL, as wide as any int */
#define PROGRAM_FDS_MAX    1280 /* all listening sockets that main may have, and some */
#define PROGRAM_GROUPS_MAX 65536

/* All pointers are the caller's and only read.  One of zeroes with file and argv is enough. */
struct program {
    const char *file;        /* with a slash: the path; without: looked for in PATH of env */
    const char *const *argv; /* NULL-terminated */
    const char *const *env;  /* NULL: ours */
    char *own_pid;           /* NULL, or PROGRAM_PID_BYTES in a text of env: filled with its pid */
    const char *cwd;         /* NULL: ours; entered with the new user's rights */
    const char *hostname;    /* NULL, or for a new uts namespace */
    const struct program_fd *fds; /* all other descriptors are closed in the program */
    unsigned n_fds;
    unsigned flags;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;
    mode_t umask;
    int nice;
    uint64_t namespaces;                         /* CLONE_NEW... */
    const struct program_map *uid_map, *gid_map; /* for CLONE_NEWUSER */
    unsigned n_uid_map, n_gid_map;
    const char *cgroup; /* NULL, or a directory of a cgroup v2 hierarchy: born in there */
    const struct program_limit *limits;
    unsigned n_limits;
};

/*
 * program_start - fork and execute.
 *
 * Returns when the program runs or has failed to; the latter is reaped already.  Every signal is at
 * its default and none is blocked in the program.  Any thread may call it.
 *
 * 0: the pid, and a pidfd that is the caller's.  -errno with the step, and a sentence in err:
 * -EINVAL (PROGRAM_PREPARE: a descriptor twice, maps without CLONE_NEWUSER, ...), -ENOTSUP (cgroup
 * is not of version 2), or what the step's system call said.
 */
int program_start(const struct program *p, pid_t *ret_pid, int *ret_pidfd,
                  enum program_step *ret_step, struct br_err *err);

/*
 * program_check - is there such a file, and may we execute it: what can be known without doing it.
 * 0, or -errno as program_start would say at PROGRAM_EXEC.
 */
int program_check(const struct program *p, struct br_err *err);

#endif
