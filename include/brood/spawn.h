/*
 * brood/spawn.h - start a program, watch it, and be told how it ended.
 *
 *   struct br_spawn how = {sizeof(how)};
 *   how.file = "ls";  how.argv = argv;  how.on_exit = on_exit;
 *   br_spawn(loop, &how, &child, &error)
 *
 * br_spawn returns when the program runs, or with the step that failed and its errno: there is no
 * child then.  The cost does not depend on the size of the caller: nothing of it is copied.
 * In the program all signals are at their defaults and unblocked, and no descriptor is open but
 * those that stdio names.
 *
 * See clone(2), execve(2), pidfd_open(2), namespaces(7), cgroups(7), setrlimit(2).
 */
#ifndef BROOD_SPAWN_H
#define BROOD_SPAWN_H

#include <brood/stream.h>

BR_BEGIN

struct br_child;

/* signo 0: it returned status, 0..255.  Else the signal that ended it.  The child is freed then. */
typedef void br_exit_fn(struct br_child *child, int status, int signo, void *arg);

/* --- where its descriptors lead --- */

enum br_stdio_kind {
    BR_STDIO_IGNORE, /* 0, 1, 2: /dev/null; higher ones: closed */
    BR_STDIO_FD,     /* the same open file as our descriptor fd, which stays ours */
    BR_STDIO_STREAM, /* the same as a stream's, which stays ours */
    BR_STDIO_PIPE,   /* a new pipe; our end becomes a stream in the loop */
};

enum br_pipe_way {
    BR_PIPE_USUAL, /* 0: the program reads; all others: it writes */
    BR_PIPE_CHILD_READS,
    BR_PIPE_CHILD_WRITES,
    BR_PIPE_BOTH, /* a pair of Unix stream sockets */
};

struct br_stdio {
    enum br_stdio_kind kind;
    enum br_pipe_way way;          /* BR_STDIO_PIPE */
    int fd;                        /* BR_STDIO_FD */
    struct br_stream *stream;      /* BR_STDIO_STREAM */
    struct br_stream **ret_stream; /* BR_STDIO_PIPE: our end, yours to close; set on success */
};

/* --- who it is --- */

#define BR_GROUPS_MAX 256

struct br_user {
    uid_t uid;
    gid_t gid;
    unsigned n_groups; /* supplementary ones */
    gid_t groups[BR_GROUPS_MAX];
};

/* By the system's user database; may block, getpwnam(3).  0, -ENOENT, -E2BIG, -errno. */
int br_user_find(const char *name, struct br_user *ret_user, struct br_error *error);

/* --- what it may use, and what it sees --- */

struct br_limit {
    int resource; /* RLIMIT_NOFILE, ... */
    uint64_t soft;
    uint64_t hard;
};

#define BR_NS_USER   0x01u
#define BR_NS_MOUNT  0x02u
#define BR_NS_PID    0x04u
#define BR_NS_NET    0x08u
#define BR_NS_UTS    0x10u
#define BR_NS_IPC    0x20u
#define BR_NS_CGROUP 0x40u

/* Ids first_inside... of the namespace are first_outside... of ours, user_namespaces(7). */
struct br_id_map {
    uint32_t first_inside;
    uint32_t first_outside;
    uint32_t count;
};

#define BR_SPAWN_DETACH          0x01u /* a session of its own, setsid(2) */
#define BR_SPAWN_NO_NEW_PRIVS    0x02u /* nothing it executes gains rights, prctl(2) */
#define BR_SPAWN_DIE_WITH_PARENT 0x04u /* SIGKILL when the thread that calls br_spawn ends */
#define BR_SPAWN_MOUNT_PROC      0x08u /* its own /proc: with BR_NS_PID and BR_NS_MOUNT */
#define BR_SPAWN_UMASK           0x10u /* use the field umask */
#define BR_SPAWN_NICE            0x20u /* use the field nice */

/* Everything is read during br_spawn only and stays yours.  Fields of zero: as the caller. */
struct br_spawn {
    size_t size;                  /* sizeof(struct br_spawn): which fields the caller knows */
    const char *file;             /* without a slash: looked for in PATH of env */
    const char *const *argv;      /* NULL-terminated; NULL: {file} */
    const char *const *env;       /* NULL-terminated "NAME=value"; NULL: ours */
    const char *cwd;              /* entered with the rights of user */
    const struct br_stdio *stdio; /* stdio[i] is descriptor i of the program */
    unsigned n_stdio;             /* of 0, 1, 2 the missing ones are ignored */
    unsigned flags;
    const struct br_user *user;
    const struct br_limit *limits;
    unsigned n_limits;
    unsigned namespaces;
    const struct br_id_map *uid_map; /* BR_NS_USER; none: our ids are 0 inside */
    const struct br_id_map *gid_map;
    unsigned n_uid_map;
    unsigned n_gid_map;
    const char *hostname; /* BR_NS_UTS */
    const char *cgroup;   /* born in this directory of a cgroup v2 hierarchy */
    mode_t umask;
    int nice;
    br_exit_fn *on_exit; /* NULL: nobody is told; it is reaped all the same */
    void *arg;
};

/*
 * br_spawn - start a program.  ret_child may be NULL.
 *
 * 0, or -errno; error->step is then one of: prepare (options), clone, id maps, setsid, descriptors,
 * sethostname, mount, setrlimit, nice, setgroups, setgid, setuid, confine, chdir, signals, exec.
 */
int br_spawn(struct br_loop *loop, const struct br_spawn *how, struct br_child **ret_child,
             struct br_error *error);

/* Watch a child that was made otherwise, as by br_loop_fork.  NULL and errno (ESRCH, ECHILD). */
struct br_child *br_child_watch(struct br_loop *loop, pid_t pid, br_exit_fn *fn, void *arg);

pid_t br_child_pid(const struct br_child *child);
/* Through its pidfd: never hits a stranger.  0, -ESRCH (it has ended), -EPERM, -EINVAL. */
int br_child_kill(struct br_child *child, int signo);
/* The loop may end before it does; while the loop runs it is reaped. */
void br_child_unref(struct br_child *child);
/* Leave it to whoever waits for children: nobody is told, it is not reaped here. */
void br_child_forget(struct br_child *child);

BR_END

#endif
