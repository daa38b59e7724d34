/*
 * deployment.c - a generation and what runs for it: which launch serves each of its applications.
 *
 *   generation 7      apps: blog, shop      what the user wrote
 *   launches          12,   9               what main runs for it: shop has not changed since 9
 * began
 *
 * From here come the three texts that leave the controller: the sealed one for routers, the one for
 * the disk, and the launch card of each application.
 */
#include "controller/deployment.h"

#include <errno.h>

#include "base/fd.h"
#include "conf/generation.h"
#include "conf/json_write.h"
#include "controller/card_isolation.h"
#include "controller/parent.h"
#include "process/launch.h"

/* More than a request body may hold: escapes and launches come on top. */
#define TEXT_BYTES_MAX (256u * 1024 * 1024)

int
deployment_init(struct deployment *d, struct generation *generation)
{
    d->generation = generation;
    d->etag = NULL;
    d->launches = arena_array(&generation->arena, uint32_t, generation->n_apps + 1);
    return d->launches == NULL ? -ENOMEM : 0;
}

void
deployment_done(struct deployment *d)
{
    if (d->generation != NULL)
        generation_unref(d->generation);
    *d = (struct deployment){.generation = NULL};
}

static uint32_t *
launch_of(const struct deployment *d, struct slice name)
{
    const struct app_conf *app = generation_app(d->generation, name);

    return app == NULL ? NULL : &d->launches[app - d->generation->apps];
}

uint32_t
deployment_launch(const struct deployment *d, struct slice name)
{
    const uint32_t *launch = launch_of(d, name);

    return launch == NULL ? 0 : *launch;
}

void
deployment_set_launch(struct deployment *d, struct slice name, uint32_t launch)
{
    *launch_of(d, name) = launch;
}

bool
deployment_names(const struct deployment *d, uint32_t launch)
{
    for (size_t i = 0; i < d->generation->n_apps; i++)
        if (d->launches[i] == launch)
            return true;
    return false;
}

static int
seal(struct buf *b, const char *name)
{
    int fd = b->error < 0 ? b->error : fd_memfd_sealed(name, b->p, b->n);

    buf_done(b);
    return fd;
}

/*
 * FNV-1a of 128 bits: no two of an operator's configurations share one by chance, and who may write
 * the configuration has no use for two that do.
 */
static unsigned __int128
fnv1a(struct slice text)
{
    const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
    unsigned __int128 hash =
        (unsigned __int128)0x6c62272e07bb0142 << 64 | (unsigned __int128)0x62b821756295c58d;

    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * prime;
    return hash;
}

const char *
deployment_etag(struct deployment *d)
{
    unsigned __int128 hash;
    struct buf b;

    if (d->etag != NULL)
        return d->etag;
    buf_init(&b, TEXT_BYTES_MAX);
    json_write_compact(&b, d->generation->tree);
    hash = fnv1a(buf_slice(&b));
    d->etag = arena_printf(&d->generation->arena, "\"%016llx%016llx\"",
                           (unsigned long long)(hash >> 64), (unsigned long long)hash);
    buf_done(&b);
    return d->etag;
}

int
deployment_seal(const struct deployment *d)
{
    const struct generation *g = d->generation;
    struct buf b;

    buf_init(&b, TEXT_BYTES_MAX);
    buf_puts(&b, "{\"conf\":");
    json_write_compact(&b, g->tree);
    buf_puts(&b, ",\"launch\":{");
    for (size_t i = 0; i < g->n_apps; i++) {
        if (i > 0)
            buf_putc(&b, ',');
        json_write_string(&b, g->apps[i].name);
        buf_printf(&b, ":%u", d->launches[i]);
    }
    buf_puts(&b, "}}");
    return seal(&b, "generation");
}

int
deployment_seal_conf(const struct deployment *d)
{
    struct buf b;

    buf_init(&b, TEXT_BYTES_MAX);
    json_write_compact(&b, d->generation->tree);
    return seal(&b, "conf");
}

static void
put_text(struct buf *b, const char *key, const char *value)
{
    if (value != NULL)
        launch_put(b, key, slice_cstr(value));
}

static void
put_all(struct buf *b, const char *key, const struct strings *values)
{
    for (size_t i = 0; i < values->n; i++)
        put_text(b, key, values->p[i]);
}

/* Main may change ids: an application that names no user gets the one of --user. */
static void
put_user(struct buf *b, const struct app_conf *app, const struct settings *settings)
{
    bool inherits = app->user == NULL && settings->privileged;

    put_text(b, "user", inherits ? settings->user : app->user);
    put_text(b, "group", inherits && app->group == NULL ? settings->group : app->group);
}

