/*
 * program.c - the parent's half of running a program.
 *
 *   one mapping per birth:  [ struct program_child | ...  <- stack ]
 *
 * All signals are blocked from before the clone until after it: a handler that ran in the child
 * would run in our memory.  The answer (step, errno) is read where the child wrote it.
 */
#include "process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"
#include "process/idmap.h"
#include "process/program_child.h"
#include "process/vclone.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP UINT64_C(0x200000000)
#endif

#define STACK_BYTES  (64 * 1024)
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin" /* as nobody says one: execvp(3) has less */

static const char *const step_names[PROGRAM_STEPS] = {
    [PROGRAM_OK] = "nothing",       [PROGRAM_PREPARE] = "prepare",  [PROGRAM_CLONE] = "clone",
    [PROGRAM_MAPS] = "id maps",     [PROGRAM_SESSION] = "setsid",   [PROGRAM_FDS] = "descriptors",
    [PROGRAM_HOST] = "sethostname", [PROGRAM_MOUNT] = "mount",      [PROGRAM_LIMITS] = "setrlimit",
    [PROGRAM_NICE] = "nice",        [PROGRAM_GROUPS] = "setgroups", [PROGRAM_GID] = "setgid",
    [PROGRAM_UID] = "setuid",       [PROGRAM_CONFINE] = "confine",  [PROGRAM_CHDIR] = "chdir",
    [PROGRAM_SIGNALS] = "signals",  [PROGRAM_EXEC] = "exec",
};

const char *
program_step_name(enum program_step step)
{
    return step < PROGRAM_STEPS ? step_names[step] : "unknown";
}

/* Everything that is allocated for one start. */
struct birth {
    const struct program *p;
    struct program_child *child; /* in the mapping */
    char **paths;
    char *path_text;
    struct program_fd *fds;
    struct fd_range *gaps;
    int cgroup_fd;
    struct idmap maps;
    bool mapping;
};

static void
birth_done(struct birth *b)
{
    if (b->child != NULL) {
        fd_close(&b->child->null_fd);
        munmap(b->child, STACK_BYTES);
    }
    fd_close(&b->cgroup_fd);
    free(b->paths);
    free(b->path_text);
    free(b->fds);
    free(b->gaps);
}

static const char *const *
environment(const struct program *p)
{
    return p->env != NULL ? p->env : (const char *const *)environ;
}

static const char *
path_variable(const struct program *p)
{
    for (const char *const *e = environment(p); e != NULL && *e != NULL; e++)
        if (strncmp(*e, "PATH=", 5) == 0)
            return *e + 5;
    return DEFAULT_PATH;
}

/* "DIR/FILE" for each directory of PATH, an empty one being the current; or FILE itself. */
static int
find_candidates(struct birth *b)
{
    const char *file = b->p->file;
    const char *search = path_variable(b->p);
    size_t n_dirs = 1, n_file = strlen(file), used = 0, n = 0;
    struct slice rest = slice_cstr(search), dir;

    for (const char *s = search; *s != '\0'; s++)
        n_dirs += *s == ':';
    b->paths = calloc(n_dirs + 1, sizeof(char *));
    b->path_text = malloc(strlen(search) + n_dirs * (n_file + 2));
    if (b->paths == NULL || b->path_text == NULL)
        return -ENOMEM;
    if (strchr(file, '/') != NULL) {
        b->paths[0] = (char *)file;
        return 0;
    }
    while (n < n_dirs && slice_split(&rest, ':', &dir)) {
        char *path = b->path_text + used;

        used +=
            (size_t)sprintf(path, "%.*s%s%s", (int)dir.n, dir.p, dir.n > 0 ? "/" : "", file) + 1;
        b->paths[n++] = path;
    }
    return 0;
}

static int
by_number(const void *a, const void *b)
{
    const struct program_fd *x = a, *y = b;

    return x->to < y->to ? -1 : x->to > y->to;
}

static int
lay_out_fds(struct birth *b, struct program_child *c, struct br_err *err)
{
    const struct program *p = b->p;
    unsigned from = 0, n = 0;

    if (p->n_fds > PROGRAM_FDS_MAX)
        return br_fail(err, -EINVAL, "more than %d descriptors", PROGRAM_FDS_MAX);
    b->fds = calloc(p->n_fds + 1, sizeof(*b->fds));
    b->gaps = calloc(p->n_fds + 1, sizeof(*b->gaps));
    if (b->fds == NULL || b->gaps == NULL)
        return -ENOMEM;
    if (p->n_fds > 0)
        memcpy(b->fds, p->fds, p->n_fds * sizeof(*b->fds));
    qsort(b->fds, p->n_fds, sizeof(*b->fds), by_number);
    for (unsigned i = 0; i < p->n_fds; i++) {
        unsigned to = (unsigned)b->fds[i].to;

        if (b->fds[i].to < 0 || (i > 0 && b->fds[i].to == b->fds[i - 1].to))
            return br_fail(err, -EINVAL, "descriptor %d is given twice or negative", b->fds[i].to);
        if (to > from)
            b->gaps[n++] = (struct fd_range){from, to - 1};
        from = to + 1;
    }
    b->gaps[n++] = (struct fd_range){from, UINT_MAX};
    c->fds = b->fds;
    c->n_fds = p->n_fds;
    c->gaps = b->gaps;
    c->n_gaps = n;
    for (unsigned i = 0; i < p->n_fds && c->null_fd < 0; i++) {
        if (b->fds[i].fd >= 0)
            continue;
        c->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (c->null_fd < 0)
            return br_fail(err, -errno, "/dev/null");
    }
    return 0;
}

