/*
 * api_change.c - /control/change: the change under way, looked at and given up.
 *
 *   GET     {"number": 7, "state": "preparing", "waiting": 1}
 *   DELETE  what was begun is taken back, who waits for it is answered 500, the next one begins
 *
 * Once routers are told to commit it cannot be given up: it takes no time that is worth it, and
 * there must be no doubt which configuration is in force.
 */
#include "controller/api_change.h"

#include <errno.h>

#include "base/log.h"
#include "conf/generation.h"
#include "controller/api.h"
#include "controller/controller.h"

void
api_change_get(struct api_call *call)
{
    const struct apply *a = &call->controller->apply;
    const struct change *c = a->current;
    struct json *value;

    if (c == NULL) {
        api_missing(call);
        return;
    }
    value = json_new(&call->arena, JSON_OBJECT);
    json_add(value, SLICE("number"), json_new_int(&call->arena, c->next->number));
    json_add(value, SLICE("state"),
             api_text(call, c->state == CHANGE_VALID ? "preparing" : "committing"));
    json_add(value, SLICE("waiting"), json_new_int(&call->arena, apply_waiting(a)));
    api_value(call, value);
}

void
api_change_cancel(struct api_call *call)
{
    int rc = apply_cancel(&call->controller->apply, "cancelled by DELETE /control/change");

    if (rc == 0)
        api_success(call, "Change cancelled.");
    else if (rc == -EBUSY)
        api_error(call, 409, "Change cannot be cancelled.",
                  "it is being committed, or taken back already");
    else
        api_missing(call);
}
