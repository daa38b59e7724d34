/*
 * main_launch.h - the controller's questions for an application's processes.
 */
#ifndef MAIN_MAIN_LAUNCH_H
#define MAIN_MAIN_LAUNCH_H

#include "ipc/dispatch.h"
#include "main/main_state.h"

void main_on_process_start(struct task *task, struct channel *ch, struct message *msg);
void main_on_process_stop(struct task *task, struct channel *ch, struct message *msg);

#endif
