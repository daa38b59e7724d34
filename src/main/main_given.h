/*
 * main_given.h - listening sockets that a service manager opened for us: who has which.
 *
 * settings.given holds them for main's whole life, in an upgrade for the next one's, too.  A
 * listener that goes gives its socket back, and one that comes later finds it there.
 */
#ifndef MAIN_MAIN_GIVEN_H
#define MAIN_MAIN_GIVEN_H

#include "main/main_state.h"
#include "process/activation.h"

/* Log what there is; what no listener can have is closed. */
void main_given_begin(struct main *m);
/* Once, when the first configuration is in force: those that nobody has. */
void main_given_tell_unused(struct main *m);

/* A copy for a listener of that address.  1; 0: there is none; -errno. */
int main_given_open(struct main *m, const char *address, int *ret_fd, struct activated **ret_given,
                    struct br_err *err);
/* Its listener is gone; *given is NULL then. */
void main_given_back(struct activated **given);
/* SO_REUSEPORT of those that no listener has, as listener_share_port. */
void main_given_share_ports(const struct main *m, bool on);

#endif
