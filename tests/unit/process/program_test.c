/*
 * program_test.c - a program in a new process: what it finds there, and which step failed.
 */
#include "process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

static const char *const shell[] = {"sh", "-c", NULL, NULL};

/* Run p to its end, what it writes to stdout into ret_text.  Its wait status, or -errno. */
static int
run(struct program *p, enum program_step *ret_step, char *ret_text, size_t room)
{
    struct program_fd fds[3] = {{-1, 0}, {-1, 1}, {-1, 2}};
    struct br_err err = BR_ERR_NONE;
    int pipe_fds[2], pidfd, status, rc;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    fds[1].fd = pipe_fds[1];
    if (p->fds == NULL) {
        p->fds = fds;
        p->n_fds = 3;
    }
    rc = program_start(p, &pid, &pidfd, ret_step, &err);
    fd_close(&pipe_fds[1]);
    if (rc == 0) {
        while (n < room - 1 && (got = read(pipe_fds[0], ret_text + n, room - 1 - n)) > 0)
            n += (size_t)got;
        ret_text[n] = '\0';
        assert_int_equal(waitpid(pid, &status, 0), pid);
        fd_close(&pidfd);
        rc = status;
    } else {
        assert_int_equal(err.rc, rc);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to be reaped */
        assert_int_equal(errno, ECHILD);
    }
    fd_close(&pipe_fds[0]);
    return rc;
}

static int
run_script(const char *script, struct program *p, char *ret_text, size_t room)
{
    const char *argv[] = {shell[0], shell[1], script, NULL};
    enum program_step step;

    p->file = "sh";
    p->argv = argv;
    return run(p, &step, ret_text, room);
}

static void
its_exit_status_and_output_come_back(void **state)
{
    struct program p = {.n_fds = 0};
    char text[64];

    (void)state;
    assert_int_equal(run_script("echo hello; exit 7", &p, text, sizeof(text)), 7 << 8);
    assert_string_equal(text, "hello\n");
}

static void
no_descriptor_is_open_but_those_given(void **state)
{
    int low = open("/dev/null", O_RDONLY), high = fcntl(low, F_DUPFD, 200);
    struct program p = {.n_fds = 0};
    char text[256];

    (void)state;
    /* 3 is the directory that ls reads. */
    assert_int_equal(run_script("exec ls /proc/self/fd", &p, text, sizeof(text)), 0);
    assert_string_equal(text, "0\n1\n2\n3\n");
    fd_close(&low);
    fd_close(&high);
}

