/*
 * 05_stderr_only.c - a child that inherits our stderr and nothing else.
 *
 *   ./05_stderr_only PROGRAM [ARGUMENT]...
 */
#include <brood/brood.h>
#include <stdio.h>
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
    struct br_loop *loop = br_loop_new();
    struct br_spawn how = {.size = sizeof(how)};
    struct br_stdio stdio[3] = {{.kind = BR_STDIO_IGNORE}}; /* /dev/null, all three */
    struct br_error error;
    int exit_code = 1;

    if (loop == NULL || argc < 2)
        return 2;
    stdio[2] = (struct br_stdio){.kind = BR_STDIO_FD, .fd = STDERR_FILENO};
    how.file = argv[1];
    how.argv = (const char *const *)argv + 1;
    how.stdio = stdio;
    how.n_stdio = 3;
    how.on_exit = on_exit_of;
    how.arg = &exit_code;
    if (br_spawn(loop, &how, NULL, &error) < 0)
        fprintf(stderr, "%s\n", error.text);
    br_loop_run(loop);
    br_loop_free(loop);
    return exit_code;
}
