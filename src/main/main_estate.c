/*
 * main_estate.c - the text by which one main leaves its sockets to the next.
 *
 *   brood-estate 1
 *   old 812
 *   ready 9
 *   pidfile 5
 *   control 11
 *   listener 12 1 511 127.0.0.1:8080      descriptor, listens, backlog, name to the end of the line
 *   given 13 web                          of a service manager; only where there are some
 *
 * It lies in a sealed memory file, since a thousand listeners are more than one variable may hold.
 * The two programs may be years apart: a reader refuses a version and a word that it does not
 * know, and the old main goes on.  Whoever finds the variable by accident (a shell that an
 * application left, say) is not the child of the process that the text names, and ignores it.
 */
#include "main/main_estate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define ESTATE_FIRST     "brood-estate 1"
#define ESTATE_BYTES_MAX (4u * 1024 * 1024)

void
estate_begin(struct buf *text)
{
    buf_init(text, ESTATE_BYTES_MAX);
    buf_printf(text, ESTATE_FIRST "\nold %d\n", (int)getpid());
}

void
estate_put(struct buf *text, const char *what, int fd)
{
    buf_printf(text, "%s %d\n", what, fd);
}

void
estate_put_given(struct buf *text, int fd, const char *name)
{
    buf_printf(text, "given %d %s\n", fd, name);
}

void
estate_put_listener(struct buf *text, const struct estate_listener *l)
{
    buf_printf(text, "listener %d %d %d %s\n", l->fd, l->listens, l->backlog, l->name);
}

static int
word_number(struct slice *line, int *ret)
{
    struct slice word;
    bool negative;
    uint64_t n;

    if (!slice_split(line, ' ', &word))
        return -EBADMSG;
    negative = word.n > 0 && word.p[0] == '-';
    if (slice_u64(negative ? slice_sub(word, 1, word.n) : word, &n) < 0 || n > INT32_MAX)
        return -EBADMSG;
    *ret = negative ? -(int)n : (int)n;
    return 0;
}

/* A descriptor that is open; it survives no further execution. */
static int
word_fd(struct slice *line, int *ret_fd)
{
    int fd;
    int rc = word_number(line, &fd);

    if (rc == 0)
        rc = fd <= STDERR_FILENO ? -EBADF : fd_set_cloexec(fd, true);
    if (rc == 0)
        *ret_fd = fd;
    return rc;
}

static bool
is_socket(int fd)
{
    int type;
    socklen_t n = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

static int
read_listener(struct estate *e, struct slice line)
{
    struct estate_listener l = {.fd = -1};
    struct estate_listener *more;
    int listens = 0;
    int rc = word_fd(&line, &l.fd);

    if (rc == 0)
        rc = word_number(&line, &listens);
    if (rc == 0)
        rc = word_number(&line, &l.backlog);
    if (rc < 0 || line.n == 0 || !is_socket(l.fd))
        return rc < 0 ? rc : -ENOTSOCK;
    l.listens = listens != 0;
    more = reallocarray(e->listeners, e->n + 1, sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    e->listeners = more;
    l.name = strndup(line.p, line.n);
    if (l.name == NULL)
        return -ENOMEM;
    e->listeners[e->n++] = l;
    return 0;
}

static int
read_given(struct estate *e, struct slice line)
{
    char name[sizeof(((struct activated *)NULL)->name)];
    int fd;
    int rc = word_fd(&line, &fd);

    if (rc == 0)
        snprintf(name, sizeof(name), SLICE_FMT, SLICE_ARG(line));
    return rc == 0 ? activation_add(&e->given, fd, name) : rc;
}

static int
read_line(struct estate *e, struct slice line)
{
    struct slice word;

    if (!slice_split(&line, ' ', &word))
        return -EBADMSG;
    if (slice_eq(word, SLICE("old")))
        return word_number(&line, &e->old);
    if (slice_eq(word, SLICE("ready")))
        return word_fd(&line, &e->ready_fd);
    if (slice_eq(word, SLICE("pidfile")))
        return word_fd(&line, &e->pid_fd);
    if (slice_eq(word, SLICE("control")))
        return word_fd(&line, &e->control_fd);
    if (slice_eq(word, SLICE("given")))
        return read_given(e, line);
    return slice_eq(word, SLICE("listener")) ? read_listener(e, line) : -EBADMSG;
}

static int
read_text(struct estate *e, struct slice text, struct br_err *err)
{
    struct slice line;
    int rc = 0;

    if (!slice_split(&text, '\n', &line) || !slice_eq(line, SLICE(ESTATE_FIRST)))
        return br_fail(err, -EPROTO, "the old main hands over in a way this program cannot read");
    while (rc == 0 && slice_split(&text, '\n', &line) && line.n > 0)
        rc = read_line(e, line);
    if (rc < 0)
        return br_fail(err, rc, "cannot take \"" SLICE_FMT "\" from the old main", SLICE_ARG(line));
    if (e->ready_fd < 0 || e->pid_fd < 0 || e->control_fd < 0)
        return br_fail(err, -EPROTO, "the old main hands over too little");
    return 0;
}

static int
read_memory(int fd, struct estate *e, struct br_err *err)
{
    char *text;
    size_t n;
    int rc = fd_read_file(fd, ESTATE_BYTES_MAX, &text, &n);

    if (rc < 0)
        return br_fail(err, rc, "cannot read what the old main hands over");
    rc = read_text(e, slice_make(text, n), err);
    free(text);
    return rc;
}

int
estate_take(struct estate **ret_estate, struct br_err *err)
{
    const char *variable = getenv(ESTATE_VARIABLE);
    struct estate *e;
    uint64_t number;
    int fd, rc;

    if (variable == NULL)
        return 0;
    rc = slice_u64(slice_cstr(variable), &number);
    unsetenv(ESTATE_VARIABLE);
    if (rc < 0 || number <= STDERR_FILENO || number > INT32_MAX || !fd_is_sealed((int)number))
        return 0;
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return br_fail(err, -ENOMEM, "what the old main hands over");
    e->ready_fd = e->pid_fd = e->control_fd = -1;
    fd = (int)number;
    rc = read_memory(fd, e, err);
    if (rc == 0 && e->old == getppid()) {
        fd_close(&fd);
        *ret_estate = e;
        return 1;
    }
    estate_done(e);
    return rc;
}

void
estate_done(struct estate *e)
{
    for (size_t i = 0; i < e->n; i++) {
        fd_close(&e->listeners[i].fd);
        free(e->listeners[i].name);
    }
    free(e->listeners);
    fd_close(&e->ready_fd);
    fd_close(&e->pid_fd);
    fd_close(&e->control_fd);
    activation_free(e->given);
    free(e);
}
