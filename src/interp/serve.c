/*
 * serve.c - the server: accepts calls, keeps spares forked, notices that it is stale or unwanted.
 *
 *   library --hello--> settings; files recorded; socket watched --> loop
 *   LISTEN --> call waits --not stale, a spare, a place--> greeted ... (call.c, executor.c)
 *   socket lost | idle too long | stale | TERM | interpreter gone --> leave: drop who waits,
 *   finish what runs, end
 */
#include "interp/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "interp/journal.h"
#include "interp/server.h"

#define FAILED       127
#define ACCEPT_PAUSE 50
#define LOOK_MS      2000
#define BACKLOG      65535
#define UNLIMITED    10000

static int64_t
most(const struct server *s)
{
    return s->hello.max_servers < 0 ? UNLIMITED : s->hello.max_servers;
}

/*
 * Whoever else may hold the socket (a daemon that was started during initialisation, say), nobody
 * shall wait on it: callers in the queue are reset, new ones refused.
 */
static void
stop_listening(struct server *s)
{
    int fd;

    loop_del(s->loop, &s->listen_watch);
    shutdown(s->listener, SHUT_RDWR);
    while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(fd);
    fd_close(&s->listener);
}

void
server_leave(struct server *s)
{
    if (s->leaving)
        return;
    s->leaving = true;
    loop_timer_cancel(s->loop, &s->idle);
    loop_timer_cancel(s->loop, &s->accept_pause);
    stop_listening(s);
    call_drop_waiting(s);
    executor_dismiss_spares(s);
}

static bool
is_stale(struct server *s)
{
    const struct stale_file *f = stale_find(&s->stale);

    if (f == NULL)
        return false;
    journal(JOURNAL_INFO, "reloading: \"%s\" has changed", f->path);
    return true;
}

static void
match_calls(struct server *s)
{
    struct executor *e;

    while (!s->leaving && s->n_waiting > 0 && s->n_busy < most(s) &&
           (e = executor_spare(s)) != NULL) {
        /* Who has been greeted is served by us, since it is not going to ask anybody else. */
        if (!call_is_greeted(call_waiting(s)) && is_stale(s))
            server_leave(s);
        else
            call_match(s, e);
    }
}

static void
order_spares(struct server *s)
{
    int64_t free_places = most(s) - s->n_busy;
    int64_t wanted = s->n_waiting + (s->holding ? 0 : s->hello.spare);

    if (s->spare_deaths > br_max(s->hello.max_errors, (int64_t)0)) {
        journal(JOURNAL_ERROR, "children die before they have a call");
        server_leave(s);
        return;
    }
    /* Callers may have gone for whom others were ordered. */
    while (s->n_spare > s->n_waiting + s->hello.spare && executor_dismiss_one(s))
        ;
    wanted = br_min(wanted, free_places + s->hello.spare);
    while (s->n_spare < wanted && executor_order(s) == 0)
        ;
}

void
server_balance(struct server *s)
{
    if (s->balancing)
        return;
    s->balancing = true;
    match_calls(s);
    if (!s->leaving)
        order_spares(s);
    if (!s->leaving && s->hello.max_calls > 0 && s->served >= (uint64_t)s->hello.max_calls) {
        journal(JOURNAL_INFO, "%llu calls served: making way", (unsigned long long)s->served);
        server_leave(s);
    }
    if (s->leaving && s->n_busy == 0 && s->n_leaving == 0 && !loop_stopped(s->loop))
        loop_stop(s->loop);
    s->balancing = false;
}

static void
rest(struct server *s)
{
    if (s->hello.idle_timeout_s >= 0)
        loop_timer(s->loop, &s->idle, s->hello.idle_timeout_s * 1000);
}

static void
on_idle(struct timer *t)
{
    struct server *s = container_of(t, struct server, idle);

    if (s->n_waiting > 0) {
        rest(s);
        return;
    }
    journal(JOURNAL_INFO, "nobody called for %lld s", (long long)s->hello.idle_timeout_s);
    server_leave(s);
    server_balance(s);
}

static void
on_accept_pause(struct timer *t)
{
    struct server *s = container_of(t, struct server, accept_pause);

    loop_mod(s->loop, &s->listen_watch, EPOLLIN);
}

