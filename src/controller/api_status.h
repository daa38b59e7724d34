/*
 * api_status.h - /status and /control: numbers out, restarts in.
 */
#ifndef CONTROLLER_API_STATUS_H
#define CONTROLLER_API_STATUS_H

struct api_call;

/* "/": certificates, config and status. */
void api_status_root(struct api_call *call);
void api_status_get(struct api_call *call);
void api_status_restart(struct api_call *call);

#endif
