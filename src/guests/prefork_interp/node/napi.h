/*
 * napi.h - the few functions of Node-API that the addon calls.
 *
 * Node-API is a stable binary interface (nodejs.org/api/n-api.html, version 3): declared here, so
 * that the addon is built without Node's headers and one build serves every Node from 12 on.
 */
#ifndef GUESTS_NODE_NAPI_H
#define GUESTS_NODE_NAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef int napi_status; /* 0: well */
typedef napi_value (*napi_callback)(napi_env env, napi_callback_info info);

#define NAPI_AUTO_LENGTH SIZE_MAX

napi_status napi_get_cb_info(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
                             napi_value *self, void **data);
napi_status napi_get_value_int32(napi_env env, napi_value value, int32_t *result);
napi_status napi_get_value_string_utf8(napi_env env, napi_value value, char *to, size_t room,
                                       size_t *result);
napi_status napi_get_array_length(napi_env env, napi_value value, uint32_t *result);
napi_status napi_get_element(napi_env env, napi_value object, uint32_t index, napi_value *result);
napi_status napi_create_array(napi_env env, napi_value *result);
napi_status napi_set_element(napi_env env, napi_value object, uint32_t index, napi_value value);
napi_status napi_create_string_utf8(napi_env env, const char *text, size_t n, napi_value *result);
napi_status napi_create_function(napi_env env, const char *name, size_t n, napi_callback function,
                                 void *data, napi_value *result);
napi_status napi_set_named_property(napi_env env, napi_value object, const char *name,
                                    napi_value value);
napi_status napi_throw_error(napi_env env, const char *code, const char *message);

#endif
