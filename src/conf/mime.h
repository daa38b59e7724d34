/*
 * mime.h - the type of a file by its name (routing, 6.3).
 *
 * The key is what begins at the last '.' of the last path component, dot included; without a dot
 * the whole component.  Case does not count.  The user's entries win over mime.def.
 */
#ifndef CONF_MIME_H
#define CONF_MIME_H

#include "base/arena.h"
#include "base/map.h"

struct mime {
    struct map types;    /* the user's: lower-case extension -> struct slice * */
    struct map built_in; /* mime.def, likewise */
};

/* With the built-in types; dies with the arena.  NULL when its cap would be passed. */
struct mime *mime_new(struct arena *a);

/* Text is copied.  0, or -EEXIST: that extension was given before (built-in ones do not count). */
int mime_add(struct arena *a, struct mime *m, struct slice type, struct slice extension);

/* Type of that path, or an empty slice when it is unknown. */
struct slice mime_find(const struct mime *m, struct slice path);

#endif
