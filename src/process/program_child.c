/*
 * program_child.c - from clone3 to execve: one step after the other, the first failure ends it.
 *
 * Ids are set by system calls of this thread: libc's setuid would ask all threads of the parent to
 * follow (nptl(7)), which is the wrong process here.  syscall(2) writes errno of the thread that
 * waits for us, which puts it back.
 *
 * Descriptors: each of ours may be in the way of another's new number.  So those below the highest
 * number move above it first, then each goes to its place, then all the others are closed.
 *
 * The user's rights come before the directory and the program: what the user may not enter or
 * execute fails here, with its step.  See execve(2), setresuid(2), capabilities(7), close_range(2).
 */
#include "process/program_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SIGSET_BYTES 8

static long
call(long number, long a, long b, long c, long d, long e)
{
    long rc = syscall(number, a, b, c, d, e);

    return rc < 0 ? -errno : rc;
}

#define CALL1(n, a)             call(n, (long)(a), 0, 0, 0, 0)
#define CALL2(n, a, b)          call(n, (long)(a), (long)(b), 0, 0, 0)
#define CALL3(n, a, b, c)       call(n, (long)(a), (long)(b), (long)(c), 0, 0)
#define CALL4(n, a, b, c, d)    call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0)
#define CALL5(n, a, b, c, d, e) call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

static br_noreturn void
fail(struct program_child *c, enum program_step step, long rc)
{
    c->step = step;
    c->rc = (int)rc;
    for (;;)
        syscall(SYS_exit_group, 127);
}

static void
check(struct program_child *c, enum program_step step, long rc)
{
    if (rc < 0)
        fail(c, step, rc);
}

static void
wait_for_maps(struct program_child *c)
{
    int answer = -EPIPE;
    long rc;

    if (c->maps_told < 0)
        return;
    check(c, PROGRAM_MAPS, CALL3(SYS_write, c->maps_told, "", 1));
    do
        rc = CALL3(SYS_read, c->maps_done, &answer, sizeof(answer));
    while (rc == -EINTR);
    check(c, PROGRAM_MAPS, rc < 0 ? rc : answer);
}

/* Where our descriptor is now: in the vector that the parent allotted for this child. */
static void
place_fds(struct program_child *c)
{
    struct program_fd *fds = (struct program_fd *)c->fds;
    int above = c->n_fds > 0 ? fds[c->n_fds - 1].to + 1 : 0;

    for (unsigned i = 0; i < c->n_fds; i++) {
        long rc;

        if (fds[i].fd < 0)
            fds[i].fd = c->null_fd;
        if (fds[i].fd >= above || fds[i].fd == fds[i].to)
            continue;
        rc = CALL3(SYS_fcntl, fds[i].fd, F_DUPFD_CLOEXEC, above);
        check(c, PROGRAM_FDS, rc);
        fds[i].fd = (int)rc;
    }
    for (unsigned i = 0; i < c->n_fds; i++) {
        if (fds[i].fd == fds[i].to)
            check(c, PROGRAM_FDS, CALL3(SYS_fcntl, fds[i].fd, F_SETFD, 0));
        else
            check(c, PROGRAM_FDS, CALL3(SYS_dup3, fds[i].fd, fds[i].to, 0));
    }
    for (unsigned i = 0; i < c->n_gaps; i++)
        check(c, PROGRAM_FDS, CALL3(SYS_close_range, c->gaps[i].first, c->gaps[i].last, 0));
}

static size_t
length(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0')
        n++;
    return n;
}

