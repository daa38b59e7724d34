/*
 * fields.c - looking through field lists, and the syntax of a single field.
 */
#include "http/fields.h"

#include "http/chars.h"

const struct field *
fields_find(const struct field *fields, size_t n, enum field_name id)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].id == id)
            return &fields[i];
    return NULL;
}

const struct field *
fields_get(const struct field *fields, size_t n, struct slice name)
{
    enum field_name id = field_name_find(name.p, name.n);

    if (id != NAME_NONE)
        return fields_find(fields, n, id);
    for (size_t i = 0; i < n; i++)
        if (fields[i].id == NAME_NONE && slice_ieq(fields[i].name, name))
            return &fields[i];
    return NULL;
}

bool
field_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!char_is(name.p[i], CHAR_TOKEN))
            return false;
    return name.n > 0;
}

bool
field_value_ok(struct slice value)
{
    const char *end = value.p + value.n;

    return value.n == 0 || chars_skip_value(value.p, end) == end;
}

bool
field_has_token(struct slice value, struct slice token)
{
    struct slice piece;

    while (slice_split(&value, ',', &piece))
        if (slice_ieq(slice_trim(piece), token))
            return true;
    return false;
}
