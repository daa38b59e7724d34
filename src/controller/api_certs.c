/*
 * api_certs.c - /certificates: the bundles that listeners may name.
 *
 *   GET    /certificates[/NAME[/chain/0/…]]  what certs.c knows, described
 *   PUT    /certificates/NAME[?replace]      a new one; one that exists is replaced only if asked
 *   DELETE /certificates/NAME                unless a listener names it
 *
 * Clients of this API upload under a new name, change their listeners, and delete the old one; they
 * count on 400 for a name that exists.  So replacing has to be asked for by the query.
 */
#include "controller/api_certs.h"

#include "base/clock.h"
#include "conf/generation.h"
#include "controller/api.h"
#include "controller/controller.h"

#define BAD_NAME "Invalid certificate name."
#define MISSING  "Certificate doesn't exist."

struct json *
api_certs_object(struct api_call *call)
{
    return certs_describe_all(&call->arena, &call->controller->certs, clock_wall());
}

void
api_certs_list(struct api_call *call)
{
    api_value(call, api_certs_object(call));
}

void
api_certs_get(struct api_call *call)
{
    const struct bundle *bundle = certs_find(&call->controller->certs, call->path.segments[1]);
    const struct json *value;

    if (bundle == NULL) {
        api_error(call, 404, MISSING, NULL);
        return;
    }
    value = json_path_get(certs_describe(&call->arena, bundle, clock_wall()),
                          json_path_from(call->path, 2));
    if (value == NULL)
        api_error(call, 404, "Invalid path.", NULL);
    else
        api_value(call, value);
}

static void
answer(struct api_call *call, enum certs_outcome outcome, const char *done, const char *failed,
       const struct br_err *err)
{
    switch (outcome) {
    case CERTS_DONE:
        api_success(call, done);
        return;
    case CERTS_BAD_NAME:
        api_error(call, 400, BAD_NAME,
                  "a name is not empty, has no \"/\", is neither \".\" nor \"..\", and has at most "
                  "255 bytes");
        return;
    case CERTS_EXISTS:
        api_error(call, 400, "Certificate already exists.", NULL);
        return;
    case CERTS_MISSING:
        api_error(call, 404, MISSING, NULL);
        return;
    case CERTS_INVALID:
        api_error(call, 400, "Invalid certificate.", err->text);
        return;
    case CERTS_FAILED:
        api_error(call, 500, failed, err->text);
        return;
    }
}

static void
on_stored(void *arg, enum certs_outcome outcome, const struct br_err *err)
{
    answer(arg, outcome, "Certificate chain uploaded.", "Failed to store certificate.", err);
}

void
api_certs_put(struct api_call *call)
{
    struct certs *certs = &call->controller->certs;
    struct br_err err = BR_ERR_NONE;
    bool replace;

    if (!api_read_terms(call) || !api_read_flag(call, "replace", &replace))
        return;
    if (call->path.n != 2)
        answer(call, CERTS_BAD_NAME, NULL, NULL, &err);
    else if (call->terms.dry_run)
        answer(call, certs_check(certs, call->path.segments[1], call->req->body.mem, replace, &err),
               "Valid.", NULL, &err);
    else
        certs_put(certs, call->path.segments[1], call->req->body.mem, replace, on_stored, call);
}

static void
on_removed(void *arg, enum certs_outcome outcome, const struct br_err *err)
{
    answer(arg, outcome, "Certificate deleted.", "Failed to delete certificate.", err);
}

/* By what is live, or by the change that is about to be. */
static bool
in_use(const struct apply *apply, struct slice name)
{
    const struct generation *live = apply->live.generation;
    const struct generation *next = apply->next.generation;

    return (live != NULL && certs_in_use(live->tree, name)) ||
           (next != NULL && certs_in_use(next->tree, name));
}

void
api_certs_delete(struct api_call *call)
{
    const struct br_err none = BR_ERR_NONE;
    struct certs *certs = &call->controller->certs;

    if (!api_read_terms(call))
        return;
    if (call->path.n != 2)
        answer(call, CERTS_BAD_NAME, NULL, NULL, &none);
    else if (certs_find(certs, call->path.segments[1]) == NULL)
        answer(call, CERTS_MISSING, NULL, NULL, &none);
    else if (in_use(&call->controller->apply, call->path.segments[1]))
        api_error(call, 400, "Certificate is used in the configuration.", NULL);
    else if (call->terms.dry_run)
        answer(call, CERTS_DONE, "Valid.", NULL, &none);
    else
        certs_remove(certs, call->path.segments[1], on_removed, call);
}
