/*
 * spawn.c - br_spawn: options to process/program, pipes to streams, the pidfd to a callback.
 *
 *   stdio[i] -> struct program_fd {ours, i}      pipes: one end in `theirs`, closed after the start
 *
 * Everything that can fail in the parent is done before the start, streams included: nobody has to
 * be killed because there was no memory for a handle.
 */
#include <brood/spawn.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "lib/lib.h"
#include "process/creds.h"
#include "process/program.h"

_Static_assert(BR_GROUPS_MAX == CREDS_GROUPS_MAX, "the same limit inside and outside");
_Static_assert(sizeof(struct br_id_map) == sizeof(struct program_map), "one is used as the other");

struct br_child {
    struct handle h;
    struct child child;
    pid_t pid;
    int pidfd; /* for br_child_kill: child.pidfd, or -1 when it has ended */
    br_exit_fn *fn;
    void *arg;
};

static void
on_exit_of(struct child *c, int status)
{
    struct br_child *child = container_of(c, struct br_child, child);

    child->pidfd = -1;
    if (child->fn != NULL)
        child->fn(child, status >> 8 & 0xff, status & 0x7f, child->arg);
    handle_free(&child->h);
}

static void
close_child(struct handle *h)
{
    struct br_child *child = container_of(h, struct br_child, h);

    child->pidfd = -1;
    loop_child_forget(&child->child);
}

/* --- the pipes --- */

struct stdio {
    struct program_fd fds[PROGRAM_FDS_MAX];
    unsigned n;
    int theirs[PROGRAM_FDS_MAX]; /* ends of pipes that are the program's */
    unsigned n_theirs;
    struct br_stream *ours[PROGRAM_FDS_MAX];
    struct br_stream **ret[PROGRAM_FDS_MAX];
    unsigned n_ours;
};

static void
stdio_done(struct stdio *io, bool started)
{
    for (unsigned i = 0; i < io->n_theirs; i++)
        fd_close(&io->theirs[i]);
    for (unsigned i = 0; i < io->n_ours; i++) {
        if (started)
            *io->ret[i] = io->ours[i];
        else
            br_stream_close(io->ours[i]);
    }
}

/* ret_fds[0]: ours, [1]: the program's. */
static int
make_pipe(enum br_pipe_way way, unsigned number, int ret_fds[2])
{
    bool reads = way == BR_PIPE_CHILD_READS || (way == BR_PIPE_USUAL && number == 0);
    int fds[2];

    if (way == BR_PIPE_BOTH) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds) < 0)
            return -errno;
        return 0;
    }
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    ret_fds[0] = reads ? fds[1] : fds[0];
    ret_fds[1] = reads ? fds[0] : fds[1];
    return 0;
}

static int
add_pipe(struct stdio *io, struct br_loop *loop, const struct br_stdio *how, unsigned number)
{
    struct br_stream *stream;
    int fds[2];
    int rc;

    if (how->ret_stream == NULL)
        return -EINVAL;
    rc = make_pipe(how->way, number, fds);
    if (rc < 0)
        return rc;
    io->theirs[io->n_theirs++] = fds[1];
    io->fds[io->n++] = (struct program_fd){.fd = fds[1], .to = (int)number};
    stream = br_stream_new(loop, fds[0]);
    if (stream == NULL)
        return -errno;
    io->ret[io->n_ours] = how->ret_stream;
    io->ours[io->n_ours++] = stream;
    return 0;
}

static int
add_stdio(struct stdio *io, struct br_loop *loop, const struct br_stdio *how, unsigned number)
{
    int fd = -1;

    switch (how->kind) {
    case BR_STDIO_IGNORE:
        if (number > STDERR_FILENO)
            return 0;
        break;
    case BR_STDIO_FD:
        fd = how->fd;
        break;
    case BR_STDIO_STREAM:
        fd = how->stream != NULL ? br_stream_fd(how->stream) : -1;
        break;
    case BR_STDIO_PIPE:
        return add_pipe(io, loop, how, number);
    default:
        return -EINVAL;
    }
    if (how->kind != BR_STDIO_IGNORE && fd < 0)
        return -EBADF;
    io->fds[io->n++] = (struct program_fd){.fd = fd, .to = (int)number};
    return 0;
}

