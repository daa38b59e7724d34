/*
 * api_terms.c - what a request asks of a change beyond its body, and the answer to a dry run.
 *
 *   PUT /config/listeners?dry_run  -->  {"success": "Valid.", "plan": [{"step": …, "name": …}, …]}
 *
 * The query of a control request is ignored (control-api, 1.1) but for `dry_run`: without a value,
 * or with "true" or "1", it asks for the plan; "false" and "0" ask for the change.
 *
 * If-Match: RFC 9110, 13.1.1.  What cannot be read matches nothing.
 */
#include "controller/api.h"

#include <errno.h>

#include "conf/plan.h"
#include "controller/deployment.h"

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
read_argument(struct slice query, struct slice name, bool *ret_flag)
{
    struct slice argument;
    int rc = 0;

    *ret_flag = false;
    while (rc == 0 && slice_split(&query, '&', &argument)) {
        size_t equals = slice_find(argument, 0, '=');

        if (slice_eq(slice_sub(argument, 0, equals), name))
            rc = read_flag(slice_sub(argument, br_min(equals + 1, argument.n), argument.n),
                           ret_flag);
    }
    return rc;
}

/* Several fields are one list (RFC 9110, 5.3); the request may be gone when its turn comes. */
static struct slice
copy_if_match(struct arena *a, const struct request *req)
{
    const char *list = NULL;

    for (unsigned i = 0; i < req->n_fields; i++) {
        const struct field *f = &req->fields[i];

        if (f->id == NAME_IF_MATCH)
            list = arena_printf(a, "%s%s" SLICE_FMT, list != NULL ? list : "",
                                list != NULL ? ", " : "", SLICE_ARG(f->value));
    }
    return list == NULL ? SLICE_NONE : slice_cstr(list);
}

bool
api_read_flag(struct api_call *call, const char *name, bool *ret_flag)
{
    const struct slice target = call->req->target;
    size_t mark = slice_find(target, 0, '?');

    *ret_flag = false;
    if (mark == target.n ||
        read_argument(slice_sub(target, mark + 1, target.n), slice_cstr(name), ret_flag) == 0)
        return true;
    api_error(call, 400, "Invalid request.",
              arena_printf(&call->arena, "the value of \"%s\" must be true or false", name));
    return false;
}

bool
api_read_terms(struct api_call *call)
{
    call->terms.if_match = copy_if_match(&call->arena, call->req);
    return api_read_flag(call, "dry_run", &call->terms.dry_run);
}

/*
 * Is it in the list?  Our own tags have no comma, so a foreign one that has is cut into pieces that
 * equal none of ours; neither does a weak one (strong comparison).
 */
static bool
list_names(struct slice list, struct slice etag)
{
    struct slice tag;

    while (slice_split(&list, ',', &tag)) {
        if (slice_eq(slice_trim(tag), etag))
            return true;
    }
    return false;
}

bool
api_terms_hold(const struct api_terms *terms, struct deployment *live, struct json_path path)
{
    const struct slice list = terms->if_match;

    if (list.p == NULL)
        return true;
    if (live->generation == NULL)
        return false;
    if (slice_eq(slice_trim(list), SLICE("*")))
        return json_path_get((struct json *)live->generation->tree, path) != NULL;
    return list_names(list, slice_cstr(deployment_etag(live)));
}

void
api_precondition_failed(struct api_call *call)
{
    api_error(call, 412, "Precondition failed.",
              slice_eq(slice_trim(call->terms.if_match), SLICE("*"))
                  ? "there is nothing at this path to be replaced"
                  : "the configuration in force is another than the one that If-Match names: "
                    "somebody changed it meanwhile");
}