/* The module's file name: main and prototype look for it in --modulesdir. */
static struct slice
file_name(struct slice path)
{
    size_t from = path.n;

    while (from > 0 && path.p[from - 1] != '/')
        from--;
    return slice_sub(path, from, path.n);
}

/* Of each target the same keys, in the same order. */
static void
put_python(struct buf *b, const struct app_conf *app)
{
    put_text(b, "home", app->python.home);
    put_all(b, "path", &app->python.path);
    put_text(b, "protocol", app->python.protocol);
    for (size_t i = 0; i < app->python.n_targets; i++) {
        const struct python_target *target = &app->python.targets[i];

        launch_put(b, "target", target->name);
        put_text(b, "module_name", target->module);
        put_text(b, "callable", target->callable);
        put_text(b, "prefix", target->prefix != NULL ? target->prefix : "");
        launch_put_int(b, "factory", target->factory);
    }
}

/* What a prototype that accepts must know; `executable` is of the type `stream`. */
static void
put_stream(struct buf *b, const struct app_conf *app)
{
    const struct program_conf *p = &app->program;

    launch_put_int(b, "stream", 1);
    put_all(b, "listen", &app->listen);
    put_text(b, "executable", p->executable);
    put_all(b, "argument", &p->arguments);
    launch_put_int(b, "connections_max", p->connections_max);
    put_text(b, "choice", p->choice);
    launch_put_int(b, "connection_idle_ms", p->idle_timeout_ms);
}

bool
launch_alone(const struct app_conf *app)
{
    return app->program.replace != NULL && strcmp(app->program.replace, "stop-first") == 0;
}

/* What a program, or who runs it, must know. */
static void
put_program(struct buf *b, const struct app_conf *app, bool replaces)
{
    const struct program_conf *p = &app->program;

    put_text(b, "program", app->language);
    put_all(b, "listen", &app->listen);
    put_text(b, "executable", p->executable);
    put_all(b, "argument", &p->arguments);
    put_text(b, "stop_signal", p->stop_signal);
    launch_put_int(b, "stop_grace_ms", p->stop_grace_ms);
    put_text(b, "restart", p->restart);
    put_text(b, "ready", p->ready);
    launch_put_int(b, "ready_timeout_ms", p->ready_timeout_ms);
    launch_put_int(b, "wait", replaces && launch_alone(app));
    launch_put_int(b, "every_ms", p->every_ms);
    put_text(b, "calendar", p->calendar);
    launch_put_int(b, "overlap", p->overlap);
    launch_put_int(b, "connections_max", p->connections_max);
    launch_put_int(b, "connections_per_source", p->connections_per_source);
    launch_put_int(b, "total_timeout_ms", p->total_timeout_ms);
    launch_put_int(b, "connection_idle_ms", p->idle_timeout_ms);
    launch_put_int(b, "client_stderr", p->client_stderr);
}

void
launches_tell_live(const struct deployment *d, struct task *task)
{
    const struct generation *g = d->generation;

    for (size_t i = 0; i < g->n_apps; i++) {
        const struct msg_live live = {.launch = d->launches[i], .alone = launch_alone(&g->apps[i])};

        if (app_conf_accepts(&g->apps[i]))
            parent_tell(task, MSG_PROCESS_LIVE, &live, NULL, 0);
    }
}

int
launch_card(const struct app_conf *app, uint32_t launch, bool replaces,
            const struct settings *settings)
{
    struct buf b;
    int fd;
    int rc;

    launch_begin(&b);
    launch_put(&b, "name", app->name);
    put_text(&b, "type", app->type);
    if (app->is_program)
        put_program(&b, app, replaces);
    if (app->is_stream)
        put_stream(&b, app);
    if (app->module != NULL)
        launch_put(&b, "module", file_name(app->module->path));
    launch_put_int(&b, "launch", launch);
    put_user(&b, app, settings);
    put_text(&b, "working_directory", app->working_directory);
    put_all(&b, "environment", &app->environment);
    put_text(&b, "stdout", app->stdout_path);
    put_text(&b, "stderr", app->stderr_path);
    launch_put_int(&b, "max", app->processes.max);
    launch_put_int(&b, "spare", app->processes.spare);
    launch_put_int(&b, "idle_timeout_ms", app->processes.idle_timeout_ms);
    launch_put_int(&b, "timeout_ms", app->timeout_ms);
    launch_put_int(&b, "requests", app->requests);
    launch_put_int(&b, "threads", app->threads);
    launch_put_int(&b, "thread_stack_size", app->thread_stack_size);
    if (app->module != NULL)
        put_python(&b, app);
    card_isolation(&b, &app->isolation, settings);
    rc = launch_end(&b, &fd);
    return rc < 0 ? rc : fd;
}
