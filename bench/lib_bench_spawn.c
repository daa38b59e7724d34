/*
 * lib_bench_spawn.c - start /bin/true and wait for it from a parent with much touched memory; and
 * many exits at once.
 */
#include "lib_bench.h"

#include <brood/brood.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char program[] = "/bin/true";

/* Small pages, each written to: what a fork would have to copy the tables of. */
static void
touch_memory(unsigned mib)
{
    size_t n = (size_t)mib << 20;
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        exit(1);
    madvise(p, n, MADV_NOHUGEPAGE);
    memset(p, 1, n);
}

static double
bare_fork(void)
{
    char *argv[] = {(char *)program, NULL};
    double begin = now_us();
    pid_t pid = fork();

    if (pid == 0) {
        execv(program, argv);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    return now_us() - begin;
}

static double
bare_vfork(void)
{
    char *argv[] = {(char *)program, NULL};
    double begin = now_us();
    pid_t pid = vfork();

    if (pid == 0) {
        execv(program, argv);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    return now_us() - begin;
}

static double
spawn_once(struct br_loop *loop, const struct br_spawn *how)
{
    struct br_error error;
    double begin = now_us();

    if (br_spawn(loop, how, NULL, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    br_loop_run(loop);
    return now_us() - begin;
}

static void
on_exit_of(struct br_child *child, int status, int signo, void *arg)
{
    (void)child;
    (void)arg;
    if (status != 0 || signo != 0)
        exit(1);
}

/* Everything that br_spawn can do to a process but for namespaces and cgroups. */
static void
fill_all_options(struct br_spawn *how)
{
    static const char *const argv[] = {"true", "with", "arguments", NULL};
    static const char *const env[] = {"PATH=/nowhere:/usr/bin:/bin", "NAME=value", NULL};
    static const struct br_limit limits[] = {{RLIMIT_NOFILE, 100, 100}, {RLIMIT_CORE, 0, 0}};
    static struct br_stdio stdio[8];
    static struct br_user user;

    stdio[1] = (struct br_stdio){.kind = BR_STDIO_FD, .fd = STDOUT_FILENO};
    stdio[7] = (struct br_stdio){.kind = BR_STDIO_FD, .fd = STDERR_FILENO};
    how->file = "true";
    how->argv = argv;
    how->env = env;
    how->cwd = "/tmp";
    how->stdio = stdio;
    how->n_stdio = 8;
    how->flags = BR_SPAWN_DETACH | BR_SPAWN_NO_NEW_PRIVS | BR_SPAWN_DIE_WITH_PARENT |
                 BR_SPAWN_UMASK | BR_SPAWN_NICE;
    how->umask = 027;
    how->nice = 0;
    how->limits = limits;
    how->n_limits = 2;
    if (geteuid() == 0 && br_user_find("nobody", &user, NULL) == 0)
        how->user = &user;
}

void
bench_spawn(unsigned mib, unsigned rounds)
{
    static struct series by_vfork = {.name = "vfork, execv, waitpid"};
    static struct series by_spawn = {.name = "br_spawn, br_loop_run"};
    static struct series by_all = {.name = "the same, every option in use"};
    static struct series by_uv = {.name = "uv_spawn, uv_run"};
    static struct series by_fork = {.name = "fork, execv, waitpid"};
    struct br_spawn plain = {.size = sizeof(plain), .file = program, .on_exit = on_exit_of};
    struct br_spawn all = {.size = sizeof(all), .on_exit = on_exit_of};
    struct br_loop *loop = br_loop_new();

    printf("spawn and wait of %s, %u MiB touched, %u rounds\n", program, mib, rounds);
    fflush(stdout);
    touch_memory(mib);
    fill_all_options(&all);
    for (unsigned i = 0; i < rounds; i++) {
        series_add(&by_vfork, bare_vfork());
        series_add(&by_spawn, spawn_once(loop, &plain));
        series_add(&by_all, spawn_once(loop, &all));
        if (i % 4 != 0)
            continue;
#ifdef HAVE_LIBUV
        series_add(&by_uv, uv_spawn_once(program));
#endif
        series_add(&by_fork, bare_fork());
    }
    series_print(&by_vfork, &by_vfork);
    series_print(&by_spawn, &by_vfork);
    series_print(&by_all, &by_vfork);
    if (by_uv.n > 0)
        series_print(&by_uv, &by_vfork);
    series_print(&by_fork, &by_vfork);
    br_loop_free(loop);
}

/* --- many exits --- */

static unsigned left;

static void
on_one_exit(struct br_child *child, int status, int signo, void *arg)
{
    (void)child;
    (void)status;
    (void)signo;
    (void)arg;
    left--;
}

/* Processor time of this process, microseconds. */
static double
cpu_us(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

void
bench_exits(unsigned n)
{
    pid_t *pids = calloc(n, sizeof(*pids));
    struct rlimit limit;
    struct br_loop *loop = br_loop_new();
    double begin, cpu;
    unsigned made;
    int gate[2];

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (pids == NULL || loop == NULL || pipe(gate) < 0)
        exit(1);
    /* All are made before the first is watched: a child shall not inherit thousands of pidfds. */
    for (made = 0; made < n; made++) {
        char c;

        pids[made] = fork();
        if (pids[made] < 0)
            break;
        if (pids[made] == 0) {
            close(gate[1]);
            _exit(read(gate[0], &c, 1) != 0);
        }
    }
    for (left = 0; left < made; left++)
        if (br_child_watch(loop, pids[left], on_one_exit, NULL) == NULL)
            exit(1);
    if (made < n)
        printf("only %u children could be made\n", made);
    n = left;
    begin = now_us();
    cpu = cpu_us();
    close(gate[1]);
    br_loop_run(loop);
    printf(
        "exits of %5u children, all at once: noticed in %.0f ms, %.1f us of our processor each%s\n",
        n, (now_us() - begin) / 1e3, (cpu_us() - cpu) / n, left != 0 ? ", SOME ARE MISSING" : "");
    fflush(stdout);
    close(gate[0]);
    free(pids);
    br_loop_free(loop);
}
