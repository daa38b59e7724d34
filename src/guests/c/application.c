/*
 * application.c - libbrood-app: a C program as the prototype of a stream application.
 *
 *   br_app_run -> app/runtime -> load; fork -> start -> threads: connection_next -> callback ->
 * close
 *
 * A worker leaves without exit functions: what the program registered is of the process that was
 * executed.  Standard streams are flushed before a fork, so that nothing is written twice.
 */
#include <brood/application.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/connection.h"
#include "app/runtime.h"
#include "base/log.h"

struct application {
    struct br_app_options options;
    int64_t stack_bytes; /* of each thread but the first, 0: the system's choice */
};

static struct worker *own_worker; /* NULL: this process is none */

/* ---- in the prototype ---- */

static int
load(void *ctx, const struct launch *card, struct br_err *err)
{
    struct application *app = ctx;
    int rc = app->options.load != NULL ? app->options.load(app->options.arg) : 0;

    app->stack_bytes = launch_int(card, "thread_stack_size", 0);
    return rc == 0 ? 0 : br_fail(err, -EBADMSG, "the program could not load: %d", rc);
}

static void
before_fork(void *ctx br_unused)
{
    fflush(NULL);
}

static pid_t
plain_fork(void *ctx br_unused)
{
    return fork();
}

/* ---- in a worker ---- */

static void
set_timeouts(const struct connection *c)
{
    const struct timeval tv = {.tv_sec = c->idle_ms / 1000, .tv_usec = c->idle_ms % 1000 * 1000};

    if (c->idle_ms == 0)
        return;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static void *
serve(void *arg)
{
    const struct application *app = arg;
    struct connection c;

    while (connection_next(own_worker, &c)) {
        const struct br_app_connection given = {
            .fd = c.fd, .peer = (const struct sockaddr *)&c.peer, .peer_length = c.peer_length};

        set_timeouts(&c);
        app->options.connection(&given, app->options.arg);
        close(c.fd);
        connection_over(own_worker);
    }
    return NULL;
}

/* How many of n were started. */
static unsigned
start_threads(struct application *app, pthread_t *threads, unsigned n)
{
    pthread_attr_t attr;
    unsigned i = 0;
    int rc = 0;

    pthread_attr_init(&attr);
    if (app->stack_bytes > 0)
        pthread_attr_setstacksize(&attr,
                                  (size_t)br_max(app->stack_bytes, (int64_t)PTHREAD_STACK_MIN));
    while (i < n && (rc = pthread_create(&threads[i], &attr, serve, app)) == 0)
        i++;
    pthread_attr_destroy(&attr);
    if (rc != 0)
        br_log(LOG_ERROR, "a worker has %u threads of %u: %s", i + 1, n + 1, strerror(rc));
    return i;
}

static int
serve_stream(void *ctx, struct worker *worker)
{
    struct application *app = ctx;
    unsigned n = worker_threads(worker) - 1;
    pthread_t *threads = calloc(n + 1, sizeof(*threads));
    int rc = app->options.start != NULL ? app->options.start(app->options.arg) : 0;

    if (rc != 0 || threads == NULL) {
        free(threads);
        return rc != 0 ? rc : 1;
    }
    own_worker = worker;
    n = start_threads(app, threads, n);
    serve(app);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    if (app->options.stop != NULL)
        app->options.stop(app->options.arg);
    return 0;
}

static void br_noreturn
leave(void *ctx br_unused, int code)
{
    fflush(NULL);
    _exit(code);
}

/* ---- what the program calls ---- */

br_public int
br_app_run(const struct br_app_options *options)
{
    static const struct guest_ops ops = {
        .name = "stream",
        .load = load,
        .before_fork = before_fork,
        .fork = plain_fork,
        .serve_stream = serve_stream,
        .exit = leave,
    };
    static struct application app;

    if (options->size < sizeof(*options) || options->connection == NULL) {
        fprintf(stderr, "br_app_run: the options have no size, or no callback\n");
        return 1;
    }
    app.options = *options;
    signal(SIGPIPE, SIG_IGN);
    return app_runtime_run(&ops, &app);
}

br_public void
br_app_leave(void)
{
    if (own_worker != NULL)
        worker_leave(own_worker);
}
