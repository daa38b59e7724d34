/*
 * api_certs.h - /certificates: the bundles that listeners may name.
 */
#ifndef CONTROLLER_API_CERTS_H
#define CONTROLLER_API_CERTS_H

struct api_call;
struct json;

void api_certs_list(struct api_call *call);
void api_certs_get(struct api_call *call);
void api_certs_put(struct api_call *call);
void api_certs_delete(struct api_call *call);

/* All of them, for the object of everything. */
struct json *api_certs_object(struct api_call *call);

#endif