/* Private first: what is mounted here shall not appear in the mount namespace outside. */
static void
enter_namespaces(struct program_child *c)
{
    const struct program *p = c->p;

    if (p->hostname != NULL)
        check(c, PROGRAM_HOST, CALL2(SYS_sethostname, p->hostname, length(p->hostname)));
    if ((p->flags & PROGRAM_MOUNT_PROC) == 0)
        return;
    check(c, PROGRAM_MOUNT, CALL5(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    check(c, PROGRAM_MOUNT,
          CALL5(SYS_mount, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
}

static void
set_limits(struct program_child *c)
{
    const struct program *p = c->p;

    for (unsigned i = 0; i < p->n_limits; i++) {
        uint64_t limit[2] = {p->limits[i].soft, p->limits[i].hard};

        check(c, PROGRAM_LIMITS, CALL4(SYS_prlimit64, 0, p->limits[i].resource, limit, NULL));
    }
    if (p->flags & PROGRAM_SET_NICE)
        check(c, PROGRAM_NICE, CALL3(SYS_setpriority, PRIO_PROCESS, 0, p->nice));
    if (p->flags & PROGRAM_SET_UMASK)
        CALL1(SYS_umask, p->umask);
}

/* From one ordinary user to another the kernel keeps capabilities (capabilities(7)). */
static long
drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    long rc = CALL5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

    if (rc < 0 && rc != -EINVAL)
        return rc;
    return CALL2(SYS_capset, &head, none);
}

static void
become_user(struct program_child *c)
{
    const struct program *p = c->p;

    if (p->flags & PROGRAM_SET_GROUPS)
        check(c, PROGRAM_GROUPS, CALL2(SYS_setgroups, p->n_groups, p->groups));
    if (p->flags & PROGRAM_SET_GID)
        check(c, PROGRAM_GID, CALL3(SYS_setresgid, p->gid, p->gid, p->gid));
    if (p->flags & PROGRAM_SET_UID)
        check(c, PROGRAM_UID, CALL3(SYS_setresuid, p->uid, p->uid, p->uid));
    if (p->flags & PROGRAM_SET_UID && p->uid != 0)
        check(c, PROGRAM_UID, drop_capabilities());
}

/* Behind the change of ids, which clears the signal (prctl(2)). */
static void
confine(struct program_child *c)
{
    const struct program *p = c->p;

    if (p->flags & PROGRAM_NO_NEW_PRIVS)
        check(c, PROGRAM_CONFINE, CALL5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if ((p->flags & PROGRAM_DIE_WITH_PARENT) == 0)
        return;
    check(c, PROGRAM_CONFINE, CALL2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
    /* 0 is a parent outside of our pid namespace. */
    if (syscall(SYS_getppid) != c->parent && syscall(SYS_getppid) != 0)
        fail(c, PROGRAM_CONFINE, -EPIPE);
}

/* CLONE_CLEAR_SIGHAND has put the handlers away; what was ignored still is.  Then none blocked. */
static void
reset_signals(struct program_child *c)
{
    static const uint64_t default_action[4]; /* the kernel's struct sigaction: SIG_DFL, no flags */
    static const uint64_t none;

    for (int signo = 1; signo < NSIG; signo++) {
        if (signo == SIGKILL || signo == SIGSTOP)
            continue;
        check(c, PROGRAM_SIGNALS,
              CALL4(SYS_rt_sigaction, signo, default_action, NULL, KERNEL_SIGSET_BYTES));
    }
    check(c, PROGRAM_SIGNALS,
          CALL4(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_BYTES));
}

/* In our own pid namespace, in the parent's memory. */
static void
write_pid(char *to)
{
    char digits[PROGRAM_PID_BYTES];
    unsigned n = 0;

    for (long pid = syscall(SYS_getpid); n == 0 || pid > 0; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    for (unsigned i = 0; i < n; i++)
        to[i] = digits[n - 1 - i];
    to[n] = '\0';
}

/* As execvp(3) searches: EACCES is told when nothing better was found. */
static br_noreturn void
execute(struct program_child *c)
{
    long told = -ENOENT;

    for (char *const *path = c->paths; *path != NULL; path++) {
        long rc = CALL3(SYS_execve, *path, c->p->argv, c->env);

        if (rc == -EACCES)
            told = rc;
        else if (rc != -ENOENT && rc != -ENOTDIR)
            fail(c, PROGRAM_EXEC, rc);
    }
    fail(c, PROGRAM_EXEC, told);
}

void
program_child(void *arg)
{
    struct program_child *c = arg;

    wait_for_maps(c);
    if (c->p->flags & PROGRAM_NEW_SESSION)
        check(c, PROGRAM_SESSION, CALL1(SYS_setsid, 0));
    place_fds(c);
    enter_namespaces(c);
    set_limits(c);
    become_user(c);
    confine(c);
    if (c->p->cwd != NULL)
        check(c, PROGRAM_CHDIR, CALL1(SYS_chdir, c->p->cwd));
    reset_signals(c);
    if (c->p->own_pid != NULL)
        write_pid(c->p->own_pid);
    execute(c);
}
