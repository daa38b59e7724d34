/*
 * worker_role.h - a worker: forked from the prototype, serves until told to drain.
 *
 * A worker has no loop of its own running: it sleeps on its lane.  When the prototype or a router
 * wants to tell it something, the message goes over its line and the lane gets a notice.
 */
#ifndef APP_WORKER_ROLE_H
#define APP_WORKER_ROLE_H

#include "app/app.h"
#include "process/role.h"

extern const struct br_role app_worker_role;

/* Read what waits on the lines: drain, new router lines, file of a body.  Any thread. */
void worker_read_lines(struct worker *worker);
/* Shall the lanes leave once there is nothing to do?  And at once, whatever waits? */
bool worker_draining(const struct worker *worker);
bool worker_leaving(const struct worker *worker);
/* One request was answered: counts towards limits.requests. */
void worker_count(struct worker *worker);
/* A lane that slept has taken a request: ring when fewer are idle than the application wants. */
void worker_took(struct worker *worker);
/* Ask that router for the body of a claim.  A descriptor, or -errno (-ECONNRESET: it is over). */
int worker_ask_body(struct worker *worker, const struct claim *claim);

#endif
