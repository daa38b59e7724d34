/*
 * api_certs.c - /certificates: the bundles that listeners may name.
 *
 * Listeners of this version speak no TLS, so the set of bundles is empty and stays so.  Clients
 * that list it before they configure a server get the answer they expect; an upload is refused
 * with the reason.
 */
#include "controller/api_certs.h"

#include "controller/api.h"

void
api_certs_list(struct api_call *call)
{
    api_value(call, json_new(&call->arena, JSON_OBJECT));
}

void
api_certs_get(struct api_call *call)
{
    api_error(call, 404, "Certificate doesn't exist.", NULL);
}

void
api_certs_put(struct api_call *call)
{
    if (call->path.n != 2)
        api_error(call, 400, "Invalid certificate name.", NULL);
    else
        api_error(call, 500, "Failed to store certificate.", "this version of brood has no TLS");
}

void
api_certs_delete(struct api_call *call)
{
    if (call->path.n != 2)
        api_error(call, 400, "Invalid certificate name.", NULL);
    else
        api_error(call, 404, "Certificate doesn't exist.", NULL);
}
