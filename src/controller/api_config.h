/*
 * api_config.h - /config: read parts of the configuration in force, propose changes of it.
 */
#ifndef CONTROLLER_API_CONFIG_H
#define CONTROLLER_API_CONFIG_H

struct api_call;

void api_config_get(struct api_call *call);
/* PUT, POST and DELETE. */
void api_config_change(struct api_call *call);

#endif
