/*
 * names.h - the field names of HTTP that the house knows by number: names.def.
 *
 * http finds the number while it parses, the nest carries it, guests keep their key strings by it.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include "base/slice.h"

enum field_name {
    NAME_NONE,
#define NAME(id, text) NAME_##id,
#include "base/names.def"
#undef NAME
    NAMES,
};

extern const struct slice field_names[NAMES]; /* lower case; [NAME_NONE] is empty */

/* Number of this name, without regard to case, or NAME_NONE.  One perfect-hash probe. */
enum field_name field_name_find(const char *p, size_t n);

#endif