static int
check_options(const struct program *p, struct br_err *err)
{
    if (p->file == NULL || p->file[0] == '\0' || p->argv == NULL)
        return br_fail(err, -EINVAL, "no program, or no arguments");
    if ((p->n_uid_map > 0 || p->n_gid_map > 0) && (p->namespaces & CLONE_NEWUSER) == 0)
        return br_fail(err, -EINVAL, "id maps without a user namespace");
    if (p->hostname != NULL && (p->namespaces & CLONE_NEWUTS) == 0)
        return br_fail(err, -EINVAL, "a host name without a uts namespace");
    if (p->flags & PROGRAM_MOUNT_PROC &&
        (p->namespaces & (CLONE_NEWNS | CLONE_NEWPID)) != (CLONE_NEWNS | CLONE_NEWPID))
        return br_fail(err, -EINVAL, "/proc needs new mount and pid namespaces");
    if (p->n_groups > PROGRAM_GROUPS_MAX)
        return br_fail(err, -EINVAL, "more than %d groups", PROGRAM_GROUPS_MAX);
    return 0;
}

static int
open_cgroup(struct birth *b, struct br_err *err)
{
    struct statfs fs;

    if (b->p->cgroup == NULL)
        return 0;
    b->cgroup_fd = open(b->p->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->cgroup_fd < 0 || fstatfs(b->cgroup_fd, &fs) < 0)
        return br_fail(err, -errno, "cgroup \"%s\"", b->p->cgroup);
    if (fs.f_type != CGROUP2_SUPER_MAGIC)
        return br_fail(err, -ENOTSUP, "\"%s\" is not a directory of a cgroup v2 hierarchy",
                       b->p->cgroup);
    return 0;
}

static int
prepare(struct birth *b, const struct program *p, struct br_err *err)
{
    struct program_child *c;
    int rc = check_options(p, err);

    if (rc < 0)
        return rc;
    c = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1,
             0);
    if (c == MAP_FAILED)
        return br_fail(err, -errno, "no stack");
    *c = (struct program_child){
        .p = p, .null_fd = -1, .maps_told = -1, .maps_done = -1, .parent = getpid()};
    b->child = c;
    rc = lay_out_fds(b, c, err);
    if (rc == 0)
        rc = find_candidates(b);
    if (rc == 0)
        rc = open_cgroup(b, err);
    c->paths = b->paths;
    c->env = environment(p);
    return rc;
}

/* With all signals blocked.  The child has executed or is dead when this returns. */
static long
give_birth(struct birth *b, int *ret_pidfd)
{
    struct program_child *c = b->child;
    struct clone_args args = {
        .flags = CLONE_PIDFD | b->p->namespaces,
        .exit_signal = SIGCHLD,
        .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
    };
    int saved = errno;
    long rc;

    if (b->cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)b->cgroup_fd;
    }
    if (b->p->namespaces & CLONE_NEWUSER) {
        rc = idmap_begin(&b->maps, b->p);
        if (rc < 0)
            return rc;
        b->mapping = true;
        c->maps_told = b->maps.told[1];
        c->maps_done = b->maps.done[0];
        args.flags |= CLONE_PARENT_SETTID;
        args.parent_tid = (uint64_t)(uintptr_t)&b->maps.pid;
    }
    rc = vclone(&args, c, STACK_BYTES, program_child, c);
    if (b->mapping)
        idmap_end(&b->maps);
    errno = saved; /* the child's calls wrote it */
    return rc;
}

static int
tell(const struct program *p, enum program_step step, int rc, enum program_step *ret_step,
     struct br_err *err)
{
    *ret_step = step;
    if (step == PROGRAM_CHDIR)
        br_fail(err, rc, "cannot start \"%s\": chdir to \"%s\"", p->file, p->cwd);
    else if (step == PROGRAM_PREPARE && err != NULL && err->rc != 0)
        br_fail(err, rc, "cannot start \"%s\"", p->file);
    else
        br_fail(err, rc, "cannot start \"%s\": %s", p->file != NULL ? p->file : "",
                program_step_name(step));
    return rc;
}

int
program_start(const struct program *p, pid_t *ret_pid, int *ret_pidfd, enum program_step *ret_step,
              struct br_err *err)
{
    struct birth b = {.p = p, .cgroup_fd = -1};
    enum program_step step = PROGRAM_PREPARE;
    br_cleanup(fd_closep) int pidfd = -1;
    sigset_t all, old;
    long pid = -1;
    int rc = prepare(&b, p, err);

    if (rc == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        pid = give_birth(&b, &pidfd);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        step = pid < 0 ? PROGRAM_CLONE : b.child->step;
        rc = pid < 0 ? (int)pid : b.child->rc;
        if (pid > 0 && rc < 0)
            while (waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
                continue;
    }
    birth_done(&b);
    if (rc < 0)
        return tell(p, step, rc, ret_step, err);
    *ret_pid = (pid_t)pid;
    *ret_pidfd = fd_take(&pidfd);
    return 0;
}

static int
may_execute(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EACCES;
    return access(path, X_OK) < 0 ? -errno : 0;
}

int
program_check(const struct program *p, struct br_err *err)
{
    struct birth b = {.p = p, .cgroup_fd = -1};
    enum program_step step;
    int told = -ENOENT;
    int rc = check_options(p, err);

    if (rc == 0)
        rc = find_candidates(&b);
    if (rc == 0) {
        char **path = b.paths;

        for (rc = -ENOENT; rc < 0 && *path != NULL; path++) {
            rc = may_execute(*path);
            told = rc == -EACCES ? rc : told;
        }
        rc = rc < 0 ? told : 0;
    }
    birth_done(&b);
    return rc < 0 ? tell(p, PROGRAM_EXEC, rc, &step, err) : 0;
}