static int
make_stdio(struct stdio *io, struct br_loop *loop, const struct br_spawn *how, struct br_err *err)
{
    static const struct br_stdio ignore = {.kind = BR_STDIO_IGNORE};
    unsigned n = br_max(how->n_stdio, STDERR_FILENO + 1u);

    if (n > PROGRAM_FDS_MAX)
        return br_fail(err, -EINVAL, "more than %d descriptors", PROGRAM_FDS_MAX);
    for (unsigned i = 0; i < n; i++) {
        int rc = add_stdio(io, loop, i < how->n_stdio ? &how->stdio[i] : &ignore, i);

        if (rc < 0)
            return br_fail(err, rc, "descriptor %u of \"%s\"", i, how->file);
    }
    return 0;
}

/* --- the options --- */

static uint64_t
namespaces(unsigned wanted)
{
    static const uint64_t flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                     CLONE_NEWUTS,  CLONE_NEWIPC, CLONE_NEWCGROUP};
    uint64_t all = 0;

    for (unsigned i = 0; i < array_len(flags); i++)
        if (wanted & 1u << i)
            all |= flags[i];
    return all;
}

static unsigned
program_flags(const struct br_spawn *how)
{
    static const struct {
        unsigned outside, inside;
    } pairs[] = {
        {BR_SPAWN_DETACH, PROGRAM_NEW_SESSION},
        {BR_SPAWN_NO_NEW_PRIVS, PROGRAM_NO_NEW_PRIVS},
        {BR_SPAWN_DIE_WITH_PARENT, PROGRAM_DIE_WITH_PARENT},
        {BR_SPAWN_MOUNT_PROC, PROGRAM_MOUNT_PROC},
        {BR_SPAWN_UMASK, PROGRAM_SET_UMASK},
        {BR_SPAWN_NICE, PROGRAM_SET_NICE},
    };
    unsigned all = how->user != NULL ? PROGRAM_SET_UID | PROGRAM_SET_GID | PROGRAM_SET_GROUPS : 0;

    for (unsigned i = 0; i < array_len(pairs); i++)
        if (how->flags & pairs[i].outside)
            all |= pairs[i].inside;
    return all;
}

#define KNOWN_FLAGS                                                                             \
    (BR_SPAWN_DETACH | BR_SPAWN_NO_NEW_PRIVS | BR_SPAWN_DIE_WITH_PARENT | BR_SPAWN_MOUNT_PROC | \
     BR_SPAWN_UMASK | BR_SPAWN_NICE)
#define KNOWN_NAMESPACES (BR_NS_CGROUP * 2 - 1)

/* A caller compiled with an older header has a shorter struct: what it does not know is zero. */
static int
read_options(const struct br_spawn *how, struct br_spawn *ret_how, struct br_err *err)
{
    if (how->size < offsetof(struct br_spawn, file) + sizeof(how->file) || how->size > sizeof(*how))
        return br_fail(err, -EINVAL, "br_spawn.size is %zu, this library knows %zu", how->size,
                       sizeof(*how));
    *ret_how = (struct br_spawn){.size = sizeof(*how)};
    memcpy(ret_how, how, how->size);
    if (ret_how->file == NULL || ret_how->file[0] == '\0')
        return br_fail(err, -EINVAL, "no program named");
    if (ret_how->flags & ~KNOWN_FLAGS || ret_how->namespaces & ~KNOWN_NAMESPACES)
        return br_fail(err, -EINVAL, "unknown flags or namespaces");
    if (ret_how->user != NULL && ret_how->user->n_groups > BR_GROUPS_MAX)
        return br_fail(err, -EINVAL, "more than %d groups", BR_GROUPS_MAX);
    return 0;
}

static int
start(const struct br_spawn *how, const struct stdio *io, pid_t *ret_pid, int *ret_pidfd,
      enum program_step *ret_step, struct br_err *err)
{
    const char *const only[] = {how->file, NULL};
    const char *const *argv = how->argv != NULL ? how->argv : only;
    struct program_limit limits[RLIM_NLIMITS];
    struct program p = {
        .file = how->file,
        .argv = argv,
        .env = how->env,
        .cwd = how->cwd,
        .hostname = how->hostname,
        .fds = io->fds,
        .n_fds = io->n,
        .flags = program_flags(how),
        .umask = how->umask,
        .nice = how->nice,
        .namespaces = namespaces(how->namespaces),
        .uid_map = (const struct program_map *)how->uid_map,
        .gid_map = (const struct program_map *)how->gid_map,
        .n_uid_map = how->n_uid_map,
        .n_gid_map = how->n_gid_map,
        .cgroup = how->cgroup,
        .limits = limits,
        .n_limits = how->n_limits,
    };

