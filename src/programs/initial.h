/*
 * initial.h - the process of a first start: what --initial DIR says, as container images of NGINX
 * Unit do it.
 *
 *   *.pem   uploaded, each as the certificate of its name
 *   *.json  applied as the whole configuration, so that the last one counts
 *   *.sh    executed, if it may be; BROOD_CONTROL names the control socket
 *
 * In this order, each in the order of their names, as the user who started brood, while the control
 * socket answers.  The first failure ends the start of brood.
 */
#ifndef PROGRAMS_INITIAL_H
#define PROGRAMS_INITIAL_H

#include "process/role.h"

/* Ready when all is done; there is nothing left to start then. */
int initial_setup(struct task *task, struct process *process, struct br_err *err);

#endif
