/*
 * api_terms.c - what a request asks of a change beyond its body, and the answer to a dry run.
 *
 *   PUT /config/listeners?dry_run  -->  {"success": "Valid.", "plan": [{"step": …, "name": …}, …]}
 *
 * The query of a control request is ignored (control-api, 1.1) but for `dry_run`: without a value,
 * or with "true" or "1", it asks for the plan; "false" and "0" ask for the change.
 */
#include "controller/api.h"

#include <errno.h>

#include "conf/plan.h"

static const char *const verbs[] = {
    [PLAN_LISTENER_OPEN] = "open listener",
    [PLAN_LOG_OPEN] = "open log",
    [PLAN_APP_START] = "start application",
    [PLAN_LISTENER_KEEP] = "keep listener",
    [PLAN_LOG_KEEP] = "keep log",
    [PLAN_APP_KEEP] = "keep application",
    [PLAN_LISTENER_CLOSE] = "close listener",
    [PLAN_LOG_CLOSE] = "close log",
    [PLAN_APP_STOP] = "stop application",
};

static struct slice
subject(const struct plan_step *step)
{
    if (step->listener != NULL)
        return slice_cstr(step->listener->address);
    return step->app != NULL ? step->app->name : slice_cstr(step->log);
}

/* Texts are copied: the generation of a dry run dies before the answer is written. */
static struct json *
step_object(struct arena *a, const struct plan_step *step)
{
    struct json *object = json_new(a, JSON_OBJECT);
    const char *verb = step->relisten ? "listen anew" : verbs[step->verb];

    json_add(object, SLICE("step"), json_new_string(a, slice_cstr(verb)));
    json_add(object, SLICE("name"), json_new_string(a, arena_dup(a, subject(step))));
    return object;
}

struct json *
api_plan(struct api_call *call, const struct plan *plan)
{
    struct arena *a = &call->arena;
    struct json *body = json_new(a, JSON_OBJECT);
    struct json *list;

    json_add(body, SLICE("success"), api_text(call, "Valid."));
    list = json_add(body, SLICE("plan"), json_new(a, JSON_ARRAY));
    for (size_t i = 0; i < plan->n; i++)
        json_push(list, step_object(a, &plan->steps[i]));
    return body;
}

/* 0, or -EINVAL: neither yes nor no. */
static int
read_flag(struct slice value, bool *ret_flag)
{
    *ret_flag = value.n == 0 || slice_eq(value, SLICE("true")) || slice_eq(value, SLICE("1"));
    if (*ret_flag || slice_eq(value, SLICE("false")) || slice_eq(value, SLICE("0")))
        return 0;
    return -EINVAL;
}

static int
read_dry_run(struct slice query, bool *ret_dry_run)
{
    struct slice argument;
    int rc = 0;

    *ret_dry_run = false;
    while (rc == 0 && slice_split(&query, '&', &argument)) {
        size_t equals = slice_find(argument, 0, '=');

        if (slice_eq(slice_sub(argument, 0, equals), SLICE("dry_run")))
            rc = read_flag(slice_sub(argument, br_min(equals + 1, argument.n), argument.n),
                           ret_dry_run);
    }
    return rc;
}

bool
api_read_terms(struct api_call *call)
{
    const struct slice target = call->req->target;
    size_t mark = slice_find(target, 0, '?');

    if (mark == target.n ||
        read_dry_run(slice_sub(target, mark + 1, target.n), &call->terms.dry_run) == 0)
        return true;
    api_error(call, 400, "Invalid request.", "the value of \"dry_run\" must be true or false");
    return false;
}
