/*
 * lib_bench_uv.c - the same with libuv, the library that most programs of this kind use.
 */
#include "lib_bench.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static void
check(int rc)
{
    if (rc < 0)
        abort();
}

static void
on_exit_of(uv_process_t *process, int64_t status, int signo)
{
    check(status != 0 || signo != 0 ? -1 : 0);
    uv_close((uv_handle_t *)process, NULL);
}

double
uv_spawn_once(const char *program)
{
    char *argv[] = {(char *)program, NULL};
    uv_process_options_t options = {.exit_cb = on_exit_of, .file = program, .args = argv};
    uv_process_t process;
    double begin = now_us();

    check(uv_spawn(uv_default_loop(), &process, &options));
    check(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
    return now_us() - begin;
}

/* --- the worker --- */

struct client {
    uv_tcp_t tcp;
    uv_write_t write;
    char room[4096];
};

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    struct client *c = handle->data;

    (void)wanted;
    *ret_buf = uv_buf_init(c->room, sizeof(c->room));
}

static void
on_written(uv_write_t *write, int rc)
{
    (void)write;
    (void)rc;
}

static void
on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;
    uv_buf_t out = uv_buf_init(buf->base, (unsigned)n);

    if (n < 0)
        uv_close((uv_handle_t *)stream, on_closed);
    else if (n > 0)
        uv_write(&c->write, stream, &out, 1, on_written);
}

static char word[256];

static void
give_word(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    (void)handle;
    (void)wanted;
    *ret_buf = uv_buf_init(word, sizeof(word));
}

static void
on_handed(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    uv_pipe_t *pipe = (uv_pipe_t *)stream;

    (void)buf;
    if (n < 0)
        _exit(0);
    while (uv_pipe_pending_count(pipe) > 0) {
        struct client *c = malloc(sizeof(*c));

        check(uv_tcp_init(stream->loop, &c->tcp));
        c->tcp.data = c;
        check(uv_accept(stream, (uv_stream_t *)&c->tcp));
        check(uv_read_start((uv_stream_t *)&c->tcp, give_room, on_bytes));
    }
}

static void
work(int fd)
{
    uv_loop_t loop;
    uv_pipe_t pipe;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check(uv_loop_init(&loop));
    check(uv_pipe_init(&loop, &pipe, 1));
    check(uv_pipe_open(&pipe, fd));
    check(uv_read_start((uv_stream_t *)&pipe, give_word, on_handed));
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(0);
}

/* --- the master --- */

static uv_pipe_t *pipes;
static unsigned n_pipes, turn;

struct hand {
    uv_tcp_t tcp;
    uv_write_t write;
};

static void
on_sent(uv_write_t *write, int rc)
{
    struct hand *hand = write->data;

    (void)rc;
    uv_close((uv_handle_t *)&hand->tcp, on_closed);
}

static void
on_connection(uv_stream_t *server, int status)
{
    static char one[] = "c";
    uv_buf_t buf = uv_buf_init(one, 1);
    struct hand *hand = malloc(sizeof(*hand));

    check(status);
    check(uv_tcp_init(server->loop, &hand->tcp));
    hand->tcp.data = hand->write.data = hand;
    check(uv_accept(server, (uv_stream_t *)&hand->tcp));
    check(uv_write2(&hand->write, (uv_stream_t *)&pipes[turn], &buf, 1, (uv_stream_t *)&hand->tcp,
                    on_sent));
    turn = (turn + 1) % n_pipes;
}

void
uv_serve(int listen_fd, unsigned workers)
{
    uv_tcp_t server;
    uv_loop_t loop;
    int ends[2];
    int *ours = calloc(workers, sizeof(int));

    for (unsigned i = 0; i < workers; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
            abort();
        if (fork() == 0) {
            close(ends[0]);
            work(ends[1]);
        }
        close(ends[1]);
        ours[i] = ends[0];
    }
    check(uv_loop_init(&loop));
    pipes = calloc(workers, sizeof(*pipes));
    n_pipes = workers;
    for (unsigned i = 0; i < workers; i++) {
        check(uv_pipe_init(&loop, &pipes[i], 1));
        check(uv_pipe_open(&pipes[i], ours[i]));
    }
    check(uv_tcp_init(&loop, &server));
    check(uv_tcp_open(&server, listen_fd));
    check(uv_listen((uv_stream_t *)&server, 511, on_connection));
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(0);
}
