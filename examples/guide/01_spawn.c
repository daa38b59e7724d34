/*
 * 01_spawn.c - run a program and see it exit.
 *
 *   ./01_spawn PROGRAM [ARGUMENT]...
 */
#include <brood/brood.h>
#include <stdio.h>

static void
on_exit_of(struct br_child *child, int status, int signo, void *arg)
{
    int *exit_code = arg;

    if (signo != 0)
        printf("%d was killed by signal %d\n", (int)br_child_pid(child), signo);
    else
        printf("%d exited with status %d\n", (int)br_child_pid(child), status);
    *exit_code = signo != 0 ? 128 + signo : status;
}

int
main(int argc, char **argv)
{
    struct br_loop *loop = br_loop_new();
    struct br_spawn how = {.size = sizeof(how)};
    struct br_child *child;
    struct br_error error;
    int exit_code = 0;

    if (loop == NULL || argc < 2)
        return 2;
    how.file = argv[1];
    how.argv = (const char *const *)argv + 1;
    how.on_exit = on_exit_of;
    how.arg = &exit_code;
    if (br_spawn(loop, &how, &child, &error) < 0) {
        printf("step \"%s\" failed: %s\n", error.step, error.text);
        br_loop_free(loop);
        return 1;
    }
    printf("%d started\n", (int)br_child_pid(child));

    br_loop_run(loop); /* returns when the child, the last thing that holds it, is gone */
    br_loop_free(loop);
    return exit_code;
}
