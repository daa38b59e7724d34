/*
 * 08_echo_unix.c - an echo server on a named Unix socket.
 *
 *   ./08_echo_unix /tmp/echo.sock & socat - UNIX-CONNECT:/tmp/echo.sock
 */
#include <brood/brood.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void
on_drained(struct br_stream *stream, int rc, void *arg)
{
    (void)rc;
    (void)arg;
    br_stream_close(stream);
}

static void
on_bytes(struct br_stream *stream, const char *p, ssize_t n, void *arg)
{
    (void)arg;
    if (n > 0 && br_stream_write(stream, p, (size_t)n) == 0)
        return;
    if (n == 0 && br_stream_queued(stream) > 0)
        br_stream_on_drained(stream, on_drained, NULL); /* what waits goes out first */
    else
        br_stream_close(stream);
}

static void
on_client(struct br_listener *listener, int fd, const struct sockaddr *from, socklen_t length,
          void *arg)
{
    struct br_stream *stream = br_stream_new(arg, fd);

    (void)listener;
    (void)from;
    (void)length;
    if (stream != NULL)
        br_stream_read(stream, on_bytes, NULL);
}

static void
on_term(struct br_signal *sig, int signo, void *arg)
{
    (void)sig;
    (void)signo;
    br_loop_stop(arg);
}

int
main(int argc, char **argv)
{
    struct br_loop *loop = br_loop_new();
    struct br_error error;
    char address[128];
    int fd;

    if (loop == NULL || argc < 2)
        return 2;
    snprintf(address, sizeof(address), "unix:%s", argv[1]);
    if (br_listen(address, -1, &fd, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    if (br_listener_new(loop, fd, on_client, loop) == NULL ||
        br_signal_new(loop, SIGTERM, on_term, loop) == NULL)
        return 1;
    br_loop_run(loop);
    br_loop_free(loop);
    close(fd);
    unlink(argv[1]);
    return 0;
}
