/*
 * api_status.c - /status and /control: numbers out, restarts in.
 *
 *   GET /status/applications/blog:  ask everybody (numbers.c) -> the whole object -> the part asked
 * for GET /control/applications/blog/restart:  a change that changes nothing but the launch
 */
#include "controller/api_status.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"
#include "conf/generation.h"
#include "controller/api.h"
#include "controller/api_certs.h"
#include "controller/controller.h"
#include "controller/numbers.h"
#include "process/confine.h"

static void
add_int(struct api_call *call, struct json *object, struct slice name, uint64_t value)
{
    json_add(object, name, json_new_int(&call->arena, (int64_t)value));
}

static struct json *
add_object(struct api_call *call, struct json *object, struct slice name)
{
    return json_add(object, name, json_new(&call->arena, JSON_OBJECT));
}

static struct json *
module_object(struct api_call *call, const struct conf_module *module)
{
    struct json *object = json_new(&call->arena, JSON_OBJECT);

    json_add(object, SLICE("version"), json_new_string(&call->arena, module->version));
    json_add(object, SLICE("lib"), json_new_string(&call->arena, module->path));
    return object;
}

/* All modules of the language of modules->list[first]: one object, or an array of several. */
static struct json *
language_value(struct api_call *call, const struct conf_modules *modules, size_t first)
{
    struct json *array = json_new(&call->arena, JSON_ARRAY);

    for (size_t i = first; i < modules->n; i++) {
        if (slice_eq(modules->list[i].type, modules->list[first].type))
            json_push(array, module_object(call, &modules->list[i]));
    }
    return array->n > 1 ? array : module_object(call, &modules->list[first]);
}

static void
add_modules(struct api_call *call, struct json *status)
{
    const struct conf_modules *modules = &call->controller->modules;
    struct json *object = add_object(call, status, SLICE("modules"));

    for (size_t i = 0; i < modules->n; i++) {
        if (json_get(object, modules->list[i].type) == NULL)
            json_add(object, modules->list[i].type, language_value(call, modules, i));
    }
}

static void
add_connections(struct api_call *call, struct json *status, const struct status_router *sum)
{
    struct json *connections = add_object(call, status, SLICE("connections"));
    struct json *requests = add_object(call, status, SLICE("requests"));

    add_int(call, connections, SLICE("accepted"), sum->accepted);
    add_int(call, connections, SLICE("active"), sum->active);
    add_int(call, connections, SLICE("idle"), sum->idle);
    add_int(call, connections, SLICE("closed"), sum->closed);
    add_int(call, requests, SLICE("total"), sum->requests);
}

static const char *
worker_state_name(uint32_t state)
{
    static const char *const names[] = {[WORKER_STARTING] = "starting",
                                        [WORKER_IDLE] = "idle",
                                        [WORKER_BUSY] = "busy",
                                        [WORKER_DRAINING] = "draining"};

    return state < array_len(names) ? names[state] : "unknown";
}

static void
add_worker(struct api_call *call, struct json *array, const struct status_worker *w, bool stream)
{
    struct json *object = json_push(array, json_new(&call->arena, JSON_OBJECT));
    struct json *memory;

    add_int(call, object, SLICE("pid"), (uint64_t)w->pid);
    json_add(object, SLICE("state"), api_text(call, worker_state_name(w->state)));
    if (stream) {
        add_int(call, object, SLICE("connections"), w->requests);
        add_int(call, object, SLICE("active"), w->active);
    } else {
        add_int(call, object, SLICE("requests"), w->requests);
    }
    add_int(call, object, SLICE("start_ms"), w->start_us / 1000);
    memory = add_object(call, object, SLICE("memory"));
    add_int(call, memory, SLICE("private"), w->private_bytes);
    add_int(call, memory, SLICE("shared"), w->shared_bytes);
}

/* What is on by default may not be there: an older kernel, no privilege, `isolation`. */
static void
add_filters(struct api_call *call, struct json *object, const struct numbers *n, uint32_t launch)
{
    struct json *isolation;
    uint32_t filters;

    if (!numbers_filters(n, launch, &filters))
        return;
    isolation = add_object(call, object, SLICE("isolation"));
    json_add(isolation, SLICE("seccomp"),
             json_new_bool(&call->arena, (filters & CONFINED_CALLS) != 0));
    json_add(isolation, SLICE("landlock"),
             json_new_bool(&call->arena, (filters & CONFINED_PATHS) != 0));
}

static void
add_stream(struct api_call *call, struct json *object, const struct status_stream *s)
{
    add_int(call, object, SLICE("accepted"), s->accepted);
    add_int(call, object, SLICE("active"), s->active);
    add_int(call, object, SLICE("waiting"), s->waiting);
    add_int(call, object, SLICE("lost"), s->lost);
}

static void
add_requests(struct api_call *call, struct json *object, struct status_app sum)
{
    add_int(call, object, SLICE("active"), sum.active);
    add_int(call, object, SLICE("total"), sum.total);
}