static void
accept_failed(struct server *s)
{
    journal(JOURNAL_WARNING, "accept: %s", strerror(errno));
    if (s->hello.max_errors >= 0 && ++s->errors > s->hello.max_errors) {
        journal(JOURNAL_ERROR, "too many errors");
        server_leave(s);
        return;
    }
    loop_mod(s->loop, &s->listen_watch, 0);
    loop_timer(s->loop, &s->accept_pause, ACCEPT_PAUSE);
}

static void
on_connection(struct watch *w, br_unused uint32_t events)
{
    struct server *s = container_of(w, struct server, listen_watch);
    struct sockaddr_un peer;
    socklen_t n = sizeof(peer);
    int fd;

    while ((fd = accept4(s->listener, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC)) >= 0) {
        s->errors = 0;
        call_new(s, fd, n > sizeof(peer.sun_family)); /* callers have no name */
        rest(s);
        n = sizeof(peer);
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        accept_failed(s);
    server_balance(s);
}

static void
on_refill(struct timer *t)
{
    struct server *s = container_of(t, struct server, refill);

    s->holding = false;
    server_balance(s);
}

/* Does the socket's name still mean ours? */
static void
look_at_socket(struct server *s)
{
    struct stat st;

    if (s->leaving || (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino))
        return;
    journal(JOURNAL_INFO, "the socket is gone");
    server_leave(s);
    server_balance(s);
}

static void
on_look(struct timer *t)
{
    struct server *s = container_of(t, struct server, look);

    look_at_socket(s);
    loop_timer(s->loop, &s->look, LOOK_MS);
}

static void
on_inotify(struct watch *w, br_unused uint32_t events)
{
    struct server *s = container_of(w, struct server, inotify_watch);
    char text[1024];

    while (read(s->inotify, text, sizeof(text)) > 0)
        ;
    look_at_socket(s);
}

/* The watcher of the wrapper that started us, where we cannot look ourselves. */
static void
on_watcher(struct watch *w, br_unused uint32_t events)
{
    struct server *s = container_of(w, struct server, inotify_watch);
    char text[512];
    ssize_t n = read(w->fd, text, sizeof(text) - 1);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        text[n] = '\0';
        journal(JOURNAL_ERROR, "watcher: %s", text);
        return;
    }
    journal(JOURNAL_INFO, "the socket is gone");
    loop_del(s->loop, w);
    server_leave(s);
    server_balance(s);
}

static bool
find_socket(struct server *s)
{
    struct sockaddr_un address;
    socklen_t n = sizeof(address);
    struct stat st;

    memset(&address, 0, sizeof(address));
    if (getsockname(s->listener, (struct sockaddr *)&address, &n) < 0 ||
        address.sun_path[0] != '/' || strncmp(address.sun_path, "/proc/self/", 11) == 0)
        return false;
    memcpy(s->path, address.sun_path, sizeof(address.sun_path));
    s->path[sizeof(address.sun_path)] = '\0';
    if (lstat(s->path, &st) < 0)
        return true; /* gone already: look_at_socket will say so */
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return true;
}

/*
 * Tell wrappers that they may send their requests at once, by a bit of the socket's mode that means
 * nothing else (request.h).  Through a descriptor: the name may be another server's by now.
 */
static void
invite(struct server *s)
{
    br_cleanup(fd_closep) int fd = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char path[32];
    struct stat st;

    if (!s->hello.mark || !hello_can(&s->hello, "cwd") || fd < 0 || fstat(fd, &st) < 0 ||
        st.st_dev != s->dev || st.st_ino != s->ino)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (chmod(path, 0600 | S_ISVTX) < 0)
        journal(JOURNAL_INFO, "callers wait for their greeting: %s", strerror(errno));
}

/* Look ourselves, and let the watcher go; or listen to it. */
static int
watch_socket(struct server *s)
{
    if (!find_socket(s)) {
        if (s->hello.watche < 0)
            return 0;
        fd_set_nonblock(s->hello.watche, true);
        return loop_add(s->loop, &s->inotify_watch, s->hello.watche, EPOLLIN, on_watcher);
    }
    s->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (s->inotify >= 0 &&
        inotify_add_watch(s->inotify, s->path, IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) >= 0 &&
        loop_add(s->loop, &s->inotify_watch, s->inotify, EPOLLIN, on_inotify) == 0)
        timer_init(&s->look, on_look);
    else
        loop_timer(s->loop, &s->look, LOOK_MS);
    fd_close(&s->hello.watchi);
    fd_close(&s->hello.watche);
    look_at_socket(s);
    if (!s->leaving)
        invite(s);
    return 0;
}

