/*
 * 11_namespaces.c - a process in its own namespaces: first of its processes, root in its own eyes.
 *
 *   ./11_namespaces PROGRAM [ARGUMENT]...
 *
 * Works without privilege where the kernel lets users make user namespaces.
 */
#include <brood/brood.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void
on_exit_of(struct br_child *child, int status, int signo, void *arg)
{
    (void)child;
    *(int *)arg = signo != 0 ? 128 + signo : status;
}

int
main(int argc, char **argv)
{
    static const struct br_limit limits[] = {{RLIMIT_NOFILE, 64, 64}, {RLIMIT_CORE, 0, 0}};
    struct br_id_map users = {0, geteuid(), 1}, groups = {0, getegid(), 1};
    struct br_loop *loop = br_loop_new();
    struct br_spawn how = {.size = sizeof(how)};
    struct br_stdio stdio[3];
    struct br_error error;
    int exit_code = 1;

    if (loop == NULL || argc < 2)
        return 2;
    for (int fd = 0; fd < 3; fd++)
        stdio[fd] = (struct br_stdio){.kind = BR_STDIO_FD, .fd = fd};
    how.file = argv[1];
    how.argv = (const char *const *)argv + 1;
    how.stdio = stdio;
    how.n_stdio = 3;
    how.namespaces = BR_NS_USER | BR_NS_PID | BR_NS_MOUNT | BR_NS_NET | BR_NS_UTS | BR_NS_IPC;
    how.uid_map = &users; /* our user, who is 0 inside */
    how.gid_map = &groups;
    how.n_uid_map = how.n_gid_map = 1;
    how.flags = BR_SPAWN_MOUNT_PROC | BR_SPAWN_NO_NEW_PRIVS | BR_SPAWN_DIE_WITH_PARENT;
    how.hostname = "nest";
    how.limits = limits;
    how.n_limits = 2;
    how.on_exit = on_exit_of;
    how.arg = &exit_code;
    if (br_spawn(loop, &how, NULL, &error) < 0)
        fprintf(stderr, "step \"%s\" failed: %s\n", error.step, error.text);
    br_loop_run(loop);
    br_loop_free(loop);
    return exit_code;
}
