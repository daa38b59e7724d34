/*
 * 02_surroundings.c - a program's directory, environment and user.
 *
 *   ./02_surroundings USER DIRECTORY
 *
 * As root it becomes that user.  The script prints what it finds.
 */
#include <brood/brood.h>
#include <stdio.h>
#include <unistd.h>

static void
on_exit_of(struct br_child *child, int status, int signo, void *arg)
{
    (void)child;
    (void)arg;
    printf("exit status %d, signal %d\n", status, signo);
}

int
main(int argc, char **argv)
{
    static const char *const script[] = {
        "sh", "-c",
        "echo \"directory $(pwd)\"; echo \"greeting $GREETING\"; "
        "echo \"home ${HOME-unset}\"; echo \"user $(id -u) groups $(id -G)\"; umask",
        NULL};
    static const char *const environment[] = {"GREETING=hello", "PATH=/usr/bin:/bin", NULL};
    struct br_loop *loop = br_loop_new();
    struct br_spawn how = {.size = sizeof(how)};
    struct br_stdio stdio[3] = {{.kind = BR_STDIO_IGNORE}};
    struct br_error error;
    struct br_user user;

    if (loop == NULL || argc < 3)
        return 2;
    stdio[1] = stdio[2] = (struct br_stdio){.kind = BR_STDIO_FD, .fd = STDOUT_FILENO};
    how.file = "sh";
    how.argv = script;
    how.env = environment; /* nothing else is in it: no HOME */
    how.cwd = argv[2];
    how.stdio = stdio;
    how.n_stdio = 3;
    how.flags = BR_SPAWN_UMASK | BR_SPAWN_NO_NEW_PRIVS;
    how.umask = 027;
    how.on_exit = on_exit_of;
    if (geteuid() == 0) {
        if (br_user_find(argv[1], &user, &error) < 0) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        how.user = &user; /* its uid, gid and supplementary groups, for good */
    }

    fflush(stdout);
    if (br_spawn(loop, &how, NULL, &error) < 0) {
        fprintf(stderr, "step \"%s\" failed: %s\n", error.step, error.text);
        return 1;
    }
    br_loop_run(loop);
    br_loop_free(loop);
    return 0;
}
