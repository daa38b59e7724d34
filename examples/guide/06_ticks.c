/*
 * 06_ticks.c - a server that runs a script for each client, the socket being the script's stdout.
 *
 *   ./06_ticks 127.0.0.1:7000 & nc 127.0.0.1 7000       ten ticks, then the connection closes
 */
#include <brood/brood.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const char *const script[] = {
    "sh", "-c", "i=0; while [ $((i += 1)) -le 10 ]; do echo \"tick $i\"; sleep 0.05; done", NULL};

static void
on_exit_of(struct br_child *child, int status, int signo, void *arg)
{
    (void)arg;
    printf("%d: status %d, signal %d\n", (int)br_child_pid(child), status, signo);
    fflush(stdout);
}

static void
on_client(struct br_listener *listener, int fd, const struct sockaddr *from, socklen_t length,
          void *arg)
{
    struct br_spawn how = {.size = sizeof(how)};
    struct br_stdio stdio[2] = {{.kind = BR_STDIO_IGNORE}};
    struct br_error error;

    (void)listener;
    (void)from;
    (void)length;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); /* a shell cannot do with that */
    stdio[1] = (struct br_stdio){.kind = BR_STDIO_FD, .fd = fd};
    how.file = "sh";
    how.argv = script;
    how.stdio = stdio;
    how.n_stdio = 2;
    how.on_exit = on_exit_of;
    if (br_spawn(arg, &how, NULL, &error) < 0)
        fprintf(stderr, "%s\n", error.text);
    close(fd); /* the script holds the only copy now: its end closes the connection */
}

static void
on_term(struct br_signal *sig, int signo, void *arg)
{
    (void)signo;
    br_signal_free(sig);
    br_listener_free(arg); /* scripts under way may finish */
}

int
main(int argc, char **argv)
{
    struct br_loop *loop = br_loop_new();
    struct br_listener *listener;
    struct br_error error;
    int fd;

    if (loop == NULL || argc < 2)
        return 2;
    if (br_listen(argv[1], -1, &fd, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    listener = br_listener_new(loop, fd, on_client, loop);
    if (listener == NULL || br_signal_new(loop, SIGTERM, on_term, listener) == NULL)
        return 1;
    br_loop_run(loop);
    br_loop_free(loop);
    close(fd);
    return 0;
}