static void
add_application(struct api_call *call, struct json *applications, const struct app_conf *app,
                const struct numbers *n, uint32_t launch)
{
    struct json *object = add_object(call, applications, app->name);
    struct json *processes = add_object(call, object, SLICE("processes"));
    struct json *sums =
        add_object(call, object, app->is_stream ? SLICE("connections") : SLICE("requests"));
    struct json *workers = json_add(object, SLICE("workers"), json_new(&call->arena, JSON_ARRAY));
    struct status_stream stream = {0};
    uint32_t count = 0;
    const struct status_worker *w = numbers_workers(n, launch, &stream, &count);
    uint64_t in_state[WORKER_DRAINING + 1] = {0};

    for (uint32_t i = 0; w != NULL && i < count; i++) {
        if (w[i].state <= WORKER_DRAINING)
            in_state[w[i].state]++;
        add_worker(call, workers, &w[i], app->is_stream);
    }
    add_int(call, processes, SLICE("running"), in_state[WORKER_IDLE] + in_state[WORKER_BUSY]);
    add_int(call, processes, SLICE("starting"), in_state[WORKER_STARTING]);
    add_int(call, processes, SLICE("idle"), in_state[WORKER_IDLE]);
    if (app->is_stream)
        add_stream(call, sums, &stream);
    else
        add_requests(call, sums, numbers_app(n, launch));
    add_filters(call, object, n, launch);
}

static const char *
run_state_name(uint32_t state)
{
    static const char *const names[] = {[RUN_STARTING] = "starting",
                                        [RUN_RUNNING] = "running",
                                        [RUN_STOPPING] = "stopping",
                                        [RUN_WAITING] = "waiting",
                                        [RUN_ENDED] = "ended"};

    return state < array_len(names) ? names[state] : "unknown";
}

/* {"code": 1}, {"signal": "KILL"}, or null: none has ended yet. */
static void
add_exit(struct api_call *call, struct json *object, int32_t status)
{
    struct json *value;
    const char *name;

    if (status < 0) {
        json_add(object, SLICE("last_exit"), json_new(&call->arena, JSON_NULL));
        return;
    }
    value = add_object(call, object, SLICE("last_exit"));
    name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    if (name != NULL)
        json_add(value, SLICE("signal"), api_text(call, name));
    else
        add_int(call, value, SLICE("code"), (uint64_t)WEXITSTATUS(status));
}

static void
add_program(struct api_call *call, struct json *array, const struct status_program *p)
{
    struct json *object = json_push(array, json_new(&call->arena, JSON_OBJECT));

    add_int(call, object, SLICE("pid"), (uint64_t)br_max(p->pid, 0));
    json_add(object, SLICE("state"), api_text(call, run_state_name(p->state)));
    add_int(call, object, SLICE("age_ms"), p->age_ms);
    add_int(call, object, SLICE("restarts"), p->restarts);
    add_exit(call, object, p->last_status);
}

/* Beside what all have: what only its type has. */
static void
add_sums(struct api_call *call, struct json *object, const struct app_conf *app,
         const struct status_front *sums, uint64_t running)
{
    struct json *part;

    if (strcmp(app->language, "inetd") == 0) {
        part = add_object(call, object, SLICE("connections"));
        add_int(call, part, SLICE("accepted"), sums->accepted);
        add_int(call, part, SLICE("active"), running);
        add_int(call, part, SLICE("refused"), sums->refused);
    } else if (app->program.every_ms > 0 || app->program.calendar != NULL) {
        part = add_object(call, object, SLICE("runs"));
        add_int(call, part, SLICE("total"), sums->started);
        add_int(call, part, SLICE("skipped"), sums->skipped);
        add_int(call, part, SLICE("next"), (uint64_t)br_max(sums->next, (int64_t)0));
        add_exit(call, part, sums->last_status);
    }
}

static void
add_program_application(struct api_call *call, struct json *applications,
                        const struct app_conf *app, const struct numbers *n, uint32_t launch)
{
    struct json *object = add_object(call, applications, app->name);
    struct json *processes = add_object(call, object, SLICE("processes"));
    struct json *programs = json_add(object, SLICE("programs"), json_new(&call->arena, JSON_ARRAY));
    struct status_front sums = {.last_status = -1};
    uint64_t in_state[RUN_ENDED + 1] = {0};
    uint32_t count = 0;
    const struct status_program *p = numbers_programs(n, launch, &sums, &count);

    for (uint32_t i = 0; p != NULL && i < count; i++) {
        if (p[i].state <= RUN_ENDED)
            in_state[p[i].state]++;
        add_program(call, programs, &p[i]);
    }
    add_int(call, processes, SLICE("running"), in_state[RUN_RUNNING] + in_state[RUN_STOPPING]);
    add_int(call, processes, SLICE("starting"), in_state[RUN_STARTING] + in_state[RUN_WAITING]);
    add_int(call, processes, SLICE("idle"), 0);
    add_sums(call, object, app, &sums, in_state[RUN_RUNNING] + in_state[RUN_STOPPING]);
    add_filters(call, object, n, launch);
}

