/*
 * api_config.h - /config: read parts of the configuration in force, propose changes of it.
 */
#ifndef CONTROLLER_API_CONFIG_H
#define CONTROLLER_API_CONFIG_H

#include "base/slice.h"

struct api_call;

void api_config_get(struct api_call *call);
/* PUT, POST and DELETE. */
void api_config_change(struct api_call *call);

/* What a PUT /config of that text does, which did not come in the body; the call's terms are read.
 */
void api_config_replace(struct api_call *call, struct slice text);

#endif