static void
descriptors_may_change_places(void **state)
{
    int out[2], a[2], b[2], pidfd, status;
    const char *argv[] = {"sh", "-c", "echo one >&7; echo two >&9; echo three >&1", NULL};
    enum program_step step;
    struct program p = {.file = "sh", .argv = argv};
    struct br_err err = BR_ERR_NONE;
    char text[16] = {0};
    pid_t pid;

    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    {
        /* Ours are moved to exactly the other's number. */
        int seven = fcntl(a[1], F_DUPFD_CLOEXEC, 9), nine = fcntl(b[1], F_DUPFD_CLOEXEC, 7);
        struct program_fd fds[] = {{seven, 7}, {nine, 9}, {out[1], 1}};

        p.fds = fds;
        p.n_fds = 3;
        assert_int_equal(program_start(&p, &pid, &pidfd, &step, &err), 0);
        fd_close(&seven);
        fd_close(&nine);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    fd_close(&pidfd);
    assert_int_equal(read(a[0], text, sizeof(text)), 4);
    assert_memory_equal(text, "one\n", 4);
    assert_int_equal(read(b[0], text, sizeof(text)), 4);
    assert_memory_equal(text, "two\n", 4);
    assert_int_equal(read(out[0], text, sizeof(text)), 6);
    for (unsigned i = 0; i < 2; i++) {
        fd_close(&out[i]);
        fd_close(&a[i]);
        fd_close(&b[i]);
    }
}

static void
signals_are_at_their_defaults_and_unblocked(void **state)
{
    struct program p = {.n_fds = 0};
    sigset_t blocked, old;
    char text[256];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    assert_int_equal(
        run_script("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2", &p, text, 256), 0);
    assert_string_equal(text, "0000000000000000\n0000000000000000\n");
    /* And ours are as they were. */
    pthread_sigmask(SIG_SETMASK, &old, &blocked);
    assert_true(sigismember(&blocked, SIGUSR1));
    assert_false(sigismember(&blocked, SIGUSR2));
    signal(SIGPIPE, SIG_DFL);
}

static void
limits_nice_mask_and_session_are_its_own(void **state)
{
    struct program_limit limit = {RLIMIT_NOFILE, 77, 88};
    struct program p = {.limits = &limit,
                        .n_limits = 1,
                        .umask = 027,
                        .nice = 5,
                        .flags = PROGRAM_SET_UMASK | PROGRAM_SET_NICE | PROGRAM_NEW_SESSION |
                                 PROGRAM_NO_NEW_PRIVS};
    char text[256], want[256];

    (void)state;
    assert_int_equal(run_script("ulimit -Sn; ulimit -Hn; umask; nice; "
                                "grep NoNewPrivs /proc/self/status | cut -f2; ps -o sid= -p $$ | "
                                "tr -d ' '; echo $$",
                                &p, text, sizeof(text)),
                     0);
    assert_memory_equal(text, "77\n88\n0027\n5\n1\n", 15);
    snprintf(want, sizeof(want), "77\n88\n0027\n5\n1\n%d\n%d\n", atoi(text + 15), atoi(text + 15));
    assert_string_equal(text, want);
}

static void
each_early_failure_names_its_step(void **state)
{
    static const struct program_limit too_much = {RLIM_NLIMITS + 5, 1, 1};
    static const struct program_fd bad[] = {{1000, 0}};
    static const struct program_fd twice[] = {{0, 1}, {1, 1}};
    static const struct program_map map = {0, 0, 1};
    const struct {
        struct program p;
        int rc;
        enum program_step step;
    } cases[] = {
        {{.file = "no-such-program"}, -ENOENT, PROGRAM_EXEC},
        {{.file = "/etc"}, -EACCES, PROGRAM_EXEC},
        {{.file = "true", .cwd = "/nowhere"}, -ENOENT, PROGRAM_CHDIR},
        {{.file = "true", .limits = &too_much, .n_limits = 1}, -EINVAL, PROGRAM_LIMITS},
        {{.file = "true", .fds = bad, .n_fds = 1}, -EBADF, PROGRAM_FDS},
        {{.file = "true", .fds = twice, .n_fds = 2}, -EINVAL, PROGRAM_PREPARE},
        {{.file = ""}, -EINVAL, PROGRAM_PREPARE},
        {{.file = "true", .hostname = "x"}, -EINVAL, PROGRAM_PREPARE},
        {{.file = "true", .uid_map = &map, .n_uid_map = 1}, -EINVAL, PROGRAM_PREPARE},
        {{.file = "true", .cgroup = "/tmp"}, -ENOTSUP, PROGRAM_PREPARE},
        {{.file = "true", .cgroup = "/nowhere"}, -ENOENT, PROGRAM_PREPARE},
    };
    const char *argv[] = {"x", NULL};
    int before = fd_count();

    (void)state;
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct program p = cases[i].p;
        enum program_step step = PROGRAM_OK;
        char text[16];

        p.argv = argv;
        assert_int_equal(run(&p, &step, text, sizeof(text)), cases[i].rc);
        assert_int_equal(step, cases[i].step);
    }
    assert_int_equal(fd_count(), before);
}

