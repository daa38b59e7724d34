/*
 * action.c - the chain of a request from its listener to an answer.
 *
 *   pass -> route -> first step that matches -> return | share -> answer
 *                                               share --fallback--> another action
 *                                               pass -> route -> …     or an application
 *
 * A loop, not a recursion: each step names the next one, at most CHAIN_MAX of them.
 */
#include "router/action.h"

#include "http/response.h"
#include "router/action_share.h"
#include "router/app_queue.h"
#include "router/location.h"
#include "router/route.h"
#include "router/router.h"
#include "router/trace.h"
#include "router/variables.h"

#define CHAIN_MAX 255

void
action_fail(struct transaction *tx, unsigned status, const char *reason)
{
    tx->reason = reason;
    response_error(tx->req, status);
}

static void
action_return(struct transaction *tx, const struct action_conf *action)
{
    unsigned status = (unsigned)action->status;
    struct field field = FIELD(LOCATION, "Location", SLICE_NONE);
    size_t n = 0;

    if (status < 200) {
        action_fail(tx, 500, "\"return\" below 200 is no final status");
        return;
    }
    if (action->location != NULL) {
        struct slice text;

        if (variables_expand(tx, action->location, &text, NULL) < 0) {
            action_fail(tx, 500, "\"location\" grew too long");
            return;
        }
        field.value = location_of_text(&tx->req->arena, text);
        n = 1;
    }
    if (status >= 400 && status <= 599)
        response_error_fields(tx->req, status, &field, n);
    else
        response_send(tx->req, status, &field, n, SLICE_NONE, NULL, NULL);
}

/* Where a pass leads.  false: nowhere. */
static bool
resolve(struct transaction *tx, const struct pass_conf *pass, struct destination *ret)
{
    struct slice text;

    if (pass->text == NULL)
        return false;
    if (pass->text->literal) {
        *ret = pass->to;
        return true;
    }
    if (variables_expand(tx, pass->text, &text, NULL) < 0)
        return false;
    return generation_resolve(transaction_installed(tx)->conf, text, ret);
}

/* The action that a pass leads to, or NULL: it was answered or given to an application. */
static const struct action_conf *
follow(struct transaction *tx, const struct pass_conf *pass)
{
    const struct installed *in = transaction_installed(tx);
    const struct action_conf *action;
    struct destination to;

    if (!resolve(tx, pass, &to)) {
        action_fail(tx, 404, NULL);
        return NULL;
    }
    request_move(tx->req, REQ_ROUTED);
    if (to.app != NULL) {
        app_queue_serve(in->queues[to.app - in->conf->apps], tx, to.target);
        return NULL;
    }
    action = route_find(to.route, tx->req);
    trace_route(tx, to.route, action);
    if (action == NULL)
        action_fail(tx, 404, NULL);
    return action;
}

static const struct action_conf *
act(struct transaction *tx, const struct action_conf *action)
{
    switch (action->kind) {
    case ACTION_RETURN:
        action_return(tx, action);
        return NULL;
    case ACTION_SHARE:
        action = action_share(tx, action);
        if (action != NULL)
            trace_fallback(tx);
        return action;
    case ACTION_PASS:
        return follow(tx, &action->pass);
    }
    return NULL;
}

void
action_serve(struct transaction *tx, const struct pass_conf *pass)
{
    const struct action_conf *action;

    trace_request(tx);
    action = follow(tx, pass);
    while (action != NULL) {
        if (++tx->chain > CHAIN_MAX) {
            action_fail(tx, 500, "more than 255 pass and fallback steps");
            return;
        }
        action = act(tx, action);
    }
}
