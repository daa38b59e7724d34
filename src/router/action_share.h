/*
 * action_share.h - static files: from a share action to a file that is sent, or to its fallback.
 */
#ifndef ROUTER_ACTION_SHARE_H
#define ROUTER_ACTION_SHARE_H

struct transaction;
struct action_conf;

/* Answers, or gives the fallback to be tried instead.  NULL: answered. */
const struct action_conf *action_share(struct transaction *tx, const struct action_conf *action);

#endif
