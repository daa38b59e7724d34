/*
 * install.h - generations in this router: built beside the live one, made live, retired.
 *
 *   CONF_PREPARE -> text -> generation -> missing sockets and logs from main -> CONF_PREPARED
 *   CONF_COMMIT  -> one pointer, listeners bound anew -> CONF_LIVE … last user gone -> CONF_RETIRED
 */
#ifndef ROUTER_INSTALL_H
#define ROUTER_INSTALL_H

struct router;
struct installed;
struct channel;
struct message;

void install_prepare(struct router *router, struct channel *ch, struct message *m);
void install_commit(struct router *router, struct channel *ch, const struct message *m);
/* Forget the prepared one, if there is one; the same when the controller dies. */
void install_abort(struct router *router);

/* Take a user away; the last one frees it and tells the controller. */
void installed_unref(struct installed *in);

#endif
