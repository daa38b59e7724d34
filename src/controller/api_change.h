/*
 * api_change.h - /control/change: the change under way, looked at and given up.
 */
#ifndef CONTROLLER_API_CHANGE_H
#define CONTROLLER_API_CHANGE_H

struct api_call;

void api_change_get(struct api_call *call);
void api_change_cancel(struct api_call *call);

#endif
