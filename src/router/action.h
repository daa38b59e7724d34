/*
 * action.h - what is done with a request: return, share, pass.
 */
#ifndef ROUTER_ACTION_H
#define ROUTER_ACTION_H

struct transaction;
struct pass_conf;

/*
 * action_serve - follow pass, routes and fallbacks from there until somebody answers, now or (an
 * application) later.
 */
void action_serve(struct transaction *tx, const struct pass_conf *pass);

/* Answer with the default page; reason is for the log, NULL: nothing to say. */
void action_fail(struct transaction *tx, unsigned status, const char *reason);

#endif
