/*
 * fields.h - header fields: a name, a value and the number of a name that the house knows.
 *
 * Lists are plain arrays in the order of the wire; a repeated field is several entries.  Slices
 * point into memory of whoever made the array (requests: the connection's input buffer).
 */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/names.h"

struct field {
    struct slice name;  /* as received */
    struct slice value; /* trimmed */
    enum field_name id; /* NAME_NONE: compare the text */
};

/* A field of our own making: FIELD(CONTENT_TYPE, "Content-Type", SLICE("text/html")). */
#define FIELD(ID, literal, text) \
    ((struct field){.name = SLICE(literal), .value = (text), .id = NAME_##ID})

/* The first field of that number, or NULL. */
const struct field *fields_find(const struct field *fields, size_t n, enum field_name id);
/* The first field of that name, without regard to case, or NULL. */
const struct field *fields_get(const struct field *fields, size_t n, struct slice name);

/* tchar only, at least one (RFC 9110, 5.6.2). */
bool field_name_ok(struct slice name);
/* No control bytes but TAB, no DEL. */
bool field_value_ok(struct slice value);
/* Is the token an element of this comma-separated list, without regard to case? */
bool field_has_token(struct slice value, struct slice token);

#endif
