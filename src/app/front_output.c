/*
 * front_output.c - what the programs write, on its way to a file or to the error log.
 *
 *   program ==pipe==> supervisor --> its own standard output, standard error (app.c)
 *
 * In between, so that logs can be reopened under a program that never heard of it.  Who writes
 * whole lines finds them whole: a write of up to PIPE_BUF bytes goes through a pipe in one piece.
 */
#include "app/front.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define PIECE_BYTES 65536
#define TURN_PIECES 4 /* before other events have their turn */

/* Not more can be done about a full disk than to say so once. */
static void
pass_on(struct front_pipe *p, const char *bytes, size_t n)
{
    int rc = fd_write_all(p->to, bytes, n);

    if (rc < 0 && !p->failing)
        br_log(LOG_ERROR, "what programs write to standard %s is lost: %s",
               p->to == STDOUT_FILENO ? "output" : "error", strerror(-rc));
    p->failing = rc < 0;
}

static bool
move_piece(struct front_pipe *p)
{
    char piece[PIECE_BYTES];
    ssize_t n = read(p->out, piece, sizeof(piece));

    if (n > 0)
        pass_on(p, piece, (size_t)n);
    return n > 0;
}

static void
on_written(struct watch *w, uint32_t events br_unused)
{
    struct front_pipe *p = container_of(w, struct front_pipe, watch);

    for (unsigned i = 0; i < TURN_PIECES && move_piece(p); i++)
        ;
}

int
output_open(struct front *f, struct br_err *err)
{
    int rc = 0;

    for (unsigned i = 0; i < array_len(f->output.pipes) && rc == 0; i++) {
        struct front_pipe *p = &f->output.pipes[i];
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
            return br_fail(err, -errno, "no pipe for what programs write");
        *p = (struct front_pipe){.out = fds[0], .in = fds[1], .to = STDOUT_FILENO + (int)i};
        rc = fd_set_nonblock(p->out, true);
        if (rc == 0)
            rc = loop_add(f->task->loop, &p->watch, p->out, EPOLLIN, on_written);
    }
    return rc < 0 ? br_fail(err, rc, "cannot watch what programs write") : 0;
}

int
output_fd(const struct front *f, int number)
{
    return f->output.pipes[number - STDOUT_FILENO].in;
}

void
output_flush(struct front *f)
{
    for (unsigned i = 0; i < array_len(f->output.pipes); i++) {
        while (move_piece(&f->output.pipes[i]))
            ;
    }
}
