/*
 * 03_daemon.c - start a program that outlives us, and return when it is ready.
 *
 *   ./03_daemon LOG PROGRAM [ARGUMENT]...
 *
 * The program says that it is ready by a newline into the descriptor that $READY_FD names.
 */
#include <brood/brood.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct start {
    struct br_loop *loop;
    int ready;
};

static void
on_ready(struct br_stream *stream, const char *p, ssize_t n, void *arg)
{
    struct start *start = arg;

    (void)stream;
    if (n > 0 && p[0] == '\n')
        start->ready = 1; /* an end without it: the program gave up */
    br_loop_stop(start->loop);
}

int
main(int argc, char **argv)
{
    struct start start = {br_loop_new(), 0};
    struct br_spawn how = {.size = sizeof(how)};
    struct br_stdio stdio[4] = {{.kind = BR_STDIO_IGNORE}};
    struct br_stream *ready;
    struct br_child *child;
    struct br_error error;
    int log;

    if (start.loop == NULL || argc < 3)
        return 2;
    log = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0)
        return 2;
    stdio[1] = stdio[2] = (struct br_stdio){.kind = BR_STDIO_FD, .fd = log};
    stdio[3] = (struct br_stdio){.kind = BR_STDIO_PIPE, .ret_stream = &ready};
    setenv("READY_FD", "3", 1);
    how.file = argv[2];
    how.argv = (const char *const *)argv + 2;
    how.cwd = "/";
    how.stdio = stdio;
    how.n_stdio = 4;
    how.flags = BR_SPAWN_DETACH; /* a session of its own: no terminal, no hangup */
    if (br_spawn(start.loop, &how, &child, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    close(log);
    br_child_unref(child); /* we shall not wait for it */
    br_stream_read(ready, on_ready, &start);
    br_loop_run(start.loop);
    if (start.ready)
        printf("%d\n", (int)br_child_pid(child));
    else
        fprintf(stderr, "it ended before it was ready\n");
    br_loop_free(start.loop);
    return start.ready ? 0 : 1;
}
