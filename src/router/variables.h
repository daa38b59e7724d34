/*
 * variables.h - the values behind $names, for one request.
 */
#ifndef ROUTER_VARIABLES_H
#define ROUTER_VARIABLES_H

#include "conf/template.h"

struct transaction;

/* Value of one variable; empty when there is none.  Lives as long as the request. */
struct slice variable_value(struct transaction *tx, enum variable id, struct slice name);

/*
 * variables_expand - the template's text for this request, NUL-terminated.
 *
 *   ret_foreign_dots   (may be NULL) a ".." segment is there to which a variable other than $uri
 *                      has contributed a byte
 *
 * 0, or -EMSGSIZE: longer than any use of it.
 */
int variables_expand(struct transaction *tx, const struct template *t, struct slice *ret_text,
                     bool *ret_foreign_dots);

#endif
