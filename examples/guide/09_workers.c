/*
 * 09_workers.c - an echo server of several processes: the master accepts and hands each connection
 * to the next worker, one worker for each processor.
 *
 *   ./09_workers 127.0.0.1:7000 [WORKERS] & nc 127.0.0.1 7000
 */
#include <brood/brood.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
on_bytes(struct br_stream *stream, const char *p, ssize_t n, void *arg)
{
    (void)arg;
    if (n <= 0 || br_stream_write(stream, p, (size_t)n) < 0)
        br_stream_close(stream);
}

/* In a worker. */
static void
on_connection(struct br_worker *worker, int fd, void *arg)
{
    struct br_stream *stream = br_stream_new(br_worker_loop(worker), fd);
    char hello[64];
    int n = snprintf(hello, sizeof(hello), "worker %u\n", br_worker_index(worker));

    (void)arg;
    if (stream == NULL)
        return;
    br_stream_write(stream, hello, (size_t)n);
    br_stream_read(stream, on_bytes, NULL);
}

/* In the master. */
static void
on_term(struct br_signal *sig, int signo, void *arg)
{
    (void)signo;
    br_signal_free(sig);
    br_pool_terminate(arg);
}

int
main(int argc, char **argv)
{
    struct br_loop *loop = br_loop_new();
    struct br_pool_options options = {.size = sizeof(options)};
    struct br_pool *pool;
    struct br_error error;

    if (loop == NULL || argc < 2)
        return 2;
    options.workers = argc > 2 ? (unsigned)atoi(argv[2]) : 0; /* 0: one for each processor */
    options.mode = BR_POOL_HAND_OVER;
    options.connection = on_connection;
    options.title = "echo worker";
    options.grace_ms = 5000;
    if (br_listen(argv[1], -1, &options.listen_fd, &error) < 0 ||
        br_pool_start(loop, &options, &pool, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    if (br_signal_new(loop, SIGTERM, on_term, pool) == NULL)
        return 1;
    printf("%d serves with %u workers\n", (int)getpid(), br_pool_workers(pool));
    fflush(stdout);
    br_loop_run(loop); /* until the pool, the last thing that holds it, is gone */
    br_loop_free(loop);
    close(options.listen_fd);
    return 0;
}
