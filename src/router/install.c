/*
 * install.c - a generation from sealed text to what requests are served by, and back to nothing.
 *
 *   struct install (at most one): generation, questions to main that are still open, who asked
 *        | all answered: CONF_PREPARED          | one refused, or the text is bad: CONF_PREPARED,
 * why
 *        v
 *   COMMIT: listeners that are gone retire with the old generation, the others are bound to the new
 *
 * Nothing of the live generation is touched before the commit, and the commit cannot fail.
 */
#include "router/install.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "conf/json.h"
#include "ipc/dispatch.h"
#include "router/app_queue.h"
#include "router/listeners.h"
#include "router/router.h"

#define TEXT_BYTES_MAX (256u * 1024 * 1024)
#define OPEN_WAIT_MS   30000

/* One thing asked of main. */
struct opening {
    struct install *install;
    enum open_kind kind;
    const char *name;
};

struct install {
    struct router *router;
    struct installed *in;
    struct channel *asker;
    struct message question; /* serial only */
    struct opening *openings;
    unsigned n_openings;
    unsigned pending;
    bool ready;
    struct br_err err;
};

/* --- a generation as this router serves it --- */

static void
fill_limits(struct http_limits *l, const struct http_conf *conf, const struct settings *settings)
{
    *l = http_limits_default;
    l->idle_timeout_ms = conf->idle_timeout_ms;
    l->header_read_timeout_ms = conf->header_read_timeout_ms;
    l->body_read_timeout_ms = conf->body_read_timeout_ms;
    l->send_timeout_ms = conf->send_timeout_ms;
    l->max_body_size = (uint64_t)conf->max_body_size;
    l->body_buffer_size = (size_t)conf->body_buffer_size;
    l->body_temp_path = conf->body_temp_path != NULL ? conf->body_temp_path : settings->tmp_dir;
    l->large_header_buffer_size = (uint32_t)br_min(conf->large_header_buffer_size, INT32_MAX);
    l->large_header_buffers = (uint32_t)conf->large_header_buffers;
    l->discard_unsafe_fields = conf->discard_unsafe_fields;
    l->chunked_transform = conf->chunked_transform;
    l->server = conf->server_version ? SLICE("brood/" BROOD_VERSION) : SLICE("brood");
}

static struct installed *
installed_new(struct router *router, struct generation *g)
{
    struct installed *in = calloc(1, sizeof(*in));

    if (in == NULL)
        abort();
    in->router = router;
    in->conf = g;
    in->users = 1;
    file_cache_init(&in->files);
    return in;
}

static int
take_launches(struct installed *in, const struct json *launches, struct br_err *err)
{
    struct generation *g = in->conf;

    in->queues = arena_array(&g->arena, struct app_queue *, g->n_apps + 1);
    for (size_t i = 0; i < g->n_apps; i++) {
        const struct json *number = launches != NULL ? json_get(launches, g->apps[i].name) : NULL;
        int64_t launch;

        if (number == NULL || json_integer(number, &launch) < 0 || launch < 0 ||
            launch > UINT32_MAX)
            return br_fail(err, -EBADMSG, "no launch is named for application \"" SLICE_FMT "\"",
                           SLICE_ARG(g->apps[i].name));
        in->queues[i] = app_queue_ref(in->router, (uint32_t)launch, &g->apps[i]);
    }
    return 0;
}

static void
fill_bindings(struct installed *in)
{
    struct generation *g = in->conf;

    in->bindings = arena_array(&g->arena, struct binding, g->n_listeners + 1);
    for (size_t i = 0; i < g->n_listeners; i++)
        in->bindings[i] = (struct binding){.installed = in, .conf = &g->listeners[i]};
}

static void
tell_retired(struct installed *in)
{
    const struct msg_conf m = {.generation = in->conf->number};
    struct channel *controller = dispatch_find(in->router->task->dispatch, ROLE_CONTROLLER, 0);

    if (controller != NULL)
        dispatch_tell(controller, MSG_CONF_RETIRED, &m, NULL, 0);
    INJECT_OF(router, retired, in->router->task->index);
}