static void
add_upgrade(struct api_call *call, struct json *status)
{
    const struct upgraded *last = &call->controller->upgraded;
    struct json *upgrade;

    if (!last->done && last->reason[0] == '\0')
        return; /* as Unit's, which knows no upgrade */
    upgrade = add_object(call, status, SLICE("upgrade"));
    json_add(upgrade, SLICE("state"), api_text(call, last->done ? "done" : "failed"));
    if (last->reason[0] != '\0')
        json_add(upgrade, SLICE("reason"), api_text(call, last->reason));
}

static struct json *
status_object(struct api_call *call, const struct numbers *n, const struct status_router *sum)
{
    const struct deployment *live = &call->controller->apply.live;
    const struct generation *g = live->generation;
    struct json *status = json_new(&call->arena, JSON_OBJECT);
    struct json *applications;

    if (call->controller->leaving)
        json_add(status, SLICE("state"), api_text(call, "draining"));
    add_modules(call, status);
    add_connections(call, status, sum);
    applications = add_object(call, status, SLICE("applications"));
    for (size_t i = 0; g != NULL && i < g->n_apps; i++)
        (g->apps[i].is_program ? add_program_application : add_application)(
            call, applications, &g->apps[i], n, live->launches[i]);
    add_upgrade(call, status); /* behind what Unit has */
    return status;
}

static void
on_numbers(void *arg, const struct numbers *n)
{
    struct api_call *call = arg;
    struct status_router sum;
    struct json *value;

    if (numbers_routers(n, &sum) == 0) {
        api_error(call, 500, "Failed to get status.", "no router answered");
        return;
    }
    value = json_path_get(status_object(call, n, &sum), json_path_from(call->path, 1));
    if (value == NULL)
        api_error(call, 404, "Invalid path.", NULL);
    else
        api_value(call, value);
}

void
api_status_get(struct api_call *call)
{
    numbers_ask(call->controller->task, &call->controller->asking, on_numbers, call);
}

static void
on_numbers_for_root(void *arg, const struct numbers *n)
{
    struct api_call *call = arg;
    const struct generation *live = call->controller->apply.live.generation;
    struct json *root = json_new(&call->arena, JSON_OBJECT);
    struct status_router sum;

    numbers_routers(n, &sum);
    json_add(root, SLICE("certificates"), api_certs_object(call));
    json_add(root, SLICE("config"),
             live == NULL ? json_new(&call->arena, JSON_OBJECT)
                          : json_copy(&call->arena, live->tree));
    json_add(root, SLICE("status"), status_object(call, n, &sum));
    api_value(call, root);
}

void
api_status_root(struct api_call *call)
{
    numbers_ask(call->controller->task, &call->controller->asking, on_numbers_for_root, call);
}

struct restart {
    struct change change;
    struct api_call *call;
};

static const struct json *
propose_restart(struct change *c, const struct generation *live)
{
    struct api_call *call = container_of(c, struct restart, change)->call;
    const struct json *tree;

    if (live == NULL || generation_app(live, c->restart) == NULL) {
        change_done(c);
        api_missing(call);
        return NULL;
    }
    tree = json_copy(&c->next->arena, live->tree);
    if (tree == NULL) {
        change_done(c);
        api_error(call, 500, "Memory allocation failed.", NULL);
    }
    return tree;
}

static void
restart_over(struct change *c, enum change_outcome outcome, const struct conf_fault *fault)
{
    struct api_call *call = container_of(c, struct restart, change)->call;
    struct json *plan = NULL;

    if (outcome == CHANGE_PLANNED)
        plan = api_plan(call, &c->plan);
    else if (outcome == CHANGE_APPLIED)
        br_log(LOG_NOTICE, "application \"" SLICE_FMT "\" is restarted", SLICE_ARG(c->restart));
    else
        br_log(LOG_ERROR, "failed to restart application \"" SLICE_FMT "\": %s",
               SLICE_ARG(c->restart), fault->err.text);
    change_done(c);
    if (plan != NULL)
        api_value(call, plan);
    else if (outcome == CHANGE_APPLIED)
        api_success(call, "Ok");
    else
        api_error(call, 500, "Failed to restart app.", fault->err.text);
}

static const struct change_ops restart_ops = {.propose = propose_restart, .over = restart_over};

void
api_status_restart(struct api_call *call)
{
    struct restart *r;

    if (!api_read_terms(call))
        return;
    r = arena_new(&call->arena, struct restart);
    r->call = call;
    change_init(&call->controller->apply, &r->change, &restart_ops);
    r->change.dry_run = call->terms.dry_run;
    r->change.keep = false;
    r->change.restart = call->path.segments[2];
    apply_submit(&call->controller->apply, &r->change);
}
