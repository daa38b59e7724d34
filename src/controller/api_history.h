/*
 * api_history.h - /history: the configurations that were kept, and the way back to one of them.
 */
#ifndef CONTROLLER_API_HISTORY_H
#define CONTROLLER_API_HISTORY_H

struct api_call;
struct list;

void api_history_list(struct api_call *call);
void api_history_get(struct api_call *call);
/* The whole configuration becomes that one: a change like any other. */
void api_history_apply(struct api_call *call);

/* For the end of the process: answer what still waits for main. */
void api_history_finish(struct list *lookups);

#endif
