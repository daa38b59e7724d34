/*
 * line.c - the variable, the two forks, the hello, and the loop that forks executors.
 *
 * The loop touches little, since each page that it writes to is copied for its children; and it
 * reaps only whom it is told to, since the server watches them by pidfd and a pid is the server's
 * until then.
 */
#include "guests/prefork_interp/common/line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "guests/prefork_interp/common/request.h"

#define PIECE 32768 /* of the hello, in a datagram */

extern char **environ;

static bool
has_mark(const char *marks)
{
    size_t n = strlen("brood1");

    while (*marks == ',') {
        size_t length = strcspn(++marks, ", ");

        if (length == n && memcmp(marks, "brood1", n) == 0)
            return true;
        marks += length;
    }
    return false;
}

int
given_read(struct given *g, const char *variable)
{
    const char *space = strchr(variable, ' '), *marks;
    int n = 0;

    memset(g, 0, sizeof(*g));
    if (space == NULL || strncmp(variable, "v1,", 3) != 0)
        return -EINVAL;
    n = (int)strspn(variable + 3, "0123456789.");
    if (n < 3 || n >= (int)sizeof(g->start) || memchr(variable + 3, '.', (size_t)n) == NULL)
        return -EINVAL;
    memcpy(g->start, variable + 3, (size_t)n);
    marks = variable + 3 + n;
    if (*marks != ',' && *marks != ' ')
        return -EINVAL;
    g->mark = has_mark(marks);
    n = 0;
    if (sscanf(space, " %d,%d,%d,%d%n", &g->fds[0], &g->fds[1], &g->fds[2], &g->fds[3], &n) != 4 ||
        n == 0)
        return -EINVAL;
    for (size_t i = 0; i < array_len(g->fds); i++) {
        if (g->fds[i] < 0)
            return -EINVAL;
    }
    space = strchr(space + n, ' ');
    if (space != NULL && strncmp(space, " server=", 8) == 0 &&
        strlen(space + 8) < sizeof(g->server))
        strcpy(g->server, space + 8);
    return 0;
}

void
given_hide(const struct given *g, bool hide)
{
    for (size_t i = 0; i < array_len(g->fds); i++)
        fd_set_cloexec(g->fds[i], hide);
}

void
hello_add(struct buf *hello, const char *name, const char *value)
{
    buf_printf(hello, "%s=%s", name, value);
    buf_putc(hello, '\0');
}

void
hello_add_number(struct buf *hello, const char *name, int64_t value)
{
    buf_printf(hello, "%s=%lld", name, (long long)value);
    buf_putc(hello, '\0');
}

void
hello_add_words(struct buf *hello, const char *script)
{
    char *text = NULL;
    size_t n = 0, end = 0;

    if (fd_read_path("/proc/self/cmdline", HELLO_MAX, &text, &n) < 0)
        return;
    end = strlen(text) + 1; /* without a script: the interpreter alone */
    for (size_t at = end; at < n; at += strlen(text + at) + 1) {
        if (strcmp(text + at, script) == 0) {
            end = at + strlen(script) + 1;
            break;
        }
    }
    for (size_t at = 0; at < end && at < n; at += strlen(text + at) + 1)
        hello_add(hello, "word", text + at);
    free(text);
}

void
line_keep_stdio(void)
{
    for (int fd = 0; fd < 3; fd++)
        fd_set_cloexec(fd, false);
}

/* The parent of the second fork becomes the server. */
static br_noreturn void
become_server(const struct given *g, const char *server, const char *script, int control)
{
    char number[12];
    char *words[] = {(char *)"brood-interp", (char *)"serve", number, (char *)script, NULL};

    snprintf(number, sizeof(number), "%d", control);
    fd_set_cloexec(control, false);
    given_hide(g, false);
    line_keep_stdio();
    execve(server, words, environ);
    dprintf(STDERR_FILENO, "prefork_initialisation_complete: %s: %s\n", server, strerror(errno));
    _exit(127);
}

int
line_open(const struct given *g, const char *server, const char *script, int *ret_line)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid > 0)
        _exit(0);
    setsid();
    pid = fork();
    if (pid < 0) {
        dprintf(STDERR_FILENO, "prefork_initialisation_complete: fork: %s\n", strerror(errno));
        _exit(127);
    }
    if (pid > 0)
        become_server(g, server, script, ends[1]);
    close(ends[1]);
    for (size_t i = 0; i < array_len(g->fds); i++)
        close(g->fds[i]);
    *ret_line = ends[0];
    return 0;
}