static void
installed_free(struct installed *in)
{
    struct generation *g = in->conf;

    for (size_t i = 0; i < g->n_apps && in->queues != NULL; i++) {
        if (in->queues[i] != NULL)
            app_queue_unref(in->queues[i]);
    }
    file_cache_done(&in->files);
    if (in->log != NULL)
        access_log_unref(in->log);
    generation_unref(g);
    free(in);
}

void
installed_unref(struct installed *in)
{
    if (--in->users > 0)
        return;
    if (in->conf->state == GENERATION_RETIRING)
        tell_retired(in);
    installed_free(in);
}

/* --- prepare --- */

static void
install_free(struct install *install)
{
    struct router *router = install->router;

    for (unsigned i = 0; i < install->n_openings; i++)
        dispatch_forget(router->task->dispatch, &install->openings[i]);
    free(install->openings);
    free(install);
    router->install = NULL;
}

void
install_abort(struct router *router)
{
    struct install *install = router->install;

    if (install == NULL)
        return;
    if (install->in != NULL)
        installed_free(install->in);
    install_free(install);
    listeners_close_unbound(router);
}

static void
answer(struct install *install)
{
    struct router *router = install->router;
    struct msg_result result = {.rc = install->err.rc};

    result.generation = install->in != NULL ? install->in->conf->number : 0;
    snprintf(result.text, sizeof(result.text), "%s", install->err.rc < 0 ? install->err.text : "");
    install->ready = install->err.rc == 0;
    dispatch_reply(install->asker, &install->question, MSG_CONF_PREPARED, &result, NULL, 0);
    INJECT_OF(router, prepared_sent, router->task->index);
    if (!install->ready)
        install_abort(router);
}

static void
take_opened(struct opening *o, int fd)
{
    struct install *install = o->install;
    struct router *router = install->router;

    if (o->kind == OPEN_LISTENER) {
        listeners_add(router, o->name, fd);
        return;
    }
    install->in->log = access_log_new(o->name, fd);
    list_add_tail(&router->logs, &install->in->log->link);
}

static void
on_opened(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct opening *o = arg;
    struct install *install = o->install;
    const struct msg_result *result = m != NULL ? m->payload : NULL;

    if (rc == 0 && result->rc < 0)
        br_fail(&install->err, -EBADMSG, "%s", result->text);
    else if (rc < 0 || m->n_fds == 0)
        br_fail(&install->err, rc < 0 ? rc : -EPROTO, "\"%s\" was not opened", o->name);
    else
        take_opened(o, fd_take(&m->fds[0]));
    if (--install->pending == 0)
        answer(install);
}

static void
ask_main(struct install *install, enum open_kind kind, const char *name, int32_t value)
{
    struct opening *o = &install->openings[install->n_openings++];
    struct msg_open question = {.kind = kind, .value = value};
    int rc;

    *o = (struct opening){.install = install, .kind = kind, .name = name};
    snprintf(question.name, sizeof(question.name), "%s", name);
    rc = dispatch_ask(install->router->task->parent, MSG_OPEN, &question, NULL, 0, OPEN_WAIT_MS,
                      on_opened, o);
    if (rc < 0)
        br_fail(&install->err, rc, "cannot ask for \"%s\"", name);
    else
        install->pending++;
}

static void
ask_for_missing(struct install *install)
{
    struct router *router = install->router;
    struct installed *in = install->in;
    struct generation *g = in->conf;

    install->openings = calloc(g->n_listeners + 1, sizeof(*install->openings));
    if (install->openings == NULL)
        abort();
    for (size_t i = 0; i < g->n_listeners; i++) {
        const struct listener_conf *l = &g->listeners[i];

        if (!l->tcp && listeners_find(router, l->address) == NULL)
            ask_main(install, OPEN_LISTENER, l->address, l->backlog);
    }
    if (g->access_log == NULL)
        return;
    in->log = access_log_find(&router->logs, g->access_log);
    if (in->log != NULL)
        in->log->refs++;
    else
        ask_main(install, OPEN_ACCESS_LOG, g->access_log, 0);
}