    *ret_step = PROGRAM_PREPARE;
    if (how->n_limits > RLIM_NLIMITS)
        return br_fail(err, -EINVAL, "more than %d limits", RLIM_NLIMITS);
    for (unsigned i = 0; i < how->n_limits; i++)
        limits[i] = (struct program_limit){how->limits[i].resource, how->limits[i].soft,
                                           how->limits[i].hard};
    if (how->user != NULL) {
        p.uid = how->user->uid;
        p.gid = how->user->gid;
        p.groups = how->user->groups;
        p.n_groups = how->user->n_groups;
    }
    return program_start(&p, ret_pid, ret_pidfd, ret_step, err);
}

/* The pidfd is the loop's.  One that the loop cannot watch is not left to run unseen. */
static int
watch_child(struct br_child *child, pid_t pid, int pidfd)
{
    int rc;

    child->pid = pid;
    child->pidfd = pidfd;
    rc = loop_child(child->h.loop->loop, &child->child, pid, pidfd, on_exit_of);
    if (rc < 0)
        child->pidfd = -1;
    else
        handle_hold(&child->h, true);
    return rc;
}

void
child_discard(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

API int
br_spawn(struct br_loop *loop, const struct br_spawn *how, struct br_child **ret_child,
         struct br_error *error)
{
    struct stdio io = {.n = 0};
    struct br_err err = BR_ERR_NONE;
    enum program_step step = PROGRAM_PREPARE;
    struct br_child *child = NULL;
    struct br_spawn known;
    pid_t pid = -1;
    int pidfd;
    int rc = read_options(how, &known, &err);

    if (rc == 0)
        rc = make_stdio(&io, loop, &known, &err);
    if (rc == 0) {
        child = handle_new(loop, sizeof(*child), close_child);
        rc = child == NULL ? br_fail(&err, -ENOMEM, "no memory for the child") : 0;
    }
    if (rc == 0)
        rc = start(&known, &io, &pid, &pidfd, &step, &err);
    if (rc == 0) {
        rc = watch_child(child, pid, pidfd);
        if (rc < 0) {
            child_discard(pid);
            br_fail(&err, rc, "cannot watch \"%s\"", known.file);
        }
    }
    stdio_done(&io, rc == 0);
    if (rc < 0) {
        handle_free(child != NULL ? &child->h : NULL);
        return error_out(error, program_step_name(step), &err, rc);
    }
    child->fn = known.on_exit;
    child->arg = known.arg;
    if (ret_child != NULL)
        *ret_child = child;
    return 0;
}

API struct br_child *
br_child_watch(struct br_loop *loop, pid_t pid, br_exit_fn *fn, void *arg)
{
    struct br_child *child = handle_new(loop, sizeof(*child), close_child);
    int pidfd, rc;

    if (child == NULL)
        return NULL;
    child->fn = fn;
    child->arg = arg;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    rc = pidfd < 0 ? -errno : watch_child(child, pid, pidfd);
    return rc < 0 ? handle_fail(&child->h, rc) : child;
}

API pid_t
br_child_pid(const struct br_child *child)
{
    return child->pid;
}

API int
br_child_kill(struct br_child *child, int signo)
{
    if (child->pidfd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, child->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

API void
br_child_unref(struct br_child *child)
{
    handle_unref(&child->h);
}

API void
br_child_forget(struct br_child *child)
{
    handle_free(&child->h);
}

API int
br_user_find(const char *name, struct br_user *ret_user, struct br_error *error)
{
    struct br_err err = BR_ERR_NONE;
    struct creds creds;
    int rc = creds_resolve(name, NULL, &creds, &err);

    if (rc < 0)
        return error_out(error, "user", &err, rc);
    ret_user->uid = creds.uid;
    ret_user->gid = creds.gid;
    ret_user->n_groups = creds.n_groups;
    memcpy(ret_user->groups, creds.groups, creds.n_groups * sizeof(gid_t));
    return 0;
}
