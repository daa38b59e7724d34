/*
 * doors.h - who comes through the control socket, and the door behind which requests find their
 * rights.
 */
#ifndef CONTROLLER_DOORS_H
#define CONTROLLER_DOORS_H

#include <sys/socket.h>

#include "base/err.h"

struct controller;
struct listener;
struct process;

/* Read the rules: the files are those that main kept with the process.  0 or the sentence;
 * doors_done in both cases. */
int doors_init(struct controller *c, const struct process *process, struct br_err *err);
void doors_done(struct controller *c);

/* The listener's hook, of controller.listener. */
void doors_on_accept(struct listener *l, int fd, const struct sockaddr *addr, socklen_t len);

#endif
