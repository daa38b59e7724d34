/*
 * 10_pool.c - pre-forked workers on one listening socket: respawn, quit, terminate, reopen.
 *
 *   ./10_pool 127.0.0.1:7000 LOG WORKERS & curl 127.0.0.1:7000
 *   kill -USR1 PID   after LOG was renamed: all write to a new one
 *   kill -QUIT PID   finish, then end           kill -TERM PID   end now
 */
#include <brood/brood.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char log_path[256]; /* a copy: titles are written over argv */
static int log_fd = -1;

static void
open_log(void)
{
    int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (fd < 0)
        return; /* go on with the old one */
    close(log_fd);
    log_fd = fd;
}

static void
on_request(struct br_stream *stream, const char *p, ssize_t n, void *arg)
{
    unsigned index = br_worker_index(arg);
    char answer[128];
    int length;

    if (n <= 0) {
        br_stream_close(stream);
        return;
    }
    dprintf(log_fd, "worker %u: %.*s\n", index, (int)strcspn(p, "\r\n"), p);
    length = snprintf(answer, sizeof(answer), "HTTP/1.0 200 OK\r\n\r\nworker %u, process %d\n",
                      index, (int)getpid());
    br_stream_write(stream, answer, (size_t)length);
    br_stream_end(stream); /* behind the answer; the client closes, and we read the end */
}

static void
on_connection(struct br_worker *worker, int fd, void *arg)
{
    struct br_stream *stream = br_stream_new(br_worker_loop(worker), fd);

    (void)arg;
    if (stream != NULL)
        br_stream_read(stream, on_request, worker);
}

static void
on_reopen(struct br_worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
    open_log();
}

static void
on_death(struct br_pool *pool, unsigned index, pid_t pid, int status, int signo, void *arg)
{
    (void)pool;
    (void)arg;
    dprintf(log_fd, "worker %u gone: process %d, status %d, signal %d\n", index, (int)pid, status,
            signo);
}

static void
on_usr1(struct br_signal *sig, int signo, void *arg)
{
    (void)sig;
    (void)signo;
    open_log();
    br_pool_reopen(arg);
}

static void
on_signal(struct br_signal *sig, int signo, void *arg)
{
    (void)sig;
    if (signo == SIGQUIT)
        br_pool_quit(arg);
    else
        br_pool_terminate(arg);
}

int
main(int argc, char **argv)
{
    struct br_loop *loop = br_loop_new();
    struct br_pool_options options = {.size = sizeof(options)};
    struct br_pool *pool;
    struct br_error error;

    if (loop == NULL || argc < 4)
        return 2;
    snprintf(log_path, sizeof(log_path), "%s", argv[2]);
    open_log(); /* workers inherit it */
    options.workers = (unsigned)atoi(argv[3]);
    options.respawn = BR_RESPAWN_ALWAYS;
    options.title = "pool worker";
    options.grace_ms = 10000;
    options.connection = on_connection;
    options.reopen = on_reopen;
    options.died = on_death;
    if (br_listen(argv[1], -1, &options.listen_fd, &error) < 0 ||
        br_pool_start(loop, &options, &pool, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    br_signal_unref(br_signal_new(loop, SIGUSR1, on_usr1, pool));
    br_signal_unref(br_signal_new(loop, SIGQUIT, on_signal, pool));
    br_signal_unref(br_signal_new(loop, SIGTERM, on_signal, pool));
    br_loop_run(loop);
    br_loop_free(loop);
    return 0;
}