static int
send_whole(int line, const char *p, size_t n)
{
    while (n > 0) {
        size_t piece = br_min(n, (size_t)PIECE);

        if (send(line, p, piece, MSG_NOSIGNAL) < 0)
            return -errno;
        p += piece;
        n -= piece;
    }
    return 0;
}

static void
put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

int
line_hello(int line, const struct given *g, struct buf *hello)
{
    static const char *const names[] = {"listen", "call", "watchi", "watche"};
    struct buf text;
    uint8_t length[4];
    int rc;

    for (size_t i = 0; i < array_len(names); i++)
        hello_add_number(hello, names[i], g->fds[i]);
    hello_add(hello, "start", g->start);
    hello_add(hello, "feat", "cwd");
    hello_add_number(hello, "pid", getpid());
    if (g->mark)
        hello_add(hello, "mark", "brood1");
    if (hello->error < 0)
        return hello->error;
    put_u32(length, (uint32_t)hello->n);
    buf_init(&text, HELLO_MAX + sizeof(length));
    buf_append(&text, length, sizeof(length));
    buf_put(&text, buf_slice(hello));
    rc = text.error < 0 ? text.error : send_whole(line, text.p, text.n);
    buf_done(&text);
    return rc;
}

struct children {
    pid_t *pids;
    size_t n, room;
};

static void
remember(struct children *c, pid_t pid)
{
    if (c->n == c->room) {
        size_t room = c->room * 2 + 16;
        pid_t *more = realloc(c->pids, room * sizeof(*more));

        if (more == NULL)
            return; /* it is only not interrupted when the server dies */
        c->pids = more;
        c->room = room;
    }
    c->pids[c->n++] = pid;
}

static void
forget(struct children *c, pid_t pid)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->pids[i] == pid)
            c->pids[i--] = c->pids[--c->n];
    }
}

static bool
answer(int line, char what, uint32_t first, uint32_t second)
{
    uint8_t text[9] = {(uint8_t)what};

    put_u32(text + 1, first);
    put_u32(text + 5, second);
    return send(line, text, sizeof(text), MSG_NOSIGNAL) == sizeof(text);
}

static bool
reap(int line, struct children *c, pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    forget(c, pid);
    return answer(line, 'R', (uint32_t)pid, (uint32_t)status);
}

int
line_serve(int line)
{
    struct sigaction plain = {.sa_handler = SIG_DFL}, before;
    struct children children = {0};
    uint8_t text[5];
    bool going = true;

    sigaction(SIGCHLD, &plain, &before);
    while (going) {
        int fd = -1;
        size_t n_fds = 1;
        ssize_t n = fds_receive(line, text, sizeof(text), &fd, &n_fds);
        uint32_t value;

        if (n != sizeof(text))
            break;
        value =
            (uint32_t)text[1] << 24 | (uint32_t)text[2] << 16 | (uint32_t)text[3] << 8 | text[4];
        if (text[0] == 'F') {
            pid_t pid = fork();

            if (pid == 0) {
                close(line);
                setpgid(0, 0);
                sigaction(SIGCHLD, &before, NULL);
                free(children.pids);
                return fd;
            }
            fd_close(&fd);
            if (pid > 0) {
                setpgid(pid, pid);
                remember(&children, pid);
            }
            going = answer(line, 'F', value, pid > 0 ? (uint32_t)pid : 0);
        } else {
            going = reap(line, &children, (pid_t)value);
        }
    }
    /* The server has gone.  Spares see that themselves; services have lost their caller. */
    for (size_t i = 0; i < children.n; i++)
        kill(-children.pids[i], SIGINT);
    _exit(0);
}

int
count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;

    if (tasks == NULL)
        return 1;
    for (struct dirent *e; (e = readdir(tasks)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(tasks);
    return n;
}

uint64_t
signal_row(const char *name)
{
    char *text = NULL, *row;
    size_t n;
    uint64_t set = 0;

    if (fd_read_path("/proc/self/status", 65536, &text, &n) < 0)
        return 0;
    row = strstr(text, name);
    if (row != NULL && row[strlen(name)] == ':')
        set = strtoull(row + strlen(name) + 1, NULL, 16);
    free(text);
    return set;
}
