/*
 * lib_bench_talk.c - message round trips between two processes, and connections handed to workers.
 */
#include "lib_bench.h"

#include <arpa/inet.h>
#include <brood/brood.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIPS         20000
#define MESSAGE_BYTES 64
#define WORKERS       2
#define CLIENTS       2
#define CONNECTIONS   4000 /* of each client */

static void
end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --- round trips --- */

static double
bare_trips(void)
{
    char text[MESSAGE_BYTES] = "ping";
    int ends[2];
    double begin;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
        exit(1);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        while (recv(ends[1], text, sizeof(text), 0) > 0)
            send(ends[1], text, sizeof(text), 0);
        _exit(0);
    }
    close(ends[1]);
    begin = now_us();
    for (int i = 0; i < TRIPS; i++)
        if (send(ends[0], text, sizeof(text), 0) < 0 || recv(ends[0], text, sizeof(text), 0) <= 0)
            exit(1);
    begin = (now_us() - begin) / TRIPS;
    close(ends[0]);
    waitpid(pid, NULL, 0);
    return begin;
}

static int trips;

static void
on_answer(struct br_channel *channel, struct br_message *m, void *arg)
{
    (void)arg;
    if (m == NULL || (trips >= 0 && ++trips == TRIPS))
        br_channel_close(channel);
    else
        br_channel_send(channel, m->p, m->n, NULL, 0);
}

static double
channel_trips(void)
{
    static const char text[MESSAGE_BYTES] = "ping";
    struct br_loop *loop = br_loop_new();
    struct br_channel *channel;
    double begin;
    int ends[2];
    pid_t pid;

    if (loop == NULL || br_channel_pair(ends) < 0)
        exit(1);
    pid = br_loop_fork(loop);
    trips = pid == 0 ? -1 : 0; /* the other side answers until we close */
    close(ends[pid == 0 ? 0 : 1]);
    channel = br_channel_new(loop, ends[pid == 0 ? 1 : 0], on_answer, NULL);
    if (channel == NULL)
        exit(1);
    begin = now_us();
    if (pid != 0)
        br_channel_send(channel, text, sizeof(text), NULL, 0);
    br_loop_run(loop);
    if (pid == 0)
        _exit(0);
    begin = (now_us() - begin) / TRIPS;
    waitpid(pid, NULL, 0);
    br_loop_free(loop);
    return begin;
}

void
bench_channel(unsigned rounds)
{
    static struct series bare = {.name = "send and recv on a bare SOCK_SEQPACKET pair"};
    static struct series channel = {.name = "br_channel, a loop on both sides"};

    printf("round trip of %d bytes between two processes, %u rounds of %d\n", MESSAGE_BYTES, rounds,
           TRIPS);
    fflush(stdout);
    for (unsigned i = 0; i < rounds; i++) {
        series_add(&bare, bare_trips());
        series_add(&channel, channel_trips());
    }
    series_print(&bare, &bare);
    series_print(&channel, &bare);
}

/* --- connections handed over --- */

static void
on_bytes(struct br_stream *stream, const char *p, ssize_t n, void *arg)
{
    (void)arg;
    if (n <= 0 || br_stream_write(stream, p, (size_t)n) < 0)
        br_stream_close(stream);
}

static void
on_connection(struct br_worker *worker, int fd, void *arg)
{
    struct br_stream *stream = br_stream_new(br_worker_loop(worker), fd);

    (void)arg;
    if (stream != NULL)
        br_stream_read(stream, on_bytes, NULL);
}

static void
serve(int listen_fd, unsigned workers)
{
    struct br_loop *loop = br_loop_new();
    struct br_pool_options options = {.size = sizeof(options), .workers = workers};
    struct br_error error;

    options.listen_fd = listen_fd;
    options.mode = BR_POOL_HAND_OVER;
    options.connection = on_connection;
    if (loop == NULL || br_pool_start(loop, &options, NULL, &error) < 0)
        _exit(1);
    br_loop_run(loop);
    _exit(0);
}

/* Connect, one byte there and back, reset: no TIME_WAIT that uses the ports up. */
static void
client(const struct sockaddr_in *addr)
{
    struct linger reset = {.l_onoff = 1};

    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        char c = 'x';

        if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ||
            write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
            _exit(1);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
    }
    _exit(0);
}

/* Microseconds for each connection. */
static double
hand_over(void (*server)(int listen_fd, unsigned workers))
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(addr);
    pid_t clients[CLIENTS], pid;
    double begin;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int status, failed = 0;

    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 511) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &length) < 0)
        exit(1);
    pid = fork();
    if (pid == 0)
        server(fd, WORKERS);
    begin = now_us();
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = fork();
        if (clients[i] == 0)
            client(&addr);
    }
    for (int i = 0; i < CLIENTS; i++)
        failed |= waitpid(clients[i], &status, 0) < 0 || status != 0;
    begin = (now_us() - begin) / (CLIENTS * CONNECTIONS);
    end_process(pid); /* its workers leave when they see it gone */
    close(fd);
    if (failed)
        printf("  a client failed\n");
    return begin;
}

void
bench_hand_over(unsigned rounds)
{
    static struct series by_brood = {.name = "br_pool, BR_POOL_HAND_OVER"};
    static struct series by_uv = {.name = "uv_write2"};

    printf("echo of a byte on a connection handed to one of %d workers, %d clients, %u rounds\n",
           WORKERS, CLIENTS, rounds);
    fflush(stdout);
    for (unsigned i = 0; i < rounds; i++) {
#ifdef HAVE_LIBUV
        series_add(&by_uv, hand_over(uv_serve));
#endif
        series_add(&by_brood, hand_over(serve));
    }
    if (by_uv.n > 0)
        series_print(&by_uv, &by_uv);
    series_print(&by_brood, by_uv.n > 0 ? &by_uv : &by_brood);
}