/* Text to an installed generation that lacks only what main has to open. */
static int
build(struct install *install, struct generation *g, struct slice text)
{
    struct router *router = install->router;
    struct br_err *err = &install->err;
    struct conf_fault fault = {.err = BR_ERR_NONE};
    struct json *tree, *conf;
    size_t offset;
    int rc;

    rc = json_parse(&g->arena, text, &tree, &offset, err);
    if (rc < 0)
        return br_fail(err, rc, "the router cannot read generation %u", g->number);
    conf = json_get(tree, SLICE("conf"));
    if (conf == NULL)
        return br_fail(err, -EBADMSG, "generation %u came without a configuration", g->number);
    rc = generation_fill(g, conf, NULL, &fault);
    if (rc < 0)
        return br_fail(err, rc, "%s: %s", fault.path, fault.err.text);
    fill_limits(&install->in->limits, &g->http, router->task->settings);
    fill_bindings(install->in);
    return take_launches(install->in, json_get(tree, SLICE("launch")), err);
}

static int
read_and_build(struct install *install, struct message *m, struct generation *g)
{
    char *text;
    size_t n;
    int rc = fd_read_file(m->fds[0], TEXT_BYTES_MAX, &text, &n);

    if (rc < 0)
        return br_fail(&install->err, rc, "the router cannot read generation %u", g->number);
    rc = build(install, g, slice_make(text, n));
    free(text);
    return rc;
}

void
install_prepare(struct router *router, struct channel *ch, struct message *m)
{
    const struct msg_conf *order = m->payload;
    struct install *install = calloc(1, sizeof(*install));
    struct generation *g;

    INJECT_OF(router, prepare_asked, router->task->index);
    if (install == NULL)
        abort();
    install_abort(router);
    g = generation_new(order->generation, 0);
    *install = (struct install){.router = router,
                                .in = installed_new(router, g),
                                .asker = ch,
                                .question = {.type = m->type, .serial = m->serial},
                                .err = BR_ERR_NONE};
    router->install = install;
    if (read_and_build(install, m, g) == 0)
        ask_for_missing(install);
    INJECT_OF(router, built, router->task->index);
    if (install->pending == 0)
        answer(install);
}

/* --- commit --- */

/* The bindings of the new generation find their sockets; what has none any more, or is not ours but
 * an application's now, retires. */
static void
rebind(struct router *router, struct installed *in)
{
    struct generation *g = in->conf;
    struct router_listener *l, *tmp;

    list_foreach_safe (l, tmp, &router->listeners, link) {
        const struct listener_conf *conf = generation_listener(g, slice_cstr(l->address));

        if (!l->retired && (conf == NULL || conf->tcp))
            listener_retire(l);
    }
    for (size_t i = 0; i < g->n_listeners; i++) {
        int rc;

        if (g->listeners[i].tcp)
            continue;
        l = listeners_find(router, g->listeners[i].address);
        rc = listener_bind(l, &in->bindings[i]);
        if (rc < 0)
            br_log(LOG_ALERT, "cannot accept on \"%s\": %s", l->address, strerror(-rc));
    }
}

void
install_commit(struct router *router, struct channel *ch, const struct message *m)
{
    const struct msg_conf *order = m->payload;
    struct install *install = router->install;
    struct installed *old = router->live, *in;

    INJECT_OF(router, commit_asked, router->task->index);
    if (install == NULL || !install->ready || install->in->conf->number != order->generation) {
        br_log(LOG_ERROR, "generation %u was never prepared here", order->generation);
        return;
    }
    in = install->in;
    install->in = NULL;
    install_free(install);
    generation_move(in->conf, GENERATION_LIVE);
    rebind(router, in);
    router->live = in;
    app_queues_pass_on(router);
    INJECT_OF(router, switched, router->task->index);
    dispatch_reply(ch, m, MSG_CONF_LIVE, order, NULL, 0);
    INJECT_OF(router, live_sent, router->task->index);
    if (old != NULL) {
        generation_move(old->conf, GENERATION_RETIRING);
        installed_unref(old);
    }
}
