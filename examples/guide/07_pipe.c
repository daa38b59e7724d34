/*
 * 07_pipe.c - talk to a child through pipes: write to its stdin, read its stdout.
 *
 *   ./07_pipe TEXT [PROGRAM [ARGUMENT]...]       without: tr a-z A-Z
 */
#include <brood/brood.h>
#include <stdio.h>
#include <string.h>

static void
on_output(struct br_stream *stream, const char *p, ssize_t n, void *arg)
{
    (void)arg;
    if (n > 0)
        printf("%.*s", (int)n, p);
    else
        br_stream_close(stream); /* 0: it has closed its stdout */
}

static void
on_exit_of(struct br_child *child, int status, int signo, void *arg)
{
    (void)child;
    *(int *)arg = signo != 0 ? 128 + signo : status;
}

static void
on_written(struct br_stream *stream, int rc, void *arg)
{
    (void)arg;
    if (rc < 0)
        fprintf(stderr, "it does not read: %s\n", strerror(-rc));
    br_stream_close(stream); /* its stdin ends here */
}

int
main(int argc, char **argv)
{
    static const char *const upper[] = {"tr", "a-z", "A-Z", NULL};
    struct br_loop *loop = br_loop_new();
    struct br_stream *to_child, *from_child;
    struct br_stdio stdio[2] = {{.kind = BR_STDIO_PIPE, .ret_stream = &to_child},
                                {.kind = BR_STDIO_PIPE, .ret_stream = &from_child}};
    struct br_spawn how = {.size = sizeof(how)};
    struct br_error error;
    int exit_code = 1;

    if (loop == NULL || argc < 2)
        return 2;
    how.file = argc > 2 ? argv[2] : upper[0];
    how.argv = argc > 2 ? (const char *const *)argv + 2 : upper;
    how.stdio = stdio;
    how.n_stdio = 2;
    how.on_exit = on_exit_of;
    how.arg = &exit_code;
    if (br_spawn(loop, &how, NULL, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    br_stream_read(from_child, on_output, NULL);
    br_stream_on_drained(to_child, on_written, NULL);
    br_stream_write(to_child, argv[1], strlen(argv[1]));
    br_loop_run(loop);
    br_loop_free(loop);
    return exit_code;
}
