/*
 * pass.h - the text of a destination: "applications/NAME", "applications/NAME/TARGET", "routes",
 * "routes/NAME" (routing, 1).
 *
 * Only syntax; generation_resolve finds what is named.
 */
#ifndef CONF_PASS_H
#define CONF_PASS_H

#include "base/err.h"
#include "base/slice.h"

#define PASS_TEXT_MAX 4096 /* bytes; a longer text leads nowhere */

enum pass_kind { PASS_APPLICATION, PASS_ROUTES, PASS_ROUTE };

struct pass {
    enum pass_kind kind;
    struct slice name;   /* APPLICATION, ROUTE: decoded */
    struct slice target; /* APPLICATION: decoded, or SLICE_NONE */
};

/*
 * pass_parse - split at '/', then decode each piece.
 *
 *   room     where decoded names go, PASS_TEXT_MAX bytes; ret's slices point into it
 *
 * No allocation.  0, -EBADMSG with the sentence (err may be NULL: per request).
 */
int pass_parse(struct slice text, char *room, struct pass *ret_pass, struct br_err *err);

#endif
