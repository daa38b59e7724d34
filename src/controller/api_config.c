/*
 * api_config.c - /config: read parts of the configuration in force, propose changes of it.
 *
 *   PUT /config/routes/0 <body>:  parse the body now
 *                                 when its turn comes: copy the live tree, put the body there
 *                                 the rest is apply.c's
 *
 * The order of checks is part of the interface: bad JSON on a missing path is 400, not 404; then
 * the path, then If-Match (RFC 9110, 13.2.1: what would fail anyway is not asked for it), then the
 * configuration.
 *
 * The ETag is that of the whole configuration whichever part is read, since all of it is validated
 * together: no change of another part goes unnoticed.  The answer to a PUT has none (RFC 9110,
 * 9.3.4: the text was not stored as it came).
 */
#include "controller/api_config.h"

#include <errno.h>

#include "base/inject.h"
#include "base/log.h"
#include "conf/generation.h"
#include "controller/api.h"
#include "controller/controller.h"

struct proposal {
    struct change change;
    struct api_call *call;
    enum req_method method;
    struct json_path path; /* below /config */
    struct json *value;    /* to be put there; NULL for DELETE */
    bool from_body;        /* where value came from: a fault in it has a place */
};

void
api_config_get(struct api_call *call)
{
    struct deployment *live = &call->controller->apply.live;
    const struct json *value = NULL;

    if (live->generation != NULL)
        value = json_path_get((struct json *)live->generation->tree, json_path_from(call->path, 1));
    if (value == NULL) {
        api_missing(call);
        return;
    }
    call->etag = deployment_etag(live);
    api_value(call, value);
}

/* A valid text that is too deep for the place where it was to be put. */
static void
answer_too_deep(const struct proposal *p)
{
    struct conf_fault fault = {.err = BR_ERR_NONE};

    conf_fault_set(&fault, -EBADMSG, p->value->offset, json_pointer(&p->call->arena, p->path),
                   "The configuration would be nested deeper than %d levels.", JSON_DEPTH_MAX);
    api_invalid(p->call, "Invalid configuration.", &fault);
}

/* Where it cannot be put, removed, appended to. */
static void
answer_misplaced(const struct proposal *p, int rc)
{
    struct api_call *call = p->call;

    switch (rc) {
    case -ENOENT:
        api_missing(call);
        return;
    case -ENOTDIR:
        api_error(call, 405, "Method isn't allowed.", "only to an array can be appended");
        return;
    case -ELOOP:
        answer_too_deep(p);
        return;
    default:
        api_error(call, 500, "Memory allocation failed.", NULL);
    }
}

static int
edit(struct proposal *p, const struct generation *live, struct json **ret_tree)
{
    struct arena *a = &p->change.next->arena;
    struct json *tree;
    int rc;

    if (p->path.n == 0 && p->method == METHOD_PUT) {
        *ret_tree = p->value;
        return 0;
    }
    tree = live == NULL ? json_new(a, JSON_OBJECT) : json_copy(a, live->tree);
    if (tree == NULL)
        return -ENOMEM;
    if (p->method == METHOD_PUT)
        rc = json_path_put(a, &tree, p->path, p->value);
    else if (p->method == METHOD_POST)
        rc = json_path_append(tree, p->path, p->value);
    else
        rc = json_path_delete(a, &tree, p->path);
    *ret_tree = tree;
    return rc;
}

static const struct json *
propose(struct change *c, const struct generation *live)
{
    struct proposal *p = container_of(c, struct proposal, change);
    struct json *tree;
    int rc = edit(p, live, &tree);

    if (rc < 0) {
        change_done(c);
        answer_misplaced(p, rc);
        return NULL;
    }
    if (!api_terms_hold(&p->call->terms, &p->call->controller->apply.live, p->path)) {
        change_done(c);
        api_precondition_failed(p->call);
        return NULL;
    }
    return tree;
}