static void
the_path_of_its_own_environment_is_searched(void **state)
{
    char dir[] = "/tmp/brood-program-XXXXXX", path[64], variable[128], text[64];
    const char *env[] = {variable, NULL}, *argv[] = {"greet", NULL};
    struct program p = {.file = "greet", .argv = argv, .env = env};
    enum program_step step;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/greet", dir);
    snprintf(variable, sizeof(variable), "PATH=/nowhere::%s", dir);
    f = fopen(path, "w");
    fputs("#!/bin/sh\necho found\n", f);
    fclose(f);
    assert_int_equal(run(&p, &step, text, sizeof(text)), -EACCES);
    assert_int_equal(step, PROGRAM_EXEC);
    chmod(path, 0755);
    p.fds = NULL;
    assert_int_equal(run(&p, &step, text, sizeof(text)), 0);
    assert_string_equal(text, "found\n");
    unlink(path);
    rmdir(dir);
}

static void
a_user_is_taken_with_all_its_ids_and_without_capabilities(void **state)
{
    const gid_t groups[] = {33, 44};
    struct program p = {.flags = PROGRAM_SET_UID | PROGRAM_SET_GID | PROGRAM_SET_GROUPS,
                        .uid = 65534,
                        .gid = 65533,
                        .groups = groups,
                        .n_groups = 2};
    char text[512];

    (void)state;
    if (geteuid() != 0) { /* what an ordinary user may not */
        enum program_step step;

        p.file = "true";
        p.argv = shell;
        assert_int_equal(run(&p, &step, text, sizeof(text)), -EPERM);
        assert_int_equal(step, PROGRAM_GROUPS);
        return;
    }
    assert_int_equal(
        run_script("grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapAmb)' /proc/self/status | tr '\\t' "
                   "' '; exit 0",
                   &p, text, sizeof(text)),
        0);
    assert_string_equal(text, "Uid: 65534 65534 65534 65534\nGid: 65533 65533 65533 65533\n"
                              "Groups: 33 44 \nCapPrm: 0000000000000000\n"
                              "CapEff: 0000000000000000\nCapAmb: 0000000000000000\n");
    assert_int_equal(geteuid(), 0); /* nobody else has changed */
}

static void
namespaces_with_maps_make_it_root_and_first_inside(void **state)
{
    struct program p = {.namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS,
                        .flags = PROGRAM_MOUNT_PROC,
                        .hostname = "inside"};
    char text[256];
    int rc;

    (void)state;
    rc = run_script("echo $$; id -u; uname -n; ls -d /proc/[0-9]* | head -1", &p, text, 256);
    if (rc == -EPERM || rc == -ENOSPC) {
        print_message("unprivileged user namespaces are forbidden here\n");
        skip();
    }
    assert_int_equal(rc, 0);
    assert_string_equal(text, "1\n0\ninside\n/proc/1\n");
}

static void *
start_some(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct program p = {.n_fds = 0};
        struct br_err err = BR_ERR_NONE;
        const char *argv[] = {"true", NULL};
        enum program_step step;
        int pidfd, status;
        pid_t pid;

        p.file = i % 2 ? "true" : "/nowhere/true";
        p.argv = argv;
        if (program_start(&p, &pid, &pidfd, &step, &err) == (i % 2 ? 0 : -ENOENT))
            (*(int *)arg)++;
        if (i % 2 && waitpid(pid, &status, 0) == pid)
            fd_close(&pidfd);
    }
    return NULL;
}

static void
many_threads_may_start_programs_at_once(void **state)
{
    pthread_t threads[4];
    int good[4] = {0};
    int before = fd_count();

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, start_some, &good[i]);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], 50);
    }
    assert_int_equal(fd_count(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_exit_status_and_output_come_back),
        cmocka_unit_test(no_descriptor_is_open_but_those_given),
        cmocka_unit_test(descriptors_may_change_places),
        cmocka_unit_test(signals_are_at_their_defaults_and_unblocked),
        cmocka_unit_test(limits_nice_mask_and_session_are_its_own),
        cmocka_unit_test(each_early_failure_names_its_step),
        cmocka_unit_test(the_path_of_its_own_environment_is_searched),
        cmocka_unit_test(a_user_is_taken_with_all_its_ids_and_without_capabilities),
        cmocka_unit_test(namespaces_with_maps_make_it_root_and_first_inside),
        cmocka_unit_test(many_threads_may_start_programs_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