static void
on_signal(void *arg, const struct signalfd_siginfo *info)
{
    struct server *s = arg;

    if (info->ssi_signo == SIGCHLD) {
        executor_reap_strays(s);
        return;
    }
    journal(JOURNAL_INFO, "told to go by signal %u", info->ssi_signo);
    server_leave(s);
    server_balance(s);
}

/* u32 length, then that many bytes, in as many datagrams as it takes. */
static int
read_hello(struct server *s, struct br_err *err)
{
    struct buf text;
    char piece[64 * 1024];
    size_t length = 0;
    int rc = 0;

    buf_init(&text, HELLO_BYTES_MAX);
    while (rc == 0 && (text.n < 4 || text.n < 4 + length)) {
        ssize_t n = recv(s->line, piece, sizeof(piece), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || buf_append(&text, piece, (size_t)n) < 0)
            rc = br_fail(err, -EPIPE, "the library said only %zu bytes", text.n);
        else if (text.n >= 4)
            length = wire_u32(text.p);
    }
    if (rc == 0)
        rc = hello_read(&s->hello, &s->arena, slice_make(text.p + 4, length), err);
    buf_done(&text);
    return rc;
}

static void
let_go_of_stdio(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = 0; null >= 0 && i < 3; i++)
        dup2(null, i);
    if (null > 2)
        close(null);
}

static int
prepare(struct server *s, struct br_err *err)
{
    sigset_t set;
    int rc = read_hello(s, err);

    if (rc < 0)
        return rc;
    if (!journal_open(s->hello.script, s->hello.log_facility))
        journal(JOURNAL_WARNING, "unknown log facility \"%s\"", s->hello.log_facility);
    s->interpreter = (pid_t)s->hello.pid;
    s->tells = hello_can(&s->hello, "end");
    stale_record(&s->stale, &s->arena, s->hello.files, s->hello.n_files, &s->hello.start);
    s->listener = s->hello.listen;
    fd_set_cloexec(s->listener, true);
    fd_set_cloexec(s->hello.call, true);
    fd_set_nonblock(s->listener, true);
    /* Who connects sees who listened last: us, not the wrapper that made the socket. */
    if (listen(s->listener, BACKLOG) < 0)
        return br_fail(err, -errno, "the library's descriptor %d is no listening socket",
                       s->listener);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    if (loop_signals(s->loop, &set, on_signal, s) < 0 ||
        loop_add(s->loop, &s->line_watch, s->line, EPOLLIN, executor_line) < 0 ||
        loop_add(s->loop, &s->listen_watch, s->listener, EPOLLIN, on_connection) < 0)
        return br_fail(err, -errno, "cannot watch descriptors");
    return watch_socket(s);
}

static void
init(struct server *s, int control)
{
    arena_init(&s->arena, 0);
    s->line = control;
    s->listener = -1;
    s->inotify = -1;
    s->born_ms = s->last_ms = clock_ms();
    list_init(&s->executors);
    list_init(&s->calls);
    timer_init(&s->idle, on_idle);
    timer_init(&s->accept_pause, on_accept_pause);
    timer_init(&s->refill, on_refill);
    timer_init(&s->look, on_look);
}

int
interp_serve(int control)
{
    static struct server s;
    struct br_err err = BR_ERR_NONE;

    clock_update();
    init(&s, control);
    fd_set_cloexec(control, true);
    prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
    s.loop = loop_new();
    if (s.loop == NULL || prepare(&s, &err) < 0) {
        fprintf(stderr, "prefork-interp: server: %s\n", err.text);
        return FAILED;
    }
    let_go_of_stdio();
    call_new(&s, s.hello.call, false);
    rest(&s);
    server_balance(&s);
    loop_run(s.loop);
    loop_free(s.loop);
    arena_done(&s.arena);
    return 0;
}