static void
answer_invalid(const struct proposal *p, const struct conf_fault *fault)
{
    struct conf_fault placed = *fault;

    if (!p->from_body)
        placed.offset = JSON_NOWHERE;
    api_invalid(p->call, "Invalid configuration.", &placed);
}

static void
over(struct change *c, enum change_outcome outcome, const struct conf_fault *fault)
{
    struct proposal *p = container_of(c, struct proposal, change);
    struct api_call *call = p->call;
    struct json *plan = NULL;

    if (outcome == CHANGE_APPLIED)
        br_log(LOG_NOTICE, "configuration %u is live", c->next->number);
    else if (outcome == CHANGE_REFUSED)
        br_log(LOG_ERROR, "failed to apply configuration %u: %s", c->next->number, fault->err.text);
    else if (outcome == CHANGE_PLANNED)
        plan = api_plan(call, &c->plan);
    change_done(c);
    switch (outcome) {
    case CHANGE_APPLIED:
        api_success(call, "Reconfiguration done.");
        return;
    case CHANGE_PLANNED:
        api_value(call, plan);
        return;
    case CHANGE_INVALID:
        if (fault->err.rc == -ENOMEM)
            api_error(call, 500, "Memory allocation failed.", fault->err.text);
        else
            answer_invalid(p, fault);
        return;
    case CHANGE_REFUSED:
        api_error(call, 500, "Failed to apply new configuration.", fault->err.text);
        return;
    }
}

static const struct change_ops proposal_ops = {.propose = propose, .over = over};

/* Parse the text into the arena of the generation to be.  0, or the call was answered. */
static int
parse(struct proposal *p, struct slice text)
{
    struct conf_fault fault = {.err = BR_ERR_NONE, .offset = JSON_NOWHERE};
    size_t offset = JSON_NOWHERE;
    int rc = json_parse(&p->change.next->arena, text, &p->value, &offset, &fault.err);

    if (rc == 0)
        return 0;
    change_done(&p->change);
    if (rc == -EBADMSG) {
        fault.offset = p->from_body ? (uint32_t)offset : JSON_NOWHERE;
        api_invalid(p->call, "Invalid JSON.", &fault);
    } else {
        api_error(p->call, 500, "Memory allocation failed.", NULL);
    }
    return rc;
}

static struct proposal *
proposal_new(struct api_call *call, enum req_method method, struct json_path path)
{
    struct proposal *p = arena_new(&call->arena, struct proposal);

    *p = (struct proposal){.call = call, .method = method, .path = path};
    change_init(&call->controller->apply, &p->change, &proposal_ops);
    p->change.dry_run = call->terms.dry_run;
    return p;
}

/*
 * DELETE of an application that is only being prepared: at its turn it would undo that change, so
 * there is nothing to wait for.
 */
static bool
cancel_instead(struct api_call *call)
{
    struct apply *a = &call->controller->apply;
    struct json_path path = json_path_from(call->path, 1);

    if (call->req->method_id != METHOD_DELETE || call->terms.dry_run ||
        call->terms.if_match.p != NULL || path.n != 2 ||
        !slice_eq(path.segments[0], SLICE("applications")) ||
        !apply_introduces(a, path.segments[1]))
        return false;
    apply_cancel(a, "cancelled by DELETE of an application that it was to introduce");
    api_success(call, "Reconfiguration done.");
    return true;
}

void
api_config_change(struct api_call *call)
{
    struct proposal *p;

    INJECT(controller, received);
    if (!api_read_terms(call) || cancel_instead(call))
        return;
    p = proposal_new(call, call->req->method_id, json_path_from(call->path, 1));
    p->from_body = p->method != METHOD_DELETE;
    if (!p->from_body || parse(p, call->req->body.mem) == 0)
        apply_submit(&call->controller->apply, &p->change);
}

void
api_config_replace(struct api_call *call, struct slice text)
{
    struct proposal *p = proposal_new(call, METHOD_PUT, (struct json_path){.n = 0});

    if (parse(p, text) == 0)
        apply_submit(&call->controller->apply, &p->change);
}
